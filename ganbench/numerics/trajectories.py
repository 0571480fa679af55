"""Input and output of diagnostics: trajectories of runs, and results about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.games import Batch, Buffers, LearningRates, Match, Players
from ganbench.numerics.run_examples import RunExamples


def constant(step: int) -> float:
    """The factor of learning rates that do not change."""
    return 1.0


@dataclass(frozen=True)
class Trajectories:
    """Trained runs of one game that differ in seed, learning rates and number of examples only.

    Attributes:
        match: the game with its K members, as before training; `match_at` has the networks' buffers of a snapshot.
        dynamics, optimizer: the method by which they were trained.
        rates: learning rates, (K, 1) of each player.
        steps: steps of the snapshots, (S,), the first of them 0.
        path: the parameters at the snapshots, {player: (K, S, P)}; NaN from the divergence of a member on.
        buffers: the networks' buffers at the snapshots, (K, S, ...) by name; empty if there are none, and in the
            laboratory, where networks have their initial ones.
        schedule: the factor of the learning rates in each training step.
        samples: generated and real examples of the runs; None for games without data, and in the laboratory.
        ema_decay: decay of the moving average of the parameters; None for none.
    """

    match: Match
    dynamics: Any
    optimizer: Any
    rates: LearningRates
    steps: np.ndarray
    path: dict[str, Tensor]
    buffers: Buffers = field(default_factory=dict)
    schedule: Callable[[int], float] = constant
    samples: RunExamples | None = None
    ema_decay: float | None = None

    def match_at(self, snapshot: int) -> Match:
        """The game with the buffers at the snapshot with this index; -1 is the last."""
        match = self.match.select(range(len(self.match.members)))
        if self.buffers:
            match.buffers = {name: values[:, snapshot] for name, values in self.buffers.items()}
        return match

    def at(self, snapshot: int) -> Players:
        """The parameters at the snapshot with this index, (K, P) of each player; -1 is the last."""
        return {player: theta[:, snapshot] for player, theta in self.path.items()}

    def batch(self) -> Batch:
        """The batch for computing losses and gradients, the same at every snapshot: the first of training."""
        return self.match.draw(0, self.dynamics.batches_per_step)[0]

    @property
    def theta(self) -> Tensor:
        """Both players' parameters as one vector, (K, S, P)."""
        return torch.cat([self.path[player] for player in self.match.players], dim=2)


@dataclass(frozen=True)
class DiagnosticResult:
    """The results of a diagnostic. Results of a diagnostic of the study have no axis of members.

    Attributes:
        values: a number per run for each column, (K,); NaN where it does not exist.
        arrays: arrays to draw, (K, ...).
    """

    values: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
