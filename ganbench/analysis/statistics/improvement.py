"""Comparing methods over several settings by all of their runs, of which failed ones are the worst and never dropped.

Scores are losses here: smaller is better, and a failed run's loss is infinite.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from math import comb, prod

import numpy as np
from scipy import stats

from ganbench.analysis.statistics.rates import CONFIDENCE, wilson_bounds

MAX_EXACT = 20_000  # ways to deal seeds anew of which all are tried
SAMPLED = 9_999  # ways that are drawn otherwise
SEED = 0  # of the drawn ones
RTOL = 1e-9


@dataclass(frozen=True)
class PermutationTest:
    """The test of whether runs of two methods score alike."""

    p_value: float  # in both directions
    min_p_value: float  # the least that so many seeds can have


@dataclass(frozen=True)
class Improvement:
    """The probability that a run of the first method beats a run of the second at the same setting."""

    value: float
    low: float
    high: float
    settings: int  # number of settings that were compared
    runs: int  # number of runs of a share that is as spread as the mean over settings may be


def probability_of_improvement(
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    *,
    confidence: float = CONFIDENCE,
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
    same and the other better or not at all. So the interval is Clopper and Pearson's with M K runs: Wilson's would hold
    the truth in 87% with four of them. Shares between their counts, as of ties and of several runs per setting, take
    the beta distribution's quantiles between. That probabilities differ among settings, and that some have more runs,
    only narrows the spread.

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
    return Improvement(value, low, high, len(pairs), runs)


def permutation_test(
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    seeds: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]] | None = None,
) -> PermutationTest:
    """Test whether runs of two methods score alike, by dealing their seeds anew.

    The p-value is the share of all ways to deal the seeds to two methods of as many seeds by which the probability of
    improvement is at least as far from 1/2 as it is. A seed keeps its runs at all settings together, which share random
    streams, so that it is one observation however many settings there are; and it is dealt among those that have as
    many runs at each setting. The test is exact; at one setting it is that of Wilcoxon, Mann and Whitney. It asks a
    narrower question than the interval of the probability, which holds whatever the laws of the scores are.

    Source: E. J. G. Pitman (1937), "Significance tests which may be applied to samples from any populations",
    Supplement to the Journal of the Royal Statistical Society 4.

    Args:
        first, second: as for `probability_of_improvement`.
        seeds: the seed of each run, in the shape of `first` and `second`; None for runs of a seed of their own each.
    """
    pairs = list(zip(first, second, strict=True))
    runs: list[list[tuple[int, float]]] = []  # setting and loss of the runs of each method's seeds
    rows: dict[tuple[int, object], int] = {}
    labels: list[bool] = []
    for setting, both in enumerate(pairs):
        for method, losses in enumerate(both):
            names = [(setting, run) for run in range(len(losses))] if seeds is None else seeds[method][setting]
            for name, loss in zip(names, losses, strict=True):
                row = rows.setdefault((method, name), len(rows))
                if row == len(runs):
                    runs.append([])
                    labels.append(method == 0)
                runs[row].append((setting, float(loss)))
    alike: dict[tuple, list[int]] = defaultdict(list)
    for row, mine in enumerate(runs):
        alike[tuple(sorted(Counter(setting for setting, _ in mine).items()))].append(row)
    is_first, wins = np.array(labels), _wins(pairs, runs)
    order = np.concatenate([sorted(rows, key=lambda row: not is_first[row]) for rows in alike.values()]).astype(int)
    groups = tuple((len(rows), int(is_first[rows].sum())) for rows in alike.values())
    dealt = _dealings(groups)
    seen, *_ = distances = abs(((dealt @ wins[np.ix_(order, order)]) * ~dealt).sum(axis=1) - 0.5)
    extreme = int((distances >= seen * (1 - RTOL) - RTOL).sum())
    # Groups of equal sizes may be swapped, which leaves the distance from 1/2 as it is.
    swapped = _ways(groups) <= MAX_EXACT and all(seeds == 2 * firsts for seeds, firsts in groups)
    return PermutationTest(extreme / len(dealt), min(1.0, (1 + swapped) / len(dealt)))


def _wins(pairs: Sequence[tuple[np.ndarray, np.ndarray]], runs: Sequence[Sequence[tuple[int, float]]]) -> np.ndarray:
    """What the runs of each seed add to the estimate if their method is the first and another seed's is the second,
    shape (seeds, seeds)."""
    wins = np.zeros((len(runs), len(runs)))
    for setting, (one, two) in enumerate(pairs):
        found = [(row, loss) for row, mine in enumerate(runs) for at, loss in mine if at == setting]
        rows, losses = np.array([row for row, _ in found]), np.array([loss for _, loss in found])
        better = ((losses[:, None] < losses) + 0.0 + (losses[:, None] <= losses)) / 2
        np.add.at(wins, (rows[:, None], rows), better / (len(one) * len(two) * len(pairs)))
    return wins


@lru_cache(maxsize=32)
def _dealings(groups: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Ways to deal the seeds of each group anew, bool, shape (ways, seeds): all of them where there are at most
    `MAX_EXACT`, else `SAMPLED` drawn ones and the one that is seen. That comes first.

    Args:
        groups: by group, the number of its seeds and of those that are the first method's, which come first in it.
    """
    seen = np.concatenate([np.arange(seeds) < firsts for seeds, firsts in groups])
    starts = np.cumsum([0, *(seeds for seeds, _ in groups)])
    if _ways(groups) <= MAX_EXACT:
        chosen = product(*(combinations(range(at, at + n), k) for at, (n, k) in zip(starts, groups, strict=False)))
        dealt = np.zeros((_ways(groups), len(seen)), dtype=bool)
        for each, rows in zip(dealt, chosen, strict=True):
            each[[row for part in rows for row in part]] = True
        return dealt
    generator, dealt = np.random.default_rng(SEED), np.tile(seen, (SAMPLED + 1, 1))
    for at, (seeds, _) in zip(starts, groups, strict=False):
        dealt[1:, at : at + seeds] = generator.permuted(dealt[1:, at : at + seeds], axis=1)
    return dealt


def _ways(groups: tuple[tuple[int, int], ...]) -> int:
    return prod(comb(seeds, firsts) for seeds, firsts in groups)


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
