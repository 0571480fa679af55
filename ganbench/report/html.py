"""The report: one self-contained HTML file, from the findings to the provenance."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import OUTCOMES
from ganbench.analysis.failures import not_judged
from ganbench.analysis.findings import Finding, findings
from ganbench.analysis.methods import measured_metrics, methods
from ganbench.analysis.nulls import null_of
from ganbench.analysis.outcome import ESSENTIAL
from ganbench.analysis.settings import AXIS_WORDS, ranked, settings_table, varying
from ganbench.analysis.stage_time import StageTime
from ganbench.claims.published import render_published
from ganbench.claims.rendering import render_claims
from ganbench.core.atomic_files import atomic_write
from ganbench.core.formatting import format_number, format_percent, format_range
from ganbench.core.metric_info import MetricInfo
from ganbench.report.diagnostics import experiments
from ganbench.report.figure_info import figure_infos
from ganbench.report.file_names import figure_name
from ganbench.report.partial import missing_results
from ganbench.report.provenance import config, environment_facts, references, run_list, stage_times
from ganbench.report.ranking_section import rankings

HERE = Path(__file__).parent

# A vector drawing is sharper than pixels, but with thousands of curves its file is larger.
LARGEST_SVG = 600_000


def render(
    collected: Collected,
    study: dict,
    figures: Path,
    shown: Sequence[tuple[str, str | None]],
    out: Path,
    stages: Iterable[StageTime] = (),
) -> None:
    """Write the report of a study.

    Args:
        collected: the study's results.
        study: its resolved configuration, with its name as `study`, and `title` and `description`, which may be empty.
        figures: folder of the files that `ganbench.report.figures.write` wrote.
        shown: the figures, as `ganbench.report.file_names.figures` lists them.
        out: HTML file to write.
        stages: the actual and the estimated time of its stages.
    """
    gans = collected.gans
    found = findings(collected)
    table = settings_table(gans) if len(gans.runs) else pd.DataFrame()
    page = template("report.html.j2").render(
        title=study.get("title") or study["study"],
        name=study["study"],
        description=study.get("description") or "",
        style=stylesheet(),
        partial=missing_results(collected),
        rankings=rankings(gans),
        claims=render_claims(collected, study),
        published=render_published(collected, study),
        summary=[_finding(each) for each in found if each.method is None or each.kind == "method"],
        figures=[_figure(figures, kind) for kind, of in shown if of is None],
        methods=[_method(gans, table, found, name, figures, shown) for name in methods(gans)],
        laboratory=[_experiment(each, figures, shown) for each in experiments(collected, study)],
        outcomes={name: OUTCOMES[name] for name in _occurring(gans.runs)},
        metrics=[(info.title, info.what, _details(info)) for info in collected.metrics.values()],
        references=references(collected),
        config=config(study),
        facts=environment_facts(collected.runs),
        spent=stage_times(stages),
        runs=run_list(collected.runs),
    )
    with atomic_write(out) as new:
        new.write_text(page, encoding="utf-8")


def template(name: str) -> jinja2.Template:
    """A template of this folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def stylesheet() -> str:
    """The style of every page."""
    return (HERE / "report.css").read_text(encoding="utf-8")


def _details(info: MetricInfo) -> str:
    """A metric's range, unit and source, as far as it has them."""
    return "; ".join(filter(None, [_range(info), info.unit and f"in {info.unit}", info.source]))


def _experiment(experiment: dict, folder: Path, shown: Sequence[tuple[str, str | None]]) -> dict:
    """An experiment with the figures of its diagnostic."""
    name, infos = experiment["name"], figure_infos()
    kinds = [kind for kind, of in shown if of == name and infos[kind].diagnostic == experiment["diagnostic"]]
    return experiment | {"figures": [_figure(folder, kind, name) for kind in kinds]}


def _finding(finding: Finding) -> dict[str, object]:
    return {"text": finding.text, "warning": finding.warning}


def _figure(folder: Path, kind: str, of: str | None = None) -> dict[str, str]:
    """A figure as a data address: an image of its own cannot clash with ids elsewhere on the page."""
    path, info = folder / f"{figure_name(kind, of)}.svg", figure_infos()[kind]
    found = {"title": info.title, "caption": info.caption, "still": data_address(path) if info.animated else ""}
    if info.animated or path.stat().st_size > LARGEST_SVG:
        path = path.with_suffix(".png")
    return found | {"source": data_address(path)}


