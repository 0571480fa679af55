"""Fréchet distance between Gaussians fitted to features (Dowson and Landau 1982; Heusel et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ganbench.core.deterministic_linalg import eigh, matmul
from ganbench.core.tree import Tree


@dataclass(frozen=True)
class Moments:
    """Mean (F,) and covariance (F, F) of features, in float64."""

    mean: np.ndarray
    covariance: np.ndarray

    @cached_property
    def root(self) -> np.ndarray:
        """The covariance's symmetric square root."""
        values, vectors = eigh(self.covariance)
        # Rounding can push a zero eigenvalue below zero.
        return matmul(vectors * np.sqrt(values.clip(min=0)), vectors.T)

    def tree(self) -> Tree:
        """The moments for a file, with the root, which is the costly part of a distance."""
        return {"mean": self.mean, "covariance": self.covariance, "root": self.root}

    @classmethod
    def of(cls, tree: Tree) -> Moments:
        """The moments that `tree` described."""
        known = cls(tree["mean"], tree["covariance"])
        vars(known)["root"] = tree["root"]  # where a cached property keeps its value
        return known


def moments(features: np.ndarray) -> Moments:
    """Moments of features (n, F)."""
    features = features.astype(np.float64)
    mean = features.mean(axis=0)
    centred = features - mean
    return Moments(mean, matmul(centred.T, centred) / (len(features) - 1))


def frechet_distance(a: Moments, b: Moments) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)).

    The trace of the root is the sum of the roots of the eigenvalues of C_b^(1/2) C_a C_b^(1/2), which is symmetric:
    stable where the covariances are singular, and several times faster than a matrix square root of the product. The
    root of C_b is computed once for all that b is compared with.
    """
    product = matmul(matmul(b.root, a.covariance), b.root)
    cross = np.sqrt(eigh((product + product.T) / 2)[0].clip(min=0)).sum()
    apart = np.square(a.mean - b.mean).sum()
    return float(apart + np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross)
