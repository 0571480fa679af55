"""Markdown that code hosts show: tables, escaped texts, and the part of a page on the runs of studies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ganbench.core.formatting import format_duration
from ganbench.report.verdict_records import StudyRun


def cell(text: object) -> str:
    """Escape a text for a cell of a table, in which it is shown as it is."""
    # A bar would end the cell and a line break the row; the others would be read as markup.
    plain = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|*_`\[\]])", r"\\\1", plain)


def code(text: object) -> str:
    """Write a text as code in a cell of a table."""
    return f"`{' '.join(str(text).split()).replace('|', chr(92) + '|')}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def runs_table(runs: Sequence[StudyRun]) -> str:
    """A table of when, on what and at what cost studies were run."""
    head = ("study", "date", "runs", "failed", "core-minutes", "start to end", "machine", "versions")
    rows = [
        (
            f"[{cell(run.study)}](../{run.file})",
            cell(run.date),
            f"{run.runs:,}",
            f"{run.failed:,}",
            f"{run.core_seconds / 60:.1f}",
            format_duration(run.elapsed_seconds),
            cell(run.machine),
            cell(", ".join(f"{name} {version}" for name, version in run.versions.items())),
        )
        for run in runs
    ]
    return table(head, rows)
