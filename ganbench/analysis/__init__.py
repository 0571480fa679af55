"""From collected tables to statements: statistics, outcomes, findings. Reads files and tables, never torch."""
