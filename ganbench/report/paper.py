"""The tables of the report for papers: as LaTeX, and as CSV of the same texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.core.atomic_files import atomic_write
from ganbench.report.file_names import PAPER_TABLES
from ganbench.report.latex import PREAMBLE, long_table
from ganbench.report.paper_tables import PaperTable, paper_tables

NONE = "% The report has no such table.\n"


def write(collected: Collected, study: dict, folder: Path) -> None:
    """Write the files of `ganbench.report.file_names.paper_files`: a LaTeX file and a CSV file per kind of table.

    A kind may have a table per method, data set or experiment. The LaTeX file has one after the other, and the CSV file
    all rows, with the method, data set or experiment in the first column.

    Args:
        collected: the study's results.
        study: its resolved configuration.
        folder: the folder to write; created if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = paper_tables(collected, study)
    for name in PAPER_TABLES:
        filled = [table for table in found[name] if table.rows]
        with atomic_write(folder / f"{name}.tex") as new:
            new.write_text(_latex(name, filled), encoding="utf-8")
        with atomic_write(folder / f"{name}.csv") as new:
            _frame(filled).to_csv(new, index=False, lineterminator="\n")


def _latex(name: str, tables: Sequence[PaperTable]) -> str:
    parts = [
        long_table(table.heads, table.rows, table.caption, f"tab:{_slug(f'{name} {table.of}')}") for table in tables
    ]
    return PREAMBLE + ("\n".join(parts) if parts else NONE)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _frame(tables: Sequence[PaperTable]) -> pd.DataFrame:
    """All rows of the tables of a kind, with what each is of; columns of one name are one."""
    frames = [pd.DataFrame([dict(zip(table.heads, row, strict=True)) for row in table.rows]) for table in tables]
    if any(table.of for table in tables):
        for table, frame in zip(tables, frames, strict=True):
            frame.insert(0, "of", table.of)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["of"])
