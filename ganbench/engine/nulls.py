"""Nulls: the values that real examples would score in place of generated ones, metric by metric, and what noise scores.

A metric of few samples is not 0 for a perfect generator: a Fréchet distance has a bias of the order of 1/n, coverage
never reaches 1. So the same number of real examples is scored several times; `real_draws` draws them. As many examples
of noise (`noise`) are scored once, to which a generator that has learned something compares well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganbench.engine.noise import noise_like
from ganbench.engine.null_intervals import spread
from ganbench.engine.real_draws import RealExamples, draws_of
from ganbench.engine.scoring import score_of


@dataclass(frozen=True)
class Null:
    """What a perfect generator scores in one column of a metric.

    Attributes:
        samples: number of examples scored in each draw.
        examples: number of real examples that were drawn from; None where new ones were drawn from the distribution.
        draws: number of draws.
        mean, std: mean and standard deviation over the draws, those of held-out examples within shuffles; NaN if the
            metric has no finite value in one of them.
        low, high: bounds between which new examples of the distribution would score with a probability of 95%.
        sampling: how the examples were drawn, in words.
        noise: value of as many examples of noise; NaN if it has no finite one.
        caution: what limits the meaning of values of these sizes, as a clause; None if nothing does.
    """

    samples: int
    examples: int | None
    draws: int
    mean: float
    std: float
    low: float
    high: float
    sampling: str
    noise: float
    caution: str | None = None


def nulls(
    metrics: Sequence[tuple[Any, dict]],
    real: RealExamples,
    samples: int,
    report: Callable[[int], object] = lambda done: None,
) -> dict[str, Null]:
    """The null of every column of metrics, and what noise scores in it.

    Args:
        metrics: each metric with its reference for the real training examples.
        real: the real examples.
        samples: number of samples that the study scores.
        report: called after every draw with the number of draws done.

    Returns:
        By column, its null.
    """
    way, features = draws_of(real, samples), real.train.features.shape[1]
    limits = [metric.caution(*way.smallest, features) if way.smallest else None for metric, _ in metrics]
    scored: list[list[list[list[float]]]] = [[] for _ in metrics]  # by metric, draw, part and column
    for index in range(most_draws([metric for metric, _ in metrics])):
        drawn = [k for k, (metric, _) in enumerate(metrics) if index < metric.draws and limits[k] is None]
        for k in drawn:
            scored[k].append([])
        for score in way.draw(index) if drawn else ():
            for k in drawn:
                scored[k][-1].append(score(*metrics[k]))
        report(index + 1)
    found: dict[str, Null] = {}
    noise = real.judge(noise_like(real.train.stored, samples))
    for (metric, reference), kept, limit in zip(metrics, scored, limits, strict=True):
        if limit is None:
            values = way.values(metric, np.array(kept))
            caution = metric.caution(samples, len(real.train), features)
        else:
            values, caution = np.full((1, len(metric.columns)), np.nan), f"no null, since in smaller splits {limit}"
        about = {"samples": samples, "examples": way.examples, "draws": len(kept), "sampling": way.words(len(kept))}
        about["caution"] = caution
        as_noise = score_of(metric, noise, reference)
        for (name, info), column in zip(metric.columns.items(), values.T, strict=True):
            found[name] = Null(**about, **spread(column, info, way.together), noise=as_noise[name])
    return found


def most_draws(metrics: Sequence[Any]) -> int:
    """The number of draws of the metric with the most of them."""
    return max((metric.draws for metric in metrics), default=0)
