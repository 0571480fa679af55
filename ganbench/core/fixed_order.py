"""Linear algebra of few features that comes out the same, to the last bit, on every processor.

BLAS and LAPACK choose their kernels by the processor; these differ in the order in which they add, and in whether they
round between a product and a sum. Metrics would then depend on the node that computed them. Here all is made of NumPy's
elementwise operations + - * / and square roots, each of which IEEE 754 defines to the last bit, and of sums over the
outermost axis, which NumPy adds row by row. It costs milliseconds up to `FEW` features; beyond, BLAS and LAPACK do it,
and bits hold on one kind of processor only.
"""

from __future__ import annotations

import numpy as np

FEW = 64  # features
SWEEPS = 40  # at most; about ten for 64 features, more where eigenvalues coincide
ROUNDING = np.finfo(np.float64).eps


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product of matrices (m, n) and (n, k) in float64, summed over n in its order."""
    if max(len(a), b.shape[1]) > FEW:
        return a @ b
    return np.stack([(row[:, None] * b).sum(axis=0) for row in a])


def norm(vector: np.ndarray) -> float:
    """Euclidean norm of a vector, in float64."""
    return float(np.sqrt(np.square(vector, dtype=np.float64).sum()))


def orthonormal(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal vectors that span the plane of two others: the first one's direction, and what the other adds."""
    one = one / norm(one)
    for _ in range(2):  # once loses orthogonality to rounding where the two are nearly parallel
        other = other - (one * other).sum() * one
        other = other / norm(other)
    return one, other


def eigh(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of a symmetric matrix, by Jacobi's rotations.

    A rotation of two coordinates makes the entry that couples them 0. Those of n/2 disjoint pairs are one step, and in
    the n - 1 steps of a sweep every pair has its turn, as in a round-robin tournament (Brent and Luk 1985): the
    coordinates at the places i and i + n/2 are a pair, and after each step they change places. Convergence is quadratic
    in the end.

    Args:
        matrix: shape (n, n).

    Returns:
        eigenvalues (n,) in ascending order, and eigenvectors as the columns of (n, n); NaN if an entry of the matrix is
        not finite.
    """
    n = len(matrix)
    if not np.isfinite(matrix).all():
        return np.full(n, np.nan), np.full((n, n), np.nan)
    if n > FEW:
        return np.linalg.eigh(matrix)
    size = max(4, n + n % 2)  # an even number, by coordinates of zeros, which no rotation turns
    half, pairs = size // 2, np.arange(size // 2)
    places = np.array([0, half, *range(1, half - 1), *range(half + 1, size), half - 1])
    table = np.zeros((size, size + n))  # the matrix, and to its right the eigenvectors as rows
    table[:n, :n], table[:n, size:] = matrix, np.eye(n)
    for _ in range(SWEEPS):
        square = np.abs(table[:, :size])
        largest = square.max()
        np.fill_diagonal(square, 0)
        if square.max() <= ROUNDING * largest:
            break
        for _ in range(size - 1):
            cosine, sine = _rotations(table[:, :size])
            table = np.concatenate(_rotated(table[:half], table[half:], cosine[:, None], sine[:, None]))
            columns = _rotated(table[:, :half], table[:, half:size], cosine, sine)
            table = np.concatenate([*columns, table[:, size:]], axis=1)
            table[pairs, pairs + half] = table[pairs + half, pairs] = 0  # instead of rounding, which would turn on
            table[:, :size] = table[:, places]
            table = table[places]
    values, vectors = table.diagonal(), table[:, size:]
    order = np.argsort(values, kind="stable")
    order = order[vectors[order].any(axis=1)]  # without the coordinates of zeros
    return values[order], vectors[order].T


def _rotations(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines, (n/2,), of the smaller angles by which pairs turn, so that their coupling becomes 0."""
    half = len(square) // 2
    own, coupling = square.diagonal(), square[:half, half:].diagonal()
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # of pairs that are not coupled, or hardly
        cotangent = (own[half:] - own[:half]) / (2 * coupling)  # of twice the angle
        tangent = np.copysign(1 / (np.abs(cotangent) + np.sqrt(np.square(cotangent) + 1)), cotangent)
    tangent = np.where(coupling == 0, 0.0, tangent)
    cosine = 1 / np.sqrt(np.square(tangent) + 1)
    return cosine, tangent * cosine


def _rotated(one: np.ndarray, other: np.ndarray, cosine: np.ndarray, sine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return cosine * one - sine * other, sine * one + cosine * other
