"""Whether the effect of one factor depends on the level of another, from blocks that have a value in every cell.

A block is what shares its luck over all cells, such as the runs of one seed. Two factors interact where the differences
between the levels of one are not the same at all levels of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb, sqrt

import numpy as np

from ganbench.analysis.statistics.rates import CONFIDENCE, wilson

MAX_EXACT = 13  # blocks of which all 2^12 patterns of signs that differ are tried; of more, a sample of them
SAMPLED = 9_999
RTOL = 1e-9  # of the statistic: patterns of signs that are ties by arithmetic must not be decided by rounding


@dataclass(frozen=True)
class Contrast:
    """A difference of differences, of the pairs of levels where it is largest.

    With means m: (m[rows[1], columns[1]] - m[rows[1], columns[0]]) - (m[rows[0], columns[1]] - m[rows[0], columns[0]]).
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    value: float


def interaction_test(blocks: np.ndarray, generator: np.random.Generator) -> float:
    """Test whether two factors interact, by turning the signs of blocks' interactions.

    A block's interactions are its values less the means of its rows and of its columns, plus its mean: what rows and
    columns do not explain by themselves. The statistic is the sum over cells of their squared mean over blocks. Where
    the effect of one factor is distributed alike at all levels of the other, and these effects may be exchanged, a
    block's interactions are as probable with the opposite sign, and the test is exact; where only their means agree, it
    holds its level for many blocks. The scale counts: two factors whose effects add up on one scale may interact on
    another, for instance where a rate cannot exceed 1.

    Source: R. A. Fisher (1935), "The design of experiments", section 21, for the signs of one difference.

    Args:
        blocks: the value of every cell in every block, shape (S, R, C), finite; R and C at least 2.
        generator: draws the patterns of signs where there are too many for all of them.

    Returns:
        The p-value; NaN where no block has any interaction, so that nothing can be told.

    Raises:
        ValueError: the shape is another, or a value is not finite.
    """
    blocks = np.asarray(blocks, dtype=np.float64)
    if blocks.ndim != 3 or min(blocks.shape[1:]) < 2 or not len(blocks) or not np.isfinite(blocks).all():
        raise ValueError(f"expected finite values of shape (S, R, C), R and C at least 2, got shape {blocks.shape}")
    rows, columns = blocks.mean(axis=2, keepdims=True), blocks.mean(axis=1, keepdims=True)
    residuals = (blocks - rows - columns + blocks.mean(axis=(1, 2), keepdims=True)).reshape(len(blocks), -1)
    residuals[abs(residuals) < RTOL * max(1.0, abs(blocks).max())] = 0.0
    if not residuals.any():
        return float("nan")
    seen = (residuals.sum(axis=0) ** 2).sum()
    exact = len(blocks) <= MAX_EXACT
    signs = _all_signs(len(blocks)) if exact else generator.choice([-1.0, 1.0], size=(SAMPLED, len(blocks)))
    extreme = int((((signs @ residuals) ** 2).sum(axis=1) >= seen * (1 - RTOL)).sum())
    return extreme / len(signs) if exact else (extreme + 1) / (SAMPLED + 1)


def min_p_value(blocks: int) -> float:
    """The smallest p-value that `interaction_test` gives for so many blocks, whatever they show."""
    return 0.5 ** (blocks - 1) if blocks <= MAX_EXACT else 1 / (SAMPLED + 1)


def _all_signs(blocks: int) -> np.ndarray:
    """All patterns of signs of which the first is positive: the others have the same statistics."""
    numbers = np.arange(2 ** (blocks - 1))[:, None]
    return np.where((numbers >> np.arange(blocks)) & 1, -1.0, 1.0)


def largest_contrast(means: np.ndarray) -> Contrast:
    """The largest difference of differences of any two rows and any two columns, the first of several alike.

    Args:
        means: the mean of every cell, shape (R, C), R and C at least 2.
    """
    found = [
        Contrast((a, b), (c, d), float((means[b, d] - means[b, c]) - (means[a, d] - means[a, c])))
        for a, b in combinations(range(means.shape[0]), 2)
        for c, d in combinations(range(means.shape[1]), 2)
    ]
    return max(found, key=lambda each: round(abs(each.value), 12))


def contrast_interval(
    counts: np.ndarray, totals: np.ndarray, contrast: Contrast, *, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The interval of a difference of differences of rates, as the largest of all in its table.

    The distances of the four rates to the bounds of their Wilson intervals add up like standard errors, as in
    Newcombe's interval of one difference; the confidence is divided among all contrasts of the table (Bonferroni).

    Source: G. Y. Zou and A. Donner (2008), "Construction of confidence limits about effect measures", Statistics in
    Medicine 27.

    Args:
        counts: the count of the event in every cell, shape (R, C).
        totals: the number of observations in every cell, shape (R, C), at least one each.
        contrast: the contrast.
        confidence: the coverage of the interval, in (0, 1).

    Returns:
        The bounds, within -2 and 2.
    """
    tests = comb(counts.shape[0], 2) * comb(counts.shape[1], 2)
    below = above = 0.0
    for row, sign in zip(contrast.rows, (-1, 1), strict=True):
        for column, other in zip(contrast.columns, (-1, 1), strict=True):
            rate = wilson(int(counts[row, column]), int(totals[row, column]), confidence=1 - (1 - confidence) / tests)
            down, up = rate.value - rate.lower, rate.upper - rate.value
            below += (down if sign * other > 0 else up) ** 2
            above += (up if sign * other > 0 else down) ** 2
    return max(-2.0, contrast.value - sqrt(below)), min(2.0, contrast.value + sqrt(above))
