"""What metrics cost for ten thousand samples, and the Fréchet distance of Inception's features beside pytorch-fid's."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.sheets import Sheet
from ganbench.core import registry
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples
from ganbench.metrics._frechet import frechet_distance, frechet_reference

MODES = 10
TARGET = 10.0  # times as fast as pytorch-fid


def costs(samples: int = 10_000, features: int = 64, side: int = 32) -> Sheet:
    """Seconds of every metric but the FID, whose time is Inception's, for as many generated as real examples."""
    sheet = Sheet(
        f"Cost of metrics for {samples:,} samples",
        ["metric", "data", "reference, s", "score, s", "score, ms a 1,000 samples"],
        f"One core, {samples:,} real and as many generated examples with {features} features; images of {side} pixels "
        "a side, points of the line for the Wasserstein distance. The reference is computed once for a data set. "
        "A metric that takes fewer examples, as `texture` does, is timed with these.",
    )
    random = np.random.default_rng(0)
    shapes = [("images", (1, side, side)), ("points", (1,))]
    for name, component in registry.components("metric").items():
        if name == "fid":
            continue
        metric = component.build({})
        data, shape = next(
            (data, shape)
            for data, shape in shapes
            if metric.supports(DataSpec(shape, len(shape) == 3, samples, MODES)) is None
        )
        real, heldout, generated = (
            _judged(random, count, shape, features) for count in (samples, samples // 5, samples)
        )
        prepared, reference = _timed(lambda metric=metric, real=real, heldout=heldout: metric.reference(real, heldout))
        scored, _ = _timed(lambda metric=metric, made=generated, known=reference: metric.score(made, known))
        sheet.add(name, data, f"{prepared:.2f}", f"{scored:.2f}", f"{1e6 * scored / samples:.0f}")
    return sheet


def frechet(sizes: Sequence[int] = (2000, 10_000), features: int = 2048) -> Sheet:
    """The Fréchet distance from features, in turn with pytorch-fid's, of few and of many samples."""
    sheet = Sheet(
        f"Fréchet distance in {features:,} dimensions",
        ["samples", "ganbench, s", "pytorch-fid, s", "times as fast", "relative difference", "verdict"],
        "From features to the distance, with the statistics of real examples known to both: for pytorch-fid the mean "
        f"and covariance of the samples and the distance of both. The target is {TARGET:g} times as fast.",
    )
    random = np.random.default_rng(0)
    spread = np.exp(-np.linspace(0, 5, features))  # variances that fall by orders of magnitude, as Inception's do
    real = random.normal(size=(max(sizes) + features, features)) * spread
    reference, moments = frechet_reference(real), (real.mean(axis=0), np.cov(real, rowvar=False))
    for size in sizes:
        generated = (random.normal(size=(size, features)) + 0.1) * spread
        ours, mine = _timed(lambda generated=generated: frechet_distance(generated, reference))
        theirs, other = _timed(lambda generated=generated: _of_pytorch_fid(generated, moments))
        ours = min(ours, _timed(lambda generated=generated: frechet_distance(generated, reference))[0])
        faster = theirs / ours
        verdict = "ok" if faster >= TARGET else f"{TARGET / faster:.1f} times too slow"
        sheet.add(f"{size:,}", f"{ours:.2f}", f"{theirs:.2f}", f"{faster:.1f}", f"{abs(mine / other - 1):.0e}", verdict)
    return sheet


def _of_pytorch_fid(features: np.ndarray, moments: tuple[np.ndarray, np.ndarray]) -> float:
    from pytorch_fid.fid_score import calculate_frechet_distance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls SciPy in a way that is deprecated
        return float(
            calculate_frechet_distance(features.mean(axis=0), np.cov(features, rowvar=False), moments[0], moments[1])
        )


def _judged(random: np.random.Generator, count: int, shape: tuple[int, ...], features: int) -> JudgedExamples:
    stored = random.uniform(-1, 1, size=(count, *shape)).astype(np.float32)
    seen = random.normal(size=(count, features))
    modes = random.integers(MODES, size=count)
    return JudgedExamples(stored, seen, modes, random.random(count) < 0.9, MODES)


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """The seconds of a call, and its result."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result
