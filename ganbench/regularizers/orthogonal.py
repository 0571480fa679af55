"""Orthogonal regularization: the filters of a layer are pulled towards orthogonality (Brock et al. 2017, 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from ganbench.core.interval import Interval
from ganbench.nn.weights import Weights
from ganbench.regularizers import Regularizer


@dataclass(frozen=True)
class Orthogonal(Regularizer):
    """strength sum_W |W W^T - I|^2 over the weights W of a player's layers, one row for each index of the first axis of
    the weight: a filter of a convolution, an input channel of a transposed one.

    The kind `off_diagonal` leaves out the diagonal of W W^T, so that filters may have any length (Brock, Donahue and
    Simonyan 2019, equation 3, with strength 1e-4 for the generator; the authors' code takes half of this gradient);
    `full` keeps it (Brock et al. 2017, who take absolute values in place of squares). Parameters with fewer than two
    axes, such as biases, have no penalty.

    Networks with other parameters of two axes or more are refused, where the penalty would mean something else: gains
    of conditional batch normalisation, which start equal for all labels, would be driven to 0, as would the lengths of
    filters under weight normalisation, and weights with an equalised learning rate are not what their layers multiply
    by. With spectral normalisation the penalty is of the weights before it, as in the authors' code.
    """

    strength: Annotated[float, Interval(ge=0)] = 1e-4
    """Weight of the penalty, beta of Brock, Donahue and Simonyan (2019)."""
    kind: Literal["off_diagonal", "full"] = "off_diagonal"
    """Entries of W W^T - I that are penalised: 'off_diagonal' ones alone, or 'full', all of them."""
    players: Literal["discriminator", "generator", "both"] = "generator"
    """The players whose networks have the penalty."""
    every: Annotated[int, Interval(ge=1, le=1_000_000)] = 1

    def unsupported(self, game: Any) -> str | None:
        if "architecture" not in game.families:
            return "it is for networks, but this game's players have none"
        for player in game.players if self.players == "both" else (self.players,):
            if other := _no_weight(game.networks[player].module):
                return (
                    f"it is for the weights of linear and convolutional layers, but the {player}'s {other!r} is none "
                    "as it stands: it belongs to an embedding, weight normalisation, an equalised learning rate or no "
                    "layer; choose another architecture or option, or the other player"
                )
        return None

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


def _no_weight(network: nn.Module) -> str | None:
    """The first parameter of two axes or more that is no weight of a linear or convolutional layer; None for none."""
    weights = {
        f"{name}.{weight}".removeprefix(".")
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear | _ConvNd)
        for weight in ("weight", "parametrizations.weight.original")
    }
    return next((name for name, each in network.named_parameters() if each.dim() > 1 and name not in weights), None)
