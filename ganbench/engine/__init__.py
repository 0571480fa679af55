"""What computes the numbers: training packs and judging snapshots. Reads and writes no files, prints nothing."""
