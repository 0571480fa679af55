"""What MLflow's page shows of a study as a whole: tags of the experiment, among them saved views of its runs.

A saved view is a tag: its value is JSON with a name and the state of the page, which is JSON again. MLflow lists the
saved views above the table of runs, and `#/experiments/<id>/runs?viewStateShareKey=<key>` opens one. MLflow documents
none of this: the keys are those that the page of MLflow 3.17 writes when a user saves a view, and an older page shows
no saved views.

MLflow 3 opens an experiment on a page for language models, which is empty here, unless it takes the experiment for one
of training. Earlier pages of version 3 go by the tag of the experiment's kind. That of 3.17 goes by a switch that each
browser keeps, or by the address, so the links of the description name it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES
from ganbench.tracking.origin import NOTE
from ganbench.tracking.points import FINAL, MEASURED, RANGE
from ganbench.tracking.report_run import NO_REPORT

VIEW = "mlflow.sharedViewState."
METHODS, FAILED = "ganbench-methods", "ganbench-failed"  # keys of the saved views
TRAINING = "workflowType=machine_learning"  # part of addresses
CURVES = ("discriminator_loss", "generator_loss")  # shown first, where the study has them
SHOWN_METRICS = 3  # metrics of snapshots with a chart at the top and a column of the table
PAGE_METRICS = "Model metrics"  # MLflow's own section of metrics without a group
# MLflow's average over the seeds of a method would count numbers that the study has replaced; the report has none.
CURRENT = f"tags.`ganbench.superseded` IS NULL AND {NO_REPORT}"


def experiment_tags(collected: Collected, identifier: str, report: str | None = None) -> dict[str, str]:
    """The tags of a study's experiment.

    Args:
        collected: the collected results of the study.
        identifier: MLflow's identifier of the experiment, for the addresses of the views.
        report: the report's address in MLflow's page; None if it is not there.

    Returns:
        The tags by name. They depend on the results and the report alone, so that tracking twice writes the same.
    """
    at = round(pd.to_datetime(collected.runs["trained_at"], utc=True, format="ISO8601").max().timestamp() * 1000)
    tags = {"mlflow.experimentKind": "custom_model_development"}
    for key, (name, state) in _views(collected).items():
        envelope = {"name": name, "createdAt": at, "updatedAt": at, "state": json.dumps(state)}
        tags[VIEW + key] = json.dumps(envelope)
    for metric in _telling(collected)[:1]:
        tags["mlflow.experiment.primaryMetric.name"] = f"{FINAL}/{metric}"
        tags["mlflow.experiment.primaryMetric.greaterIsBetter"] = str(collected.metrics[metric].best == "high").lower()
    address = f"#/experiments/{identifier}/runs?{TRAINING}&viewStateShareKey="
    read = f" Read [the report]({report}?{TRAINING})." if report else ""
    tags[NOTE] = (
        f"{collected.share}.{read} Views: [runs by method, averaged over seeds]({address}{METHODS}), "
        f"[failed runs with their evidence]({address}{FAILED}).\n\n"
        f"Training steps are the axis of all curves. `{FINAL}/` are values of the last networks, `{MEASURED}/` numbers "
        f"of diagnostics, `{RANGE}/` the extremes of losses in bins of steps. The description of a run has its "
        "outcome, the evidence and the command that trains it."
    )
    return tags


def _views(collected: Collected) -> dict[str, tuple[str, dict[str, Any]]]:
    """The saved views: by key, the name and the state of the page."""
    metrics = _telling(collected)[:SHOWN_METRICS]
    varied = [f"params.`{axis}`" for axis in AXES if collected.runs[axis].nunique(dropna=False) > 1]
    final = [f"metrics.`{FINAL}/{metric}`" for metric in metrics if f"{metric}_final" in collected.runs]
    common = {
        **_charts(collected, metrics),
        "orderByKey": "attributes.start_time",
        "orderByAsc": True,
        "lifecycleFilter": "Active",
        "runsHiddenMode": "FIRST_20_RUNS",
    }
    methods = common | {
        "searchFilter": CURRENT,
        "groupBy": {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": "method"}]},
        "selectedColumns": ["attributes.`Dataset`", "tags.`outcome`", *final, *varied],
    }
    failed = common | {
        "searchFilter": f"{CURRENT} AND attributes.status = 'FAILED'",
        "groupBy": None,
        "selectedColumns": ["attributes.`Description`", "tags.`outcome`", "tags.`failure_onset`", *final, *varied],
    }
    return {METHODS: ("Runs by method", methods), FAILED: ("Failed runs", failed)}


def _telling(collected: Collected) -> list[str]:
    """The metrics of which one end is better, the most telling first; all metrics if there is none."""
    return [name for name, info in collected.metrics.items() if info.best != "none"] or list(collected.metrics)


def _charts(collected: Collected, metrics: Iterable[str]) -> dict[str, Any]:
    """Charts of the losses and the first metrics over the steps, and of the metrics' final values.

    MLflow adds a chart for every other metric, in the section of its group.
    """
    series = set(collected.curves["series"])
    curves = [*(name for name in CURVES if name in series), *metrics]
    charts = [_chart("LINE", name, PAGE_METRICS) for name in curves]
    charts += [_chart("BAR", f"{FINAL}/{name}", FINAL) for name in metrics if f"{name}_final" in collected.runs]
    sections = [_section(PAGE_METRICS, True), _section(FINAL, True), _section(MEASURED, True), _section(RANGE, False)]
    return {"compareRunCharts": charts, "compareRunSections": sections, "isAccordionReordered": True}


def _chart(kind: str, metric: str, section: str) -> dict[str, Any]:
    over_steps = {
        "lineSmoothness": 0,
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "range": {},
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }
    return {
        "uuid": f"ganbench-{metric}",
        "type": kind,
        "metricKey": metric,
        "displayName": metric.rpartition("/")[2],
        "metricSectionId": f"ganbench-{section}",
        "runsCountToCompare": 20,
        "deleted": False,
        "isGenerated": True,
    } | (over_steps if kind == "LINE" else {})


def _section(name: str, display: bool) -> dict[str, Any]:
    return {
        "uuid": f"ganbench-{name}",
        "name": name,
        "display": display,
        "isReordered": True,  # the charts above come first, and MLflow adds its own after them
        "deleted": False,
        "isGenerated": True,
    }
