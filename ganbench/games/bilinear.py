"""The bilinear game x^T M y: the smallest game whose players circle each other without end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.games import Aux, Batch, Game, Member, Players, drawn_or_given
from ganbench.nn.constants import constant


@dataclass(frozen=True)
class Bilinear(Game):
    """f(x, y) = x^T M y; x ascends, y descends, so L_x = -f and L_y = f. The only equilibrium is (0, 0), and J there
    has the eigenvalues +- i s, with s the singular values of M, which are `singular_values`: one is the scalar game
    f = s x y. M is diagonal, as every matrix is in suitable coordinates.

    Raises:
        GanbenchError: `singular_values` is empty.
    """

    singular_values: tuple[Annotated[float, Interval(ge=0)], ...] = (1.0,)
    """Singular values s of M, whose number is that of each player's parameters; one is the scalar game s x y."""
    initial_parameters: tuple[float, ...] = ()
    """Initial values of x and then y; without them each is drawn from a standard normal distribution."""

    players: ClassVar[tuple[str, str]] = ("x", "y")

    def __post_init__(self) -> None:
        if not self.singular_values:
            raise GanbenchError("game 'bilinear': singular_values must be at least one number, but is ().")

    @property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        size = len(self.singular_values)
        return {player: (player,) if size == 1 else tuple(f"{player}{i}" for i in range(size)) for player in "xy"}

    def start(self, member: Member) -> dict[str, Tensor]:
        return drawn_or_given(self.initial_parameters, member, self.parameters)

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        x, y = players["x"], players["y"]
        value = (x * y * constant(self.singular_values, x)).sum(-1)
        return (-value if player == "x" else value), {}
