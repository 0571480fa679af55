"""Squared maximum mean discrepancy with the cubic polynomial kernel (Gretton et al. 2012; Binkowski et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BLOCK = 256  # examples whose products are in the processor's cache together
MANY = 128  # features, beyond which all pairs cost less than products of three features
PAIRS = 2**22  # values of the kernel that are in memory at a time


@dataclass(frozen=True)
class Sums:
    """What the estimator needs to know of a sample of n features."""

    count: int  # n
    known: np.ndarray  # sum of the kernel's feature map, (1 + F + F(F+1)/2 + F(F+1)(F+2)/6,); of many features, (n, F)
    pairs: float  # sum of k(x, y) over all x and y that are different examples


def sums(features: np.ndarray) -> Sums:
    """Sums of a sample of features (n, F) for k(x, y) = (x.y / F + 1)^3.

    By the binomial theorem k is an inner product of finite vectors,
    k(x, y) = <phi(x), phi(y)> with phi(x) = (1, sqrt(3/F) x, sqrt(3)/F x*x, F^(-3/2) x*x*x), * the outer product,
    so the sum of k over all pairs of two samples is the inner product of two sums: exact, and n F^3 work instead of
    n^2 F, without a matrix of all pairs. It pays for points and for the few features of a judge. Of more than `MANY`
    features the pairs are summed themselves, in blocks.

    Products that differ only in their order, such as x_i x_j and x_j x_i, are kept once, times the root of their
    number. All are added example by example, so that the bits are the same on every processor; those of many features
    are the same on one kind of processor.
    """
    x = features.astype(np.float64)
    n, size = x.shape
    own = _to_itself(x).sum()
    if size > MANY:
        total = 0.0
        for kernel in _kernel(x, x, upper=True):
            total += 2 * kernel.sum() - kernel[:, : len(kernel)].sum()  # pairs within the block stand there twice
        return Sums(n, x, float(total - own))
    i, j = np.tril_indices(size)  # pairs with i >= j, by rising i: triples (k, i, j) with k >= i take the first of them
    second, third = np.zeros(len(i)), [np.zeros(count) for count in _triples_of(size)]
    for few in np.split(x, range(BLOCK, n, BLOCK)):
        products = few[:, i] * few[:, j]
        second += products.sum(axis=0)
        for k, sums_of_k in enumerate(third):
            sums_of_k += (products[:, : len(sums_of_k)] * few[:, k, None]).sum(axis=0)
    embedded = np.concatenate([[n], x.sum(axis=0), second, np.concatenate(third)]) * _roots(size)
    return Sums(n, embedded, float(np.square(embedded).sum() - own))


def similarities(features: np.ndarray, to: Sums) -> np.ndarray:
    """The sum over a sample of k(x, y), for each x of features (n, F), shape (n,).

    Args:
        features: shape (n, F).
        to: the sums of the sample of all y, with as many features.
    """
    x = features.astype(np.float64)
    n, size = x.shape
    if size > MANY:
        return np.concatenate([kernel.sum(axis=1) for kernel in _kernel(x, to.known)])
    i, j = np.tril_indices(size)
    counts = _triples_of(size)
    weights = to.known * _roots(size)
    constant, first, second, *third = np.split(weights, np.cumsum([1, size, len(i), *counts[:-1]]))
    totals = []
    for few in np.split(x, range(BLOCK, n, BLOCK)):
        products = few[:, i] * few[:, j]
        total = constant + (few * first).sum(axis=1) + (products * second).sum(axis=1)
        for k, of_k in enumerate(third):
            total += (products[:, : len(of_k)] * of_k).sum(axis=1) * few[:, k]
        totals.append(total)
    return np.concatenate(totals)


def unbiased_mmd2(features: np.ndarray, other: Sums) -> tuple[float, float]:
    """Mean of k over pairs of different examples of each sample, minus twice the mean of k across.

    Its expectation is the squared MMD of the two distributions: 0 for equal ones, so it is often slightly negative.
    The error is the jackknife's over samples like the first, with the other as it is (Efron and Stein 1981): the
    estimate without one example follows from the sums, so that all of them cost as much as the estimate itself.

    Args:
        features: the sample, (n, F), with n at least 3.
        other: the sums of the other sample.

    Returns:
        The estimate and its standard error.
    """
    x = features.astype(np.float64)
    n, m = len(x), other.count
    to_others, to_other_sample = similarities(x, sums(x)) - _to_itself(x), similarities(x, other)
    pairs, across = to_others.sum(), to_other_sample.sum()
    value = pairs / (n * (n - 1)) + other.pairs / (m * (m - 1)) - 2 * across / (n * m)
    without = (pairs - 2 * to_others) / ((n - 1) * (n - 2)) - 2 * (across - to_other_sample) / ((n - 1) * m)
    apart = without - without.mean()
    largest = np.abs(apart).max()  # its square may be too large for a float, where a generator diverges
    error = largest * np.sqrt((n - 1) * np.square(apart / largest).mean()) if largest != 0 else 0.0
    return float(value), float(error)


def _to_itself(x: np.ndarray) -> np.ndarray:
    """k(x, x) of each of features (n, F), (n,)."""
    root = np.square(x).mean(axis=1) + 1
    return root * root * root


def _kernel(x: np.ndarray, y: np.ndarray, *, upper: bool = False) -> Iterator[np.ndarray]:
    """The kernel of some x (n, F) after the other with all y (m, F), (few, m).

    Args:
        x, y: the features.
        upper: whether y before the first of the x are left out.
    """
    few = max(1, PAIRS // len(y))
    for start in range(0, len(x), few):
        root = x[start : start + few] @ y[start if upper else 0 :].T
        root /= x.shape[1]
        root += 1
        yield root * root * root


def _triples_of(size: int) -> list[int]:
    """For each k below size: the number of pairs i, j with k >= i >= j."""
    return [(k + 1) * (k + 2) // 2 for k in range(size)]


def _roots(size: int) -> np.ndarray:
    """The coefficients of the feature map: roots of the kernel's coefficients and of the numbers of equal products."""
    i, j = np.tril_indices(size)
    orders = np.where(i == j, 1, 2)
    triples = [
        (orders * np.where(i < k, 3, np.where(j < k, 1.5, 1)))[:count] for k, count in enumerate(_triples_of(size))
    ]
    return np.concatenate(
        [
            [1.0],
            np.full(size, (3 / size) ** 0.5),
            3**0.5 / size * np.sqrt(orders),
            size**-1.5 * np.sqrt(np.concatenate(triples)),
        ]
    )
