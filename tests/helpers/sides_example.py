"""Made-up studies that are set side by side."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.side_by_side import Side

FAMILIES = ("game", "dataset", "architecture", "regularizer")


def side(collected: Collected, name: str) -> Side:
    """A study of the made-up results."""
    runs = collected.runs
    methods = runs.drop_duplicates("method").set_index("method")
    return Side(
        name=name,
        title="",
        file=f"{name}.yaml",
        collected=collected,
        components={method: {family: row[family] for family in FAMILIES} for method, row in methods.iterrows()},
        training={run: {"steps": 2000, "batch_size": 64} for run in runs["run"]},
        judges={"digits": "a", "ring8": "b"},
        metrics={metric: metric for metric in collected.metrics},
    )


def other(collected: Collected, keep: pd.Series | None = None, **columns: object) -> Collected:
    """Another study: some of the runs, all of them other ones, under other names, with some columns replaced."""
    runs = collected.runs if keep is None else collected.runs[keep].reset_index(drop=True)
    runs = runs.assign(method="x-" + runs["method"], digest="x" + runs["digest"], **columns)
    return replace(collected, runs=runs)
