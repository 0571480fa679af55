"""What all other rooms build on: files, locks, digests, options of members, random streams, text. Without PyTorch."""
