"""The way from a study to its results: the plan, its jobs, and their execution."""
