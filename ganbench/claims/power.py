"""How many runs decide a test if the claim holds as claimed: planned before the runs are made, from stated effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pandas as pd

from ganbench.analysis.statistics.multiplicity import LEVEL, level_of_next
from ganbench.analysis.statistics.sample_sizes import POWER, runs_for_mean, runs_for_rate
from ganbench.claims.mean_tests import MIN_RUNS, paired
from ganbench.claims.test_results import Effort
from ganbench.study.claim_tests import ClaimTest, Difference, MeanTest, Proportion
from ganbench.study.target_checks import STATISTICAL

Seeds = Callable[[ClaimTest], list[pd.Series]]  # the seeds of the runs of every group that a test selects


def effort(test: ClaimTest, seeds: Sequence[pd.Series], level: float) -> Effort:
    """Count the runs with which a statistical test would be decided, with 80% power, if the effect is as stated.

    An ordering is confirmed if every step is: each of its n steps is given the power 1 - 0.2 / n.

    Args:
        test: The test.
        seeds: The seeds of the runs of every group that it selects.
        level: The level of the test, in both directions.

    Returns:
        The runs present and needed.
    """
    present = min(map(len, seeds))
    if isinstance(test, Proportion):
        needed = None if test.expected is None else runs_for_rate(test.expected, test.limit, level=level)
        among = "" if test.among is None else test.among.text
        return Effort(present, "runs", test.expected, needed, among)
    pairs = all(paired(one, other) for one, other in pairwise(seeds))
    return _of_means(test, present, pairs=pairs, steps=len(seeds) - 1, level=level)


def _of_means(test: MeanTest, present: int, *, pairs: bool, steps: int, level: float) -> Effort:
    unit = "pairs" if pairs else "runs of each"
    if test.expected is None:
        return Effort(present, unit)
    beyond = test.expected - (test.limit if isinstance(test, Difference) else 0.0)
    needed = runs_for_mean(beyond, test.deviation, paired=pairs, level=level, power=1 - (1 - POWER) / steps)
    return Effort(present, unit, test.expected, needed and max(needed, MIN_RUNS))


def efforts(tests: Sequence[ClaimTest], seeds: Seeds) -> list[Effort | None]:
    """Count the runs with which each of a study's tests would be decided, as the first of all that are.

    Args:
        tests: All tests of the study.
        seeds: Gives the seeds of the runs of every group that a test selects.

    Returns:
        By test, the runs present and needed; None for tests that check every run, which need no number of them.
    """
    statistical = sum(isinstance(test, STATISTICAL) for test in tests)
    level = level_of_next(statistical, 0) if statistical else LEVEL
    return [effort(test, seeds(test), level) if isinstance(test, STATISTICAL) else None for test in tests]
