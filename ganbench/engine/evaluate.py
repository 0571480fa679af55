"""Judging a run: its generator, at every snapshot, against real examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.games.gan import initial_module, latent_points
from ganbench.judges import Look
from ganbench.nn.network import Network

BATCH = 500  # generated together; architectures that normalise by batch see batches of this size


@dataclass(frozen=True)
class Panel:
    """A judge with its memory, and the metrics with what they need of the real training examples."""

    judge: Any
    memory: Tree
    metrics: tuple[tuple[Any, Any], ...]  # (metric, its reference)

    @classmethod
    def of(cls, judge: Any, memory: Tree, metrics: Sequence[Any], data: DataSpec, train: np.ndarray) -> Panel:
        """The metrics that support the data, ready to score."""
        real = judge.look(memory, train)
        ready = tuple((metric, metric.reference(real)) for metric in metrics if metric.supports(data) is None)
        return cls(judge, memory, ready)

    def score(self, examples: np.ndarray) -> dict[str, float]:
        """Every metric of the examples; all NaN where the generator gave out numbers that are none."""
        if not np.isfinite(examples).all():
            return {column: float("nan") for metric, _ in self.metrics for column in metric.columns}
        seen: Look = self.judge.look(self.memory, examples)
        return {name: value for metric, known in self.metrics for name, value in metric.score(seen, known).items()}


def evaluate(
    panel: Panel,
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
        panel: what scores.
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
        scores.append(panel.score(examples))
        kept.append(examples[:shown])
    return {
        "metrics": {name: np.array([score[name] for score in scores]) for name in scores[0]},
        "samples": np.stack(kept),
    }
