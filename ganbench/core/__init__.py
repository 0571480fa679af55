"""Foundations of all other folders: files, locks, digests, components, random streams, text. Imports no PyTorch."""
