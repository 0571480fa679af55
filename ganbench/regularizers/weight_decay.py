"""Weight decay as a loss: the squared norm of a player's parameters (Krogh and Hertz 1992)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.nn.weights import Weights
from ganbench.regularizers import Regularizer


@dataclass(frozen=True)
class WeightDecay(Regularizer):
    """(strength / 2) |theta|^2, added to the loss of the players named: it is part of the game for every method."""

    strength: Annotated[float, Interval(ge=0)] = 1e-4
    """Weight of the penalty."""
    players: Literal["discriminator", "generator", "both"] = "both"
    """The players whose loss has the penalty."""

    def weight_penalty(self, player: str, weights: Weights) -> Tensor | None:
        return self.strength / 2 * weights.vector.square().sum(-1) if self.players in ("both", player) else None
