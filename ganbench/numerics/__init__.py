"""Numerical methods that diagnostics, metrics and the laboratory share."""
