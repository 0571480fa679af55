"""The larger commands of the command line; `ganbench/cli.py` registers them and holds the small ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, ConsoleDimensions

from ganbench.study.study_files import find_study

STUDY = "The study's file, or the name of one below config/."
AStudy = Annotated[Path, typer.Argument(help=STUDY, show_default=True, callback=find_study)]
DEFAULT = Path("config/config.yaml")
UNBOUNDED = 1000  # number of columns of output that goes to no terminal


class Output(Console):
    """Standard output, as wide as the terminal. In a file or a pipe nothing is wrapped, so that names stay whole."""

    @property
    def size(self) -> ConsoleDimensions:
        """The numbers of columns and lines."""
        found = super().size
        bounded = self.is_terminal or "COLUMNS" in self._environ
        return found if bounded else ConsoleDimensions(UNBOUNDED, found.height)

    @size.setter
    def size(self, new: tuple[int, int]) -> None:
        Console.size.fset(self, new)

    def on_broken_pipe(self) -> None:
        """End without a fault: the reader, such as `head`, has all that it wants."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0)


out = Output(highlight=False)
