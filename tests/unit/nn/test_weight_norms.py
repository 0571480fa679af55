"""Normalised weights of networks: which layers have it, and what their weights are."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from ganbench.nn.weight_norms import with_weight_norm


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 5))
        self.labels, self.scales = nn.Embedding(4, 5), nn.Embedding(4, 3)


def test_all_convolutions_and_linear_layers_are_normalised_and_others_that_are_named():
    torch.manual_seed(0)
    network = Network()
    assert with_weight_norm(network, "spectral", network.labels) is network
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
    network = with_weight_norm(Network(), "spectral")
    assert not is_parametrized(network.labels)


def test_filters_are_lengths_times_directions_and_keep_their_initial_weights():
    """w = g v / |v| for each output's filter (Salimans and Kingma 2016, equation 2), so that dw/dg = v / |v|."""
    torch.manual_seed(0)
    plain = Network()
    torch.manual_seed(0)
    network = with_weight_norm(Network(), "weight")
    for layer, before in ((network.layers[0], plain.layers[0]), (network.layers[3], plain.layers[3])):
        torch.testing.assert_close(layer.weight, before.weight)
        lengths, directions = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
        torch.testing.assert_close(lengths.flatten(), before.weight.flatten(1).norm(dim=1))
        (slope,) = torch.autograd.grad(layer.weight.sum(), lengths)
        unit = directions.flatten(1) / directions.flatten(1).norm(dim=1, keepdim=True)
        torch.testing.assert_close(slope.flatten(), unit.sum(1))


def test_other_names_normalise_no_weights():
    network = with_weight_norm(Network(), "batch")
    assert not any(is_parametrized(part) for part in network.modules())
