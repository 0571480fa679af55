"""Tables for other programs: CSV and Parquet, and a page that documents every column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ganbench.analysis.axis_interactions import COLUMNS as interaction_columns
from ganbench.analysis.axis_interactions import interactions_table
from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import (
    CURVES,
    EVENTS,
    MEASUREMENTS,
    MISSING,
    MODES,
    NULLS,
    REFERENCES,
    RUN_OUTCOMES,
    RUNS,
    SNAPSHOTS,
    option_columns,
)
from ganbench.analysis.comparisons import COLUMNS as comparison_columns
from ganbench.analysis.comparisons import comparisons
from ganbench.analysis.method_curves import PROFILES, SURVIVAL, profiles_table, survival_table
from ganbench.analysis.ranking import COLUMNS as ranking_columns
from ganbench.analysis.ranking import ranking
from ganbench.analysis.ranking_tests import COLUMNS as ranking_test_columns
from ganbench.analysis.ranking_tests import ranking_tests
from ganbench.analysis.settings import columns as settings_columns
from ganbench.analysis.settings import settings_table
from ganbench.analysis.working_regions import COLUMNS as working_region_columns
from ganbench.analysis.working_regions import working_regions_table
from ganbench.claims import decisions as verdicts
from ganbench.claims.published import COLUMNS as published_columns
from ganbench.claims.published import published_table
from ganbench.core.atomic_files import atomic_write
from ganbench.core.metric_info import MetricInfo
from ganbench.report.file_names import TABLE_NOTES
from ganbench.study.claims import Claim
from ganbench.study.published import Published

ROWS = {
    "runs": "One row per run.",
    "snapshots": "One row per run and snapshot: the metrics over training.",
    "curves": "One row per run, recorded series and bin of steps: losses, outputs and norms over training.",
    "references": "One row per data set and quantity measured on real data: what a perfect generator would score.",
    "nulls": "One row per data set and metric: what as many real examples score in place of generated ones.",
    "comparisons": "One row per pair of methods of one data set.",
    "ranking": "One row per method: its place among the methods of its data set, and what its runs showed.",
    "ranking_tests": "One row per pair of methods of one data set: whether the runs show one to be the better one.",
    "working_regions": "One row per group of runs that differ in one numeric axis and their seeds alone.",
    "interactions": "One row per pair of grid axes of one data set that were crossed.",
    "survival": "One row per method and step: how many of its runs have not been seen to fail until then.",
    "profiles": "One row per method and final value of a run: how many of its runs reach it.",
    "settings": "One row per setting, that is, over all runs that differ in nothing but their seed.",
    "measurements": "One row per run and quantity that a diagnostic measured; the quantities are explained below.",
    "run_outcomes": "One row per run and outcome that holds, or that was not judged.",
    "events": "One row per run and event: spikes of losses, saturation, rejection, relapses and mode hops.",
    "modes": "One row per run, snapshot and mode of the data: the examples that fall on it, and its forgetting.",
    "claims": "One row per test of every claim.",
    "published": "One row per number that others published, with the study's own beside it.",
    "missing": "One row per missing run; these runs are in no other table.",
}
OF_METRICS = ("_final", "_median", "_median_low", "_median_high", "_iqm", "_iqm_low", "_iqm_high", "_min", "_max")


def documented(collected: Collected) -> dict[str, dict[str, str]]:
    """The meaning of every column of every written table, by table and column name, in the order of the columns."""
    metrics = collected.metrics
    now = {name: describe(info) for name, info in metrics.items()}
    final = {
        f"{name}_final": f"{text} Of the last networks; empty where the run diverged or was stopped before them."
        for name, text in now.items()
    }
    return {
        "runs": {**RUNS, **option_columns(collected.runs.columns, metrics), **final},
        "snapshots": {**SNAPSHOTS, **now},
        "curves": dict(CURVES),
        "references": dict(REFERENCES),
        "nulls": dict(NULLS),
        "settings": settings_columns(metrics),
        "comparisons": dict(comparison_columns),
        "ranking": dict(ranking_columns),
        "ranking_tests": dict(ranking_test_columns),
        "working_regions": dict(working_region_columns),
        "interactions": dict(interaction_columns),
        "survival": dict(SURVIVAL),
        "profiles": dict(PROFILES),
        "measurements": dict(MEASUREMENTS),
        "run_outcomes": dict(RUN_OUTCOMES),
        "events": dict(EVENTS),
        "modes": dict(MODES),
        "claims": dict(verdicts.COLUMNS),
        "published": dict(published_columns),
    }


def described(collected: Collected) -> dict[str, pd.DataFrame]:
    """The meaning of every column of every table, and of every quantity of `measurements`, for programs.

    Returns:
        By table, and `quantities`, one row per column: its name, its meaning, the unit of its values, and which of them
        are better, "low" or "high"; the last two are empty where they do not apply.
    """
    notes = documented(collected) | {"missing": dict(MISSING)}
    notes["quantities"] = {name: describe(info) for name, info in collected.quantities.items()}
    infos = {f"{name}{part}": info for name, info in collected.metrics.items() for part in ("", *OF_METRICS)}
    infos = {name: infos | collected.quantities if name == "quantities" else infos for name in notes}
    return {
        name: pd.DataFrame(
            [(column, text, *_unit_and_end(infos[name].get(column))) for column, text in columns.items()],
            columns=["column", "meaning", "unit", "better"],
        )
        for name, columns in notes.items()
    }


def _unit_and_end(info: MetricInfo | None) -> tuple[str, str]:
    return ("", "") if info is None else (info.unit, "" if info.best == "none" else info.best)


def describe(info: MetricInfo) -> str:
    """A metric in one line: title, meaning, unit, better end, range and source."""
    what = info.what.strip()
    parts = [f"{info.title}: {what}{'' if what.endswith('.') else '.'}"]
    if info.unit:
        parts.append(f"In {info.unit}.")
    if info.best != "none":
        parts.append(f"Best is {info.best}.")
    if info.lower is not None and info.upper is not None:
        parts.append(f"Between {info.lower:g} and {info.upper:g}.")
    elif info.lower is not None:
        parts.append(f"At least {info.lower:g}.")
    elif info.upper is not None:
        parts.append(f"At most {info.upper:g}.")
    if info.source:
        parts.append(f"Source: {info.source}.")
    return " ".join(parts)


def write(
    collected: Collected, folder: Path, claims: Sequence[Claim] = (), published: Sequence[Published] = ()
) -> None:
    """Write the files of `ganbench.report.file_names.table_files` into `folder`; for an unfinished study, also the
    table of missing runs.

    Args:
        collected: the study's results.
        folder: folder to write to; created if missing.
        claims: the claims of the study.
        published: the published numbers that the study sets its own beside.

    Raises:
        ValueError: a table has a column that nothing documents, or lacks one that is; or a quantity has no meaning.
    """
    odd = sorted(set(collected.measurements["quantity"]) - set(collected.quantities))
    if odd:
        raise ValueError(f"table measurements: quantities.json does not say what {odd} mean")
    folder.mkdir(parents=True, exist_ok=True)
    tests = ranking_tests(collected.gans)
    tables = {
        "runs": collected.runs,
        "snapshots": collected.snapshots,
        "curves": collected.curves,
        "references": collected.references,
        "nulls": collected.nulls,
        "settings": settings_table(collected),
        "comparisons": comparisons(collected.gans),
        "ranking": ranking(collected.gans, tests),
        "ranking_tests": tests,
        "working_regions": working_regions_table(collected.gans),
        "interactions": interactions_table(collected.gans),
        "survival": survival_table(collected.gans),
        "profiles": profiles_table(collected.gans),
        "measurements": collected.measurements,
        "run_outcomes": collected.run_outcomes,
        "events": collected.events,
        "modes": collected.modes,
        "claims": verdicts.decisions_table(verdicts.decide(collected, claims)),
        "published": published_table(collected, published),
    }
    notes = documented(collected)
    if collected.missing is not None:
        tables, notes = {"missing": collected.missing.runs} | tables, {"missing": dict(MISSING)} | notes
    for name, table in tables.items():
        _check(name, table, notes[name])
        ordered = table[list(notes[name])]
        with atomic_write(folder / f"{name}.csv") as new:
            ordered.to_csv(new, index=False, lineterminator="\n")
        with atomic_write(folder / f"{name}.parquet") as new:
            ordered.to_parquet(new, index=False)
    with atomic_write(folder / TABLE_NOTES) as new:
        new.write_text(_page(notes, collected.quantities), encoding="utf-8")


def _check(name: str, table: pd.DataFrame, notes: dict[str, str]) -> None:
    odd = sorted(set(table.columns) ^ set(notes))
    if odd:
        raise ValueError(
            f"table {name}: its columns and their documentation in ganbench.analysis.columns differ in {odd}"
        )


def _page(notes: dict[str, dict[str, str]], quantities: dict[str, MetricInfo]) -> str:
    """Markdown: one section per table, one line per column; and one for the quantities that were measured."""
    parts = [
        "# Columns\n\nEach table is stored twice, as CSV and as Parquet. An empty cell means that there is no value.\n"
    ]
    parts += [section(name, ROWS[name], "column", columns) for name, columns in notes.items()]
    if quantities:
        known = {name: describe(info) for name, info in quantities.items()}
        parts.append(section("quantities", "What the numbers in `measurements` mean.", "quantity", known))
    return "\n".join(parts)


def section(name: str, about: str, of: str, notes: dict[str, str]) -> str:
    """Markdown that explains the columns of a table, or other names, line by line."""
    lines = [f"| `{key}` | {_cell(text)} |" for key, text in notes.items()]
    return "\n".join([f"## {name}\n\n{about}\n", f"| {of} | meaning |", "|---|---|", *lines, ""])


def _cell(text: str) -> str:
    # A bar would end the cell, a line break the row, and an angle bracket could open an HTML tag.
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
