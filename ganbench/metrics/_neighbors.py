"""Nearest neighbours and balls among features, in blocks of bounded memory.

Distances come from one matrix product per block, |x - y|^2 = |x|^2 + |y|^2 - 2 x.y, which is fast, and whose rounding
depends on the processor. So they only choose the pairs that matter: those pairs that rounding could decide are computed
again, one feature after the other. Up to `deterministic_linalg.MAX_FEATURES` features all results have the same bits on
every processor; beyond, the same on one kind of processor.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganbench.core.deterministic_linalg import EPSILON

BLOCK_BYTES = 2**25  # of the distances that are in memory at a time


def nearest(
    queries: np.ndarray, points: np.ndarray, k: int, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest points of each query.

    Args:
        queries: shape (m, F).
        points: shape (n, F).
        k: number of neighbours, at most n, or n - 1 with `own`.
        own: the index of a point that each query is not to find, since it is that point itself, (m,); -1 for none.

    Returns:
        The indices of the points (m, k), nearest first, the first of equally near ones first; and the squared
        distances (m, k).
    """
    m = len(queries)
    indices, distances = np.empty((m, k), dtype=np.int64), np.empty((m, k))
    for rows, near, error, errors in _blocks(queries, points):
        if own is not None:
            itself = np.flatnonzero(own[rows] >= 0)
            near[itself, own[rows][itself]] = np.inf
        near += errors
        kth = np.partition(near, k - 1, axis=1)[:, k - 1]  # k points are no farther, but for twice the query's error
        near -= 2 * errors
        query, point = np.nonzero(near <= (kth + 2 * error)[:, None])  # k a row, and what rounding leaves open
        exact = squared_distances(queries[rows], points, query, point)
        order = np.lexsort((point, exact, query))
        first = np.searchsorted(query, np.arange(len(near)))
        chosen = order[first[:, None] + np.arange(k)]
        indices[rows], distances[rows] = point[chosen], exact[chosen]
    return indices, distances


def closest(queries: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The index of the point that is nearest to each query, the first of equally near ones; as `nearest` finds it, and
    much faster for few points, since only distances that rounding could exchange are computed again.

    Args:
        queries: shape (m, F).
        points: shape (n, F).

    Returns:
        Shape (m,).
    """
    indices = np.empty(len(queries), dtype=np.int64)
    for rows, near, error, errors in _blocks(queries, points):
        first = near.argmin(axis=1)
        least = near[np.arange(len(near)), first] + errors[first]
        doubtful = np.flatnonzero((near - errors <= (least + 2 * error)[:, None]).sum(axis=1) > 1)
        first[doubtful] = nearest(queries[rows][doubtful], points, 1)[0][:, 0]
        indices[rows] = first
    return indices


def squared_radii(points: np.ndarray, k: int) -> np.ndarray:
    """The squared distance of each point to its k-th nearest other point.

    Args:
        points: shape (n, F), with n > k.
        k: the rank of the neighbour.

    Returns:
        Shape (n,). A point that stands more than k times in the set has 0, which is found without a search: all
        distances between thousands of equal points, as of a collapsed generator, would be a long one.
    """
    _, kind, counts = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    rare = np.flatnonzero(counts[kind] <= k)
    radii = np.zeros(len(points))
    if len(rare):
        radii[rare] = nearest(points[rare], points, k, own=rare)[1][:, -1]
    return radii


def ball_counts(centres: np.ndarray, squared_radii: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many balls each point lies in, and how many points lie in each ball.

    A ball is open, as in the code of Naeem et al. (2020), but for its centre: that belongs to a ball of radius 0 too,
    so that examples that stand more than k times in a data set have neighbourhoods.

    Args:
        centres: centres of the balls, (n, F).
        squared_radii: squares of their radii, (n,).
        points: shape (m, F).

    Returns:
        The number of balls around each point (m,), and the number of points in each ball (n,).
    """
    of_points, of_balls = np.zeros(len(points), dtype=np.int64), np.zeros(len(centres), dtype=np.int64)
    for rows, near, error, errors in _blocks(points, centres):
        near -= squared_radii
        inside = near < -errors - error[:, None]
        point, ball = np.nonzero(inside ^ (near <= errors + error[:, None]))  # what rounding leaves open
        exact = squared_distances(points[rows], centres, point, ball)
        inside[point, ball] = (exact < squared_radii[ball]) | (exact == 0)
        of_points[rows] = inside.sum(axis=1)
        of_balls += inside.sum(axis=0)
    return of_points, of_balls


def squared_distances(one: np.ndarray, other: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """|one[i] - other[j]|^2 of chosen pairs, summed over features in ascending order.

    Args:
        one, other: shapes (m, F) and (n, F).
        i, j: indices of the pairs, (p,) each.

    Returns:
        The squared distances, (p,); exactly 0 for equal features.
    """
    total = np.zeros(len(i))
    for column, against in zip(one.T, other.T, strict=True):
        apart = column[i] - against[j]
        total += apart * apart
    return total


def _blocks(queries: np.ndarray, points: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """Squared distances of some queries after the other to all points: (rows of the queries, distances (rows, n), parts
    (rows,) and (n,) of the bounds of their errors, whose sums the bounds are)."""
    centre = points.mean(axis=0)  # near the origin, little is lost in the difference of large numbers
    y = points - centre
    squares = np.square(y).sum(axis=1)
    y *= -2
    # A product of F terms is off by F roundings of |x||y| at most (Higham 2002, 3.1), the sums by a few more.
    bound = 4 * (len(centre) + 8) * EPSILON
    size = max(1, BLOCK_BYTES // (8 * len(points)))
    for start in range(0, len(queries), size):
        rows = slice(start, min(start + size, len(queries)))
        x = queries[rows] - centre
        own = np.square(x).sum(axis=1)
        near = x @ y.T
        near += own[:, None]
        near += squares
        yield rows, near, bound * own, bound * squares
