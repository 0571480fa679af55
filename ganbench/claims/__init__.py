"""Claims: how the numbers of a study decide them."""
