"""Forgetting: the share of its best improvement that a run has lost by its last snapshot."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.grouped_arrays import grouped_arrays
from ganbench.analysis.methods import as_loss, headline, methods

# A run counts as having forgotten when it lost more than this share of its improvement.
FORGOTTEN = 0.5

COLUMNS = ("run", "method", "outcome", "metric", "first", "best", "best_step", "last", "improvement_lost")


def improvement_lost(losses: np.ndarray) -> float:
    """Share of the improvement from the first to the best snapshot that is lost at the last snapshot.

    The share is (last - best) / (first - best), for values of which smaller is better: 0 where the last snapshot is
    the best, 1 where the last value equals the first, more where it is worse than the first. The share has no unit, so
    one threshold serves metrics of any scale.

    Args:
        losses: A metric over a run's snapshots, smaller is better, infinite where a value is missing, shape (S,).

    Returns:
        The share; NaN where no snapshot is better than the first.
    """
    gained = losses[0] - losses.min()
    return float((losses[-1] - losses.min()) / gained) if gained > 0 else float("nan")


def forgetting(collected: Collected) -> pd.DataFrame:
    """Tabulate the first, best and last value of the headline metric, for runs with values at two snapshots or more.

    The first value is that of the first snapshot with a finite value.

    Returns:
        One row per such run with the columns `COLUMNS`; `improvement_lost` is NaN where the run never improved.
    """
    outcomes = collected.runs.set_index("run")["outcome"]
    rows = []
    for method in methods(collected):
        metric = headline(collected, method)
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
            found = (run, method, outcomes[run], metric, values[0], values[best], steps[best], values[-1], share)
            rows.append(dict(zip(COLUMNS, found, strict=True)))
    return pd.DataFrame(rows, columns=list(COLUMNS))
