"""Fréchet distance between Gaussians fitted to features (Dowson and Landau 1982; Heusel et al. 2017)."""

from __future__ import annotations

import numpy as np

Moments = tuple[np.ndarray, np.ndarray]


def moments(features: np.ndarray) -> Moments:
    """Mean (F,) and covariance (F, F) of features (n, F), in float64."""
    features = features.astype(np.float64)
    return features.mean(axis=0), np.cov(features, rowvar=False).reshape(features.shape[1], features.shape[1])


def frechet_distance(a: Moments, b: Moments) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)).

    The trace of the root is the sum of the roots of the eigenvalues of C_a^(1/2) C_b C_a^(1/2), which is symmetric:
    stable where the covariances are singular, and several times faster than a matrix square root of the product.
    """
    (mean_a, cov_a), (mean_b, cov_b) = a, b
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T  # rounding can push a zero eigenvalue below zero
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(min=0)).sum()
    return float(np.square(mean_a - mean_b).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)
