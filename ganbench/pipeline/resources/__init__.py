"""What jobs need of time, memory and disk."""
