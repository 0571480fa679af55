"""The game with any linear vector field of two numbers: every kind of fixed point of a plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ganbench.games import Aux, Batch, Game, Member, Players, drawn_or_given


@dataclass(frozen=True)
class Linear(Game):
    """L_x = a/2 x^2 + b x y and L_y = c x y + d/2 y^2 with (a, b, c, d) the `matrix`, so F = J (x, y) with
    J = [[a, b], [c, d]] everywhere, and descent follows -F: a node, a focus, a centre or a saddle, by the eigenvalues
    of J. b = c is ordinary minimisation, b = -c with a = d = 0 pure rotation (the default).
    """

    matrix: tuple[float, float, float, float] = (0.0, 1.0, -1.0, 0.0)
    """Entries a, b, c, d of J, row by row."""
    initial_parameters: tuple[float, ...] = ()
    """Initial values of x and y; without them each is drawn from a standard normal distribution."""

    players: ClassVar[tuple[str, str]] = ("x", "y")

    @property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        return {"x": ("x",), "y": ("y",)}

    def start(self, member: Member) -> dict[str, Tensor]:
        return drawn_or_given(self.initial_parameters, member, self.parameters)

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        a, b, c, d = self.matrix
        x, y = players["x"], players["y"]
        value = a / 2 * x.square() + b * x * y if player == "x" else c * x * y + d / 2 * y.square()
        return value.sum(-1), {}
