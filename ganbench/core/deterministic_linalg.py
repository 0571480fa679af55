"""Linear algebra for few features, with bitwise equal results on all processors.

BLAS and LAPACK choose their kernels by the processor. Kernels differ in the order of their sums and in the rounding
between product and sum, so metrics would depend on the node that computes them. This module uses NumPy's elementwise
+ - * / and square root, which IEEE 754 defines to the last bit, and sums over the outermost axis, which NumPy adds row
by row. It takes milliseconds for up to `MAX_FEATURES` features. For more features it uses BLAS and LAPACK, and results
are bitwise equal on one kind of processor only.
"""

from __future__ import annotations

import numpy as np

MAX_FEATURES = 64
MAX_SWEEPS = 40  # 64 features take about ten sweeps, and more if eigenvalues coincide
EPSILON = np.finfo(np.float64).eps


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product of matrices (m, n) and (n, k) in float64, summed over n in ascending order."""
    if max(len(a), b.shape[1]) > MAX_FEATURES:
        return a @ b
    return np.stack([(row[:, None] * b).sum(axis=0) for row in a])


def norm(vector: np.ndarray) -> float:
    """The Euclidean norm of a vector (n,), in float64."""
    return float(np.sqrt(np.square(vector, dtype=np.float64).sum()))


def orthonormal(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two orthonormal vectors that span the same plane as two vectors (n,), by the Gram-Schmidt process."""
    one = one / norm(one)
    for _ in range(2):  # one pass loses orthogonality to rounding if the vectors are nearly parallel
        other = other - (one * other).sum() * one
        other = other / norm(other)
    return one, other


def eigh(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The eigenvalues and eigenvectors of a symmetric matrix, by the parallel Jacobi method.

    A rotation of two coordinates sets the entry that couples them to 0. One step rotates n/2 disjoint pairs. The n - 1
    steps of a sweep rotate every pair once, as in a round-robin tournament (Brent and Luk 1985): coordinates i and
    i + n/2 are a pair, and the coordinates are permuted after each step. Convergence is finally quadratic.

    Args:
        matrix: shape (n, n).

    Returns:
        The eigenvalues (n,) in ascending order, and the eigenvectors as columns (n, n). All are NaN if an entry of the
        matrix is not finite.
    """
    n = len(matrix)
    if not np.isfinite(matrix).all():
        return np.full(n, np.nan), np.full((n, n), np.nan)
    if n > MAX_FEATURES:
        return np.linalg.eigh(matrix)
    size = max(4, n + n % 2)  # made even by coordinates of zeros, which no rotation changes
    half, pairs = size // 2, np.arange(size // 2)
    indices = np.array([0, half, *range(1, half - 1), *range(half + 1, size), half - 1])
    table = np.zeros((size, size + n))  # the matrix, with the eigenvectors as rows to its right
    table[:n, :n], table[:n, size:] = matrix, np.eye(n)
    for _ in range(MAX_SWEEPS):
        square = np.abs(table[:, :size])
        largest = square.max()
        np.fill_diagonal(square, 0)
        if square.max() <= EPSILON * largest:
            break
        for _ in range(size - 1):
            cosine, sine = _jacobi_rotations(table[:, :size])
            table = np.concatenate(_rotate(table[:half], table[half:], cosine[:, None], sine[:, None]))
            columns = _rotate(table[:, :half], table[:, half:size], cosine, sine)
            table = np.concatenate([*columns, table[:, size:]], axis=1)
            table[pairs, pairs + half] = table[pairs + half, pairs] = 0  # exactly: rounding errors would rotate again
            table[:, :size] = table[:, indices]
            table = table[indices]
    values, vectors = table.diagonal(), table[:, size:]
    order = np.argsort(values, kind="stable")
    order = order[vectors[order].any(axis=1)]  # without the added coordinates of zeros
    return values[order], vectors[order].T


def _jacobi_rotations(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cosines and sines (n/2,) of the smaller rotation angles that set the coupling of each pair to 0."""
    half = len(square) // 2
    own, coupling = square.diagonal(), square[:half, half:].diagonal()
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # pairs with no or weak coupling
        cotangent = (own[half:] - own[:half]) / (2 * coupling)  # cotangent of twice the angle
        tangent = np.copysign(1 / (np.abs(cotangent) + np.sqrt(np.square(cotangent) + 1)), cotangent)
    tangent = np.where(coupling == 0, 0.0, tangent)
    cosine = 1 / np.sqrt(np.square(tangent) + 1)
    return cosine, tangent * cosine


def _rotate(one: np.ndarray, other: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both coordinates of each pair after its rotation."""
    return cosine * one - sine * other, sine * one + cosine * other
