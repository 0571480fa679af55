"""The options of runs as columns of the table of runs."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ganbench.analysis.columns import RUNS, option_columns
from ganbench.core import strict_json
from ganbench.core.metric_info import MetricInfo
from ganbench.study.judging import judge_of, needs_weights
from ganbench.study.runs import Run, flatten_options
from ganbench.study.sections import Evaluate, Outcome

TYPES = {frozenset({bool}): "boolean", frozenset({int}): "Int64", frozenset({float}): "Float64"}  # all nullable


def options_of(run: Run, evaluate: Evaluate, outcome: Outcome) -> dict[str, Any]:
    """Collect a run's options by the names of their columns: `<family>_<option>`, `train_<option>` and so on.

    Args:
        run: the run.
        evaluate: the study's section `evaluate`; unused for runs without an architecture.
        outcome: the study's section `outcome`.
    """
    options = run.flat_options | flatten_options("outcome", outcome.model_dump())
    del options["train_steps"]  # the table has it as the column `steps`
    if run.choice("architecture") is None:  # such a run is not evaluated
        return options
    options["evaluate_metrics"] = ", ".join(metric.signature for metric in evaluate.metrics)
    judge = judge_of(evaluate.judge, run.choice("dataset"))
    options["evaluate_judge"] = judge.signature
    options |= {"evaluate_samples": evaluate.samples, "evaluate_samples_kept": evaluate.samples_kept}
    for metric in evaluate.metrics:
        options |= flatten_options(f"evaluate_{metric.component.name}", metric.options)
    if any(map(needs_weights, [judge, *evaluate.metrics])):
        options["evaluate_inception_sha256"] = evaluate.inception.sha256
    return options


def runs_table(runs: list[dict[str, Any]], metrics: dict[str, MetricInfo]) -> pd.DataFrame:
    """Make the table of runs, in which the column of an option has the type of its values.

    Lists become JSON. Where the values of an option have several types, all values that are not text become JSON.

    Args:
        runs: the rows, each by the names of its columns.
        metrics: the metrics whose final values are among the columns.
    """
    options = list(option_columns(dict.fromkeys(name for run in runs for name in run), metrics))
    table = pd.DataFrame(runs, columns=[*RUNS, *options, *(f"{name}_final" for name in metrics)])
    steps = ["failure_onset", "stopped_step"]
    table[steps] = table[steps].astype("Int64")
    for name in options:
        values = [run.get(name) for run in runs]
        kinds = frozenset(type(value) for value in values if value is not None)
        if kinds == {int, float}:
            values, kinds = [value if value is None else float(value) for value in values], frozenset({float})
        if kinds not in TYPES:
            values = [
                value if value is None or isinstance(value, str) else strict_json.dumps(value) for value in values
            ]
        table[name] = pd.Series(values, index=table.index, dtype=TYPES.get(kinds, object))
    return table
