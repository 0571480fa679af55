"""Services for jobs that run: devices, checkpoints, journals, progress and signals."""
