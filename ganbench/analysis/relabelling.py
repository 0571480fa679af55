"""Random names for the regions of maps from points to classes: a null in which the name depends on the size alone.

Uniform relabellings are a null only where classes are as frequent as one another. If every map has much of one class, a
rotation turns its region onto that of another map, which relabellings undo. So names are drawn here such that regions
of a size have names as often as in the maps that are compared: of one map, the names sigma have the probability

    P(sigma) ~ exp(sum_r theta[sigma(r)] s_r),    s_r = ln((points of region r + 1/2) / points of the map),

r a region, which is all points of a class, and theta the preferences of the names for large regions. That is the
conditional law of names, given the regions, where ln shares of classes are normal with means of their own and one
variance, and where nothing else of a region tells its class. Equal theta are uniform relabellings.
"""

from __future__ import annotations

import numpy as np

# Of theta, which two maps of the same order of sizes would drive to infinity; small, since names that are drawn with
# weaker preferences than those of the maps call unrelated maps related.
RIDGE = 0.1
NEWTON_STEPS, MAX_STEP = 50, 2.0
ROUNDS = 60  # in each, every region of a map is offered another's name


def log_sizes(codes: np.ndarray, count: int) -> np.ndarray:
    """The sizes s of the regions of maps, (K, count); of a class that a map lacks, that of half a point.

    Args:
        codes: the class that each of K maps gives each point, (K, N), 0 ... count - 1.
        count: number of classes.
    """
    return np.log((np.stack([np.bincount(each, minlength=count) for each in codes]) + 0.5) / codes.shape[1])


def preferences(sizes: np.ndarray) -> np.ndarray:
    """The preferences theta of names for large regions, (count,), of which all maps are draws.

    By the composite likelihood of pairs: that of two regions of a map, r and q, with names a and b, the names are not
    exchanged has the probability 1 / (1 + exp(-(theta_a - theta_b) (s_r - s_q))), a logistic regression.

    Args:
        sizes: the sizes of the regions of K maps, in the order of their names, (K, count).
    """
    one, other = np.triu_indices(sizes.shape[1], 1)
    sides = np.eye(sizes.shape[1])[one] - np.eye(sizes.shape[1])[other]  # (pairs, count)
    apart = sizes[:, one] - sizes[:, other]  # (K, pairs)
    theta = np.zeros(sizes.shape[1])
    for _ in range(NEWTON_STEPS):
        exchanged = 0.5 - 0.5 * np.tanh(apart * (sides @ theta) / 2)  # the logistic function, which does not overflow
        slope = sides.T @ (apart * exchanged).sum(axis=0) - RIDGE * theta
        weight = (apart**2 * exchanged * (1 - exchanged)).sum(axis=0)
        step = np.linalg.solve((sides.T * weight) @ sides + RIDGE * np.eye(len(theta)), slope)
        theta = theta + step / max(1.0, float(np.abs(step).max()) / MAX_STEP)
        if np.abs(step).max() < 1e-9:
            break
    return theta


def relabellings(sizes: np.ndarray, theta: np.ndarray, draws: int, random: np.random.Generator) -> np.ndarray:
    """Draw new names of the regions of maps, of each map independently.

    Every draw is the end of a Markov chain of its own, from uniform names, whose steps exchange the names a and b of
    two regions r and q with the probability of the heat bath, 1 / (1 + exp(-(theta_b - theta_a) (s_r - s_q))). All
    chains try the same pairs in a round; Metropolis would always exchange those of equal size, and forget no start.

    Args:
        sizes: the sizes of the regions of K maps, in the order of their names, (K, count).
        theta: the preferences of the names, (count,).
        draws: number of relabellings.
        random: random numbers.

    Returns:
        By map, relabelling and old name the new name, (K, 1 + draws, count); the first are the old ones.
    """
    runs, count = sizes.shape
    old = np.broadcast_to(np.arange(count), (runs, 1, count))
    names = random.permuted(np.repeat(old, draws, axis=1), axis=2)
    for _ in range(ROUNDS):
        order = random.permutation(count)
        one, other = order[: count // 2], order[count // 2 : 2 * (count // 2)]
        mine, theirs = names[..., one], names[..., other]
        gain = (theta[theirs] - theta[mine]) * (sizes[:, one] - sizes[:, other])[:, None]
        exchange = random.random(gain.shape) < 0.5 + 0.5 * np.tanh(gain / 2)  # the logistic function
        names[..., one], names[..., other] = np.where(exchange, theirs, mine), np.where(exchange, mine, theirs)
    return np.concatenate([old, names], axis=1)
