"""Networks as functions of parameter vectors, for many runs at a time, and layers that architectures share."""
