"""`ganbench export`: a trained run's networks as plain PyTorch modules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganbench.commands import DEFAULT, STUDY, out
from ganbench.study.study_files import find_study


def export(
    run: Annotated[str, typer.Argument(help="The run's id, as in the column 'run' of the tables.")],
    study: Annotated[Path, typer.Option(help=STUDY, callback=find_study)] = DEFAULT,
    step: Annotated[int | None, typer.Option(help="Step of a snapshot; the last by default.")] = None,
    averaged: Annotated[
        bool, typer.Option("--averaged", help="Take the moving average of the parameters in their place.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Folder to write; in the study's results, under export/, by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an export that is there.")] = False,
) -> None:
    """Write a trained run's networks in a folder of their own: weights, what they are, and a script that samples."""
    from ganbench.export import write

    folder = write(study, run, step=step, averaged=averaged, folder=output, force=force)
    for path in sorted(folder.iterdir()):
        out.print(str(path), soft_wrap=True, markup=False, emoji=False)
