"""DCGAN with 5x5 kernels is that of PacGAN's code, but for a reflection."""

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
SIDES = (28, 14, 7, 4, 2)


def network(**options):
    return part("architecture", "dcgan_tensorflow", **options)


def norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, scale, shift, training=True)


def mirrored(x: Tensor) -> Tensor:
    return x.flip(-1, -2)


def padded(x: Tensor) -> Tensor:
    """TensorFlow's padding "SAME" for a kernel of 5 and a stride of 2: two on each side, but one before an even one."""
    first = 1 + x.shape[-1] % 2
    return F.pad(x, (first, 2, first, 2))


@pytest.mark.parametrize("packing", [1, 2, 3, 4])
def test_the_numbers_of_parameters_are_those_of_the_layers(packing):
    """Kernels of 25, biases, and two numbers for each normalised feature map; 2x2 innermost positions."""
    generator = 100 * 2048 + 2048 + 2 * 512
    generator += sum(25 * a * b + b + 2 * b for a, b in ((512, 256), (256, 128), (128, 64))) + 25 * 64 * 3 + 3
    discriminator = 25 * 3 * packing * 64 + 64
    discriminator += sum(25 * a * b + b + 2 * b for a, b in ((64, 128), (128, 256), (256, 512))) + 2048 + 1
    sizes = {}
    for player in GAN.players:
        with torch.device("meta"):
            module = getattr(network(packing_degree=packing), player)(STACKED)
        sizes[player] = sum(parameter.numel() for parameter in module.parameters())
    assert sizes == {"discriminator": discriminator, "generator": generator}


def test_the_discriminator_is_that_of_the_code_on_mirrored_images():
    module = initial_module(network(base_channels=2), "discriminator", STACKED, 0)
    given, x = iter(module.parameters()), torch.randn(5, *STACKED.shape)
    h = mirrored(x)
    for place, side in enumerate(SIDES[1:]):
        h = F.conv2d(padded(h), mirrored(next(given)), next(given), stride=2)
        assert h.shape[1:] == (2 * 2**place, side, side)
        h = norm(h, next(given), next(given)) if place else h
        h = torch.maximum(h, 0.2 * h)
    weight, bias = given
    head = mirrored(weight.view(1, 16, 2, 2)).flatten(1)
    torch.testing.assert_close(module(x), F.linear(h.flatten(1), head, bias)[:, 0], rtol=1e-4, atol=1e-5)


def test_the_generator_is_that_of_the_code_on_mirrored_images():
    """From 2x2 by 4x4, 7x7 and 14x14 to 28x28, the adjoints of the code's convolutions; uniform latent points."""
    module = initial_module(network(latent_size=6, base_channels=2), "generator", STACKED, 0)
    given, z = iter(module.parameters()), torch.randn(5, 6)
    uniform = 2 * torch.distributions.Normal(0, 1).cdf(z) - 1
    h = mirrored(F.linear(uniform, next(given), next(given)).view(5, 16, 2, 2))
    for side in SIDES[-2::-1]:
        h = norm(h, next(given), next(given)).relu()
        whole = F.conv_transpose2d(h, mirrored(next(given)), stride=2)
        first = 1 + side % 2  # what the padding of the convolution adds before an image of this side
        h = whole[..., first : first + side, first : first + side] + next(given).view(-1, 1, 1)
    assert list(given) == []
    torch.testing.assert_close(module(z), mirrored(h.tanh()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [8, 12, 28, 32, 33])
def test_images_of_every_side_can_be_made(side):
    data = DataSpec((3, side, side + 8), True, 64, 0)
    generator, discriminator = (
        initial_module(network(base_channels=1), player, data, 0) for player in GAN.players[::-1]
    )
    made = generator(torch.randn(2, 100))
    assert made.shape == (2, *data.shape)
    assert discriminator(made).shape == (2,)


@pytest.mark.parametrize(
    "options", [{}, {"packing_degree": 2, "discriminator_norm": "spectral", "generator_norm": "none"}]
)
def test_every_option_keeps_the_contract_and_trains_together_as_alone(options):
    architecture = network(base_channels=1, latent_size=3, **options)
    examples = np.random.default_rng(0).uniform(-1, 1, (12, *EIGHT.shape))
    keeps_the_contract(architecture, EIGHT, examples)
