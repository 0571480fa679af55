"""Captions of the figures for `snakemake --report`, one reStructuredText file per figure.

    python -m ganbench.report.captions workflow/report

writes them anew from the records of the figures; Snakemake accepts captions as files only.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from ganbench.report.figure_info import figure_infos


def captions() -> dict[str, str]:
    """The text of every caption file, by file name."""
    return {f"{name}.rst": textwrap.fill(info.caption, 100) + "\n" for name, info in figure_infos().items()}


if __name__ == "__main__":
    for name, text in captions().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
