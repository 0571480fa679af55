"""The curves of methods that the report draws, as tables: how long runs do not fail, and how many reach which score."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, RUNS
from ganbench.analysis.comparisons import losses_by_setting
from ganbench.analysis.methods import as_loss, failure_times, methods, primary_metric
from ganbench.analysis.statistics.improvement import performance_profile, profile_interval
from ganbench.analysis.statistics.survival import kaplan_meier

SURVIVAL = {
    "dataset": AXES["dataset"],
    "method": RUNS["method"],
    "step": "0, and every training step at which a run of the method failed or ended; what snapshots show is dated to"
    " the first one that shows it, or to a step of the recorded series since the one before",
    "at_risk": "number of its runs that had neither failed nor ended just before the step",
    "share": "share of its runs that have not been seen to fail, from this step until the next (Kaplan and Meier); a"
    " run that never learns is not seen to fail",
    "low": "lower bound of the share's 95% interval",
    "high": "upper bound of it",
}
PROFILES = {
    "dataset": AXES["dataset"],
    "method": RUNS["method"],
    "metric": "metric of the scores: the first one with a better end",
    "value": "final value of a run of the method that did not fail, the best ones first",
    "share": "share of the method's runs whose final value is at least as good, averaged over settings; a failed run"
    " reaches no value",
    "low": "lower bound of the share's 95% interval (Wilson)",
    "high": "upper bound of it",
}
INTEGERS = ("step", "at_risk")


def survival_table(collected: Collected) -> pd.DataFrame:
    """Tabulate the share of runs that have not been seen to fail: one row per method and step of its curve."""
    table = pd.DataFrame(
        [row for name, runs in _by_method(collected) for row in _survival(name, runs)], columns=list(SURVIVAL)
    )
    return table.astype({name: "int64" if name in INTEGERS else "float64" for name in list(SURVIVAL)[2:]})


def profiles_table(collected: Collected) -> pd.DataFrame:
    """Tabulate how many runs reach which score: one row per method and different final value of its runs."""
    rows = [row for name, runs in _by_method(collected) for row in _profile(collected, name, runs)]
    return pd.DataFrame(rows, columns=list(PROFILES)).astype(dict.fromkeys(list(PROFILES)[3:], "float64"))


def _by_method(collected: Collected) -> Iterator[tuple[str, pd.DataFrame]]:
    for name in methods(collected):
        yield name, collected.runs[collected.runs["method"] == name]


def _survival(name: str, runs: pd.DataFrame) -> Iterator[tuple]:
    curve = kaplan_meier(*failure_times(runs))
    for row in zip(curve.steps, curve.at_risk, curve.share, curve.low, curve.high, strict=True):
        yield runs["dataset"].iloc[0], name, *row


def _profile(collected: Collected, name: str, runs: pd.DataFrame) -> Iterator[tuple]:
    metric = primary_metric(collected, name)
    if metric is None:
        return
    info = collected.metrics[metric]
    losses = list(losses_by_setting(runs, metric, info).values())
    reached = np.unique(np.concatenate(losses))
    reached = reached[np.isfinite(reached)]
    shares = performance_profile(losses, reached)
    sign = as_loss(np.ones(1), info)[0]
    for row in zip(sign * reached, shares, *profile_interval(shares, losses), strict=True):
        yield runs["dataset"].iloc[0], name, metric, *row
