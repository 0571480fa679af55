"""The tiny networks of stacked digits are those of PacGAN's code, but for a reflection."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from building import keeps_the_contract, part
from torch import Tensor

from ganbench.architectures import initial_module
from ganbench.data import DataSpec
from ganbench.games.gan import GAN

STACKED, EIGHT = DataSpec((3, 28, 28), True, 64, 0), DataSpec((3, 8, 8), True, 12, 0)


def tiny(**options):
    return part("architecture", "tiny_dcgan", **options)


def norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, scale, shift, training=True)


def mirrored(x: Tensor) -> Tensor:
    return x.flip(-1, -2)


def padded(x: Tensor) -> Tensor:
    """TensorFlow's padding "SAME" for a kernel of 3 and a stride of 2: of even sides, at the end only."""
    height, width = (side % 2 for side in x.shape[-2:])
    return F.pad(x, (width, 1, height, 1))


@pytest.mark.parametrize(("features", "packing"), [(2, 1), (4, 1), (8, 1), (2, 2), (2, 4)])
def test_the_numbers_of_parameters_are_those_of_the_layers(features, packing):
    """Kernels of 9, biases, and two numbers for each normalised feature map; 4x4 innermost positions."""
    generator = 256 * 64 * 16 + 64 * 16 + 2 * 64 + 9 * 64 * 32 + 3 * 32 + 9 * 32 * 16 + 3 * 16 + 9 * 16 * 8 + 3 * 8
    generator += 9 * 8 * 3 + 3
    a, b, c = features, 2 * features, 4 * features
    discriminator = 9 * 3 * packing * a + 3 * a + 9 * a * b + 3 * b + 9 * b * c + 3 * c + 16 * c + 1
    sizes = {}
    for player in GAN.players:
        with torch.device("meta"):
            module = getattr(tiny(discriminator_base_channels=features, packing_degree=packing), player)(STACKED)
        sizes[player] = sum(parameter.numel() for parameter in module.parameters())
    assert sizes == {"discriminator": discriminator, "generator": generator}


def test_the_discriminator_is_that_of_the_code_on_mirrored_images():
    """Widths 2, 4 and 8, normalisation from the first layer on, slope 0.3."""
    module = initial_module(tiny(), "discriminator", STACKED, 0)
    given, x = list(module.parameters()), torch.randn(5, *STACKED.shape)
    assert [tuple(given[i].shape) for i in (0, 4, 8, 12)] == [(2, 3, 3, 3), (4, 2, 3, 3), (8, 4, 3, 3), (1, 128)]
    h = mirrored(x)
    for place in (0, 4, 8):
        weight, bias, scale, shift = given[place : place + 4]
        h = norm(F.conv2d(padded(h), mirrored(weight), bias, stride=2), scale, shift)
        h = torch.maximum(h, 0.3 * h)
    assert h.shape[1:] == (8, 4, 4)
    head = mirrored(given[12].view(1, 8, 4, 4)).flatten(1)
    torch.testing.assert_close(module(x), F.linear(h.flatten(1), head, given[13])[:, 0], rtol=1e-4, atol=1e-5)


def test_the_generator_is_that_of_the_code_on_mirrored_images():
    """From 4x4 by 7x7 and 14x14 to 28x28, the adjoints of the code's convolutions, and a last one of stride 1."""
    module = initial_module(tiny(latent_size=6), "generator", STACKED, 0)
    given, z = list(module.parameters()), torch.randn(5, 6)
    h = mirrored(F.linear(z, *given[0:2]).view(5, 64, 4, 4))
    place = 2
    for side in (7, 14, 28):
        h = norm(h, *given[place : place + 2]).relu()
        whole = F.conv_transpose2d(h, mirrored(given[place + 2]), stride=2)
        first = side % 2  # what the padding of the convolution adds before an image of this side
        h = whole[..., first : first + side, first : first + side] + given[place + 3].view(-1, 1, 1)
        place += 4
    h = norm(h, *given[place : place + 2]).relu()
    h = F.conv2d(h, mirrored(given[place + 2]), given[place + 3], padding=1).tanh()
    assert len(given) == place + 4
    torch.testing.assert_close(module(z), mirrored(h), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "inner"), [(8, 1), (12, 2), (28, 4), (32, 4), (33, 5)])
def test_sides_are_halved_three_times(side, inner):
    data = DataSpec((3, side, side + 8), True, 64, 0)
    generator, discriminator = (initial_module(tiny(), player, data, 0) for player in ("generator", "discriminator"))
    assert generator[0].out_features == 64 * inner * (inner + 1)
    made = generator(torch.randn(2, 256))
    assert made.shape == (2, *data.shape)
    assert discriminator(made).shape == (2,)


@pytest.mark.parametrize(
    "options",
    [
        *({"discriminator_norm": name} for name in ("batch", "layer", "spectral", "none")),
        *({"generator_norm": name} for name in ("layer", "none")),
        {"initialization": "xavier", "output_activation": "sigmoid"},
        {"packing_degree": 2, "discriminator_base_channels": 1, "latent_distribution": "uniform"},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_every_option_keeps_the_contract_and_trains_together_as_alone(options):
    architecture = tiny(base_channels=1, latent_size=3, **options)
    examples = np.random.default_rng(0).uniform(-1, 1, (12, *EIGHT.shape))
    keeps_the_contract(architecture, EIGHT, examples)


def test_a_size_that_is_refused_is_told_the_nearest():
    refusal = tiny().unsupported(DataSpec((1, 7, 28), True, 64, 10))
    assert refusal == "it needs images whose sides have 8 pixels or more, but a side has 7 pixels: resize to 8"
