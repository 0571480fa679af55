"""The last part of the report: scores of real data, the configuration, the machines, and every run."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pandas as pd
import yaml

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES
from ganbench.analysis.methods import amounts
from ganbench.analysis.nulls import null_of
from ganbench.analysis.stage_time import StageTime
from ganbench.core import strict_json
from ganbench.core.formatting import format_duration, format_number, format_range, plural
from ganbench.core.metric_info import base_of

# Beyond this many rows a table of runs on paper, or of missing ones, is no help; the tables hold all of them.
LISTED_RUNS = 1000


def stage_times(stages: Iterable[StageTime]) -> list[dict[str, str]]:
    """Rows of the estimated and the actual time of the stages, in minutes."""
    return [
        {
            "stage": each.stage,
            "jobs": f"{each.jobs:,}",
            "estimated": f"{each.estimated / 60:.1f}",
            "actual": f"{each.actual / 60:.1f}",
        }
        for each in stages
    ]


def references(collected: Collected) -> list[dict[str, str]]:
    """Rows of the values measured on real data, with the intervals of nulls."""
    rows = []
    for _, row in collected.references.iterrows():
        name = str(row["quantity"])
        if base_of(name) != name and base_of(name) in collected.metrics:
            continue  # of moving averages, which real data score as the metric itself
        if name in collected.metrics and name not in amounts(collected.metrics):
            continue
        null = null_of(collected, row["dataset"], name)
        rows.append(
            {
                "dataset": row["dataset"],
                "quantity": collected.metrics[name].title if name in collected.metrics else name.replace("_", " "),
                "value": format_number(row["value"]),
                "range": format_range(null.low, null.high) if null is not None else "",
                "how": row["sampling"],
            }
        )
    return rows


def config(study: dict) -> str:
    """The resolved configuration as YAML, in its own order."""
    plain = json.loads(strict_json.dumps(study, default=str))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def environment_facts(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """What the runs were made with, and what they took."""
    if runs.empty:
        return [("Runs", "none")]
    seconds = runs["train_seconds"].dropna()
    found = [
        (
            "Runs",
            f"{len(runs)} in {plural(runs['pack'].nunique(), 'pack')}, {int(runs['fused'].sum())} trained fused",
        ),
    ]
    found.append(("Steps executed", _counted(runs["execution"])))
    if len(seconds):
        found.append(("Total training time", f"{format_duration(seconds.sum())} (each run's share of its pack's time)"))
        median, least, most = map(format_duration, (seconds.median(), seconds.min(), seconds.max()))
        found.append(("Training time of a run", f"median {median} ({least} to {most})"))
    times = runs["trained_at"].dropna().astype(str)
    if len(times):
        found.append(("Trained", times.min() if times.nunique() == 1 else f"{times.min()} to {times.max()}"))
    for column, label in (
        ("device", "Device"),
        ("processor", "Processor"),
        ("cpu_capability", "Vector instructions"),
        ("blas", "BLAS"),
        ("python", "Python"),
        ("numpy", "NumPy"),
        ("scipy", "SciPy"),
        ("torch", "PyTorch"),
        ("cuda", "CUDA"),
        ("tf32", "TensorFloat-32 by default"),
        ("commit", "Commit of ganbench"),
    ):
        found.append((label, _counted(runs[column])))
    return found


def _counted(values: pd.Series) -> str:
    """The values of a column in words, with the number of runs of each where there are several."""
    counts = values.fillna("").replace("", "none").value_counts().sort_index()
    several = len(counts) > 1
    return ", ".join(f"{name} ({plural(int(count), 'run')})" if several else name for name, count in counts.items())


def run_list(runs: pd.DataFrame, most: int = LISTED_RUNS) -> dict:
    """Runs with the axes that vary, how each ended and its digest; the first `most` of them."""
    axes = [axis for axis in AXES if axis == "seed" or runs[axis].nunique(dropna=False) > 1]
    heads = [*(axis.replace("_", " ") for axis in axes), "outcome", "at step", "why", "training time", "digest"]
    told = [*axes, "outcome", "outcome_onset", "outcome_evidence", "train_seconds", "digest"]
    rows = [
        [*map(_cell, setting), outcome, format_number(step), why, format_duration(seconds), digest]
        for *setting, outcome, step, why, seconds, digest in zip(
            *(runs[name].head(most).astype(object) for name in told), strict=True
        )
    ]
    return {"heads": heads, "rows": rows, "left": max(0, len(runs) - most)}


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    return "–" if value is None else format_number(value)
