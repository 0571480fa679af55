"""When runs fail: survival curves and tests of whether groups of runs differ in them, with censored runs.

A run that ended without failing says that it would have failed later, if at all: it is censored at its last step, and
counts among the runs at risk until then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy import stats

from ganbench.analysis.statistics.rates import CONFIDENCE

MAX_EXACT = 20_000  # ways to deal runs to groups of which all are tried
SAMPLED = 9_999  # ways that are drawn otherwise
SEED = 0  # of the drawn ones
CHUNK = 1_000  # ways at once
RTOL = 1e-9  # relative difference that is none


@dataclass(frozen=True)
class SurvivalCurve:
    """The share of runs that have not failed, as a step function: from each step until the next, the value behind it.

    All arrays have the same shape (S,). The first entry is the start, with a share of 1.
    """

    steps: np.ndarray  # 0, then the steps at which runs failed or were censored, increasing; 0 again for runs at step 0
    share: np.ndarray
    low: np.ndarray  # lower bound of the interval of the share
    high: np.ndarray
    at_risk: np.ndarray  # runs that had neither failed nor been censored just before the step


def kaplan_meier(steps: np.ndarray, failed: np.ndarray, *, confidence: float = CONFIDENCE) -> SurvivalCurve:
    """Kaplan and Meier's estimate of the share of runs that have not failed after a step.

    The share is the product over the steps until then of (1 - failures / runs at risk). Its pointwise interval is
    symmetric in log(-log(share)), with Greenwood's variance: it stays within 0 and 1. Where the share is 1, as before
    the first failure, or 0, that interval does not exist. At 1 the lower bound is Clopper and Pearson's for no failure
    among the runs at risk. At 0 there are two upper bounds: that of the last step before, since the share cannot rise,
    and Clopper and Pearson's for nothing but failures among the runs at risk at the last one. It is the smaller, since
    the lower bound, 0, is never wrong.

    Sources: E. L. Kaplan and P. Meier (1958), "Nonparametric estimation from incomplete observations", JASA 53;
    J. D. Kalbfleisch and R. L. Prentice (1980), "The statistical analysis of failure time data".

    Args:
        steps: the step at which each run failed, or its last step, shape (runs,), at least one.
        failed: whether each run failed, shape (runs,).
        confidence: the coverage of each interval, in (0, 1).

    Raises:
        ValueError: there are no runs, or a step is negative or not finite.
    """
    steps, failed = _checked(steps, failed)
    at = np.unique(np.append(steps, 0.0))
    at_risk = np.array([(steps >= step).sum() for step in at])
    failures = np.array([(failed & (steps == step)).sum() for step in at])
    if at_risk[0] > (steps > 0).sum():  # runs that failed or ended before their first step: the start comes before them
        at, at_risk, failures = np.insert(at, 0, 0.0), np.insert(at_risk, 0, at_risk[0]), np.insert(failures, 0, 0)
    share = np.cumprod(1 - failures / at_risk)
    low, high = np.zeros(len(at)), np.ones(len(at))
    inner = (share > 0) & (share < 1)
    # Where every run at risk failed, the share is 0, and no later one is within (0, 1).
    variance = np.cumsum(failures / (at_risk * np.maximum(at_risk - failures, 1)))[inner]
    reach = stats.norm.ppf((1 + confidence) / 2) * np.sqrt(variance) / np.abs(np.log(share[inner]))
    low[inner], high[inner] = share[inner] ** np.exp(reach), share[inner] ** np.exp(-reach)
    tail = (1 - confidence) / 2
    low[share == 1] = tail ** (1 / at_risk[share == 1])
    if (share == 0).any():
        last = int(np.argmax(share == 0))  # never the first entry, which has a share of 1
        high[last:] = min(high[last - 1], 1 - tail ** (1 / at_risk[last]))
    return SurvivalCurve(at, share, low, high, at_risk)


def log_rank(
    steps: np.ndarray,
    failed: np.ndarray,
    groups: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    asymptotic: bool = False,
) -> float:
    """Log-rank test of whether groups of runs fail at the same rate at every step.

    At each failure, its group has the probability of its share of the runs at risk. The failures of every group less
    their expectations, summed over steps and strata, are compared with their hypergeometric covariance by a chi-squared
    statistic with one degree of freedom less than groups. Within strata, such as the settings that several methods were
    run at, only runs of the same stratum are compared.

    The chi-squared law holds for many failures in groups of like sizes and is too bold otherwise: at 0.05 it tells 7%
    of equal groups apart where one has 5 runs and the other 50. So the test is one of permutation: the p-value is the
    share of the ways to deal the runs of each stratum anew to groups of the same sizes by which the statistic is at
    least as unlikely. All ways are tried where there are at most `MAX_EXACT`; of more, `SAMPLED` are drawn, and the one
    that is seen is added. It is exact where runs of all groups are censored alike.

    Sources: N. Mantel (1966), "Evaluation of survival data and two new rank order statistics arising in its
    consideration", Cancer Chemotherapy Reports 50; R. Peto and J. Peto (1972), JRSS A 135, also for permutations.

    Args:
        steps: the step at which each run failed, or its last step, shape (runs,).
        failed: whether each run failed, shape (runs,).
        groups: the group of each run, shape (runs,).
        strata: the stratum of each run, shape (runs,); None for one stratum.
        asymptotic: whether the p-value is that of the chi-squared law instead.

    Returns:
        The p-value; NaN where no failure tells any two groups apart, as of a single group.

    Raises:
        ValueError: there are no runs, or a step is negative or not finite.
    """
    steps, failed = _checked(steps, failed)
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    layer = np.zeros(len(steps), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    masks = [layer == stratum for stratum in np.unique(layer)]
    # Without a failure, or a second group, runs of a stratum tell nothing, however they are dealt.
    parts = [(steps[m], failed[m], index[m]) for m in masks if failed[m].any() and len(set(index[m])) > 1]
    if not parts:
        return float("nan")
    seen = [labels[None] for *_, labels in parts]
    (found,) = _chi_squared(parts, seen, len(names))
    if asymptotic or np.isnan(found):
        return float(found)
    sizes = [tuple(np.bincount(labels, minlength=len(names)).tolist()) for *_, labels in parts]
    if math.prod(map(_ways, sizes)) <= MAX_EXACT:
        each = [_dealings(size) for size in sizes]
        ways = np.indices([len(labels) for labels in each]).reshape(len(each), -1)  # all combinations over strata
        dealt = [labels[way] for labels, way in zip(each, ways, strict=True)]
    else:
        generator = np.random.default_rng(SEED)
        drawn = (generator.permuted(np.tile(labels, (SAMPLED, 1)), axis=1) for labels in seen)
        dealt = [np.concatenate(both) for both in zip(seen, drawn, strict=True)]
    p_values = [
        _chi_squared(parts, [labels[at : at + CHUNK] for labels in dealt], len(names))
        for at in range(0, len(dealt[0]), CHUNK)
    ]
    return float(np.mean(np.concatenate(p_values) <= found * (1 + RTOL)))  # NaN is no smaller


def _chi_squared(
    parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], dealt: Sequence[np.ndarray], groups: int
) -> np.ndarray:
    """The p-values of the chi-squared law for ways to deal runs to groups, shape (ways,).

    Args:
        parts: by stratum, the runs' steps, whether they failed, and their groups, shape (n,) each.
        dealt: by stratum, the runs' groups by each of the ways, shape (ways, n).
        groups: the number of groups.

    Returns:
        The p-values, NaN where no failure tells any two groups apart.
    """
    each = [_stratum(*part[:2], labels, groups) for part, labels in zip(parts, dealt, strict=True)]
    surplus, covariance = (sum(of_strata) for of_strata in zip(*each, strict=True))
    values, vectors = np.linalg.eigh(covariance)
    told = values > RTOL * values[:, -1:]  # the surplus has no part along the others
    along = np.einsum("rk,rkl->rl", surplus, vectors)
    statistic = np.divide(along**2, values, out=np.zeros_like(values), where=told).sum(axis=1)
    rank = told.sum(axis=1)
    return np.where(rank > 0, stats.chi2.sf(statistic, np.maximum(rank, 1)), np.nan)


def _stratum(steps: np.ndarray, failed: np.ndarray, labels: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """The failures of each group less their expectations, shape (ways, groups - 1), and their covariance, (ways,
    groups - 1, groups - 1), by the `labels` of a stratum's runs, shape (ways, n). The last group is left out, since all
    surpluses add up to 0."""
    order = np.argsort(-steps, kind="stable")
    steps, failed = steps[order], failed[order]
    member = labels[:, order, None] == np.arange(groups - 1)
    at, count = np.unique(steps[failed], return_counts=True)
    runs = np.searchsorted(-steps, -at, side="right")  # that are at risk
    share = member.cumsum(axis=1)[:, runs - 1] / runs[:, None]
    surplus = member[:, failed].sum(axis=1) - np.einsum("d,rdk->rk", count, share)
    weighted = share * (count * (runs - count) / np.maximum(runs - 1, 1))[:, None]
    return surplus, weighted.sum(axis=1)[:, None] * np.eye(groups - 1) - weighted.transpose(0, 2, 1) @ share


def _ways(sizes: tuple[int, ...]) -> int:
    """The number of ways to deal runs to groups of these sizes."""
    return math.prod(math.comb(sum(sizes[place:]), size) for place, size in enumerate(sizes))


@lru_cache(maxsize=32)
def _dealings(sizes: tuple[int, ...]) -> np.ndarray:
    """All ways to deal runs to groups of these sizes: the group of each run, shape (ways, runs)."""
    runs = sum(sizes)
    if len(sizes) == 1:
        return np.zeros((1, runs), dtype=np.int8)
    first, rest = np.array(list(combinations(range(runs), sizes[0])), dtype=int), _dealings(sizes[1:]) + 1
    others = np.ones((len(first), 1, runs), dtype=bool)
    others[np.arange(len(first))[:, None], 0, first] = False
    labels = np.zeros((len(first), len(rest), runs), dtype=np.int8)
    labels[np.broadcast_to(others, labels.shape)] = np.tile(rest.ravel(), len(first))
    return labels.reshape(len(first) * len(rest), runs)  # of 0 runs too, where the last groups are not in a stratum


def _checked(steps: np.ndarray, failed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    steps, failed = np.asarray(steps, dtype=np.float64), np.asarray(failed, dtype=bool)
    if not len(steps) or not np.isfinite(steps).all() or steps.min() < 0:
        raise ValueError("expected the steps of one run or more, each finite and not negative")
    return steps, failed
