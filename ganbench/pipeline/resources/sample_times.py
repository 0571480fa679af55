"""Timing of what a snapshot takes: generating its examples, and scoring them.

Generating depends on the network, and scoring on the data set, the judge and the metrics, so that scoring is timed once
for all methods on a data set.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ganbench.engine.sampler import Sampler
from ganbench.engine.scoring import Scorer
from ganbench.pipeline.execution.instantiation import CPU
from ganbench.pipeline.resources import timing

FEW_SAMPLES = 64  # number of samples that are timed first
SAMPLES_SECONDS = 0.5  # time of these beyond which no more are timed


def generating_seconds(
    sampler: Sampler, generator: np.ndarray, buffers: dict[str, np.ndarray], samples: int, device: torch.device
) -> float:
    """The seconds to generate the examples of one snapshot.

    Args:
        sampler: the generator.
        generator: the generator's parameters, (P,).
        buffers: the generator's buffers by name.
        samples: the number of examples to generate.
        device: the device that generates them.
    """
    return _seconds_of_samples(lambda count: sampler.examples(generator, buffers, 0, count), samples, device)


def scoring_seconds(scorer: Scorer, examples: np.ndarray, samples: int) -> float:
    """The seconds to judge and score the examples of one snapshot, on the CPU.

    Args:
        scorer: the judge and the metrics.
        examples: some examples (n, *shape), numbers as judges see them; taken in turn where more are scored.
        samples: the number of examples to score.
    """
    return _seconds_of_samples(lambda count: scorer.score(np.resize(examples, (count, *examples.shape[1:]))), samples)


def _seconds_of_samples(work: Callable[[int], object], samples: int, device: torch.device = CPU) -> float:
    """The seconds of work on so many samples, timed on `timing.MAX_SAMPLES` of them at most.

    A few are timed first, which also prepares whatever is made once; they stand for all where they take long.
    """
    few = min(samples, FEW_SAMPLES)
    first = timing.seconds_of(lambda: work(few), device)
    if first > SAMPLES_SECONDS:
        return first * samples / few
    tried = min(samples, timing.MAX_SAMPLES)
    return timing.seconds_of(lambda: work(tried), device) * samples / tried
