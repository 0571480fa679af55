"""Weight clipping (Arjovsky, Chintala and Bottou 2017, algorithm 1): parameters are kept in a box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.nn.weights import Weights
from ganbench.regularizers import Regularizer


@dataclass(frozen=True)
class WeightClipping(Regularizer):
    """After each of their steps, the players' parameters are clipped to [-limit, limit].

    Networks with spectral normalisation, or another parametrization of weights, are refused: their parameters are not
    the weights, and with spectral normalisation their size does not matter at all, so that clipping would confine
    nothing.
    """

    limit: Annotated[float, Interval(gt=0)] = 0.01
    """Largest absolute value of a parameter, c."""
    players: Literal["discriminator", "both"] = "discriminator"
    """The players whose parameters are clipped."""

    def supports(self, game: Any) -> str | None:
        networks = game.networks if "architecture" in game.families else {}
        for player, network in networks.items():
            normalised = [name for name in network.shapes if "parametrizations" in name.split(".")]
            if normalised and self.players in ("both", player):
                return (
                    f"it clips parameters, but the weights of the {player} are a function of its parameters, of "
                    f"{normalised[0]!r} for one, as with spectral normalisation, so that clipping would not confine "
                    f"them; choose a {player} without, by discriminator_norm: none or generator_spectral: false"
                )
        return super().supports(game)

    def project(self, player: str, weights: Weights) -> Mapping[str, Tensor]:
        if self.players not in ("both", player):
            return {}
        return weights.map(lambda values: values.clamp(-self.limit, self.limit))
