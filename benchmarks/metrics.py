"""What metrics cost for ten thousand samples, the Fréchet distance of Inception's features beside pytorch-fid's, and
evaluation's share of the default study."""

from __future__ import annotations

import os
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.sheets import Sheet
from benchmarks.workers import ROOT
from ganbench.core import registry
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples
from ganbench.metrics._frechet import frechet_distance, frechet_reference
from ganbench.pipeline.execution.processor import one_thread

MODES = 10
TARGET = 10.0  # times as fast as pytorch-fid


def costs(samples: int = 10_000, features: int = 64, side: int = 32) -> Sheet:
    """Time and memory of every metric but the FID, whose are Inception's, for as many generated as real examples."""
    one_thread()
    sheet = Sheet(
        f"Cost of metrics for {samples:,} samples",
        ["metric", "data", "reference, s", "score, s", "score, ms a 1,000 samples", "score, MiB"],
        f"Seconds of one core, {samples:,} real and as many generated examples with {features} features; images of "
        f"{side} pixels a side, points of the line for the Wasserstein distance. The reference is computed once for a "
        "data set. A metric that takes fewer examples, as `texture` does, is timed with these. Memory is the most that "
        "Python and NumPy held at a time, without the examples.",
    )
    random = np.random.default_rng(0)
    shapes = [("images", (1, side, side)), ("points", (1,))]
    for name, component in registry.components("metric").items():
        if component.constants["pretrained"]:
            continue
        metric = component.build({})
        data, shape = next(
            (data, shape)
            for data, shape in shapes
            if metric.unsupported(DataSpec(shape, len(shape) == 3, samples, MODES)) is None
        )
        real, heldout, generated = (
            _judged(random, count, shape, features) for count in (samples, samples // 5, samples)
        )
        prepared, reference = _timed(lambda metric=metric, real=real, heldout=heldout: metric.reference(real, heldout))

        def score(metric: Any = metric, made: JudgedExamples = generated, known: Any = reference) -> None:
            metric.score(made, known)

        scored, _ = _timed(score)
        size = _held(score) / 2**20
        sheet.add(name, data, f"{prepared:.2f}", f"{scored:.2f}", f"{1e6 * scored / samples:.0f}", f"{size:.1f}")
    return sheet


def frechet(sizes: Sequence[int] = (2000, 10_000), features: int = 2048, rounds: int = 3) -> Sheet:
    """The Fréchet distance from features, in turn with pytorch-fid's, of few and of many samples."""
    one_thread()  # SciPy's BLAS too, which is loaded later
    sheet = Sheet(
        f"Fréchet distance in {features:,} dimensions",
        ["samples", "ganbench, s", "pytorch-fid, s", "times as fast", "relative difference", "verdict"],
        "From features to the distance, with the statistics of real examples known to both: for pytorch-fid the mean "
        f"and covariance of the samples and the distance of both. In turns, the fastest of {rounds}, in seconds of one "
        f"core. The target is {TARGET:g} times as fast.",
    )
    random = np.random.default_rng(0)
    spread = np.exp(-np.linspace(0, 5, features))  # variances that fall by orders of magnitude, as Inception's do
    real = random.normal(size=(max(sizes) + features, features)) * spread
    reference, moments = frechet_reference(real), (real.mean(axis=0), np.cov(real, rowvar=False))
    for size in sizes:
        generated = (random.normal(size=(size, features)) + 0.1) * spread
        turns = [
            (
                _timed(lambda x=generated: frechet_distance(x, reference)),
                _timed(lambda x=generated: _theirs(x, moments)),
            )
            for _ in range(rounds)
        ]
        (ours, mine), (theirs, other) = (min(turn, key=lambda timed: timed[0]) for turn in zip(*turns, strict=True))
        faster = theirs / ours
        verdict = "ok" if faster >= TARGET else f"{TARGET / faster:.1f} times too slow"
        sheet.add(f"{size:,}", f"{ours:.2f}", f"{theirs:.2f}", f"{faster:.1f}", f"{abs(mine / other - 1):.0e}", verdict)
    return sheet


def share(results: Path = ROOT / "results", steps: int = 2500, samples: int = 2000) -> Sheet:
    """Seconds of the stages of the default study, from its last run if there are results, or else of one pack of it.

    Args:
        results: folder of results.
        steps, samples: training steps and samples of the pack.
    """
    from ganbench.pipeline.plan import Plan  # here: where there is little more than PyTorch, the others are measured
    from ganbench.pipeline.resources.stage_times import compared
    from ganbench.study.schema import parse
    from ganbench.study.strict_yaml import read_yaml

    one_thread()
    given = read_yaml(ROOT / "config" / "config.yaml")
    plan = Plan(parse(given | {"results": str(results)}, origin="config/config.yaml"))
    timed = {row.stage: row.actual for row in compared(plan, results / given["study"])}
    where = "Wall time of its jobs, processes' starts and all, from the results of its last run."
    if not {"train", "evaluate"} <= timed.keys():
        timed = _of_one_pack(given, steps, samples)
        where = (
            f"Seconds of one core for one pack, two runs of dcgan on all digits with {steps:,} steps, which score "
            f"{samples:,} samples a snapshot, in one process: the whole study has no results here."
        )
    sheet = Sheet("Evaluation's share of the default study", ["stage", "seconds", "of training"], where)
    for stage in ("train", "evaluate"):
        sheet.add(stage, f"{timed[stage]:.1f}", f"{timed[stage] / timed['train']:.0%}")
    return sheet


def _of_one_pack(given: dict, steps: int, samples: int) -> dict[str, float]:
    """Seconds of each stage of one pack of the default study."""
    from ganbench.pipeline import results_folder, stages
    from ganbench.pipeline.execution.job_context import JobContext
    from ganbench.pipeline.jobs import ExecutionSettings
    from ganbench.pipeline.plan import Plan
    from ganbench.study.schema import parse

    block = {"dataset": "digits", "architecture": {"name": "dcgan", "base_channels": 16}, "seed": {"count": 2}}
    train = given["train"] | {"steps": steps, "snapshots": {"count": min(9, steps)}}
    timed, context = {}, JobContext(ExecutionSettings(device="cpu"))
    # Stages set variables for their process alone, and what is measured next may want a GPU.
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ):
        study = {
            "study": "pack",
            "results": folder,
            "grid": [block | {"learning_rate": 2e-4}],
            "train": train,
            "evaluate": given["evaluate"] | {"samples": samples},
        }
        plan = Plan(parse(study, origin="the benchmark"))
        results_folder.prepare(plan)
        for stage in ("prepare", "judge", "reference", "train", "evaluate"):
            timed[stage], _ = _timed(
                lambda stage=stage: [stages.run(job, context) for job in plan.jobs(stage).values()]
            )
    return timed


def _theirs(features: np.ndarray, moments: tuple[np.ndarray, np.ndarray]) -> float:
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
    """The seconds of this process that a call takes, and its result."""
    began = time.process_time()
    result = call()
    return time.process_time() - began, result


def _held(call: Callable[[], Any]) -> int:
    """The most bytes that a call holds at a time."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
