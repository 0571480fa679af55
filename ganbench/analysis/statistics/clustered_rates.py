"""The rate of an event among runs of which some share a seed, and with it, to an unknown degree, their luck.

How often, in percent, `SeedRate.p_values` tells a share from a limit that it equals, at 0.05 in both directions (20,000
studies each; a run's luck is normal, and the share of its variance in the first row is that of its seed). In brackets
the binomial test, which takes the runs as independent:

| limit | seeds, each at | 0 | 0.3 | 0.6 | 1 |
|---|---|---|---|---|---|
| 0.5 | 5, 9 settings | 0 (4) | 0 (20) | 0 (32) | 0 (37) |
| 0.5 | 10, 4 settings | 2 (4) | 3 (10) | 3 (17) | 2 (34) |
| 0.5 | 18, 3 settings | 3 (4) | 3 (9) | 3 (13) | 3 (24) |
| 0.8 | 12, 4 settings | 1 (5) | 1 (11) | 1 (17) | 2 (48) |
| 0.9 | 10, 4 settings | 1 (3) | 1 (7) | 1 (13) | 1 (42) |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ganbench.analysis.statistics.rates import CONFIDENCE


@dataclass(frozen=True)
class SeedRate:
    """The share of runs with an event, with as many independent runs as it is as sure as.

    Attributes:
        share: the share of all runs.
        runs: number of independent runs whose share is as spread as this one by the scatter between seeds; it need not
            be whole.
        seeds: number of seeds.
    """

    share: float
    runs: float
    seeds: int

    def interval(self, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """The lower and the upper bound: every rate that `p_values` does not tell from the share."""
        tail = (1 - confidence) / 2
        with_, without = self.runs * self.share, self.runs * (1 - self.share)
        low = stats.beta.ppf(tail, with_, without + 1) if with_ else 0.0
        high = stats.beta.isf(tail, with_ + 1, without) if without else 1.0
        return min(float(low), tail ** (1 / self.seeds)), max(float(high), 1 - tail ** (1 / self.seeds))

    def p_values(self, limit: float) -> tuple[float, float]:
        """The p-values of "the rate exceeds the limit" and of "the rate is below the limit", at most 1.

        Each is twice the probability of a share at least as extreme among so many independent runs, where the rate is
        the limit, and never less than if all of the seeds agreed, and the runs of each were one: that runs of a seed
        are seen to be alike does not tell whether it is they or all runs that are.
        """
        with_, without = self.runs * self.share, self.runs * (1 - self.share)
        above = stats.beta.cdf(limit, with_, without + 1) if with_ else 1.0
        below = stats.beta.sf(limit, with_ + 1, without) if without else 1.0
        above, below = max(float(above), limit**self.seeds), max(float(below), (1 - limit) ** self.seeds)
        return min(1.0, 2 * above), min(1.0, 2 * below)


def seed_rate(events: np.ndarray, seeds: np.ndarray) -> SeedRate:
    """Count an event among runs whose seeds are the independent units.

    With K seeds and n runs, the variance of the share p is that between seeds, of the ratio of events to runs, and the
    number of independent runs is p (1 - p) over it, times (t_(n-1) / t_(K-1))^2 for the degrees of freedom that it is
    estimated with, t being the 97.5% quantiles of Student's distribution. It is no less than K, of which the runs of a
    seed would be one, and no more than n. Where all runs agree there is no scatter, and it is n: that no result of K
    seeds is stronger than K runs that agree, `SeedRate.p_values` sees to.

    Source: E. L. Korn and B. I. Graubard (1998), "Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data", Survey Methodology 24.

    Args:
        events: whether the event happened, bool, shape (runs,) with one run or more.
        seeds: the seed of each run, shape (runs,).
    """
    _, index = np.unique(seeds, return_inverse=True)
    totals, counts = np.bincount(index), np.bincount(index, weights=events)
    share, count, total = float(np.mean(events)), len(totals), len(events)
    variance = count / max(1, count - 1) * float(((counts - share * totals) ** 2).sum()) / total**2
    if count == 1 or not variance:
        return SeedRate(share, float(total), count)
    known = (stats.t.isf(0.025, total - 1) / stats.t.isf(0.025, count - 1)) ** 2
    return SeedRate(share, float(np.clip(share * (1 - share) / variance * known, count, total)), count)
