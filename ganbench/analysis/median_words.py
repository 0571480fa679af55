"""The median of a metric over runs in words: a few values have no typical one, and are given themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.methods import failed, final_values, median_value
from ganbench.core.formatting import format_median
from ganbench.core.metric_info import MetricInfo


def counted_values(runs: pd.DataFrame, metric: str, info: MetricInfo) -> np.ndarray:
    """The final values that `median_value` does not count as worse than all others, shape (n,): those of runs that did
    not fail, or of all where neither end of the metric is better."""
    values = final_values(runs, metric)
    bad = np.zeros(len(runs), dtype=bool) if info.best == "none" else failed(runs).to_numpy()
    return values[np.isfinite(values) & ~bad]


def median_words(runs: pd.DataFrame, metric: str, info: MetricInfo) -> str:
    """The median of runs, "2.1", or where it is one of fewer than four values these themselves, "2 and 8"; "–" where
    half of the runs or more failed or have no value."""
    return format_median(median_value(runs, metric, info), counted_values(runs, metric, info))
