"""`python -m ganbench` is the command line."""

from ganbench.cli import main

main()
