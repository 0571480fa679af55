"""SNGAN, its conditional forms and SAGAN, against what other implementations of the same networks computed."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from building import gan, part, train_together_and_alone, training
from torch import Tensor, nn

from ganbench.architectures import initial_module, trial_inputs
from ganbench.contracts.networks import architecture_fault
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.games import Member
from ganbench.nn.network import Network

COLOUR = DataSpec((3, 32, 32), True, 64, 3)
SMALL = DataSpec((1, 8, 8), True, 64, 3)
SAGAN = {"conditioning": "projection", "generator_spectral_norm": True}


def sngan(**options):
    return part("architecture", "sngan", **options)


# Parameters -----------------------------------------------------------------------------------------------------------

# Numbers of parameters of generator and discriminator, counted with the code of mimicry (kwotsin/mimicry at a7fda06) at
# its defaults, except that the discriminator of its SAGAN-128 is as wide as that of its SNGAN-128, ndf=1024.
MIMICRY = [
    (32, 10, {}, (4_276_739, 1_053_825)),
    (48, 10, {}, (4_878_083, 10_141_441)),
    (64, 10, {}, (12_220_675, 10_141_441)),
    (128, 10, {}, (32_150_787, 29_017_857)),
    (32, 10, {"conditioning": "projection"}, (4_304_387, 1_055_105)),
    (32, 10, {**SAGAN, "attention_resolution": 16, "discriminator_attention_resolution": 8}, (4_386_308, 1_075_586)),
    (128, 1000, {**SAGAN, "attention_resolution": 32}, (42_078_852, 30_062_338)),
]
# The same, with the code of StudioGAN (POSTECH-CVLab/PyTorch-StudioGAN at 947b35e), models/resnet.py: SNGAN and SAGAN
# of its configurations of CIFAR-10, and generators of 64 and 128 pixels. Its discriminators of those sizes widen in the
# first convolution of each block, where those of SNGAN's authors widen in the second.
STUDIOGAN = [
    (32, 10, {"conditioning": "projection"}, (4_304_387, 1_055_105)),
    (32, 10, {**SAGAN, "attention_resolution": 16, "discriminator_attention_resolution": 8}, (4_386_308, 1_075_586)),
    (64, 10, {}, (12_220_675, None)),
    (128, 1000, {"conditioning": "projection"}, (41_996_931, None)),
    (128, 1000, {**SAGAN, "attention_resolution": 64}, (42_017_412, None)),
]


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("side", "classes", "options", "counted"), MIMICRY + STUDIOGAN)
def test_networks_have_as_many_parameters_as_those_of_other_implementations(side, classes, options, counted):
    plain = options | {
        "generator_spectral_norm": False,
        "discriminator_norm": "none",
    }  # which has as many, and starts at once
    architecture, data = sngan(**plain), DataSpec((3, side, side), True, 64, classes)
    assert architecture.unsupported(data) is None
    with torch.device("meta"):
        sizes = size(architecture.generator(data)), size(architecture.discriminator(data))
    assert all(each in (None, mine) for mine, each in zip(sizes, counted, strict=True)), sizes


def block(narrow: int, wide: int, hidden: int, shortcut: bool) -> int:
    """Weights and biases of two 3x3 convolutions and perhaps a 1x1 convolution."""
    return (9 * narrow + 1) * hidden + (9 * hidden + 1) * wide + shortcut * (narrow + 1) * wide


@pytest.mark.parametrize("features", [1, 5])
def test_the_number_of_parameters_is_that_of_the_formula(features):
    """At 32 pixels, by hand: the generator 4f wide and the discriminator 2f wide everywhere."""
    wide, narrow, latent = 4 * features, 2 * features, 7
    generator = (latent + 1) * 16 * wide + 3 * (block(wide, wide, wide, True) + 4 * wide) + 2 * wide + 27 * wide + 3
    discriminator = block(3, narrow, narrow, True) + block(narrow, narrow, narrow, True)
    discriminator += 2 * block(narrow, narrow, narrow, False) + narrow + 1
    architecture = sngan(base_channels=features, latent_size=latent)
    assert size(architecture.generator(COLOUR)) == generator
    assert size(architecture.discriminator(COLOUR)) == discriminator
    spectral = sngan(
        base_channels=features, latent_size=latent, generator_spectral_norm=True, discriminator_norm="none"
    )
    assert (size(spectral.generator(COLOUR)), size(spectral.discriminator(COLOUR))) == (generator, discriminator)


@pytest.mark.parametrize(("side", "last"), [(8, 2), (16, 4), (28, 7), (32, 8), (48, 3), (64, 2), (128, 4)])
def test_the_discriminator_pools_maps_of_the_published_side(side, last):
    """As mimicry's networks do from 32 pixels on: 2, 2, 4, 5 and 5 blocks halve the side."""
    discriminator = sngan(base_channels=1, discriminator_norm="none").discriminator(
        DataSpec((3, side, side), True, 64, 10)
    )
    with torch.no_grad():
        assert discriminator.blocks(torch.zeros(1, 3, side, side)).shape[2:] == (last, last)


