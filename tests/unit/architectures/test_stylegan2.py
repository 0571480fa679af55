"""The style-based pair against what StyleGAN2's authors' code computed, and its layers against their definitions."""

from __future__ import annotations

import math
import re

import pytest
import torch
from building import gan, part, train_together_and_alone, training
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganbench.architectures import initial_module
from ganbench.contracts.networks import architecture_fault
from ganbench.contracts.steps import mixes_examples
from ganbench.data import DataSpec
from ganbench.games import Member
from ganbench.nn.random_numbers import RandomNumbers

PLAYERS = ("generator", "discriminator")
SMALL = DataSpec((1, 8, 8), True, 64, 3)
NARROW = {"latent_size": 4, "style_size": 4, "base_channels": 2, "max_channels": 4}


def stylegan2(**options):
    return part("architecture", "stylegan2", **options)


def images(side: int) -> DataSpec:
    return DataSpec((3, side, side), True, 64, 10)


# Numbers of parameters of generator and discriminator, the latter with and without the standard deviation over the
# batch, counted with the authors' code (NVlabs/stylegan2-ada-pytorch at d72cc7d): its configurations `cifar` and that
# of full width at 256 pixels, and the defaults here.
COUNTED = [
    pytest.param(32, {"base_channels": 512}, 512, 2, (19_947_539, 21_507_073, 21_502_465), id="cifar"),
    pytest.param(256, {"base_channels": 128}, 512, 8, (30_034_338, 28_864_129, 28_859_521), id="256"),
    pytest.param(64, {}, 64, 2, (979_704, 1_183_137, 1_181_985), id="defaults"),
]


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("side", "options", "latent", "layers", "counted"), COUNTED)
def test_networks_have_as_many_parameters_as_those_of_the_authors(side, options, latent, layers, counted):
    more = options | {"latent_size": latent, "style_size": latent, "mapping_layers": layers}
    more |= {"max_channels": 512} if options else {}
    with torch.device("meta"):
        sizes = size(stylegan2(**more).generator(images(side))), size(stylegan2(**more).discriminator(images(side)))
        deviating = size(stylegan2(**more, minibatch_deviation=True).discriminator(images(side)))
    assert (sizes[0], deviating, sizes[1]) == counted


def formula(shape: tuple[int, ...], place: int, scale: float) -> Tensor:
    """Numbers in [-scale, scale] that look random; exact in integers, so that they are the same everywhere."""
    i = torch.arange(math.prod(shape)) + 1000 * place
    return (((i * i * 31 + i * 17) % 10007).double() / 10007 - 0.5).mul(2 * scale).view(shape)


def order(player: str) -> list[str]:
    """The names of the parameters in the authors' order, for images of 16 pixels and two mapping layers."""
    if player == "discriminator":
        layers = ["first", *(f"blocks.{i}.{each}" for i in (0, 1) for each in ("first", "second", "shortcut"))]
        layers += ["convolution", "hidden", "last"]
        return [
            f"{layer}.{each}"
            for layer in layers
            for each in ("weight", "bias")
            if (layer[-3:], each) != ("cut", "bias")
        ]
    names = ["constant"]
    for image, layers in enumerate(([0], [1, 2], [3, 4])):
        for at, strength in [*((f"layers.{layer}", ["strength"]) for layer in layers), (f"images.{image}", [])]:
            scales = (f"convolution.scales.{each}" for each in ("weight", "bias"))
            names += [f"{at}.{each}" for each in ("convolution.weight", *strength, "bias", *scales)]
    return [*names, *(f"mapping.{index}.{each}" for index in (0, 1) for each in ("weight", "bias"))]


