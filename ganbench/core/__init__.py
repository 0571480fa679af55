"""Foundations of all other packages: files, locks, digests, components, random streams, text. Imports no PyTorch."""
