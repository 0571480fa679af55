"""What a study's jobs are, stage by stage; each module adds the jobs that rest on those of the one before."""
