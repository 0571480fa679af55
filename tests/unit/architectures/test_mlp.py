"""Multilayer perceptrons: their defaults are plain layers, and their options those of published networks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from building import keeps_the_contract, part
from torch import nn

from ganbench.data import DataSpec
from ganbench.games.gan import GAN

PLANE = DataSpec((2,), False, 64, 8)
# PacGAN's ring and grid (Lin et al. 2018, section 4.1).
PACGAN = {
    "latent_size": 2,
    "width": 400,
    "generator_depth": 4,
    "discriminator_width": 200,
    "depth": 3,
    "discriminator_maxout": 5,
    "generator_norm": "batch",
    "initialization": "normal",
}


def mlp(**options):
    return part("architecture", "mlp", **options)


def sizes(**options) -> dict[str, int]:
    modules = {player: getattr(mlp(**options), player)(PLANE) for player in GAN.players}
    return {player: sum(p.numel() for p in module.parameters()) for player, module in modules.items()}


@pytest.mark.parametrize("player", GAN.players)
def test_the_defaults_draw_what_plain_layers_draw(player):
    """In the same order: whatever options there are, a study without them trains as ever."""
    widths = [2, 64, 64, 1] if player == "discriminator" else [16, 64, 64, 2]
    torch.manual_seed(0)
    plain = [nn.Linear(a, b) for a, b in pairwise(widths)]
    torch.manual_seed(0)
    module = getattr(mlp(), player)(PLANE)
    drawn = [value for layer in plain for value in (layer.weight, layer.bias)]
    assert all(map(torch.equal, module.parameters(), drawn))
    x = torch.randn(5, widths[0])
    first, second, last = plain
    expected = last(second(first(x).relu()).relu())
    torch.testing.assert_close(module(x), expected if player == "generator" else expected[:, 0])


@pytest.mark.parametrize("packing", [1, 2, 3, 4])
def test_pacgan_networks_have_the_parameters_of_their_layers(packing):
    """Generator: no biases where a scale and a shift follow. Discriminator: five maps for each of 200 units."""
    generator = 2 * 400 + 3 * 400 * 400 + 4 * 2 * 400 + 400 * 2 + 2
    discriminator = (2 * packing + 1) * 1000 + 2 * (200 + 1) * 1000 + 200 + 1
    assert sizes(**PACGAN, packing_degree=packing) == {"discriminator": discriminator, "generator": generator}


def test_a_maxout_unit_is_the_largest_of_its_maps():
    module = mlp(depth=1, width=3, discriminator_maxout=2).discriminator(PLANE)
    (weight, bias, head, shift), x = module.parameters(), torch.randn(7, 2)
    maps = F.linear(x, weight, bias)  # two neighbouring columns a unit
    hidden = torch.stack([torch.maximum(maps[:, 2 * unit], maps[:, 2 * unit + 1]) for unit in range(3)], dim=1)
    torch.testing.assert_close(module(x), F.linear(hidden, head, shift)[:, 0])


def test_hidden_layers_of_the_generator_are_normalised_before_their_activation():
    module = mlp(depth=1, width=5, latent_size=4, generator_norm="batch").generator(PLANE)
    (weight, _, _, head, shift), z = module.parameters(), torch.randn(9, 4)
    hidden = z @ weight.T
    scaled = (hidden - hidden.mean(0)) / (hidden.var(0, unbiased=False) + 1e-4).sqrt()
    torch.testing.assert_close(module(z), F.linear(scaled.relu(), head, shift))


@pytest.mark.parametrize("player", GAN.players)
def test_orthogonal_weights_of_a_gain(player):
    """The demo of unrolled GANs: orthonormal rows or columns times 1.4, no biases, in all layers."""
    architecture = mlp(initialization="orthogonal", gain=1.4, width=128, latent_size=256, activation="tanh")
    layers = [layer for layer in getattr(architecture, player)(PLANE).modules() if isinstance(layer, nn.Linear)]
    assert len(layers) == 3
    for layer in layers:
        small = min(layer.weight.shape)
        product = layer.weight @ layer.weight.T if small == len(layer.weight) else layer.weight.T @ layer.weight
        torch.testing.assert_close(product, 1.96 * torch.eye(small), atol=1e-5, rtol=0)
        assert not layer.bias.any()


def test_a_gain_leaves_biases_and_scales_of_normalisations():
    torch.manual_seed(0)
    plain = mlp(generator_norm="batch").generator(PLANE)
    torch.manual_seed(0)
    double = mlp(generator_norm="batch", gain=2.0).generator(PLANE)
    factors = [2.0, 1.0, 1.0, 2.0, 1.0, 1.0, 2.0, 1.0]  # a weight, a scale and a shift, twice; the last layer
    for one, other, factor in zip(plain.parameters(), double.parameters(), factors, strict=True):
        assert torch.equal(factor * one, other)


def test_uniform_latent_points_lie_in_the_square():
    z = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    module = mlp(depth=0, latent_size=2, latent_distribution="uniform").generator(PLANE)
    with torch.no_grad():
        module[1].weight.copy_(torch.eye(2))
        module[1].bias.zero_()
        points = module(z)
    assert points.abs().max() < 1
    assert points.var(0).sub(1 / 3).abs().max() < 0.02  # of the uniform distribution


@pytest.mark.parametrize(
    "options", [{"discriminator_maxout": 3}, {"generator_norm": "batch", "packing_degree": 2}, PACGAN]
)
def test_every_option_keeps_the_contract_and_trains_together_as_alone(options):
    small = {"width": 8, "discriminator_width": 6}
    architecture = mlp(**options | small)
    examples = np.random.default_rng(0).normal(size=(64, 2))
    keeps_the_contract(architecture, PLANE, examples, batch_size=8)
