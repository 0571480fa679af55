"""Orthogonal regularization: the filters of a layer are pulled towards orthogonality (Brock et al. 2017, 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.nn.weights import Weights
from ganbench.regularizers import Regularizer


@dataclass(frozen=True)
class Orthogonal(Regularizer):
    """strength sum_W |W W^T - I|^2 over the weights W of a player's layers, one row for each index of the first axis of
    the weight: a filter of a convolution, an input channel of a transposed one, a class of an embedding.

    The kind `off_diagonal` leaves out the diagonal of W W^T, so that filters may have any length (Brock, Donahue and
    Simonyan 2019, equation 3, with strength 1e-4 for the generator; the authors' code takes half of this gradient);
    `full` keeps it (Brock et al. 2017, who take absolute values in place of squares). Parameters with fewer than two
    axes, such as biases, have no penalty.
    """

    strength: Annotated[float, Interval(ge=0)] = 1e-4
    kind: Literal["off_diagonal", "full"] = "off_diagonal"
    players: Literal["discriminator", "generator", "both"] = "generator"
    every: Annotated[int, Interval(ge=1, le=1_000_000)] = 1

    def supports(self, game: Any) -> str | None:
        return None if "architecture" in game.components else "it is for networks, but this game's players have none"

    def weight_penalty(self, player: str, weights: Weights) -> Tensor | None:
        if self.players not in ("both", player):
            return None
        penalties = [self._of_layer(weight.flatten(2)) for weight in weights.values() if weight.dim() > 2]
        return self.strength * sum(penalties[1:], penalties[0]) if penalties else None

    def _of_layer(self, rows: Tensor) -> Tensor:
        """The penalty, (K,), of weights (K, rows, values)."""
        products = rows @ rows.mT
        if self.kind == "off_diagonal":
            products = products - products.diagonal(dim1=1, dim2=2).diag_embed()
        else:
            products = products - products.new_ones(products.shape[1]).diag()
        return products.square().sum((1, 2))
