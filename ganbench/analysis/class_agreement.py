"""Agreement of maps from latent points to classes, as they are and after the best rotation or reflection of the plane.

Two generators draw the same thing at the same z if the classes of what they draw agree more often than those of
unrelated generators. Such agreement may be hidden by a symmetry: the prior N(0, I) is the same after any rotation, so
nothing tells a generator which way its classes should lie.

The maps are smooth: neighbouring points have the same class. So a null that shuffles points is too narrow, since
regions of a map overlap by luck in large pieces, and calls unrelated maps related far too often. The null here gives
the regions of maps new names at random and leaves every region as it is. It maximises over the same rotations, so what
a search for the best of 64 finds by luck is part of it. The hypothesis is that the name of a region depends on its size
alone: a frequent class is large in all maps, so that unrelated maps agree on it, and more so once one large region is
turned onto the other. Names of equal probabilities would undo that (see `relabelling`). Any other preference of a
class, for the middle of the plane say, is a likeness and counts.

Measured on unrelated maps, each the largest of ten random waves of unit variance, with biases of standard deviation 0.7
that all maps share (mean shares of the smallest and the largest class 0.2% and 37%), at the level 0.05, with 59
relabellings: the p-values of all maps called related, as they are and aligned, 0.5% and 3% of 200 pairs, 0% and 0.5% of
186 studies of 12 maps, and 2% and 1% of 347 studies of 32; with waves twice as short 3% and 2% of 187 studies of 12,
and 3% and 0% of 111 of 32; with equal classes 0.6% and 0% of 181 of 12. The preferences of names are fitted to the same
maps, which makes the tests cautious. Names of equal probabilities, with what sum_a p_a q_a expects of shares p and q
subtracted, called 17% and 97% of 200 studies of 12 related. Of copies turned at random, the classes of half of their
points drawn anew, the aligned p-value found 85% of 200 pairs and all of 90 studies of 12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganbench.analysis.relabelling import log_sizes, preferences, relabellings
from ganbench.core.random_streams import stream

RADII, ANGLES = 8, 32
DRAWS = 999  # relabellings of a null
ATOL = 1e-9  # of shares that agree


def polar_grid() -> np.ndarray:
    """Points of the plane, (256, 2), radius by radius: 32 angles at 8 radii, the quantiles 1/16, 3/16 ... 15/16 of the
    norm of a standard normal point, sqrt(-2 ln(1 - q)) (Rayleigh)."""
    radius = np.sqrt(-2 * np.log1p(-(np.arange(RADII) + 0.5) / RADII))
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    return (radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)).reshape(-1, 2)


def polar_symmetries() -> np.ndarray:
    """The 32 rotations and 32 reflections of the polar grid onto itself, (64, 256): to which point each point goes. The
    first is the identity."""
    angle, ring = np.arange(ANGLES), ANGLES * np.arange(RADII)[:, None]
    turned = [(sign * angle + shift) % ANGLES for sign in (1, -1) for shift in range(ANGLES)]
    return np.stack([(ring + each).ravel() for each in turned])


@dataclass(frozen=True)
class Agreements:
    """How maps agree: numbers of each map with the others, (K,), and of pairs, (K, K) with NaN on the diagonal.

    Attributes:
        pairs: shares of points of equal class.
        aligned_pairs: the largest such share over the symmetries.
        best: index of the symmetry at which it is reached, 0 on the diagonal.
        mean, aligned_mean: the means of both over the other maps.
        by_chance: the mean of sum_a p_a q_a over the other maps.
        aligned_by_chance: the mean of `aligned_mean` over relabellings of the map.
        p_value, aligned_p_value: the shares of relabellings of the map, itself among them, with as much agreement;
            others may be related to one another. Those of several maps are not independent, since they share pairs.
        all_p_value, all_aligned_p_value: one number of all maps together: the shares of independent relabellings of
            every map with as much agreement, mean over pairs.
    """

    pairs: np.ndarray
    aligned_pairs: np.ndarray
    best: np.ndarray
    mean: np.ndarray
    aligned_mean: np.ndarray
    by_chance: np.ndarray
    aligned_by_chance: np.ndarray
    p_value: np.ndarray
    aligned_p_value: np.ndarray
    all_p_value: float
    all_aligned_p_value: float


def agreements(classes: np.ndarray, symmetries: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Agreements:
    """Compare maps at the same latent points.

    Args:
        classes: the class that each of K >= 2 maps gives each point, (K, N), integers.
        symmetries: to which point each point goes, (G, N), the identity first.
        draws: number of relabellings.
        seed: of the stream that draws them.
    """
    labels, codes = np.unique(classes, return_inverse=True)
    codes, count = codes.reshape(classes.shape), len(labels)
    runs = len(classes)
    sizes = log_sizes(codes, count)
    names = relabellings(sizes, preferences(sizes), draws, stream(seed, "relabelling"))  # (K, 1 + draws, classes)
    found = np.full((2, runs, runs, 1 + draws), np.nan)  # agreement, aligned agreement
    of_all, best = [], np.zeros((runs, runs), dtype=int)
    for k in range(runs):
        for j in np.delete(np.arange(runs), k):
            found[:, k, j], best[k, j] = _pair(codes[k], codes[j], symmetries, names[k])
            if k < j:  # class a of the one is called what class b of the other is called
                relative = np.take_along_axis(np.argsort(names[j], axis=1), names[k], axis=1)
                of_all.append(_pair(codes[k], codes[j], symmetries, relative)[0])
    shares = np.stack([np.bincount(each, minlength=count) for each in codes]) / codes.shape[1]
    products = shares @ shares.T
    np.fill_diagonal(products, np.nan)
    same, aligned = found
    mean, aligned_mean = np.nanmean(found, axis=2)
    all_same, all_aligned = np.mean(of_all, axis=0)[:, None]
    return Agreements(
        pairs=same[..., 0],
        aligned_pairs=aligned[..., 0],
        best=best,
        mean=mean[:, 0],
        aligned_mean=aligned_mean[:, 0],
        by_chance=np.nanmean(products, axis=1),
        aligned_by_chance=aligned_mean.mean(axis=1),
        p_value=_p_values(mean),
        aligned_p_value=_p_values(aligned_mean),
        all_p_value=float(_p_values(all_same)[0]),
        all_aligned_p_value=float(_p_values(all_aligned)[0]),
    )


def _pair(one: np.ndarray, other: np.ndarray, symmetries: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, int]:
    """Two maps under relabellings of the first: the shares of points at which they agree, and the largest over
    symmetries, (2, 1 + draws); and the best symmetry of the maps as they are."""
    count = names.shape[1]
    cells = (np.arange(len(symmetries))[:, None] * count + one) * count + other[symmetries]
    together = np.bincount(cells.ravel(), minlength=len(symmetries) * count**2).reshape(-1, count, count)
    agree = together[:, np.arange(count), names].sum(axis=2) / len(one)  # (G, 1 + draws)
    return np.stack([agree[0], agree.max(axis=0)]), int(agree[:, 0].argmax())


def _p_values(agreement: np.ndarray) -> np.ndarray:
    """P-values (K,) of the first column of agreements, (K, 1 + draws), of which the others are the null."""
    return (agreement >= agreement[:, :1] - ATOL).mean(axis=1)


def similarities(features: np.ndarray, symmetries: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How alike features are at the same points: mean cosines of the angles between two maps' features, each less the
    mean over its map.

    Args:
        features: of K maps, (K, N, F).
        symmetries: as of `agreements`.
        best: index of a symmetry for each pair, (K, K).

    Returns:
        Means over the other maps, (K,): at the identity, and at that symmetry.
    """
    centred = features - features.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=2, keepdims=True)
    units = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    runs = range(len(units))

    def mean_cosine(k: int, of: np.ndarray) -> float:
        return float(np.mean([(units[k] * units[j][symmetries[of[k, j]]]).sum(1).mean() for j in runs if j != k]))

    return tuple(np.array([mean_cosine(k, of) for k in runs]) for of in (np.zeros_like(best), best))
