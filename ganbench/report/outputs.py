"""Names of the files the report stages write. Standard library alone: the workflow reads it at parse time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

TABLES = ("runs", "snapshots", "curves", "references", "settings", "measurements", "claims")
TABLE_FORMATS = ("csv", "parquet")
TABLE_NOTES = "COLUMNS.md"

# Figures of all GANs of a study, those drawn once per method among them, and the instruments that have a picture,
# drawn once per experiment; `ganbench.report.figures` draws each kind.
STUDY_FIGURES = ("outcomes", "failure-rate", "quality")
CONTENDER_FIGURES = ("losses", "progress", "samples")
PICTURED = ("path", "vector_field", "spectrum", "update_map", "basins", "slices", "path_angle", "lyapunov", "rotation")
FIGURE_FORMATS = ("svg", "png")


def table_files() -> list[str]:
    """File names that `ganbench.report.tables.write` leaves in its folder."""
    return [f"{name}.{format}" for name in TABLES for format in TABLE_FORMATS] + [TABLE_NOTES]


def figure_name(kind: str, of: str | None = None) -> str:
    """Name of a figure, without its ending."""
    return kind.replace("_", "-") if of is None else f"{kind.replace('_', '-')}-{of}"


def figures(gans: Sequence[str], instruments: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """Every figure of a study: its kind, and the method or experiment that it is of, if it is of one.

    Args:
        gans: methods that train networks on data.
        instruments: by experiment, the name of its instrument.
    """
    whole = [(kind, None) for kind in STUDY_FIGURES] if gans else []
    each = [(kind, method) for method in gans for kind in CONTENDER_FIGURES]
    pictured = [(kind, experiment) for experiment, kind in instruments.items() if kind in PICTURED]
    return [*whole, *each, *pictured]


def figure_files(shown: Iterable[tuple[str, str | None]]) -> list[str]:
    """File names that `ganbench.report.figures.write` leaves in its folder for these figures."""
    return [f"{figure_name(kind, of)}.{format}" for kind, of in shown for format in FIGURE_FORMATS]
