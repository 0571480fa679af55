"""Networks that train many at a time."""
