"""What everything stands on, and stands on nothing: studies, the grid, digests, files, random streams. No torch here."""
