"""Commands of their own size, one file a theme; `ganbench/cli.py` puts them together and holds the small ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, ConsoleDimensions

AStudy = Annotated[Path, typer.Argument(help="The study's file.", show_default=True)]
DEFAULT = Path("config/config.yaml")
UNBOUNDED = 1000  # columns, where no terminal bounds them


class Output(Console):
    """Standard output: as wide as the terminal; in a file or a pipe nothing is wrapped, so that names stay whole."""

    @property
    def size(self) -> ConsoleDimensions:
        found = super().size
        bounded = self.is_terminal or "COLUMNS" in self._environ
        return found if bounded else ConsoleDimensions(UNBOUNDED, found.height)

    @size.setter
    def size(self, new: tuple[int, int]) -> None:
        Console.size.fset(self, new)


out = Output(highlight=False)
