"""Weight clipping (Arjovsky, Chintala and Bottou 2017, algorithm 1): parameters are kept in a box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from ganbench.core.interval import Interval
from ganbench.nn.equalised import EqualisedConv2d, EqualisedLinear
from ganbench.nn.weights import Weights
from ganbench.regularizers import Regularizer


@dataclass(frozen=True)
class WeightClipping(Regularizer):
    """After each of their steps, the players' parameters are clipped to [-clip_value, clip_value].

    Networks with spectral normalisation, another parametrization of weights, or an equalised learning rate are refused:
    their parameters are not the weights that layers multiply by. With spectral normalisation their size does not matter
    at all, and with an equalised learning rate, which starts them from N(0, 1), each layer would be confined to a box
    of its own.
    """

    clip_value: Annotated[float, Interval(gt=0)] = 0.01
    """Largest absolute value of a parameter, c."""
    players: Literal["discriminator", "both"] = "discriminator"
    """The players whose parameters are clipped."""

    def unsupported(self, game: Any) -> str | None:
        networks = game.networks if "architecture" in game.families else {}
        for player, network in networks.items():
            if self.players in ("both", player) and (other := _reparametrised(network.module)):
                return (
                    f"it clips parameters, but the weights of the {player} are a function of its parameters, of "
                    f"{other!r} for one, as with spectral or weight normalisation or an equalised learning rate, so "
                    f"that clipping would not confine them; choose a {player} without, by the options of "
                    "its architecture or by another architecture"
                )
        return super().unsupported(game)

    def project(self, player: str, weights: Weights) -> Mapping[str, Tensor]:
        if self.players not in ("both", player):
            return {}
        return weights.map(lambda values: values.clamp(-self.clip_value, self.clip_value))


def _reparametrised(network: nn.Module) -> str | None:
    """The first parameter of a layer that multiplies by a function of its parameters; None for none."""
    layers = ParametrizationList | EqualisedLinear | EqualisedConv2d
    found = ((name, layer) for name, layer in network.named_modules() if isinstance(layer, layers))
    return next((f"{name}.{own}".removeprefix(".") for name, layer in found for own in layer._parameters), None)
