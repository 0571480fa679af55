"""Normalisation of a network's weights: spectral (Miyato et al. 2018), and by length (Salimans and Kingma 2016)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

# By name, what normalises the weight of a layer: divides it by its largest singular value, or writes each output's
# filter as a length g times a direction v / |v|, which are trained in its place.
WEIGHT_NORMS: dict[str, Callable[[nn.Module], nn.Module]] = {"spectral": spectral_norm, "weight": weight_norm}


def with_weight_norm(network: nn.Module, name: str, *others: nn.Module) -> nn.Module:
    """A network with its weights normalised: those of all its two-dimensional convolutions, transposed ones apart,
    and linear layers.

    Args:
        network: the network, with its initial weights, which `weight` keeps.
        name: one of `WEIGHT_NORMS`; any other name leaves the network as it is.
        others: further layers of it whose weights are normalised, such as the embedding of labels.

    Returns:
        The network.
    """
    if name in WEIGHT_NORMS:
        for layer in [*(part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear)), *others]:
            WEIGHT_NORMS[name](layer)
    return network
