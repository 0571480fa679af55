"""Tables for other programs: CSV and Parquet, and a page that says what every column holds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ganbench.analysis.collected import Collected, MetricInfo
from ganbench.analysis.columns import REFERENCES, RUNS, SNAPSHOTS
from ganbench.analysis.settings import columns as settings_columns
from ganbench.analysis.settings import settings
from ganbench.report.outputs import TABLE_NOTES

ROWS = {
    "runs": "One row per run.",
    "snapshots": "One row per run and snapshot: the metrics over training.",
    "references": "One row per data set and quantity measured on real data: what a perfect generator would score.",
    "settings": "One row per setting, that is, over all runs that differ in nothing but their seed.",
}


def documented(metrics: dict[str, MetricInfo]) -> dict[str, dict[str, str]]:
    """What every column of every written table holds, by table and column name, in the order of the columns."""
    now = {name: describe(info) for name, info in metrics.items()}
    final = {
        f"{name}_final": f"{text} Of the last networks; empty where the run diverged before them."
        for name, text in now.items()
    }
    return {
        "runs": {**RUNS, **final},
        "snapshots": {**SNAPSHOTS, **now},
        "references": dict(REFERENCES),
        "settings": settings_columns(metrics),
    }


def describe(info: MetricInfo) -> str:
    """A metric in one line: title, meaning, better end and range."""
    what = info.what.strip()
    parts = [f"{info.title}: {what}{'' if what.endswith('.') else '.'}"]
    if info.best != "none":
        parts.append(f"Best is {info.best}.")
    if info.lower is not None and info.upper is not None:
        parts.append(f"Between {info.lower:g} and {info.upper:g}.")
    elif info.lower is not None:
        parts.append(f"At least {info.lower:g}.")
    elif info.upper is not None:
        parts.append(f"At most {info.upper:g}.")
    return " ".join(parts)


def write(collected: Collected, folder: Path) -> None:
    """Write the files of `ganbench.report.outputs.table_files` into `folder`.

    Raises:
        ValueError: a table has a column that nothing documents, or lacks one that is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "runs": collected.runs,
        "snapshots": collected.snapshots,
        "references": collected.references,
        "settings": settings(collected),
    }
    notes = documented(collected.metrics)
    for name, table in tables.items():
        _check(name, table, notes[name])
        ordered = table[list(notes[name])]
        ordered.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        ordered.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / TABLE_NOTES).write_text(_page(notes), encoding="utf-8")


def _check(name: str, table: pd.DataFrame, notes: dict[str, str]) -> None:
    odd = sorted(set(table.columns) ^ set(notes))
    if odd:
        raise ValueError(
            f"table {name}: its columns and their documentation in ganbench.analysis.columns differ in {odd}"
        )


def _page(notes: dict[str, dict[str, str]]) -> str:
    """Markdown: one section per table, one line per column."""
    parts = [
        "# Columns\n\nEach table is stored twice, as CSV and as Parquet. An empty cell means that there is no value.\n"
    ]
    for name, columns in notes.items():
        lines = [f"| `{column}` | {_cell(text)} |" for column, text in columns.items()]
        parts.append("\n".join([f"## {name}\n\n{ROWS[name]}\n", "| column | meaning |", "|---|---|", *lines, ""]))
    return "\n".join(parts)


def _cell(text: str) -> str:
    # A bar would end the cell, a line break the row, and an angle bracket could open an HTML tag.
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
