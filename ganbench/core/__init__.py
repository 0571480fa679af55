"""What everything stands on: studies, the grid, digests, files, random streams. No torch here."""
