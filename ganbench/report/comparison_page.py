"""The report of several studies side by side: one HTML file that loads nothing, tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.comparisons import TESTS
from ganbench.analysis.median_words import median_words
from ganbench.analysis.methods import failed
from ganbench.analysis.pairing import points_in_words
from ganbench.analysis.settings import columns as settings_columns
from ganbench.analysis.settings import runs_at
from ganbench.analysis.side_by_side import DIFFERENCES, SETTINGS, Side, differences, settings
from ganbench.analysis.statistics.multiplicity import LEVEL
from ganbench.analysis.study_comparisons import COLUMNS, comparisons, scores_differ, shared_metrics
from ganbench.core.atomic_files import atomic_write
from ganbench.core.formatting import format_p_value, format_percent, format_points, join_words, plural
from ganbench.core.metric_info import base_of
from ganbench.report import study_figures
from ganbench.report.file_names import REPORT, TABLE_NOTES
from ganbench.report.page import Figures, write_page
from ganbench.report.plotting import style
from ganbench.report.study_figures import failed_in_words, label
from ganbench.report.tables import section

P_VALUES, ADJUSTED = [f"{test}_p_value" for test in TESTS], [f"{test}_p_value_adjusted" for test in TESTS]
MAX_NAMED = 12  # settings that a sentence names
ABOUT = {
    "settings": "One row per study, method and setting, over all its runs, which differ in their seed alone.",
    "comparisons": "One row per pair of studies and method that both have.",
    "differences": "One row per thing that differs between the studies.",
}


def write(sides: Sequence[Side], folder: Path) -> Path:
    """Write the report, its tables as CSV with a page that explains their columns, and its figures.

    Args:
        sides: the studies.
        folder: the folder to write; created if missing.

    Returns:
        The path of the report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"settings": settings(sides), "comparisons": comparisons(sides), "differences": differences(sides)}
    for name, table in tables.items():
        with atomic_write(folder / f"{name}.csv") as new:
            table.to_csv(new, index=False, lineterminator="\n")
    with atomic_write(folder / TABLE_NOTES) as new:
        new.write_text(_notes(sides, tables), encoding="utf-8")
    names = [side.name for side in sides]
    figures = Figures(folder, folder)
    titles = {name: info.title for side in sides for name, info in side.collected.metrics.items()}
    context = dict(
        title=" beside ".join(names),
        names=names,
        studies=[_study(side) for side in sides],
        figures=list(_figures(sides, tables["settings"], figures)),
        findings=[{"text": text, "warning": warning} for text, warning in _findings(sides, tables, titles)],
        differences=tables["differences"].to_dict("records"),
        settings=_setting_rows(sides, tables["settings"], titles),
        comparisons=[_comparison(row, titles) for row in tables["comparisons"].to_dict("records")],
    )
    write_page("comparison.html.j2", context, figures.items, folder / REPORT)
    return folder / REPORT


def _notes(sides: Sequence[Side], tables: dict[str, pd.DataFrame]) -> str:
    """What the columns of the tables mean, as Markdown."""
    metrics = {name: info for side in sides for name, info in side.collected.metrics.items()}
    known = {
        "settings": settings_columns(metrics) | SETTINGS,
        "comparisons": COLUMNS,
        "differences": DIFFERENCES | {side.name: f"the values of study {side.name}" for side in sides},
    }
    parts = ["# Columns\n\nAn empty cell means that there is no value.\n"]
    parts += [
        section(name, ABOUT[name], "column", {column: known[name][column] for column in table})
        for name, table in tables.items()
    ]
    return "\n".join(parts)


def _study(side: Side) -> dict[str, str]:
    runs = side.collected.runs
    days = dict.fromkeys(str(each)[:10] for each in (runs["trained_at"].min(), runs["trained_at"].max()))
    return {
        "name": side.name,
        "title": side.title,
        "file": side.file,
        "runs": f"{len(runs):,}" if side.collected.missing is None else f"{side.collected.share} so far",
        "failed": f"{int(failed(runs).sum()):,}",
        "trained": " to ".join(days),
    }