def test_outputs_penalty_and_gradients_are_those_of_the_authors_code():
    """Recorded in double precision with NVlabs/stylegan2-ada-pytorch at d72cc7d and its reference operators: z_dim=5,
    w_dim=6, two mapping layers, 16 pixels, channel_base=64, channel_max=8, mbstd_group_size=None, strengths of the
    noise 0. The loss of the discriminator has R1 with gamma 1."""
    options = {"latent_size": 5, "style_size": 6, "base_channels": 4, "max_channels": 8, "minibatch_deviation": True}
    architecture = stylegan2(**options, output_activation="linear")
    networks = {player: initial_module(architecture, player, images(16), 0).double() for player in PLAYERS}
    with torch.no_grad():
        for player, module in networks.items():
            named = dict(module.named_parameters())
            assert sorted(named) == sorted(order(player))
            for place, name in enumerate(order(player)):
                scale = 0.2 if name.endswith("scales.bias") else 100.0 if "mapping" in name else 1.5
                numbers = formula(tuple(named[name].shape), place, 0.0 if "strength" in name else scale)
                named[name].copy_(numbers + name.endswith("scales.bias"))
    generator, discriminator = networks["generator"], networks["discriminator"]
    fake = generator(formula((3, 5), 100, 2.0))
    pixels = [2.2410766616083615, 1.8242775105594713, -0.9689787877874485, 1.0371090109058518]
    assert fake.flatten()[[0, 1, 500, 2000]].tolist() == pytest.approx(pixels, rel=1e-10)
    real = formula((3, 3, 16, 16), 50, 1.0).requires_grad_()
    on_real, on_fake = discriminator(real), discriminator(fake)
    assert on_real.tolist() == pytest.approx([-1.5186558318499521, -1.4827986926642303, -1.5220848587099407])
    assert on_fake.tolist() == pytest.approx([-1.6927546438919423, -1.9667024820705625, -1.613374564211028])
    (gradient,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
    r1 = gradient.square().sum((1, 2, 3))
    assert r1.tolist() == pytest.approx([0.0012332811586227303, 0.0009547478007152142, 0.0011433181520085517])
    loss = (softplus(on_fake) + softplus(-on_real) + 0.5 * r1).mean()
    assert loss.item() == pytest.approx(1.868921973298434, rel=1e-10)
    gradients = torch.autograd.grad(loss, list(discriminator.parameters()), retain_graph=True)
    assert norm(gradients) == pytest.approx(1.2787442278670489)
    moved = [value for name, value in generator.named_parameters() if "strength" not in name]
    assert norm(torch.autograd.grad(softplus(-on_fake).mean(), moved)) == pytest.approx(2.0820605574655184)


def norm(gradients: tuple[Tensor, ...]) -> float:
    return sum(each.square().sum() for each in gradients).sqrt().item()


# Training -------------------------------------------------------------------------------------------------------------

IMAGES = torch.rand(16, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def game_of(**options):
    return gan(
        IMAGES,
        data=SMALL,
        architecture=stylegan2(**NARROW, **options),
        regularizer=part("regularizer", "r1"),
        batch_size=4,
    )


@pytest.mark.parametrize("noise", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_members_train_together_as_alone_with_r1(noise):
    game = game_of(noise=noise)
    assert game.unvectorised is None
    assert game.networks["generator"].random == noise
    members = [Member(seed, 16, 1e-2) for seed in range(2)]
    how = [training(3, execution=form) for form in ("traced", "eager")]
    train_together_and_alone(game, members, *how, moves=1e-3, atol=1e-9)


def test_noise_is_that_of_the_key_and_as_strong_as_learned():
    module = initial_module(stylegan2(**NARROW), "generator", SMALL, 0)
    z = torch.randn(3, 4)

    def made(key: int) -> Tensor:
        with RandomNumbers(torch.tensor(key)):
            return module(z)

    assert torch.equal(made(1), made(2)), "strengths start at 0"
    torch.nn.init.constant_(module.layers[0].strength, 0.5)
    assert torch.equal(made(1), made(1))
    assert not torch.allclose(made(1), made(2))


@pytest.mark.parametrize("deviation", [True, False])
def test_the_standard_deviation_over_the_batch_alone_mixes_examples(deviation):
    members = [Member(seed, 16, 1e-3) for seed in range(2)]
    assert mixes_examples(game_of(minibatch_deviation=deviation), members) == deviation


def test_every_form_keeps_the_contract():
    assert architecture_fault(stylegan2(**NARROW, minibatch_deviation=True), SMALL) is None


@pytest.mark.parametrize(
    ("options", "shape", "bounded", "said"),
    [
        ({}, (1, 28, 28), True, None),
        ({}, (3, 100, 100), True, "a side has 100 pixels: resize to 96 or 112"),
        ({}, (2,), False, "square images .*, of at least 8 pixels"),
        ({}, (3, 32, 32), False, r"values in \[-1, 1\], or `output_activation: linear`"),
        ({"output_activation": "linear"}, (3, 32, 32), False, None),
    ],
)
def test_a_refusal_names_what_helps(options, shape, bounded, said):
    reason = stylegan2(**options).unsupported(DataSpec(shape, bounded, 64, 10))
    assert (reason is None) == (said is None), reason
    assert said is None or re.search(said, reason), reason
