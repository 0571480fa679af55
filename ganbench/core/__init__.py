"""What all other rooms build on: files, locks, digests, components, random streams, text. Imports no PyTorch."""
