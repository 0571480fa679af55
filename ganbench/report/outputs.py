"""Names of the files the report stages write. Standard library alone: the workflow reads it at parse time."""

from __future__ import annotations

from collections.abc import Iterable

TABLES = ("runs", "snapshots", "references", "settings")
TABLE_FORMATS = ("csv", "parquet")
TABLE_NOTES = "COLUMNS.md"

# Figures of the whole study, and those drawn once per contender; `ganbench.report.figures` draws each kind.
STUDY_FIGURES = ("outcomes", "failure-rate", "quality")
CONTENDER_FIGURES = ("losses", "progress", "samples")
FIGURE_FORMATS = ("svg", "png")


def table_files() -> list[str]:
    """File names that `ganbench.report.tables.write` leaves in its folder."""
    return [f"{name}.{format}" for name in TABLES for format in TABLE_FORMATS] + [TABLE_NOTES]


def figure_name(kind: str, contender: str | None = None) -> str:
    """Name of a figure, without its ending."""
    return kind if contender is None else f"{kind}-{contender}"


def figures(contenders: Iterable[str]) -> list[tuple[str, str | None]]:
    """Every figure of a study with these contenders: its kind, and its contender where it is of one."""
    each = [(kind, contender) for contender in contenders for kind in CONTENDER_FIGURES]
    return [*((kind, None) for kind in STUDY_FIGURES), *each]


def figure_files(contenders: Iterable[str]) -> list[str]:
    """File names that `ganbench.report.figures.write` leaves in its folder for a study with these contenders."""
    names = [figure_name(kind, contender) for kind, contender in figures(contenders)]
    return [f"{name}.{format}" for name in names for format in FIGURE_FORMATS]
