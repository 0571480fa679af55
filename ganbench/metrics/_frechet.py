"""Fréchet distance between Gaussians fitted to features (Dowson and Landau 1982; Heusel et al. 2017).

|m - m_r|^2 + tr(C + C_r - 2 (C C_r)^(1/2)), of the means and covariances of generated and real features. With any
factor of the real covariance, C_r = W W', the eigenvalues of C C_r are those of W' C W, which is symmetric, so the
trace of the root is the sum of the roots of these: stable where covariances are singular, and many times faster than
the matrix root that pytorch-fid takes. The factor is found once for all that real examples are compared with. Of many
features it is the triangular one, with which LAPACK reduces a generalised eigenproblem to W' C W in a quarter of the
operations of two products of matrices.

With X the centred features over (n - 1)^(1/2), W' C W = (X W)' (X W). It has the same eigenvalues but zeros as the
matrix (X W) (X W)' of one row an example, which is the smaller one where examples are fewer than features. At most
n - 1 of them are not zero; the others are left out, since rounding would put about 1e-8 of the largest root in the
place of each zero. Distances are exact to 1e-9 of their size, and to a few 1e-9 where examples are hardly more than
features.
"""

from __future__ import annotations

import numpy as np

from ganbench.core.deterministic_linalg import EPSILON, MAX_FEATURES, eigh, matmul
from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree

GROUPS = 8  # of generated examples, by which the sample size of an extrapolation varies


def rank_caution(samples: int, real: int, features: int, what: str) -> str | None:
    """A caution, as `Metric.caution` returns it, where a covariance of `features` features lacks rank.

    Args:
        samples: number of generated examples that a distance is computed of.
        real: number of real examples.
        features: number of features.
        what: the quantity.
    """
    if min(samples, real) > features:
        return None
    few = f"{samples:,} samples" if samples <= real else f"{real:,} real examples"
    return (
        f"{few} are too few for {features:,} features: their covariance has deficient rank, and {what} is far above "
        "that of more; compare values of equal numbers only, and none with published ones"
    )


def extrapolated_columns(of: str, name: str, title: str, what: str, unit: str) -> dict[str, MetricInfo]:
    """The columns of an extrapolated distance and of its standard error, as of `infinite_sample_distance`.

    Args:
        of: the column of the distance that is extrapolated.
        name: what it is called in short.
        title: its title.
        what: what is measured, the beginning of a sentence.
        unit: its unit.
    """
    return {
        f"{of}_infinity": MetricInfo(
            title=f"{title}, extrapolated",
            what=f"{what}, extrapolated to infinitely many generated examples; 0 is best, and noise can make it "
            "slightly negative",
            best="low",
            lower=None,
            upper=None,
            unit=unit,
            source="Chong and Forsyth 2020",
        ),
        f"{of}_infinity_error": MetricInfo(
            title=f"Error of the extrapolated {name}",
            what=f"jackknife standard error of the extrapolated {name} over samples of a generator",
            best="none",
            lower=0.0,
            upper=None,
            unit=unit,
            source="Efron and Stein 1981",
        ),
    }


def frechet_reference(features: np.ndarray) -> Tree:
    """What a Fréchet distance needs to know of real features.

    Args:
        features: shape (n, F).

    Returns:
        The `mean` (F,) and a `factor` W (F, r) of the covariance W W', with r at most n and F; of more than
        `MAX_FEATURES` features with zeros above its diagonal.
    """
    mean, centred = _centred(features)
    if len(features) <= features.shape[1]:
        return {"mean": mean, "factor": _lower(centred.T)}
    return gaussian_reference(mean, matmul(centred.T, centred))


def gaussian_reference(mean: np.ndarray, covariance: np.ndarray) -> Tree:
    """The same of a mean (F,) and a covariance (F, F)."""
    values, vectors = eigh(covariance)
    kept = values >= len(values) * EPSILON * values[-1]  # what is below is rounding
    return {"mean": mean, "factor": _lower(vectors[:, kept] * np.sqrt(values[kept]))}


