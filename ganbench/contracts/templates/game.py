"""A saddle of two numbers, between rotation and descent: no networks, no data, and no discriminator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.games import Aux, Batch, Game, Member, Players, drawn_or_given


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MyGame(Game):
    """f(x, y) = x y - (curvature / 2) (x^2 - y^2); x ascends and y descends, so L_x = -f and L_y = f. The eigenvalues
    of the simultaneous gradient's Jacobian at (0, 0) are curvature +- i.
    """

    curvature: Annotated[float, Interval(ge=0)] = 0.1
    """Strength of the descent beside the rotation, the real part of the eigenvalues."""
    initial_parameters: tuple[float, ...] = ()
    """Initial values of x and y; without them each is drawn from a standard normal distribution."""

    players: ClassVar[tuple[str, str]] = ("x", "y")  # the ascending player, or the discriminator, first

    @property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        # The names of each player's P parameters.
        return {"x": ("x",), "y": ("y",)}

    def start(self, member: Member) -> dict[str, Tensor]:
        # (P,) of each player, of the run's seed alone.
        return drawn_or_given(self.initial_parameters, member, self.parameters)

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        # Parameters are (K, P) of each player, of K runs, which must not mix; the loss is (K,). A game with random
        # numbers draws them in `sample`, and finds them in `batch`. A game of a discriminator and a generator derives
        # from `Adversarial`, and then takes an objective and a regularizer.
        x, y = (players[name][:, 0] for name in ("x", "y"))
        value = x * y - self.curvature / 2 * (x.square() - y.square())
        return (-value if player == "x" else value), {}
