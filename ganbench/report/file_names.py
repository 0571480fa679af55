"""Names of the files that the report stages write. Standard library alone: the workflow reads it at parse time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ganbench.report.figure_info import figure_infos

TABLES = (
    *("runs", "snapshots", "curves", "references", "nulls", "settings", "comparisons", "measurements"),
    *("ranking", "ranking_tests", "working_regions", "interactions", "survival", "profiles"),
    *("run_outcomes", "events", "modes", "claims", "published"),
)
TABLE_FORMATS = ("csv", "parquet")
TABLE_NOTES = "COLUMNS.md"
REPORT = "report.html"
PAPER = "paper"  # folder of the tables that the report shows
COMPARISON = "compare"  # folder of the report of the study beside others
PAPER_TABLES = (
    *("ranking", "working-regions", "outcomes", "scores", "claims", "claim-tests", "published"),
    *("references", "diagnostics", "runs"),
)
PAPER_FORMATS = ("tex", "csv")
FIGURE_FORMATS = ("svg", "png")
NOTHING = "nothing-to-draw"  # the comment in the file of a figure that says why there is nothing to draw


def table_files() -> list[str]:
    """File names that `ganbench.report.tables.write` leaves in its folder."""
    return [f"{name}.{format}" for name in TABLES for format in TABLE_FORMATS] + [TABLE_NOTES]


def paper_files() -> list[str]:
    """File names that `ganbench.report.paper.write` leaves in its folder."""
    return [f"{name}.{format}" for name in PAPER_TABLES for format in PAPER_FORMATS]


def figure_name(kind: str, of: str | None = None) -> str:
    """Name of a figure's files, without the suffix.

    Args:
        kind: name of the figure.
        of: slug of the method or name of the experiment that is drawn; None for a figure of the study.
    """
    return kind.replace("_", "-") if of is None else f"{kind.replace('_', '-')}-{of}"


def figures(gans: Sequence[str], diagnostics: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """Every figure of a study: its name, and the method or experiment that is drawn, None for the study.

    Args:
        gans: methods that train networks on data.
        diagnostics: by experiment, the name of its diagnostic.
    """
    by_scope = {"study": [None] if gans else [], "method": list(gans)}
    shown = [
        (kind, of)
        for scope, names in by_scope.items()
        for of in names
        for kind, info in figure_infos().items()
        if info.scope == scope
    ]
    return shown + [
        (kind, experiment)
        for experiment, diagnostic in diagnostics.items()
        for kind, info in figure_infos().items()
        if info.diagnostic == diagnostic
    ]


def figure_files(shown: Iterable[tuple[str, str | None]]) -> list[str]:
    """File names that `ganbench.report.figures.write` leaves in its folder for these figures."""
    return [f"{figure_name(kind, of)}.{format}" for kind, of in shown for format in FIGURE_FORMATS]