def frechet_distance(features: np.ndarray, reference: Tree) -> float:
    """The distance of features (n, F) to real ones."""
    factor = reference["factor"]
    mean, centred = _centred(features)
    if len(features) > features.shape[1]:
        covariance = matmul(centred.T, centred)
        trace = covariance.diagonal().sum()
        product = _within(covariance, factor)
    else:
        trace = np.square(centred).sum(axis=0).sum()
        projected = matmul(centred, factor)
        few = projected if len(features) <= factor.shape[1] else projected.T
        product = matmul(few, few.T)
    largest = _eigenvalues(product, features.shape[1])[::-1][: len(features) - 1]
    apart, cross = np.square(mean - reference["mean"]).sum(), np.sqrt(largest.clip(min=0)).sum()
    real_trace = np.square(factor).sum(axis=0).sum()
    # Rounding can make that of equal features negative; `max` would take NaN for 0, the best value.
    return float(np.maximum(0.0, apart + trace + real_trace - 2 * cross))


def infinite_sample_distance(features: np.ndarray, reference: Tree) -> tuple[float, float]:
    """The distance that infinitely many features of the same distribution would have, and its standard error.

    A distance of n examples is on average too large by b / n, with the same b for every n much larger than the number
    of features (Chong and Forsyth 2020). They fit the line to fifteen random parts of the sample. Here it runs through
    the distance of the whole sample and the mean distance of `GROUPS` disjoint parts of it, so that every example has
    the same weight, nothing is drawn, and the error is the jackknife's over the parts (Efron and Stein 1981).

    Args:
        features: shape (n, F), with n at least twice `GROUPS`.
        reference: the reference of real features, whose own finite number still adds to the distance.

    Returns:
        The extrapolated distance, which noise can make negative, and its standard error.
    """
    groups = [features[start::GROUPS] for start in range(GROUPS)]
    parts = [frechet_distance(group, reference) for group in groups]
    value = _intercept(features, groups, parts, reference)
    without = []
    for left in range(GROUPS):
        others = [index for index in range(GROUPS) if index != left]
        rest = [groups[index] for index in others]
        without.append(_intercept(np.concatenate(rest), rest, [parts[index] for index in others], reference))
    return value, float(np.sqrt((GROUPS - 1) * np.var(without)))


def _intercept(features: np.ndarray, groups: list[np.ndarray], parts: list[float], reference: Tree) -> float:
    """The distance at 1 / n = 0 on the line through that of all features and the mean of those of their parts."""
    whole, few = 1 / len(features), sum(1 / len(group) for group in groups) / len(groups)
    of_parts = sum(parts) / len(parts)
    return (few * frechet_distance(features, reference) - whole * of_parts) / (few - whole)


def _centred(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (F,) of features (n, F), and X (n, F), what they are apart from it over (n - 1)^(1/2)."""
    features = features.astype(np.float64, copy=False)
    mean = features.mean(axis=0)
    centred = features - mean
    centred /= np.sqrt(len(features) - 1)
    return mean, centred


def _lower(factor: np.ndarray) -> np.ndarray:
    """A factor (F, r) of the same covariance, with zeros above the diagonal; of few features the very one."""
    if len(factor) > MAX_FEATURES:
        factor = np.linalg.qr(factor.T, mode="r").T
    return np.ascontiguousarray(factor)  # as a file gives it back: the order of numbers in memory is that of sums


def _within(covariance: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """W' C W, of many features its lower triangle alone.

    Args:
        covariance: C (F, F), which is overwritten.
        factor: W (F, r), as of a reference.

    Returns:
        Shape (r, r).
    """
    if len(factor) <= MAX_FEATURES:
        product = matmul(matmul(factor.T, covariance), factor)
        return (product + product.T) / 2
    from scipy.linalg.lapack import dsygst  # here, like PyTorch below

    rank = factor.shape[1]
    square = np.zeros_like(covariance, order="F")
    square[:, :rank] = factor
    # A C in the order of rows is C' in that of columns, which LAPACK takes without a copy.
    product, _ = dsygst(covariance.T, square, itype=2, lower=1, overwrite_a=1)
    return product[:rank, :rank]


def _eigenvalues(matrix: np.ndarray, features: int) -> np.ndarray:
    """The eigenvalues, ascending, of a symmetric matrix, of which nothing above the diagonal is read where there are
    more features than `MAX_FEATURES`."""
    if features <= MAX_FEATURES:
        return eigh(matrix)[0]
    import torch  # with its LAPACK, twice as fast as NumPy's; few features do not need it

    return torch.linalg.eigvalsh(torch.from_numpy(matrix), UPLO="L").numpy()
