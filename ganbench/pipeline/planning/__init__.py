"""The jobs of a study: `grid`, `datasets`, `pack_jobs` and `summaries`, each built on the one before."""
