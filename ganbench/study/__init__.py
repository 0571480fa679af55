"""Studies: their files, blocks, grid and selectors, checked before anything starts."""