def data_address(path: Path) -> str:
    """An image as an address that holds it."""
    media = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
    return f"data:{media};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _method(
    collected: Collected,
    table: pd.DataFrame,
    found: list[Finding],
    name: str,
    figures: Path,
    shown: Sequence[tuple[str, str | None]],
) -> dict:
    rows, runs = table[table["method"] == name], collected.runs[collected.runs["method"] == name]
    metrics, outcomes = measured_metrics(collected, name), _occurring(collected.runs)
    return {
        "name": name,
        "findings": [_finding(each) for each in found if each.method == name],
        "axes": [AXIS_WORDS[axis] for axis in _varying(rows)],
        "outcomes": [_outcome_row(row, rows, outcomes) for _, row in rows.iterrows()],
        "not_judged": [(failure, why, failure in outcomes) for failure, why, _ in not_judged(runs)],
        "metrics": [(collected.metrics[metric].title, _hint(collected.metrics[metric])) for metric in metrics],
        "scores": _value_rows(rows, metrics, collected),
        "nulls": _null_cells(rows, metrics, collected),
        "figures": [
            _figure(figures, kind, name) for kind, of in shown if of == name and figure_infos()[kind].scope == "method"
        ],
    }


def _occurring(runs: pd.DataFrame) -> list[str]:
    """The outcomes that hold for some run, primary or not, and those that a success needs ruled out but that were not
    judged, the most severe first."""
    found = {failure for failure, _, _ in not_judged(runs) if failure in ESSENTIAL}
    found |= {name for names in runs["outcomes"].fillna("") for name in names.split(", ")} | set(runs["outcome"])
    return [name for name in OUTCOMES if name in found]


def _outcome_row(row: pd.Series, rows: pd.DataFrame, shown: list[str]) -> dict[str, object]:
    counts = [None if pd.isna(row[f"outcome_{name}"]) else int(row[f"outcome_{name}"]) for name in shown]
    bounds = f"{format_percent(row['failure_low'])} to {format_percent(row['failure_high'])}"
    return {
        "setting": _setting(row, rows),
        "runs": int(row["runs"]),
        "counts": counts,
        "rate": format_percent(row["failure_rate"]),
        "bounds": bounds,
    }


def _null_cells(rows: pd.DataFrame, metrics: list[str], collected: Collected) -> list[dict[str, str]]:
    """What real data score in each metric, and in which interval; empty if that is known of none."""
    found = [null_of(collected, rows["dataset"].iloc[0], metric) for metric in metrics]
    cells = [
        {"mean": "–", "range": ""}
        if null is None
        else {
            "mean": format_number(null.mean),
            "range": format_range(null.low, null.high) if null.low < null.high else "",
        }
        for null in found
    ]
    return cells if any(found) else []


def _value_rows(rows: pd.DataFrame, metrics: list[str], collected: Collected) -> list[dict[str, object]]:
    """Cells of the metrics table: median, range over seeds, number of runs with a value; the best medians are marked,
    where there are several, and those within the metric's null."""
    infos = collected.metrics
    nulls = {metric: null_of(collected, rows["dataset"].iloc[0], metric) for metric in metrics}
    best: dict[str, set] = {}
    for metric in metrics:
        losses = ranked(rows, metric, infos[metric])
        differ = infos[metric].best != "none" and losses.min() < losses.max()
        best[metric] = set(losses.index[losses == losses.min()]) if differ else set()
    written = []
    for index, row in rows.iterrows():
        cells = [
            {
                "median": format_number(row[f"{metric}_median"]),
                "range": format_range(row[f"{metric}_min"], row[f"{metric}_max"])
                if row[f"{metric}_values"] > 1 or (row[f"{metric}_values"] and np.isnan(row[f"{metric}_median"]))
                else "",
                "missing": ""
                if row[f"{metric}_values"] == row["runs"]
                else f"{int(row[f'{metric}_values'])} of {int(row['runs'])} runs",
                "best": index in best[metric],
                "alike": nulls[metric] is not None
                and infos[metric].best != "none"
                and nulls[metric].contains(row[f"{metric}_median"]),
            }
            for metric in metrics
        ]
        written.append({"setting": _setting(row, rows), "cells": cells})
    return written


def _varying(rows: pd.DataFrame) -> list[str]:
    """The axes that tell a method's settings apart; the learning rate where there is one setting."""
    return varying(rows) or ["learning_rate"]


def _setting(row: pd.Series, rows: pd.DataFrame) -> list[str]:
    return [format_number(row[axis]) for axis in _varying(rows)]


def _hint(info: MetricInfo) -> str:
    return {"low": "lower is better", "high": "higher is better", "none": ""}[info.best]


def _range(info: MetricInfo) -> str:
    low = "" if info.lower is None else f"from {format_number(info.lower)}"
    high = "" if info.upper is None else f"to {format_number(info.upper)}"
    return ", ".join(part for part in (_hint(info), f"{low} {high}".strip()) if part)
