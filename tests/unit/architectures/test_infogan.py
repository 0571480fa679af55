"""The InfoGAN-style networks are those of compare_gan: layers, numbers of parameters, initial weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from building import keeps_the_contract, part
from torch import Tensor, nn

from ganbench.architectures import initial_module
from ganbench.data import DataSpec
from ganbench.games.gan import GAN

MNIST, SMALL = DataSpec((1, 28, 28), True, 64, 10), DataSpec((3, 8, 12), True, 12, 0)


def infogan(**options):
    return part("architecture", "infogan", **options)


def norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Batch normalisation by the batch's statistics, with the code's epsilon of 0.001."""
    dims = [0, *range(2, x.dim())]
    mean, variance = x.mean(dims, keepdim=True), x.var(dims, unbiased=False, keepdim=True)
    shape = (1, -1, *(1,) * (x.dim() - 2))
    return (x - mean) / (variance + 1e-3).sqrt() * scale.view(shape) + shift.view(shape)


def normal_distribution(z: Tensor) -> Tensor:
    return torch.distributions.Normal(0.0, 1.0).cdf(z)


def lrelu(x: Tensor) -> Tensor:
    return torch.maximum(x, 0.2 * x)


def test_the_numbers_of_parameters_are_those_of_the_layers():
    """Of (28 / 4)^2 = 49 positions, weights, biases, and two numbers for each normalised unit or feature map."""
    by_layer = {
        "generator": (64 * 1024 + 3 * 1024, 1024 * 128 * 49 + 3 * 128 * 49, 128 * 64 * 16 + 3 * 64, 64 * 16 + 1),
        "discriminator": (64 * 16 + 64, 64 * 128 * 16 + 3 * 128, 128 * 49 * 1024 + 3 * 1024, 1024 + 1),
    }
    for player, size in (("generator", 6_642_241), ("discriminator", 6_559_169)):
        with torch.device("meta"):
            module = getattr(infogan(), player)(MNIST)
        assert sum(parameter.numel() for parameter in module.parameters()) == size
        counts, groups = by_layer[player], []
        for layer in module:
            own = sum(parameter.numel() for parameter in layer.parameters())
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                groups.append(own)
            elif own:
                groups[-1] += own
        assert tuple(groups) == counts


@pytest.mark.parametrize("activation", ["leaky_relu", "relu"])
def test_the_generator_is_the_published_one(activation):
    module = initial_module(
        infogan(base_channels=2, latent_size=5, generator_activation=activation), "generator", SMALL, 0
    )
    given, z = list(module.parameters()), torch.randn(4, 5)
    act = lrelu if activation == "leaky_relu" else torch.relu
    x = act(norm(F.linear(2 * normal_distribution(z) - 1, *given[0:2]), *given[2:4]))
    x = act(norm(F.linear(x, *given[4:6]), *given[6:8])).view(4, 4, 2, 3)
    x = act(norm(F.conv_transpose2d(x, *given[8:10], stride=2, padding=1), *given[10:12]))
    x = F.conv_transpose2d(x, *given[12:14], stride=2, padding=1)
    assert len(given) == 14
    torch.testing.assert_close(module(z), 2 * torch.sigmoid(x) - 1, rtol=1e-4, atol=1e-6)
    outputs = {"sigmoid": torch.sigmoid(x), "tanh": torch.tanh(x)}
    for name, expected in outputs.items():
        other = infogan(base_channels=2, latent_size=5, generator_activation=activation, output_activation=name)
        torch.testing.assert_close(initial_module(other, "generator", SMALL, 0)(z), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["batch", "none"])
def test_the_discriminator_is_the_published_one(name):
    module = initial_module(infogan(base_channels=2, discriminator_norm=name), "discriminator", SMALL, 0)
    given, x = list(module.parameters()), torch.randn(4, *SMALL.shape)

    def take(count: int) -> list[Tensor]:
        return [given.pop(0) for _ in range(count)]

    def normed(x: Tensor) -> Tensor:
        return lrelu(norm(x, *take(2)) if name == "batch" else x)

    h = lrelu(F.conv2d(x, *take(2), stride=2, padding=1))
    h = normed(F.conv2d(h, *take(2), stride=2, padding=1))
    h = normed(F.linear(h.flatten(1), *take(2)))
    torch.testing.assert_close(module(x), F.linear(h, *take(2))[:, 0], rtol=1e-4, atol=1e-6)
    assert not given


def test_initial_weights_are_the_published_ones():
    for player in GAN.players:
        module = initial_module(infogan(base_channels=16), player, DataSpec((3, 16, 16), True, 64, 0), 0)
        for layer in module:
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                assert (layer.weight == 1).all()
            elif isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and layer.weight.numel() > 4000:
                cut = isinstance(layer, nn.Conv2d)  # a normal variable within 2 deviations has 0.88 of its deviation
                assert layer.weight.std().item() == pytest.approx(0.02 * (0.8796 if cut else 1), rel=0.03)
                assert (layer.weight.abs().max() <= 0.04) == cut
            if getattr(layer, "bias", None) is not None:
                assert (layer.bias == 0).all()


def test_spectral_normalisation_bounds_every_layer():
    module = initial_module(infogan(base_channels=2, discriminator_norm="spectral"), "discriminator", SMALL, 0)
    for _ in range(60):  # power iterations
        module(torch.randn(2, *SMALL.shape))
    weights = [layer.weight.detach().flatten(1) for layer in module if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(weights) == 4
    assert [torch.linalg.matrix_norm(w, 2).item() for w in weights] == pytest.approx([1.0] * 4, abs=1e-2)


@pytest.mark.parametrize(
    "options",
    [
        *({"discriminator_norm": name} for name in ("batch", "spectral", "none")),
        {"generator_activation": "relu", "output_activation": "tanh", "initialization": "orthogonal"},
        {"packing_degree": 2, "output_activation": "sigmoid", "latent_distribution": "normal"},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_every_option_keeps_the_contract_and_trains_together_as_alone(options):
    architecture = infogan(base_channels=1, latent_size=3, **options)
    examples = np.random.default_rng(0).uniform(-1, 1, (12, *SMALL.shape))
    keeps_the_contract(architecture, SMALL, examples)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 30, 28), "multiples of 4, from 8 pixels, but a side has 30 pixels: resize to 28 or 32"),
        ((2,), "needs images"),
    ],
)
def test_a_size_that_is_refused_is_told_the_nearest(shape, said):
    assert said in infogan().unsupported(DataSpec(shape, True, 64, 10))
