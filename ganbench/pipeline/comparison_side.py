"""A study as one side of a comparison with others."""

from __future__ import annotations

from pathlib import Path

from ganbench.analysis.collected import Collected
from ganbench.analysis.side_by_side import Side
from ganbench.pipeline.plan import Plan
from ganbench.study.runs import flatten_options
from ganbench.study.study_files import path_from_root


def side(plan: Plan, file: Path | str, collected: Collected) -> Side:
    """A study as one side of a comparison.

    Args:
        plan: the study's plan.
        file: the study's file, for the report.
        collected: the study's results.
    """
    runs = {run.id: run for run in plan.grid.runs}
    metrics = plan.study.evaluate.metrics
    return Side(
        name=plan.study.study,
        title=plan.study.title,
        file=path_from_root(file),
        collected=collected,
        components={run.method: {each.family: each.signature for each in run.choices} for run in plan.grid.runs},
        training={name: _options(runs[name].training) for name in collected.runs["run"]},
        judges={choice.signature: plan.judge[name].digest for name, choice in plan.grid.datasets.items()},
        metrics={column: metric.signature for metric in metrics for column in metric.build().columns},
    )


def _options(training: dict) -> dict[str, object]:
    """The options of training by their names, those of sections by both: `snapshots_count`."""
    return {name.removeprefix("train_"): value for name, value in flatten_options("train", training).items()}
