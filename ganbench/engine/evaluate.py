"""Scores of a run: its generator at every snapshot, compared with real examples."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import averaged, values_fault
from ganbench.core.tree import Tree
from ganbench.data import DataSpec, Examples
from ganbench.engine.sampler import Sampler
from ganbench.judges import JudgedExamples, judge_stored

MOST = 50_000  # real examples of a reference, as of an FID


@dataclass(frozen=True)
class Scorer:
    """A trained judge, and metrics with their references for the real training examples.

    Attributes:
        judge: the judge.
        state: the judge's state.
        metrics: (metric, its reference) of each metric that supports the data.
    """

    judge: Any
    state: Tree
    metrics: tuple[tuple[Any, Any], ...]

    @classmethod
    def of(cls, judge: Any, state: Tree, metrics: Sequence[Any], data: DataSpec, examples: Examples) -> Scorer:
        """A scorer with the metrics that support the data.

        Args:
            judge, state: the judge and its state.
            metrics: the metrics.
            data: the data set.
            examples: the real examples of the data set, as they are stored.
        """
        seen = data_seen_by(judge, data)
        real, heldout = (
            judge_stored(judge, state, reference_examples(part)) for part in (examples.train, examples.heldout)
        )
        ready = tuple((metric, metric.reference(real, heldout)) for metric in metrics if metric.supports(seen) is None)
        return cls(judge, state, ready)

    def score(self, examples: np.ndarray) -> dict[str, float]:
        """The metrics of generated or held-out examples.

        Args:
            examples: the examples as they are stored, (n, *shape).

        Returns:
            A value for each column; all NaN if an example is not finite, or so large that the judge's features
            overflow, and NaN of a metric that takes more examples.

        Raises:
            GanbenchError: a metric's values are not those of its columns, or it changes its arguments.
        """
        judged = judge_stored(self.judge, self.state, examples) if np.isfinite(examples).all() else None
        if judged is None or not np.isfinite(judged.features).all():
            return {column: float("nan") for metric, _ in self.metrics for column in metric.columns}
        scores, content = {}, _checksum(judged)
        for metric, known in self.metrics:
            if len(examples) < metric.fewest:
                scores |= {column: float("nan") for column in metric.columns}
                continue
            given = metric.score(judged, known)
            if fault := values_fault(metric.columns, given):
                raise GanbenchError(f"metric {inspect.getfile(type(metric))}: its score() {fault}.")
            if _checksum(judged) != content:
                raise GanbenchError(
                    f"metric {inspect.getfile(type(metric))}: its score() changes the judged examples, which other "
                    "metrics use too; work on copies."
                )
            scores |= {name: float(value) for name, value in given.items()}
        return scores


def reference_examples(real: np.ndarray) -> np.ndarray:
    """The real examples that generated ones are compared with: all, or every second, third ... of many."""
    return real[:: -(-len(real) // MOST)]


def data_seen_by(judge: Any, data: DataSpec) -> DataSpec:
    """A data set as a judge knows it: without modes if it tells none apart."""
    return data if judge.tells_modes else replace(data, modes=0)


def _checksum(judged: JudgedExamples) -> list[int]:
    arrays = (judged.stored, judged.features, judged.mode, judged.confident)
    return [zlib.crc32(np.ascontiguousarray(array)) for array in arrays if array is not None]


def evaluate(
    scorer: Scorer,
    sampler: Sampler,
    seed: int,
    generators: Sequence[np.ndarray],
    buffers: Mapping[str, np.ndarray],
    samples: int,
    shown: int,
    average: Sequence[np.ndarray] | None = None,
) -> Tree:
    """Score every snapshot of a run.

    Args:
        scorer: the judge and the metrics.
        sampler: the generator.
        seed: seed of the run; its latent points for evaluation are the same at every snapshot.
        generators: the generator's parameters at every snapshot, (S, P).
        buffers: its buffers at every snapshot, (S, ...) each.
        samples: number of examples to generate and score.
        shown: number of these examples to keep.
        average: the moving average of the generator's parameters at every snapshot, (S, P), which is scored too; the
            buffers are those of the generator, as in `torch.optim.swa_utils.AveragedModel`.

    Returns:
        `metrics`: {column: (S,)}, and `samples`: (S, shown, *shape).
    """
    scores, kept = [], []
    for index, theta in enumerate(generators):
        at = {name: values[index] for name, values in buffers.items()}
        examples = sampler.examples(theta, at, seed, samples)
        kept.append(examples[:shown])
        score = scorer.score(examples)
        if average is not None:
            of_average = scorer.score(sampler.examples(average[index], at, seed, samples))
            score |= {averaged(name): value for name, value in of_average.items()}
        scores.append(score)
    return {
        "metrics": {name: np.array([score[name] for score in scores]) for name in scores[0]},
        "samples": np.stack(kept),
    }
