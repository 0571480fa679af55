"""`ganbench compare`: several studies side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganbench.commands import out


def compare(
    studies: Annotated[list[str], typer.Argument(help="Files of studies that have results, or their names.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder to write; compare-NAMES beside the first study's results by default.")
    ] = None,
) -> None:
    """Report studies side by side: settings they share, what differs, tests between them; with tables and figures."""
    from ganbench.pipeline.comparing import compare as write

    out.print(str(write(studies, output)), soft_wrap=True, markup=False, emoji=False)
