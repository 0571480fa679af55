"""Forgetting: the share of its best improvement that a run has lost by its last snapshot."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.grouped_arrays import grouped_arrays
from ganbench.analysis.methods import as_loss, methods, primary_metric
from ganbench.analysis.nulls import noise_of, null_of
from ganbench.analysis.outcomes._learning import Progress, progress_of
from ganbench.study.sections import Outcome

# A run counts as having forgotten when it lost more than this share of its improvement.
FORGOTTEN = 0.5

COLUMNS = ("run", "method", "outcome", "metric", "first", "best", "best_step", "last", "improvement_lost", "learned")


def improvement_lost(losses: np.ndarray) -> float:
    """Share of the improvement from the first to the best snapshot that is lost at the last snapshot.

    The share is (last - best) / (first - best), for values of which smaller is better: 0 where the last snapshot is
    the best, 1 where the last value equals the first, more where it is worse than the first. The share has no unit, so
    one threshold serves metrics of any scale.

    Args:
        losses: a metric over a run's snapshots, smaller is better, infinite where a value is missing, shape (S,).

    Returns:
        The share; NaN where no snapshot is better than the first.
    """
    gained = losses[0] - losses.min()
    return float((losses[-1] - losses.min()) / gained) if gained > 0 else float("nan")


def forgetting(collected: Collected) -> pd.DataFrame:
    """Tabulate the first, best and last value of the primary metric, for runs with values at two snapshots or more.

    The first value is that of the first snapshot with a finite value. A run had learned if it came near enough to real
    data by this metric at some snapshot, as the outcomes tell it; the others have nothing to forget, and what they lose
    of a small improvement is mostly noise.

    Returns:
        One row per such run with the columns `COLUMNS`; `improvement_lost` is NaN where the run never improved.
    """
    runs = collected.runs.set_index("run")
    rows = []
    for method in methods(collected):
        metric = primary_metric(collected, method)
        if metric is None:
            continue
        snapshots = collected.snapshots[collected.snapshots["method"] == method].sort_values("step")
        for (run,), mine in grouped_arrays(snapshots, ["run"], ["step", metric]).items():
            values = np.asarray(mine[metric], dtype=np.float64)
            known = np.flatnonzero(np.isfinite(values))
            if len(known) < 2:
                continue
            values, steps = values[known[0] :], mine["step"][known[0] :]
            losses = as_loss(values, collected.metrics[metric])
            best = int(losses.argmin())
            share = improvement_lost(losses)
            learned = _learned(collected, runs.loc[run], metric, {"step": steps, metric: values})
            found = (run, method, runs.loc[run, "outcome"], metric, values[0], values[best], steps[best], values[-1])
            rows.append(dict(zip(COLUMNS, (*found, share, learned), strict=True)))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"learned": bool})


def _learned(collected: Collected, run: pd.Series, metric: str, snapshots: dict[str, np.ndarray]) -> bool:
    """Whether a run had learned at any of its snapshots; not where the metric does not tell."""
    null, noise = (find(collected, run["dataset"], metric) for find in (null_of, noise_of))
    nulls = {} if null is None else {metric: (null.low, null.high)}
    infos = {metric: collected.metrics[metric]}
    progress = progress_of(snapshots, infos, nulls, 0, noise={metric: noise}, ended=True)
    share = run.get("outcome_learned_share", Outcome().learned_share)
    return isinstance(progress, Progress) and bool(progress.learned(share).any())
