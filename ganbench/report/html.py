"""The report: one HTML file that loads nothing, opens with what was found and ends with how it was made."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
import yaml

from ganbench.analysis.collected import Collected, MetricInfo
from ganbench.analysis.columns import AXES, OUTCOMES
from ganbench.analysis.contenders import as_loss, contenders, measured
from ganbench.analysis.findings import AXIS_WORDS, Finding, findings
from ganbench.analysis.settings import settings
from ganbench.analysis.words import between, duration, number, percent, plural
from ganbench.report.figures import CAPTIONS
from ganbench.report.outputs import CONTENDER_FIGURES, STUDY_FIGURES, figure_name

HERE = Path(__file__).parent

# A vector drawing is sharper than pixels, but one of thousands of curves weighs more than its picture.
LARGEST_SVG = 600_000

FIGURE_TITLES = {
    "outcomes": "How the runs ended",
    "failure-rate": "Where runs fail",
    "quality": "What the generators score at the end",
    "losses": "Losses",
    "progress": "Progress",
    "samples": "Samples",
}


def render(collected: Collected, study: dict, figures: Path, out: Path) -> None:
    """Write the report of a study.

    Args:
        collected: the study's results.
        study: its resolved configuration, with its name as `study`, and `title` and `description`, which may be empty.
        figures: folder that holds the files `ganbench.report.figures.write` left there.
        out: HTML file to write.
    """
    found = findings(collected)
    table = settings(collected) if len(collected.runs) else pd.DataFrame()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        title=study.get("title") or study["study"],
        name=study["study"],
        description=study.get("description") or "",
        style=(HERE / "report.css").read_text(encoding="utf-8"),
        summary=[_finding(each) for each in found if each.contender is None or each.kind == "contender"],
        figures=[_figure(figures, kind) for kind in STUDY_FIGURES],
        contenders=[_contender(collected, table, found, name, figures) for name in contenders(collected)],
        outcomes=OUTCOMES,
        metrics=[(info.title, info.what, _range(info)) for info in collected.metrics.values()],
        references=_references(collected),
        config=_config(study),
        facts=_facts(collected.runs),
        runs=_runs(collected.runs),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")


def _finding(finding: Finding) -> dict[str, object]:
    return {"text": finding.text, "warning": finding.warning}


def _figure(folder: Path, kind: str, contender: str | None = None) -> dict[str, str]:
    """A figure as a data address: an image of its own cannot clash with ids elsewhere on the page."""
    path = folder / f"{figure_name(kind, contender)}.svg"
    if path.stat().st_size > LARGEST_SVG:
        path = path.with_suffix(".png")
    media = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
    source = f"data:{media};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
    return {"title": FIGURE_TITLES[kind], "caption": CAPTIONS[kind], "source": source}


def _contender(collected: Collected, table: pd.DataFrame, found: list[Finding], name: str, figures: Path) -> dict:
    rows = table[table["contender"] == name]
    metrics = measured(collected, name)
    return {
        "name": name,
        "findings": [_finding(each) for each in found if each.contender == name],
        "axes": [AXIS_WORDS[axis] for axis in _varying(rows)],
        "outcomes": [_outcome_row(row, rows) for _, row in rows.iterrows()],
        "metrics": [(collected.metrics[metric].title, _hint(collected.metrics[metric])) for metric in metrics],
        "scores": _value_rows(rows, metrics, collected.metrics),
        "figures": [_figure(figures, kind, name) for kind in CONTENDER_FIGURES],
    }


def _outcome_row(row: pd.Series, rows: pd.DataFrame) -> dict[str, object]:
    counts = [int(row[f"outcome_{outcome}"]) for outcome in OUTCOMES]
    bounds = f"{percent(row['failure_low'])} to {percent(row['failure_high'])}"
    return {
        "setting": _setting(row, rows),
        "runs": int(row["runs"]),
        "counts": counts,
        "rate": percent(row["failure_rate"]),
        "bounds": bounds,
    }


def _value_rows(rows: pd.DataFrame, metrics: list[str], infos: dict[str, MetricInfo]) -> list[dict[str, object]]:
    """Cells of the metrics table: median, range over seeds, number of runs with a value; the best medians are marked.

    Only settings in which every run has a value and none diverged can be marked: a median without the lost runs, or
    with what they scored before, flatters.
    """
    best = {}
    steady = rows["outcome_diverged"] == 0
    for metric in metrics:
        complete = (steady & (rows[f"{metric}_values"] == rows["runs"])).to_numpy()
        if infos[metric].best != "none" and complete.any() and len(rows) > 1:
            losses = np.where(complete, as_loss(rows[f"{metric}_median"].to_numpy(), infos[metric]), np.inf)
            best[metric] = losses.min() * (-1.0 if infos[metric].best == "high" else 1.0)
    written = []
    for _, row in rows.iterrows():
        complete = {metric: row[f"{metric}_values"] == row["runs"] for metric in metrics}
        cells = [
            {
                "median": number(row[f"{metric}_median"]),
                "range": between(row[f"{metric}_min"], row[f"{metric}_max"]) if row[f"{metric}_values"] > 1 else "",
                "missing": "" if complete[metric] else f"{int(row[f'{metric}_values'])} of {int(row['runs'])} runs",
                "best": bool(
                    row["outcome_diverged"] == 0
                    and complete[metric]
                    and metric in best
                    and row[f"{metric}_median"] == best[metric]
                ),
            }
            for metric in metrics
        ]
        written.append({"setting": _setting(row, rows), "cells": cells})
    return written


def _varying(rows: pd.DataFrame) -> list[str]:
    """The axes that tell a contender's settings apart; the learning rate where there is one setting."""
    return [axis for axis in AXIS_WORDS if rows[axis].nunique() > 1] or ["learning_rate"]


