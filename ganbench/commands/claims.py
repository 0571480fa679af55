"""`ganbench claims` and `ganbench decide`: the page of all verdicts, and the studies that it is made from."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ganbench.commands import out
from ganbench.pipeline.resources.cluster_profile import DEFAULT, read

Studies = Annotated[list[Path] | None, typer.Argument(help="Files of finished studies.", show_default=False)]


def claims(studies: Studies = None) -> None:
    """Write docs/claims.md, the verdicts of all studies, and docs/published.md; first record the studies given.

    The pages are made from the records in docs/claims/ and docs/published/ alone.
    """
    from ganbench.pipeline.verdicts import record, write_pages

    for study in studies or ():
        for folder in record(study):
            out.print(f"{study}: recorded in {folder}", soft_wrap=True, markup=False, emoji=False)
    for path in write_pages():
        out.print(str(path), soft_wrap=True, markup=False, emoji=False)


def decide(
    studies: Annotated[list[Path], typer.Argument(help="Files of studies.", show_default=False)],
    profile: Annotated[Path, typer.Option(help="Profile of the workflow.")] = DEFAULT,
) -> None:
    """Run studies one after the other, each where it was, and write the page of all verdicts after each."""
    from ganbench.pipeline.verdicts import run_all

    read(profile)
    signal.signal(signal.SIGTERM, _exit)  # which ends the workflow as well
    run_all(studies, profile, lambda text: out.print(text, soft_wrap=True, markup=False, emoji=False))


def _exit(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not leave the workflow to itself
    sys.exit(128 + signal.SIGTERM)