def _figures(sides: Sequence[Side], table: pd.DataFrame, figures: Figures) -> Iterator[dict]:
    """Draw the figures: scores by data set, of the studies in which they compare, and failure rates."""
    shared = table[table["studies"] > 1]
    with style.applied():
        drawn = []
        for number, dataset in enumerate(shared["dataset"].dropna().unique(), start=1):
            mine, metric = comparable(sides, dataset)
            if metric is not None:
                info, rows = mine[0].collected.metrics[metric], shared[shared["dataset"] == dataset]
                figure = study_figures.scores(mine, rows, metric, info)
                drawn.append((f"scores-{number}", f"{dataset}: {info.title}", study_figures.SCORES, figure))
        figure = study_figures.failures(table, [side.name for side in sides])
        drawn.append(("failure-rates", "Failure rates", study_figures.FAILURES, figure))
        for name, title, caption, figure in drawn:
            style.title(figure, title)
            style.save(figure, figures.folder, name)
            yield figures.add(name, title, caption)


def comparable(sides: Sequence[Side], dataset: str) -> tuple[list[Side], str | None]:
    """The studies whose scores on a data set compare with those of the first that has it, and the primary metric.

    Returns:
        The studies, and the column of the metric; None where no other study compares, or no metric is measured in all.
    """
    having = [side for side in sides if dataset in {dict(key).get("dataset") for key in side.methods}]
    mine = [side for side in having if not scores_differ(having[0], side, dataset)]
    for name, info in mine[0].collected.metrics.items():
        everywhere = all(name in shared_metrics(mine[0], side) for side in mine)
        if len(mine) > 1 and everywhere and info.best != "none":
            return mine, name
    return mine, None


def _findings(
    sides: Sequence[Side], tables: dict[str, pd.DataFrame], titles: Mapping[str, str]
) -> Iterator[tuple[str, bool]]:
    """Sentences on what the studies share and how it compares, with whether they are warnings."""
    table, tests = tables["settings"], tables["comparisons"]
    shared = list(dict.fromkeys(label(row) for row in table[table["studies"] > 1].to_dict("records")))
    counted = plural(len(shared), "setting is", "settings are") if shared else "No setting is"
    yield f"{counted} in more than one of the studies.", not shared
    for training, rows in tests[tests["training"] != ""].groupby("training", sort=False):
        yield f"Trained otherwise: {training} ({_pairs(rows)}).", True
    for side in sides:
        if side.collected.missing is not None:
            yield f"{side.name} is not finished: it has {side.collected.share}.", True
        alone = table[(table["study"] == side.name) & (table["studies"] == 1)].to_dict("records")
        if alone:
            more = f", and {len(alone) - MAX_NAMED} more" if len(alone) > MAX_NAMED else ""
            named = "; ".join(label(row) for row in alone[:MAX_NAMED])
            yield f"{plural(len(alone), 'setting is', 'settings are')} in {side.name} only: {named}{more}.", False
    yield from _what_compares(sides)
    made = int(tests[P_VALUES].notna().to_numpy().sum())
    if made:
        decided = int((tests[ADJUSTED] <= LEVEL).to_numpy().sum())
        yield (
            f"{plural(made, 'test')} between studies, of which {decided} find a difference by adjusted p-values.",
            False,
        )
    for row in tests[(tests[ADJUSTED] <= LEVEL).any(axis=1)].to_dict("records"):
        yield _difference(row, titles), False
    for note, rows in tests[tests["note"] != ""].groupby("note", sort=False):
        yield f"{note[0].upper()}{note[1:]} ({_pairs(rows)}).", True


def _pairs(tests: pd.DataFrame) -> str:
    """The pairs of methods of some tests, the first ones by name."""
    pairs = dict.fromkeys(f"{row['first']} and {row['second']}" for row in tests.to_dict("records"))
    more = f", and {len(pairs) - MAX_NAMED} more pairs" if len(pairs) > MAX_NAMED else ""
    return "; ".join(list(pairs)[:MAX_NAMED]) + more


