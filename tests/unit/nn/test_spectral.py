"""Spectral normalisation of networks: which layers have it, and what their weights are."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from ganbench.nn.spectral import spectrally_normalised


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 5))
        self.labels, self.scales = nn.Embedding(4, 5), nn.Embedding(4, 3)


def test_all_convolutions_and_linear_layers_are_normalised_and_others_that_are_named():
    torch.manual_seed(0)
    network = Network()
    assert spectrally_normalised(network, network.labels) is network
    normalised = [network.layers[0], network.layers[3], network.labels]
    assert [is_parametrized(each) for each in (*network.layers, network.labels, network.scales)] == [
        *(True, False, False, True),
        *(True, False),
    ]
    for layer in normalised:
        for _ in range(200):  # power iterations
            weight = layer.weight
        assert abs(torch.linalg.matrix_norm(weight.detach().flatten(1), 2).item() - 1) < 1e-3


def test_a_network_is_not_normalised_beyond_its_layers():
    network = spectrally_normalised(Network())
    assert not is_parametrized(network.labels)
