"""The computations: training, evaluation and diagnosis of packs. Nothing here reads or writes files, or prints."""
