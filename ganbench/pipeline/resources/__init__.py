"""Estimates of the time, memory and disk space that jobs need, and requests to clusters."""
