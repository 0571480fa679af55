"""The trial of a study before any job starts."""
