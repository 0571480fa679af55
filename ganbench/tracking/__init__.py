"""The view of a study in MLflow: records of runs, the store, pictures of samples, and streaming from training."""
