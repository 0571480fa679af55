"""Analysis of the collected tables: statistics, outcomes and findings. Reads files and tables, without torch."""
