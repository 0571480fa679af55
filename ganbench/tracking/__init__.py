"""The MLflow view of a study's results: what a run shows, the store that shows it, and pictures of samples."""
