"""Weight clipping (Arjovsky, Chintala and Bottou 2017, algorithm 1): parameters are kept in a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.regularizers import Hooks


@dataclass(frozen=True)
class Regularizer(Hooks):
    """After every move of theirs, the players' parameters are put back into [-limit, limit].

    Raises:
        GanbenchError: the limit is not positive.
    """

    limit: float = 0.01
    players: Literal["discriminator", "both"] = "discriminator"

    def __post_init__(self) -> None:
        if not self.limit > 0:
            raise GanbenchError(f"regularizer 'weight_clipping': limit must be positive, but is {self.limit}.")

    def project(self, player: str, theta: Tensor) -> Tensor:
        return theta.clamp(-self.limit, self.limit) if self.players in ("both", player) else theta
