"""The jobs of a study, stage by stage: `grid`, `datasets`, `pack_jobs` and `summaries`, each built on the one before."""
