"""What diagnostics are given, and what they give: runs of one game, and numbers about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class Trajectories:
    """Runs of one game that differ in seed, learning rate and number of examples only.

    Args:
        match: the game with its members.
        dynamics, optimizer: what moved the players.
        rate: learning rates, (K, 1).
        steps: training steps after which snapshots were kept, (S,), 0 among them.
        path: the players at the snapshots, {player: (K, S, P)}; NaN from where a member diverged on.
    """

    match: Match
    dynamics: Any
    optimizer: Any
    rate: Tensor
    steps: np.ndarray
    path: dict[str, Tensor]

    def at(self, snapshot: int) -> Players:
        """The players at a snapshot, (K, P) each; -1 is the last."""
        return {player: theta[:, snapshot] for player, theta in self.path.items()}

    def batch(self) -> Batch:
        """A batch to look at the game with, the same at every snapshot: the first of training."""
        return self.match.draw(0, self.dynamics.batches_per_step)[0]

    @property
    def theta(self) -> Tensor:
        """Both players' parameters as one vector, (K, S, P)."""
        return torch.cat([self.path[player] for player in self.match.players], dim=2)


@dataclass(frozen=True)
class DiagnosticResult:
    """What an instrument shows: a number per run for each of its columns, (K,), and arrays (K, ...) to draw. Of the
    study, numbers and arrays have no member axis. A number that does not exist is NaN."""

    values: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
