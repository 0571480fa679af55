"""Weight clipping (Arjovsky, Chintala and Bottou 2017, algorithm 1): parameters are kept in a box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.regularizers import Regularizer


@dataclass(frozen=True)
class WeightClipping(Regularizer):
    """After each of their steps, the players' parameters are clipped to [-limit, limit]."""

    limit: Annotated[float, Interval(gt=0)] = 0.01
    players: Literal["discriminator", "both"] = "discriminator"

    def project(self, player: str, theta: Tensor) -> Tensor:
        return theta.clamp(-self.limit, self.limit) if self.players in ("both", player) else theta
