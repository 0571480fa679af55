"""Diagnostics, one file each: instruments that say why a method turns, runs off or settles.

A member defines a frozen dataclass `Diagnostic` derived from `Diagnostic`, whose fields are its options. It looks at
runs of one game as training left them, all members of a pack at once: at the game itself, at the path that training
took, and at the dynamics that took it. Shapes begin with the member axis K. What does not look at runs at all (a
calculator) sets `of` to "study" and is asked once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ganbench.core.metric_info import MetricInfo
from ganbench.games import Batch, Game, Match, Players


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
    def trajectory(self) -> Tensor:
        """Both players' parameters as one vector, (K, S, P)."""
        return torch.cat([self.path[player] for player in self.match.players], dim=2)


@dataclass(frozen=True)
class DiagnosticResult:
    """What an instrument shows: a number per run for each of its columns, (K,), and arrays (K, ...) to draw. Of the
    study, numbers and arrays have no member axis. A number that does not exist is NaN."""

    values: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class Diagnostic(ABC):
    """What a file of this family says of its instrument."""

    of: ClassVar[Literal["runs", "study"]] = "runs"

    def supports(self, game: Game) -> str | None:
        """None, or why the instrument cannot look at this game, and what it could look at."""
        return None

    @abstractmethod
    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        """What each of its numbers means, by name."""

    @abstractmethod
    def measure(self, played: Trajectories | None) -> DiagnosticResult:
        """Look; at None if it looks at the study."""
