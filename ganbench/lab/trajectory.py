"""Trajectories through a game, and diagnostics of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ganbench.core.errors import GanbenchError
from ganbench.diagnostics import DiagnosticResult, Trajectories
from ganbench.games import Match
from ganbench.lab.component_specs import ComponentSpec, build_from_spec
from ganbench.lab.points import points_to_players

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """Trajectories of K members through a game of P parameters, with S snapshots.

    The values of a member that diverges are inf or NaN from that step on, as computed.

    Attributes:
        trajectory: the parameters that the dynamics hands out (its average, if it averages), (K, S, P) float64.
        losses: of each player at these parameters, on the batch that the next step begins with: {player: (K, S)}.
        steps: numbers of steps taken before each snapshot, (S,), 0 first.
        parameters: names, in the order of the last axis of `trajectory`.
        learning_rate: of the first player, (K,).
        generator_learning_rate: of the second player, (K,).
        seed: of the members, (K,).
        gradients_per_step: gradients of one player's loss that one step costs, by which dynamics are compared fairly.
        match, dynamics, optimizer: the objects that played.
    """

    trajectory: np.ndarray
    losses: dict[str, np.ndarray]
    steps: np.ndarray
    parameters: tuple[str, ...]
    learning_rate: np.ndarray
    generator_learning_rate: np.ndarray
    seed: np.ndarray
    gradients_per_step: int
    match: Match
    dynamics: Any
    optimizer: Any

    def __repr__(self) -> str:
        members, snapshots, size = self.trajectory.shape
        return f"Trajectory({members} members, {self.steps[-1]} steps, {snapshots} snapshots, {size} parameters)"

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
        """Factor by which the radius changes in a step, (K,): the geometric mean up to the last snapshot before
        the radius is 0 or not finite. NaN if the radius is 0 at the first step."""
        radius = self.radius
        with np.errstate(all="ignore"):
            sound = np.isfinite(radius) & (radius > 0)
            last = np.where(sound.all(1), radius.shape[1], sound.argmin(1)) - 1
            ratio = radius[np.arange(len(radius)), last] / radius[:, 0]
            return np.where(last > 0, ratio ** (1 / np.maximum(self.steps[last], 1)), np.nan)

    @property
    def diverged(self) -> np.ndarray:
        """The first kept step with a parameter that is not finite, (K,); -1 if there is none."""
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

    def measure(self, diagnostic: ComponentSpec | Any) -> DiagnosticResult:
        """Measure these paths with a diagnostic of `ganbench/diagnostics`.

        Args:
            diagnostic: its name, signature, mapping or object: `path`, `{"name": "spectrum", "at": "start"}`.

        Raises:
            GanbenchError: an unknown diagnostic, or one that does not support this game.
        """
        chosen = build_from_spec("diagnostic", diagnostic)
        if chosen.needs_judge:
            raise GanbenchError(f"diagnostic {diagnostic!r} judges examples, which takes a study with a fitted judge.")
        if why := chosen.unsupported(self.match.game):
            raise GanbenchError(f"diagnostic {diagnostic!r} does not support this game: {why}.")
        path = np.where(np.isfinite(self.trajectory).all(-1, keepdims=True), self.trajectory, np.nan)
        players = points_to_players(self.match, path.reshape(-1, path.shape[2]))
        paths = {player: theta.reshape(*path.shape[:2], -1) for player, theta in players.items()}
        of_players = (self.learning_rate, self.generator_learning_rate)
        rates = {
            player: torch.as_tensor(rate, dtype=self.match.dtype, device=self.match.device)[:, None]
            for player, rate in zip(self.match.players, of_players, strict=True)
        }
        return chosen.measure(Trajectories(self.match, self.dynamics, self.optimizer, rates, self.steps, paths))
