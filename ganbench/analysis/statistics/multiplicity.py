"""Many tests at once: p-values adjusted for their number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.05  # the false discovery rate of a study's claims, and the level of every single test


def false_discovery_adjusted(p_values: Sequence[float]) -> np.ndarray:
    """Adjust p-values so that of the hypotheses rejected at a level, that share at most is wrongly rejected on average.

    This is Benjamini and Yekutieli's procedure, which keeps its promise whatever the dependence of the tests. The
    claims of a study are tested on the same runs, some in opposite directions, so that their p-values depend on each
    other in either way; Benjamini and Hochberg's procedure promises nothing then. The price is a factor of
    1 + 1/2 + ... + 1/m for m tests: 2.9 for ten, 4.5 for fifty. A single test is not adjusted at all.

    The level also holds for directions: where a rejected hypothesis is an equality, and the sign of the estimate is
    reported, wrong signs are among the errors that it counts (Benjamini and Yekutieli 2005, JASA 100).

    Source: Y. Benjamini and D. Yekutieli (2001), "The control of the false discovery rate in multiple testing under
    dependency", Annals of Statistics 29.

    Args:
        p_values: the p-values of all tests that were made, shape (m,); NaN for tests without one, which are not
            counted.

    Returns:
        The adjusted p-values in the same order, shape (m,); NaN where there is no p-value.
    """
    given = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    known = ~np.isnan(given)
    if known.any():
        adjusted[known] = stats.false_discovery_control(given[known], method="by")
    return adjusted


def level_of_next(tests: int, rejected: int) -> float:
    """The p-value at which one more test would be decided, where some of all tests are decided already.

    Args:
        tests: the number of all tests, at least one.
        rejected: the number of tests whose adjusted p-value is at most `LEVEL`, less than `tests`.
    """
    return LEVEL * (rejected + 1) / (tests * float(np.sum(1 / np.arange(1, tests + 1))))


def bonferroni(p_value: float, tests: int) -> float:
    """The p-value of the most striking of several tests: its own, times their number, at most 1."""
    return min(1.0, tests * p_value)