def _what_compares(sides: Sequence[Side]) -> Iterator[tuple[str, bool]]:
    """For every two studies and every data set of both, which scores compare, or why none do."""
    for one, other in combinations(sides, 2):
        mine, theirs = ({dict(key).get("dataset") for key in side.methods} - {None} for side in (one, other))
        for dataset in sorted(mine & theirs):
            pair = f"of {one.name} and {other.name} on {dataset}"
            if why := scores_differ(one, other, dataset):
                yield f"Scores {pair} do not compare: {why}.", True
                continue
            both = dict.fromkeys(map(base_of, shared_metrics(one, other)))
            apart = [name for name in one.metrics if name in other.metrics and name not in both]
            rest = f"; they measure {join_words(apart)} with different options" if apart else ""
            yield f"Scores {pair} compare in {join_words(list(both)) or 'nothing'}{rest}.", not both


def _difference(row: dict[str, Any], titles: Mapping[str, str]) -> str:
    """A pair of methods that tests tell apart."""
    parts = []
    if row["failure_p_value_adjusted"] <= LEVEL:
        low, high = format_points(row["failure_low"]), format_points(row["failure_high"])
        parts.append(
            f"{row['first_failed']} of {row['first_runs']} and {row['second_failed']} of {row['second_runs']} runs"
            f" failed, a difference of {points_in_words(row['failure_difference'], row['failure_test'])} (95% interval"
            f" {low} to {high}; adjusted {format_p_value(row['failure_p_value_adjusted'])})"
        )
    if row["log_rank_p_value_adjusted"] <= LEVEL:
        parts.append(f"the times to failure differ (adjusted {format_p_value(row['log_rank_p_value_adjusted'])})")
    if row["improvement_p_value_adjusted"] <= LEVEL:
        low, high = format_percent(row["improvement_low"]), format_percent(row["improvement_high"])
        parts.append(
            f"a run of the first has a better {titles[row['metric']]} with a probability of"
            f" {format_percent(row['improvement'])} (95% interval {low} to {high}; adjusted"
            f" {format_p_value(row['improvement_p_value_adjusted'])})"
        )
    return f"{row['first']} against {row['second']}: {'; '.join(parts)}."


def _setting_rows(sides: Sequence[Side], table: pd.DataFrame, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """The settings that several studies have, with a cell per study: failed runs, and the median of a metric."""
    rows = []
    shared = table[table["studies"] > 1]
    for text, mine in shared.groupby(shared.apply(label, axis=1), sort=False) if len(shared) else ():
        dataset = mine["dataset"].iloc[0]
        metric = None if pd.isna(dataset) else comparable(sides, dataset)[1]
        cells = []
        for side in sides:
            found = mine[mine["study"] == side.name].to_dict("records")
            cells.append([_cell(side.collected, row, metric if dataset is not None else None) for row in found])
        rows.append({"text": text, "metric": "" if metric is None else titles[metric], "cells": cells})
    return rows


def _cell(collected: Collected, row: dict[str, Any], metric: str | None) -> dict[str, str]:
    found = {"failed": failed_in_words(row), "median": ""}
    if metric is not None:
        found["median"] = median_words(runs_at(collected.runs, row), metric, collected.metrics[metric])
    return found


def _comparison(row: dict[str, Any], titles: Mapping[str, str]) -> dict[str, str]:
    """A row of tests in words, with the titles of metrics; a dash for what has no number."""

    def number(value: Any, form: Callable[[Any], str]) -> str:
        return "–" if pd.isna(value) else form(value)

    def bounds(of: str, form: Callable[[Any], str]) -> str:
        ends = [row[f"{of}_low"], row[f"{of}_high"]]
        return "" if pd.isna(ends).any() else " to ".join(map(form, ends))

    return {
        **{name: row[name] for name in ("compared", "first", "second", "training", "note")},
        "settings": f"{row['settings']}",
        "failed": "–"
        if pd.isna(row["first_runs"])
        else f"{row['first_failed']} of {row['first_runs']} / {row['second_failed']} of {row['second_runs']}",
        "failure": number(row["failure_difference"], format_points),
        "failure_p_value": number(row["failure_p_value_adjusted"], format_p_value),
        "failure_test": number(row["failure_test"], lambda test: test.partition("'s")[0]),  # its author
        "improvement": number(row["improvement"], format_percent),
        "failure_bounds": bounds("failure", format_points),
        "improvement_bounds": bounds("improvement", format_percent),
        "metric": "" if pd.isna(row["metric"]) else titles[row["metric"]],
        "improvement_p_value": number(row["improvement_p_value_adjusted"], format_p_value),
    }
