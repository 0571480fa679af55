"""The runs of a study, their digests, and functions that make the jobs of every stage; a `Plan` holds them all."""
