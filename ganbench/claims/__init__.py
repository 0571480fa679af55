"""Claims: what a study's numbers say of them."""
