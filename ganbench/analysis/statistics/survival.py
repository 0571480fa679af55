"""When runs fail: survival curves and tests of whether groups of runs differ in them, with censored runs.

A run that ended without failing says that it would have failed later, if at all: it is censored at its last step, and
counts among the runs at risk until then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ganbench.analysis.statistics.rates import CONFIDENCE


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
    the first failure, or 0, that interval does not exist; the bounds there are those of Clopper and Pearson for no
    failure among the runs at risk, or for nothing but failures among those at risk at the last one.

    Sources: E. L. Kaplan and P. Meier (1958), "Nonparametric estimation from incomplete observations", JASA 53;
    J. D. Kalbfleisch and R. L. Prentice (1980), "The statistical analysis of failure time data".

    Args:
        steps: The step at which each run failed, or its last step, shape (runs,), at least one.
        failed: Whether each run failed, shape (runs,).
        confidence: The coverage of each interval, in (0, 1).

    Raises:
        ValueError: There are no runs, or a step is negative or not finite.
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
        high[share == 0] = 1 - tail ** (1 / at_risk[np.argmax(share == 0)])
    return SurvivalCurve(at, share, low, high, at_risk)


def log_rank(steps: np.ndarray, failed: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None) -> float:
    """Log-rank test of whether groups of runs fail at the same rate at every step.

    At each failure, its group has the probability of its share of the runs at risk. The failures of every group less
    their expectations, summed over steps and strata, are compared with their hypergeometric covariance by a chi-squared
    statistic with one degree of freedom less than groups. Within strata, such as the settings that several methods were
    run at, only runs of the same stratum are compared. The test is right for many failures, and an approximation for
    a handful.

    Sources: N. Mantel (1966), "Evaluation of survival data and two new rank order statistics arising in its
    consideration", Cancer Chemotherapy Reports 50; R. Peto and J. Peto (1972), JRSS A 135.

    Args:
        steps: The step at which each run failed, or its last step, shape (runs,).
        failed: Whether each run failed, shape (runs,).
        groups: The group of each run, shape (runs,).
        strata: The stratum of each run, shape (runs,); None for one stratum.

    Returns:
        The p-value; NaN for fewer than two groups, and where no failure tells any two groups apart.

    Raises:
        ValueError: There are no runs, or a step is negative or not finite.
    """
    steps, failed = _checked(steps, failed)
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    layer = np.zeros(len(steps), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    surplus, covariance = np.zeros(len(names)), np.zeros((len(names), len(names)))
    for stratum in np.unique(layer):
        mine = layer == stratum
        for step in np.unique(steps[mine & failed]):
            at_risk = np.bincount(index[mine & (steps >= step)], minlength=len(names))
            events = np.bincount(index[mine & failed & (steps == step)], minlength=len(names))
            runs, count = at_risk.sum(), events.sum()
            share = at_risk / runs
            surplus += events - count * share
            if runs > 1:
                tied = count * (runs - count) / (runs - 1)
                covariance += tied * (np.diag(share) - np.outer(share, share))
    rank = np.linalg.matrix_rank(covariance, hermitian=True)
    if rank == 0:
        return float("nan")
    statistic = float(surplus @ np.linalg.pinv(covariance, hermitian=True) @ surplus)
    return float(stats.chi2.sf(statistic, rank))


def _checked(steps: np.ndarray, failed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    steps, failed = np.asarray(steps, dtype=np.float64), np.asarray(failed, dtype=bool)
    if not len(steps) or not np.isfinite(steps).all() or steps.min() < 0:
        raise ValueError("expected the steps of one run or more, each finite and not negative")
    return steps, failed
