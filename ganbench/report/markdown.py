"""Markdown that code hosts show: tables, escaped texts, and the part of a page on the runs of studies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ganbench.core.formatting import format_duration
from ganbench.report.verdict_records import StudyRun

COSTS = (
    "Core-minutes are the time in which jobs worked, each on one core; the time elapsed is that in which any job did."
    " What else the machine did makes both longer."
)


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


def runs_section(runs: Sequence[StudyRun]) -> str:
    """When and at what cost studies were run, and below the machines and versions on which."""
    if not runs:
        return "None yet."
    head = ("study", "date", "commit", "runs", "failed", "core-minutes", "elapsed")
    rows = [
        (
            f"[{cell(run.study)}](../{run.file})",
            cell(run.date),
            cell(run.versions.get("commit", "")),
            f"{run.runs:,}",
            f"{run.failed:,}",
            f"{run.core_seconds / 60:.1f}",
            format_duration(run.elapsed_seconds),
        )
        for run in runs
    ]
    places: dict[str, list[str]] = {}
    for run in runs:
        versions = ", ".join(f"{name} {version}" for name, version in run.versions.items() if name != "commit")
        places.setdefault(f"{cell(run.machine)}; {cell(versions)}", []).append(cell(run.study))
    lines = "\n".join(f"- {place}: {', '.join(studies)}" for place, studies in places.items())
    return f"{table(head, rows)}\n\n{COSTS}\n\n{lines}"
