"""Linear algebra that is the same on every processor: against LAPACK, and under other processors' instructions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processors import AS_IT_IS, blas_kernels

from ganbench.core.deterministic_linalg import MAX_FEATURES, eigh, matmul, norm, orthonormal

EPSILON = np.finfo(float).eps


def symmetric(n: int, kind: str, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    if kind == "covariance":
        x = random.normal(size=(3 * n, n)) * np.exp(3 * random.normal(size=n))
        return x.T @ x
    if kind == "of lower rank":
        x = random.normal(size=(max(1, n // 2), n))
        return x.T @ x
    if kind == "with equal eigenvalues":
        turned, _ = np.linalg.qr(random.normal(size=(n, n)))
        matrix = (turned * random.choice([-1.0, 0.0, 0.0, 2.0], size=n)) @ turned.T
        return (matrix + matrix.T) / 2
    matrix = np.zeros((n, n))  # some coordinates are not coupled at all
    some = random.permutation(n)[: n // 2]
    matrix[np.ix_(some, some)] = symmetric(len(some), "covariance", seed) if len(some) else 0
    return matrix


@pytest.mark.cluster
@settings(max_examples=100)
@given(
    st.integers(1, MAX_FEATURES + 2),
    st.sampled_from(["covariance", "of lower rank", "with equal eigenvalues", "partly zero"]),
    st.integers(0, 2**32),
)
def test_eigenvalues_are_lapack_s(n, kind, seed):
    matrix = symmetric(n, kind, seed)
    scale = max(np.abs(matrix).max(), 1e-300)
    values, vectors = eigh(matrix)
    np.testing.assert_allclose(values / scale, np.linalg.eigvalsh(matrix) / scale, atol=20 * n * EPSILON)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(n), atol=20 * n * EPSILON)
    np.testing.assert_allclose((vectors * values) @ vectors.T / scale, matrix / scale, atol=40 * n * EPSILON)


def test_eigenvalues_of_any_size_of_numbers():
    for scale in (1e-300, 1e300):
        values, _ = eigh(scale * np.array([[2.0, 1.0], [1.0, 2.0]]))
        np.testing.assert_allclose(values, [scale, 3 * scale], rtol=1e-15)
    values, vectors = eigh(np.diag([1e200, 1e-200, 0.0, 1.0]))
    assert values.tolist() == [0.0, 1e-200, 1.0, 1e200]
    assert np.abs(vectors).sum(axis=0).tolist() == [1.0] * 4


@pytest.mark.parametrize("n", [3, MAX_FEATURES + 1])
def test_eigenvalues_of_what_is_not_finite_are_nan(n):
    matrix = np.eye(n)
    matrix[0, 1] = matrix[1, 0] = np.inf
    values, vectors = eigh(matrix)
    assert np.isnan(values).all()
    assert vectors.shape == (n, n)


def test_products_and_norms_are_numpy_s():
    random = np.random.default_rng(0)
    for m, n, k in ((3, 500, 3), (1, 7, 1), (MAX_FEATURES, 40, MAX_FEATURES), (MAX_FEATURES + 1, 40, 2)):
        a, b = random.normal(size=(m, n)), random.normal(size=(n, k))
        np.testing.assert_allclose(matmul(a, b), a @ b, rtol=1e-12, atol=1e-12)
    vector = random.normal(size=1000).astype(np.float32)
    assert norm(vector) == pytest.approx(np.linalg.norm(vector.astype(np.float64)), rel=1e-15)


def test_two_vectors_are_made_orthonormal_though_nearly_parallel():
    random = np.random.default_rng(0)
    for apart in (1.0, 1e-9):
        first = random.normal(size=500)
        one, other = orthonormal(first, first + apart * random.normal(size=500))
        assert one @ first == pytest.approx(np.linalg.norm(first))
        np.testing.assert_allclose(np.stack([one, other]) @ np.stack([one, other]).T, np.eye(2), atol=1e-15)


# Processors ----------------------------------------------------------------------------------------------------------

BITS = """
import hashlib
import numpy as np
from ganbench.core import registry
from ganbench.core.deterministic_linalg import eigh, matmul, norm, orthonormal
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples

options = {"prd": {"clusterings": 1}}
metrics = [
    info.build(options.get(name, {})) for name, info in registry.components("metric").items() if name != "fid"
]  # Inception's
random = np.random.Generator(np.random.PCG64(0))
bits = hashlib.sha256()
for n in (1, 2, 3, 10, 32, 64):
    x, y = random.integers(-999, 999, size=(2, 700, n)) / 1000.0
    product = matmul(x.T, y)
    lengths = norm(x.ravel()), norm(y[:, 0].astype(np.float32))
    for found in (product, *eigh(product + product.T), *orthonormal(x[:, 0], y[:, 0]), *lengths):
        bits.update(np.ascontiguousarray(found).tobytes())
    modes = np.arange(150) % 7
    one, other = (JudgedExamples(each, each, modes, modes > 1, 7) for each in (x[:150], y[:150] + x[0]))
    if n in (2, 10, 32):  # one, few and many features are enough of metrics
        continue
    for metric in metrics:
        if metric.unsupported(DataSpec((n,), False, 150, 7)) is None:
            for found in metric.score(one, metric.reference(other, one)).values():
                bits.update(np.float64(found).tobytes())
pictures = [JudgedExamples(each, each.reshape(9, -1)[:, :8], modes[:9], modes[:9] > 1, 7)
            for each in random.integers(-999, 999, size=(2, 9, 1, 16, 24)) / 1000.0]
for metric in metrics:
    if metric.unsupported(DataSpec((1, 16, 24), True, 9, 7)) is None and metric.fewest <= 9:
        for found in metric.score(pictures[0], metric.reference(pictures[1], pictures[0])).values():
            bits.update(np.float64(found).tobytes())
print(bits.hexdigest(), hashlib.sha256((x.T @ y).tobytes()).hexdigest())
"""  # of ours, and of NumPy's own product


def printed(code: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=AS_IT_IS | environment, capture_output=True, text=True, check=True
    )
    return done.stdout


EXTENT = pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["two", "every"])


@EXTENT
@pytest.mark.cluster  # processes with another environment, which import everything again
def test_no_kernel_of_blas_changes_a_bit(every):
    kernels = blas_kernels()
    found = [printed(BITS, environment).split() for environment in (kernels if every else (kernels[0], kernels[-1]))]
    ours, theirs = map(set, zip(*found, strict=True))
    assert len(ours) == 1
    assert len(theirs) > 1, "these kernels do not differ; nothing was shown"


@EXTENT
@pytest.mark.cluster
def test_no_vector_instructions_of_numpy_change_a_bit(every):
    """NumPy has its loops several times, each for other instructions, which it can be told not to use."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    without = [" ".join(found[start:]) for start in range(len(found) if every else 1)]
    assert len({printed(BITS, {"NPY_DISABLE_CPU_FEATURES": names}).split()[0] for names in ("", *without)}) == 1
