"""The MLflow view of a study: records of runs, the store, pictures of samples, and streaming from training."""
