"""Spectral normalisation of whole networks (Miyato, Kataoka, Koyama and Yoshida 2018)."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def spectrally_normalised(network: nn.Module, *others: nn.Module) -> nn.Module:
    """A network with spectral normalisation of the weights of all its convolutions and linear layers.

    Args:
        network: the network, with its initial weights.
        others: further layers of it whose weights are normalised, such as the embedding of labels.

    Returns:
        The network.
    """
    for layer in [*(part for part in network.modules() if isinstance(part, nn.Conv2d | nn.Linear)), *others]:
        spectral_norm(layer)
    return network
