"""Paths through a game, and what instruments show of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ganbench.core.errors import GanbenchError
from ganbench.diagnostics import DiagnosticResult, Trajectories
from ganbench.games import Match
from ganbench.lab import building, starts
from ganbench.lab.building import Part

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """Paths of K members through a game of P parameters, looked at after S of the steps.

    A member that runs off has inf and NaN from there on, as they came.

    Attributes:
        trajectory: the parameters that the dynamics hands out (its average, if it averages), (K, S, P) float64.
        losses: of each player at these parameters, on the batch that the next step begins with: {player: (K, S)}.
        steps: after which it was looked, (S,), 0 first.
        parameters: names, in the order of the last axis of `trajectory`.
        learning_rate, seed: of the members, (K,).
        evaluations: gradients of one player's loss that one step costs, by which dynamics are compared fairly.
        match, dynamics, optimizer: the objects that played.
    """

    trajectory: np.ndarray
    losses: dict[str, np.ndarray]
    steps: np.ndarray
    parameters: tuple[str, ...]
    learning_rate: np.ndarray
    seed: np.ndarray
    gradients_per_step: int
    match: Match
    dynamics: Any
    optimizer: Any

    def __repr__(self) -> str:
        members, looks, size = self.trajectory.shape
        return f"Trajectory({members} members, {self.steps[-1]} steps looked at {looks} times, {size} parameters)"

    @property
    def radius(self) -> np.ndarray:
        """Distance from the origin, (K, S)."""
        with np.errstate(all="ignore"):
            largest = np.abs(self.trajectory).max(-1)
            usable = np.isfinite(largest) & (largest > 0)
            scale = np.where(usable, largest, 1.0)  # so that squares do not overflow
            lengths = scale * np.sqrt(np.square(self.trajectory / scale[..., None]).sum(-1))
        return np.where(usable, lengths, largest)

    @property
    def growth(self) -> np.ndarray:
        """Factor by which the radius changes in a step, (K,): the geometric mean, up to where the radius is 0 or no
        number any more. Above 1 a member runs off, below 1 it draws in. NaN where it never moved from the origin."""
        radius = self.radius
        with np.errstate(all="ignore"):
            sound = np.isfinite(radius) & (radius > 0)
            last = np.where(sound.all(1), radius.shape[1], sound.argmin(1)) - 1
            ratio = radius[np.arange(len(radius)), last] / radius[:, 0]
            return np.where(last > 0, ratio ** (1 / np.maximum(self.steps[last], 1)), np.nan)

    @property
    def diverged(self) -> np.ndarray:
        """The first step looked at with a parameter that is no finite number, (K,); -1 if there is none."""
        bad = ~np.isfinite(self.trajectory).all(-1)
        return np.where(bad.any(1), self.steps[bad.argmax(1)], -1)

    def frame(self) -> pd.DataFrame:
        """A table with a row for every member and step: `member`, `step`, the parameters by their names, and the losses
        as `<player>_loss`."""
        import pandas as pd

        members, steps, size = self.trajectory.shape
        values = [self.trajectory.reshape(-1, size), *(loss.reshape(-1, 1) for loss in self.losses.values())]
        table = pd.DataFrame(
            np.concatenate(values, axis=1), columns=[*self.parameters, *(f"{player}_loss" for player in self.losses)]
        )
        table.insert(0, "member", np.repeat(np.arange(members), steps))
        table.insert(1, "step", np.tile(self.steps, members))
        return table

    def measure(self, instrument: Part | Any) -> DiagnosticResult:
        """What an instrument of `ganbench/diagnostics` shows of these paths.

        Args:
            instrument: its name, label, mapping or object: `path`, `{"name": "spectrum", "at": "start"}`.

        Raises:
            GanbenchError: there is no such instrument, or it cannot look at this game.
        """
        looking = building.part("diagnostic", instrument)
        if why := looking.supports(self.match.game):
            raise GanbenchError(f"{instrument!r} cannot look at this game: {why}.")
        path = np.where(np.isfinite(self.trajectory).all(-1, keepdims=True), self.trajectory, np.nan)
        players = starts.players(self.match, path.reshape(-1, path.shape[2]))
        paths = {player: theta.reshape(*path.shape[:2], -1) for player, theta in players.items()}
        rate = torch.as_tensor(self.learning_rate, dtype=self.match.dtype, device=self.match.device)[:, None]
        return looking.measure(Trajectories(self.match, self.dynamics, self.optimizer, rate, self.steps, paths))