def bound(name: str, weight: Tensor) -> float:
    """Of Glorot's uniform distribution; its variance is doubled in the 3x3 convolutions of the blocks."""
    area = weight[0, 0].numel()
    gain = math.sqrt(2) if ".convolutions." in name else 1.0
    return gain * math.sqrt(6 / (area * (weight.shape[0] + weight.shape[1])))


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_initial_weights_are_uniform_within_the_published_bounds(player):
    architecture = sngan(base_channels=4, **SAGAN, attention_resolution=16)
    weights = {
        name.replace(".parametrizations", "").replace(".original", ""): parameter.detach()
        for name, parameter in initial_module(architecture, player, COLOUR, 0).named_parameters()
    }
    for name, weight in weights.items():
        if name.endswith("bias") or name.endswith("gamma"):
            assert weight.abs().max() == 0
        elif name.endswith("affine.weight"):
            assert (weight[:, : weight.shape[1] // 2] == 1).all()
            assert (weight[:, weight.shape[1] // 2 :] == 0).all()
        elif weight.dim() > 1:
            assert weight.abs().max() <= bound(name, weight) * (1 + 1e-6), name
            if weight.numel() > 100:
                assert weight.std() == pytest.approx(bound(name, weight) / math.sqrt(3), rel=0.15), name
    assert {name for name in weights if name.startswith("embedding")} == (
        {"embedding.weight"} if player == "discriminator" else set()
    )


def test_another_initialization_is_another_start():
    wide = {
        name: initial_module(sngan(initialization=name), "discriminator", SMALL, 0) for name in ("normal", "xavier")
    }
    weights = {n: m.blocks[1].convolutions[0].parametrizations.weight.original.detach() for n, m in wide.items()}
    assert weights["normal"].std().item() == pytest.approx(0.02, rel=0.05)
    assert weights["xavier"].std().item() == pytest.approx(math.sqrt(2 * 2 / (9 * 256)), rel=0.05)


# Agreement with mimicry -----------------------------------------------------------------------------------------------


def formula(shape: tuple[int, ...], place: int, scale: float) -> Tensor:
    """Numbers in [-scale, scale] that look random; exact in integers, so that they are the same everywhere."""
    i = torch.arange(math.prod(shape)) + 1000 * place
    return (((i * i * 31 + i * 17) % 10007).double() / 10007 - 0.5).mul(2 * scale).view(shape)


def layer(name: str) -> list[str]:
    return [f"{name}.weight", f"{name}.bias"]


def attention(name: str) -> list[str]:
    return [f"{name}.gamma", *(f"{name}.{each}.weight" for each in ("query", "key", "value", "output"))]


def generator_order(conditional: bool, attended: bool) -> list[str]:
    """Parameters in the order in which mimicry's were filled."""
    names = layer("first")
    for index in (0, 1, 3 if attended else 2):
        for norm in ("norms.0", "norms.1"):
            at = f"blocks.{index}.{norm}"
            names += [f"{at}.affine.weight"] if conditional else layer(at)
        for each in ("convolutions.0", "convolutions.1", "shortcut"):
            names += layer(f"blocks.{index}.{each}")
        names += attention("blocks.2") if attended and index == 1 else []
    return [*names, *layer("norm"), *layer("last")]


def discriminator_order(conditional: bool, attended: bool) -> list[str]:
    names = []
    for number, index in enumerate((0, 1, 3, 4) if attended else (0, 1, 2, 3)):
        for each in ("convolutions.0", "convolutions.1", *(["shortcut"] if number < 2 else [])):
            names += layer(f"blocks.{index}.{each}")
        names += attention("blocks.2") if attended and number == 1 else []
    return [*names, *layer("last"), *(["embedding.weight"] if conditional else [])]


def fill(module: nn.Module, order: list[str]) -> None:
    """Parameters by `formula`: scales around 1, weights within sqrt(3 / inputs), vectors within 0.2."""
    known = {n.replace(".parametrizations", "").replace(".original", ""): p for n, p in module.named_parameters()}
    assert sorted(known) == sorted(order)
    with torch.no_grad():
        for place, name in enumerate(order):
            value, shape = known[name], tuple(known[name].shape)
            if len(shape) < 2 or "affine" in name:
                value.copy_(formula(shape, place, 0.2))
                if "affine" in name:
                    value[:, : shape[1] // 2] += 1
                elif "norm" in name and name.endswith("weight"):
                    value += 1
            else:
                value.copy_(formula(shape, place, math.sqrt(3 / math.prod(shape[1:]))))


def settle(module: nn.Module) -> None:
    """Let the power iterations of spectral normalisation be at their limits, and stay there."""
    with torch.no_grad():
        for each in module.modules():
            if hasattr(each, "_u"):
                weight = each.owner.parametrizations.weight.original.flatten(1)
                left, _, right = torch.linalg.svd(weight, full_matrices=False)
                each._u.copy_(left[:, 0])
                each._v.copy_(right[0])
                each.eval()


def owned(module: nn.Module) -> nn.Module:
    """Tell each spectral normalisation whose weight it normalises."""
    for each in list(module.modules()):
        if hasattr(each, "parametrizations"):
            object.__setattr__(each.parametrizations.weight[0], "owner", each)
    return module


# By network of mimicry at a7fda06, with nz=5, ngf=16, ndf=8 and three classes, in double precision: options here, its
# loss, the bias of the discriminator's last layer, and, of three examples each, pixels 0, 1, 1000 and 5000 of the first
# generated images, first logits of real and of generated images, and the losses of discriminator and generator in three
# alternating steps of Adam. Before each loss its vectors of spectral normalisation were set to those of `settle`.
RECORDED = {
    "SNGAN": (
        {},
        ("hinge", 14.4),
        [-0.3823996774931284, 0.41935846850126557, -0.2319495842590839, 0.9317764872023224],
        [0.10834411985958958, 0.028086138355300605, 0.13861411927452316],
        [-0.3215499086942497, 0.055786923983967895, -0.04159938969830357],
        [(1.805864416034, 0.259043897022), (1.743220057079, 0.084110435719), (1.985182643693, -0.017549042840)],
    ),
    "DCGAN": (
        {"discriminator_norm": "none"},
        ("non_saturating", 14.5),
        [-0.3823996774931284, 0.41935846850126557, -0.2319495842590839, 0.9317764872023224],
        [1.866374028640653, 1.6859493249957342, 2.011726242640812],
        [-3.0542960113483275, -1.6191800025880525, -2.2273373153069826],
        [(0.256168337496, 2.549963209968), (0.465405547062, 3.705987103668), (0.514482642349, 4.225755258968)],
    ),
    "SAGAN": (
        {**SAGAN, "attention_resolution": 16, "discriminator_attention_resolution": 8},
        ("hinge", -10.0),
        [-0.1740101267073019, -0.1540810315552733, 0.16755156823404446, 0.043950241478234106],
        [1.7686795035353482, -1.334070315942684, 0.3674428581057454],
        [1.3345955433665884, -1.8034516722566072, 0.6593997286259125],
        [(2.320207576610, 0.521806182454), (2.002839036461, -1.113549493677), (2.406211289893, -0.289304228920)],
    ),
}


@pytest.mark.parametrize("name", RECORDED)
def test_outputs_and_losses_of_three_steps_are_those_of_mimicry(name):
    options, (loss, bias), pixels, on_real, on_fake, losses = RECORDED[name]
    conditional, theirs = name == "SAGAN", {"upsampling": "bilinear", "rectified_shortcut": True}
    architecture = sngan(base_channels=4, latent_size=5, **theirs, **options)
    generator, discriminator = (
        owned(initial_module(architecture, player, COLOUR, 0)).double() for player in ("generator", "discriminator")
    )
    fill(generator, generator_order(conditional, conditional))
    fill(discriminator, discriminator_order(conditional, conditional))
    with torch.no_grad():
        discriminator.last.bias.fill_(bias)
    objective, adam = part("objective", loss), {"lr": 1e-3, "betas": (0.5, 0.9)}
    optimizers = [torch.optim.Adam(module.parameters(), **adam) for module in (discriminator, generator)]
    labels = [torch.arange(3)] if conditional else []
    real = formula((3, 3, 32, 32), 50, 1.0)
    for step, recorded in enumerate(losses):
        for module in (generator, discriminator):
            settle(module)
        fake = generator(formula((3, 5), 100 + 2 * step, 2.0), *labels).detach()
        logits = [discriminator(images, *labels) for images in (real, fake)]
        if step == 0:  # later, the logarithms of p + 1e-8 in mimicry's non-saturating loss tell
            torch.testing.assert_close(fake.flatten()[[0, 1, 1000, 5000]], torch.tensor(pixels).double())
            for found, expected in zip(logits, (on_real, on_fake), strict=True):
                assert found.tolist() == pytest.approx(expected, rel=1e-10)
        total = objective.real(logits[0]).mean() + objective.fake(logits[1]).mean()
        assert total.item() == pytest.approx(recorded[0], rel=1e-6)
        optimizers[0].zero_grad()
        total.backward()
        optimizers[0].step()
        for module in (generator, discriminator):
            settle(module)
        fake = generator(formula((3, 5), 101 + 2 * step, 2.0), *labels)
        total = objective.generator(discriminator(fake, *labels)).mean()
        assert total.item() == pytest.approx(recorded[1], rel=1e-6)
        optimizers[1].zero_grad()
        total.backward()
        optimizers[1].step()


# Training -------------------------------------------------------------------------------------------------------------

IMAGES = torch.rand(16, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
ATTENDED = {"attention_resolution": 8, "discriminator_attention_resolution": 4, **SAGAN}
AUXILIARY = {"conditioning": "auxiliary", "upsampling": "bilinear"}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(ATTENDED, id="SAGAN"),
        pytest.param({"discriminator_norm": "none"}, id="no norm"),
        pytest.param({}, id="plain", marks=pytest.mark.slow),
        pytest.param(AUXILIARY, id="auxiliary", marks=pytest.mark.slow),
    ],
)
@pytest.mark.cluster
def test_members_train_together_as_alone_with_second_derivatives(options):
    """Steps with R1, whose gradient goes through the gradient in the examples."""
    architecture = sngan(base_channels=2, latent_size=4, **options)
    loss = "auxiliary_classifier" if options == AUXILIARY else "hinge"
    game = gan(
        IMAGES,
        data=SMALL,
        architecture=architecture,
        objective=part("objective", loss),
        regularizer=part("regularizer", "r1"),
        labels=np.arange(16) % 3 if architecture.conditional else None,
        batch_size=4,
    )
    assert game.unvectorised is None
    members = [Member(seed, 16, 1e-3) for seed in range(2)]
    how = [training(3, execution=form) for form in ("traced", "eager")]
    train_together_and_alone(game, members, *how, moves=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    "options", [pytest.param(ATTENDED, marks=pytest.mark.slow), AUXILIARY], ids=["SAGAN", "auxiliary"]
)
def test_every_form_keeps_the_contract(options):
    assert architecture_fault(sngan(base_channels=2, latent_size=4, **options), SMALL) is None


@pytest.mark.parametrize("name", ["hinge", "non_saturating"])
def test_an_objective_that_would_not_train_the_class_head_is_refused(name):
    parts = {"data": SMALL, "labels": np.arange(16) % 3, "batch_size": 4, "objective": part("objective", name)}
    with pytest.raises(GanbenchError, match=r"gives class_logits, which objective .* such as auxiliary_classifier"):
        gan(IMAGES, architecture=sngan(base_channels=2, conditioning="auxiliary"), **parts)
    gan(IMAGES, architecture=sngan(base_channels=2, conditioning="projection"), **parts)
    parts["objective"] = part("objective", "auxiliary_classifier")
    gan(IMAGES, architecture=sngan(base_channels=2, conditioning="auxiliary"), **parts)


def test_vectors_of_spectral_normalisation_move_in_training_and_rest_in_evaluation():
    architecture = sngan(base_channels=2, conditioning="projection")
    inputs = trial_inputs(architecture, "discriminator", SMALL, 4)
    module = initial_module(architecture, "discriminator", SMALL, 0)
    network = Network(module, inputs)
    layers = [each for each in module.modules() if isinstance(each, nn.Conv2d | nn.Linear | nn.Embedding)]
    # The last layer's vector of outputs is one number, whose sign does not change.
    assert len(network.buffers) >= 2 * len(layers) - 1
    assert set(network.buffers) <= {name for name, _ in module.named_buffers()}
    theta, start = Network.vector(module)[None], network.start_buffers(module)
    buffers = {name: value[None] for name, value in start.items()}
    given = [each[None] for each in inputs]
    moved = network.apply(1.5 * theta + 0.01, buffers, None, *given)[1]
    rested = network.apply(1.5 * theta + 0.01, buffers, None, *given, training=False)[1]
    assert any((moved[name] - value).abs().max() > 1e-4 for name, value in buffers.items())
    assert all(torch.equal(rested[name], value) for name, value in buffers.items())


def test_labels_decide_what_the_generator_makes_and_what_the_discriminator_says():
    architecture = sngan(base_channels=2, latent_size=4, conditioning="projection")
    generator, discriminator = (
        initial_module(architecture, player, SMALL, 0) for player in ("generator", "discriminator")
    )
    z, labels = torch.randn(3, 4), torch.tensor([0, 1, 2])
    assert torch.equal(generator(z, labels), generator(z, labels.flip(0))), "all labels start alike"
    torch.nn.init.normal_(generator.blocks[0].norms[0].affine.weight)
    assert not torch.allclose(generator(z, labels), generator(z, labels.flip(0)))
    images = torch.rand(3, 1, 8, 8)
    discriminator.eval()
    table, features = discriminator.embedding.weight.detach(), discriminator.blocks(images).relu().sum((2, 3))
    apart = discriminator(images, labels) - discriminator(images, labels.flip(0))
    torch.testing.assert_close(apart, (features * (table - table.flip(0))).sum(1), rtol=1e-4, atol=1e-5)


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shape", "bounded", "said"),
    [
        ({}, (3, 30, 30), True, "a side has 30 pixels: resize to 28 or 32"),
        ({}, (3, 500, 500), True, "a side has 500 pixels: resize to 128$"),
        ({}, (3, 32, 48), True, "square images whose side is one of 8, 16, 28, 32, 48, 64 and 128 pixels"),
        ({}, (2,), False, "square images"),
        ({}, (3, 32, 32), False, r"values in \[-1, 1\]"),
        (
            {"attention_resolution": 64},
            (3, 32, 32),
            True,
            "`attention_resolution` at 32 pixels; choose one of 0, 8, 16 and 32",
        ),
        ({"attention_resolution": 14}, (3, 28, 28), True, None),
        (
            {"attention_resolution": 32},
            (3, 32, 32),
            True,
            "`discriminator_attention_resolution` at 32 pixels; choose one of 0, 8 and 16",
        ),
        (
            {"discriminator_attention_resolution": 7},
            (3, 28, 28),
            True,
            "even side 7 for its `discriminator_attention_resolution`",
        ),
    ],
)
def test_a_refusal_names_what_helps(options, shape, bounded, said):
    reason = sngan(**options).unsupported(DataSpec(shape, bounded, 64, 10))
    assert (reason is None) == (said is None)
    if said is not None:
        assert re.search(said, reason), reason
