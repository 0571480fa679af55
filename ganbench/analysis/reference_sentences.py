"""Sentences on how near the runs of a study came to real data, and on what none of them reached."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import as_loss, failed, final_losses, final_values, measured_metrics, primary_metric
from ganbench.analysis.nulls import null_of
from ganbench.core.formatting import format_number, format_range, join_words, plural
from ganbench.core.metric_info import MetricInfo, base_of


def within(info: MetricInfo) -> str:
    """What is said of a value within its null. Alike in one metric is not alike: a Fréchet distance of points in a
    plane sees nothing but their means and covariances."""
    return f"within the interval of real data in {info.title}"


def reference_sentences(collected: Collected) -> Iterator[str]:
    """For every data set: what real data score and how near runs came at their end; then what no run reached."""
    first = collected.runs.drop_duplicates("dataset")
    for dataset, method in zip(first["dataset"], first["method"], strict=True):
        runs = collected.runs[collected.runs["dataset"] == dataset]
        metric = primary_metric(collected, method)
        if metric is not None:
            yield _final(collected, dataset, runs, metric)
        snapshots = collected.snapshots[collected.snapshots["run"].isin(runs["run"])]
        yield from _never_reached(collected, dataset, snapshots, measured_metrics(collected, method))
        yield from _never_covered(collected, dataset, runs)


def _final(collected: Collected, dataset: str, runs: pd.DataFrame, metric: str) -> str:
    """What real data score in the primary metric and, of the runs that were not seen to fail, the best final value and
    how many score like real data."""
    info, null = collected.metrics[metric], null_of(collected, dataset, metric)
    text = f"{dataset}: what a perfect generator would score in {info.title} was not measured"
    if null is not None:
        reach = f" ({format_range(null.low, null.high)} in 95% of samples)" if null.low < null.high else ""
        text = f"{dataset}: a perfect generator would score {format_number(null.mean)}{reach} in {info.title}"
    runs = runs[~failed(runs)]
    losses = final_losses(runs, metric, info)
    if np.isfinite(losses).any():
        best = runs.iloc[int(losses.argmin())]
        value = format_number(best[f"{metric}_final"])
        text += f"; the best final value of {plural(len(runs), 'run')} not seen to fail is {value} ({best['run']})"
        if null is not None:
            alike = sum(map(null.contains, final_values(runs, metric)))
            text += f"; {alike or 'none'} of them {'are' if alike > 1 else 'is'} {within(info)}"
    return f"{text}."


def _never_reached(collected: Collected, dataset: str, snapshots: pd.DataFrame, metrics: list[str]) -> Iterator[str]:
    """Tell of which metrics no snapshot of any run has a value as good as the worse end of what real data score.

    Snapshots of failed runs count too: a run may be good before it fails, and what not even such a run reached is out
    of reach of all that the study tried.
    """
    parts = []
    for metric in metrics:
        info, null = collected.metrics[metric], null_of(collected, dataset, metric)
        losses = as_loss(snapshots[metric].to_numpy(dtype=np.float64), info)
        if null is None or info.best == "none" or base_of(metric) != metric or not np.isfinite(losses).any():
            continue
        best = snapshots.iloc[int(losses.argmin())]
        end = null.low if info.best == "high" else null.high
        if not null.contains(best[metric]) and losses.min() > as_loss(np.array([end]), info)[0]:
            bound = f"{'at least' if info.best == 'high' else 'at most'} {format_number(end)}"
            where = f"{best['run']}, step {format_number(best['step'])}"
            parts.append(f"{info.title} (real data score {bound}, the best run {format_number(best[metric])}: {where})")
    if parts:
        yield (
            f"{dataset}: at no snapshot did any run, failed ones included, score like real data in {join_words(parts)}."
        )


def _never_covered(collected: Collected, dataset: str, runs: pd.DataFrame) -> Iterator[str]:
    """Tell which modes of the data no run ever generated an example of."""
    modes = collected.modes[collected.modes["run"].isin(runs["run"])]
    if modes.empty:
        return
    most = modes.groupby("mode")["share"].max()
    never = [str(mode) for mode in most.index[most == 0]]  # where no example could be judged, nothing is known
    if never:
        noun = "mode" if len(never) == 1 else "modes"
        yield f"{dataset}: no run generated an example of {noun} {join_words(never)} of {len(most)} at any snapshot."
