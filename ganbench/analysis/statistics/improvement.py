"""Comparing methods over several settings by all of their runs, of which failed ones are the worst and never dropped.

Scores are losses here: smaller is better, and a failed run's loss is infinite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ganbench.analysis.statistics.rates import CONFIDENCE, wilson_bounds


@dataclass(frozen=True)
class Improvement:
    """The probability that a run of the first method beats a run of the second at the same setting."""

    value: float
    low: float
    high: float
    p_value: float  # of the hypothesis that it is 1/2, in both directions
    settings: int  # number of settings that were compared
    runs: int  # number of runs of a share that is as spread as the mean over settings may be


def probability_of_improvement(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], *, confidence: float = CONFIDENCE
) -> Improvement:
    """Estimate the probability that a run of one method has a smaller loss than a run of another.

    At every setting it is the share of pairs of runs in which the first method's is better; ties, such as two failed
    runs, count half. The estimate is the mean over settings.

    At a setting with n and m runs, the share of pairs is the mean, over all ways to pair off k = min(n, m) runs of
    each, of the share of these k pairs, which are independent. So it is no more spread than a share of k runs: no
    convex function of it, such as the squared deviation, has a larger expectation. It is no more spread than a share of
    fewer runs either, since a mean of k values is the mean over all choices of fewer. With K runs at the setting with
    the least k, the mean over M settings is thus no more spread than that of M shares of K runs each, and this no more
    than one share of M K runs with the mean probability p: its variance is at most p (1 - p) / (M K), since p (1 - p)
    is concave. No larger number of runs does for all probabilities: where one method always wins at all settings but
    those with K runs, and almost always there, the variance is (1 - p) / (M K) but for terms of (1 - p)^2.

    The estimate is such a share where a run of each is compared at every setting, or where one method always scores the
    same and the other better or not at all. So the interval is Clopper and Pearson's and the p-value that of the exact
    binomial (sign) test, both with M K runs: Wilson's would hold the truth in 87% with four of them. Shares between
    their counts, as of ties and of several runs per setting, take the beta distribution's quantiles between. Nothing is
    resampled, which would see no spread where one method wins everywhere. That probabilities differ among settings, and
    that some have more runs, only narrows the spread.

    Sources: R. Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS;
    C. J. Clopper and E. S. Pearson (1934), "The use of confidence or fiducial limits", Biometrika 26; W. Hoeffding
    (1956), "On the distribution of the number of successes in independent trials", Annals of Mathematical Statistics
    27, for shares of different probabilities; W. Hoeffding (1963), "Probability inequalities for sums of bounded random
    variables", JASA 58, for means over all pairs.

    Args:
        first, second: the losses of each method's runs, one array per setting, in the same order of settings; an array
            has at least one value, infinite for a failed run, and no NaN.
        confidence: the coverage of the interval, in (0, 1).

    Raises:
        ValueError: the methods have different numbers of settings, or none, or a setting has no runs.
    """
    pairs = list(zip(first, second, strict=True))
    if not pairs or not all(len(one) and len(two) for one, two in pairs):
        raise ValueError("expected one setting or more, with runs of both methods at each")
    value = float(np.mean([_share_better(one, two) for one, two in pairs]))
    runs = _effective_runs([min(len(one), len(two)) for one, two in pairs])
    won, lost, tail = runs * value, runs * (1 - value), (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, won, lost + 1)) if won > 0 else 0.0
    high = float(stats.beta.isf(tail, won + 1, lost)) if lost > 0 else 1.0
    more, fewer = max(won, lost), min(won, lost)
    p_value = min(1.0, 2 * float(stats.beta.cdf(0.5, more, fewer + 1)))  # of a binomial, the probability of `more` wins
    return Improvement(value, low, high, p_value, len(pairs), runs)


def _share_better(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first[:, None], second[None]
    return float((np.mean(first < second) + np.mean(first <= second)) / 2)


def performance_profile(losses: Sequence[np.ndarray], thresholds: np.ndarray) -> np.ndarray:
    """The share of runs whose loss is at most a threshold, averaged over settings.

    A method whose curve lies above another's everywhere is better at every level of quality. A failed run reaches no
    level, so that a curve ends at the share of runs with a finite loss.

    Source: R. Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice", NeurIPS.

    Args:
        losses: the losses of a method's runs, one array per setting, each with at least one value; infinite for a
            failed run.
        thresholds: finite losses, shape (T,).

    Returns:
        The shares, shape (T,).
    """
    return np.mean([(np.asarray(each)[:, None] <= thresholds).mean(axis=0) for each in losses], axis=0)


def profile_interval(
    shares: np.ndarray, losses: Sequence[np.ndarray], *, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise interval of a performance profile.

    The mean of the shares at M settings is no more spread than one share of M K runs, where K is the least number of
    runs at a setting (see `probability_of_improvement`): the interval is Wilson's with M K runs.

    Args:
        shares: what `performance_profile` returned, shape (T,).
        losses: the losses that it was given.
        confidence: the coverage at each threshold, in (0, 1).

    Returns:
        The lower and the upper bounds, shapes (T,).
    """
    return wilson_bounds(shares, _effective_runs([len(each) for each in losses]), confidence)


def _effective_runs(counts: Sequence[int]) -> int:
    """The number of runs of one share that is as spread as a mean over settings with these numbers of runs may be."""
    return len(counts) * min(counts)
