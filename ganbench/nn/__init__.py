"""What networks need to train many at a time."""
