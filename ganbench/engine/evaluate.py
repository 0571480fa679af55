"""Scores of a run: its generator at every snapshot, compared with real examples."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import values_fault
from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.games.gan import initial_module, latent_points
from ganbench.judges import JudgedExamples
from ganbench.nn.network import Network

BATCH = 500  # generated together; architectures that normalise by batch see batches of this size


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
    def of(cls, judge: Any, state: Tree, metrics: Sequence[Any], data: DataSpec, train: np.ndarray) -> Scorer:
        """A scorer with the metrics that support the data.

        Args:
            judge, state: the judge and its state.
            metrics: the metrics.
            data: the data set.
            train: the real training examples, (n, *shape).
        """
        real = judge.judge(state, train)
        ready = tuple((metric, metric.reference(real)) for metric in metrics if metric.supports(data) is None)
        return cls(judge, state, ready)

    def score(self, examples: np.ndarray) -> dict[str, float]:
        """The metrics of generated examples.

        Args:
            examples: the examples, (n, *shape).

        Returns:
            A value for each column; all NaN if an example is not finite, or so large that the judge's features
            overflow.

        Raises:
            GanbenchError: a metric's values are not those of its columns, or it changes its arguments.
        """
        judged: JudgedExamples | None = self.judge.judge(self.state, examples) if np.isfinite(examples).all() else None
        if judged is None or not np.isfinite(judged.features).all():
            return {column: float("nan") for metric, _ in self.metrics for column in metric.columns}
        scores, content = {}, _checksum(judged)
        for metric, known in self.metrics:
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


def _checksum(judged: JudgedExamples) -> list[int]:
    arrays = (judged.examples, judged.features, judged.mode, judged.confident)
    return [zlib.crc32(np.ascontiguousarray(array)) for array in arrays]


def evaluate(
    scorer: Scorer,
    architecture: Any,
    data: DataSpec,
    seed: int,
    generators: np.ndarray,
    samples: int,
    shown: int,
    device: torch.device,
) -> Tree:
    """Score every snapshot of a run.

    Args:
        scorer: what scores.
        architecture, data: what the generator is.
        seed: of the run: its latent points for evaluation are the same at every snapshot.
        generators: its parameters at every snapshot, (S, P).
        samples: how many examples to generate and score.
        shown: how many of them to keep.
        device: where to generate.

    Returns:
        `metrics`: {column: (S,)}, and `samples`: (S, shown, *shape).
    """
    network = Network(initial_module(architecture, "generator", data, seed=0)).to(device, torch.float32)
    latent = latent_points(seed, samples, architecture.latent_size).to(device)
    scores, kept = [], []
    for theta in torch.from_numpy(generators).to(device, torch.float32):
        with torch.no_grad():
            parts = [network(theta[None], part[None])[0].cpu() for part in latent.split(BATCH)]
        examples = torch.cat(parts).numpy()
        scores.append(scorer.score(examples))
        kept.append(examples[:shown])
    return {
        "metrics": {name: np.array([score[name] for score in scores]) for name in scores[0]},
        "samples": np.stack(kept),
    }
