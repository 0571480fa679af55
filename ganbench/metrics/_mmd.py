"""Squared maximum mean discrepancy with the cubic polynomial kernel (Gretton et al. 2012; Binkowski et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 256  # examples whose products are in the processor's cache together


@dataclass(frozen=True)
class Sums:
    """The sums over a sample of n features that the estimator needs."""

    count: int  # n
    embedded: np.ndarray  # sum over the sample of the kernel's feature map, (1 + F + F(F+1)/2 + F(F+1)(F+2)/6,)
    own: float  # sum over the sample of k(x, x)


def sums(features: np.ndarray) -> Sums:
    """Sums of a sample of features (n, F) for k(x, y) = (x.y / F + 1)^3.

    By the binomial theorem k is an inner product of finite vectors,
    k(x, y) = <phi(x), phi(y)> with phi(x) = (1, sqrt(3/F) x, sqrt(3)/F x*x, F^(-3/2) x*x*x), * the outer product,
    so the sum of k over all pairs of two samples is the inner product of two sums: exact, and n F^3 work instead of
    n^2 F, without a matrix of all pairs. It pays where F^2 < n: for points and for the few features of a judge.

    Products that differ only in their order, such as x_i x_j and x_j x_i, are kept once, times the root of their
    number. All are added example by example, so that the bits are the same on every processor.
    """
    x = features.astype(np.float64)
    n, size = x.shape
    i, j = np.tril_indices(size)  # pairs with i >= j, by rising i: triples (k, i, j) with k >= i take the first of them
    second, third = np.zeros(len(i)), [np.zeros(count) for count in _triples_of(size)]
    for few in np.split(x, range(BLOCK, n, BLOCK)):
        products = few[:, i] * few[:, j]
        second += products.sum(axis=0)
        for k, sums_of_k in enumerate(third):
            sums_of_k += (products[:, : len(sums_of_k)] * few[:, k, None]).sum(axis=0)
    parts = [[n], x.sum(axis=0), second, np.concatenate(third)]
    own = np.square(x).mean(axis=1) + 1
    return Sums(n, np.concatenate(parts) * _roots(size), float((own * own * own).sum()))


def similarities(features: np.ndarray, to: Sums) -> np.ndarray:
    """The sum over a sample of k(x, y), for each x of features (n, F), shape (n,).

    Args:
        features: shape (n, F).
        to: the sums of the sample of all y, with as many features.
    """
    x = features.astype(np.float64)
    n, size = x.shape
    i, j = np.tril_indices(size)
    counts = _triples_of(size)
    weights = to.embedded * _roots(size)
    constant, first, second, *third = np.split(weights, np.cumsum([1, size, len(i), *counts[:-1]]))
    totals = []
    for few in np.split(x, range(BLOCK, n, BLOCK)):
        products = few[:, i] * few[:, j]
        total = constant + (few * first).sum(axis=1) + (products * second).sum(axis=1)
        for k, of_k in enumerate(third):
            total += (products[:, : len(of_k)] * of_k).sum(axis=1) * few[:, k]
        totals.append(total)
    return np.concatenate(totals)


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


def unbiased_mmd2(a: Sums, b: Sums) -> float:
    """Mean of k over pairs of different examples of a, plus the same of b, minus twice the mean of k across.

    Its expectation is the squared MMD of the two distributions: 0 for equal ones, so it is often slightly negative.
    """
    within = sum((np.square(s.embedded).sum() - s.own) / (s.count * (s.count - 1)) for s in (a, b))
    return float(within - 2 * (a.embedded * b.embedded).sum() / (a.count * b.count))


def jackknife_error(features: np.ndarray, a: Sums, b: Sums) -> float:
    """The standard error of `unbiased_mmd2` over samples like `a`, with `b` as it is (Efron and Stein 1981).

    The estimate without one example follows from the sums, so that all of them cost as much as the estimate itself.

    Args:
        features: the sample, (n, F), with n at least 3.
        a: its sums.
        b: the sums of the other sample.
    """
    n = a.count
    x = features.astype(np.float64)
    own = np.square(x).mean(axis=1) + 1
    to_others = similarities(x, a) - own * own * own
    to_other_sample = similarities(x, b)
    pairs, across = np.square(a.embedded).sum() - a.own, (a.embedded * b.embedded).sum()
    without = (pairs - 2 * to_others) / ((n - 1) * (n - 2)) - 2 * (across - to_other_sample) / ((n - 1) * b.count)
    apart = without - without.mean()
    largest = np.abs(apart).max()  # its square may be too large for a float, where a generator diverges
    return float(largest * np.sqrt((n - 1) * np.square(apart / largest).mean())) if largest > 0 else 0.0
