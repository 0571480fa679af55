"""Ordinary minimisation, for contrast: both players descend the same quadratic function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.games import Aux, Batch, Game, Member, Players, drawn_or_given
from ganbench.nn.constants import constant


@dataclass(frozen=True)
class Quadratic(Game):
    """f(t) = 1/2 sum_i a_i t_i^2 with a the `curvatures`, L_x = L_y = f. J is diagonal with the eigenvalues a_i, so
    nothing turns: gradient descent multiplies every coordinate by 1 - rate a_i, which is stable for
    0 < rate < 2 / max a. A negative curvature makes 0 a saddle.

    The first half of the coordinates (the larger half, if their number is odd) is x, the rest is y. Which player owns a
    coordinate matters only to alternating descent, in the order of its steps.

    Raises:
        GanbenchError: there are fewer than two curvatures.
    """

    curvatures: tuple[float, ...] = (1.0, 1.0)
    """Second derivatives a_i of the function, one for each coordinate, two or more."""
    initial_parameters: tuple[float, ...] = ()
    """Initial values of x and then y; without them each is drawn from a standard normal distribution."""

    players: ClassVar[tuple[str, str]] = ("x", "y")

    def __post_init__(self) -> None:
        if len(self.curvatures) < 2:
            raise GanbenchError(
                f"game 'quadratic': curvatures must be at least two numbers, one for each player, "
                f"but is {self.curvatures}."
            )

    @property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        sizes = {"x": (len(self.curvatures) + 1) // 2, "y": len(self.curvatures) // 2}
        return {
            player: (player,) if size == 1 else tuple(f"{player}{i}" for i in range(size))
            for player, size in sizes.items()
        }

    def start(self, member: Member) -> dict[str, Tensor]:
        return drawn_or_given(self.initial_parameters, member, self.parameters)

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        point = torch.cat([players["x"], players["y"]], dim=1)
        return (constant(self.curvatures, point) * point.square()).sum(-1) / 2, {}
