"""Commands of their own size, one file a theme; `ganbench/cli.py` puts them together and holds the small ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

AStudy = Annotated[Path, typer.Argument(help="The study's file.", show_default=True)]
DEFAULT = Path("config/config.yaml")
out = Console(highlight=False)
