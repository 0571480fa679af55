"""Shared parts of figures: the style, panels of settings and of diagnostics, planes, and pictures of samples."""
