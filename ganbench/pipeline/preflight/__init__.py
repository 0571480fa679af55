"""What is tried and measured before any job starts."""