def _setting(row: pd.Series, rows: pd.DataFrame) -> list[str]:
    return [number(row[axis]) for axis in _varying(rows)]


def _hint(info: MetricInfo) -> str:
    return {"low": "lower is better", "high": "higher is better", "none": ""}[info.best]


def _range(info: MetricInfo) -> str:
    low = "" if info.lower is None else f"from {number(info.lower)}"
    high = "" if info.upper is None else f"to {number(info.upper)}"
    return ", ".join(part for part in (_hint(info), f"{low} {high}".strip()) if part)


def _references(collected: Collected) -> list[dict[str, str]]:
    return [
        {
            "dataset": row["dataset"],
            "quantity": collected.metrics[row["quantity"]].title
            if row["quantity"] in collected.metrics
            else str(row["quantity"]).replace("_", " "),
            "value": number(row["value"]),
            "how": row["how"],
        }
        for _, row in collected.references.iterrows()
    ]


def _config(study: dict) -> str:
    """The resolved configuration as YAML, in its own order."""
    plain = json.loads(json.dumps(study, default=str))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def _facts(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """What the runs were made with, and what they took."""
    if runs.empty:
        return [("Runs", "none")]
    seconds = runs["train_seconds"].dropna()
    facts = [
        ("Runs", f"{len(runs)} in {plural(runs['pack'].nunique(), 'pack')}, {int(runs['fused'].sum())} trained fused"),
        ("Total training time", f"{duration(seconds.sum())} (each run's share of its pack's time)"),
    ]
    if len(seconds):
        spread = f"{duration(seconds.median())} ({duration(seconds.min())} to {duration(seconds.max())})"
        facts.append(("Training time of a run", f"median {spread}"))
    times = runs["trained_at"].dropna().astype(str)
    if len(times):
        facts.append(("Trained", times.min() if times.nunique() == 1 else f"{times.min()} to {times.max()}"))
    for column, label in (
        ("device", "Device"),
        ("python", "Python"),
        ("torch", "PyTorch"),
        ("cuda", "CUDA"),
        ("commit", "Commit"),
    ):
        counts = runs[column].fillna("").replace("", "none").value_counts().sort_index()
        several = len(counts) > 1
        facts.append(
            (
                label,
                ", ".join(
                    f"{name} ({plural(int(count), 'run')})" if several else name for name, count in counts.items()
                ),
            )
        )
    return facts


def _runs(runs: pd.DataFrame) -> dict[str, list]:
    """Every run by name, with the axes that vary, how it ended and its digest."""
    axes = [axis for axis in AXES if axis == "seed" or runs[axis].nunique(dropna=False) > 1]
    heads = [*(axis.replace("_", " ") for axis in axes), "outcome", "at step", "why", "training time", "digest"]
    rows = [
        [
            *(number(run[axis]) if isinstance(run[axis], int | float | np.number) else run[axis] for axis in axes),
            run["outcome"],
            number(run["outcome_step"]),
            run["outcome_why"],
            duration(run["train_seconds"]),
            run["digest"],
        ]
        for _, run in runs.iterrows()
    ]
    return {"heads": heads, "rows": rows}
