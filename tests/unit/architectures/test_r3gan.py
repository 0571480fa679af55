"""R3GAN against what its authors' code computed, and its training with both gradient penalties."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from building import CPU, gan, part, train_together_and_alone, training
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganbench.architectures import initial_module
from ganbench.contracts.networks import architecture_fault
from ganbench.data import DataSpec
from ganbench.engine.train import train
from ganbench.games import Member

PLAYERS = ("generator", "discriminator")
SMALL = DataSpec((1, 8, 8), True, 64, 3)


def r3gan(**options):
    return part("architecture", "r3gan", **options)


def images(side: int, modes: int = 10) -> DataSpec:
    return DataSpec((3, side, side), True, 64, modes)


# Numbers of parameters, counted with the authors' code (brownvc/R3GAN at 19a7ddf) for the presets of its train.py.
PRESETS = [
    pytest.param(32, {"base_channels": 768}, (20_732_160, 20_683_776), id="CIFAR10"),
    pytest.param(
        32, {"base_channels": 768, "conditioning": "projection"}, (20_781_952, 21_280_512), id="CIFAR10, conditional"
    ),
    pytest.param(64, {"base_channels": 384}, (22_429_824, 22_381_440), id="FFHQ-64"),
    pytest.param(256, {"base_channels": 96}, (23_057_952, 23_009_568), id="FFHQ-256"),
]


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("side", "options", "counted"), PRESETS)
def test_the_published_networks_have_as_many_parameters_as_their_authors_count(side, options, counted):
    architecture = r3gan(**options, max_channels=768)
    assert architecture.unsupported(images(side)) is None
    with torch.device("meta"):
        assert tuple(size(getattr(architecture, player)(images(side))) for player in PLAYERS) == counted


def test_initial_weights_have_the_variances_of_the_article():
    """Of six blocks: gains sqrt(2 / 1.04) / 6^(1/4), zero for the last convolution of a block, one elsewhere."""
    architecture = r3gan(base_channels=32, max_channels=64)
    for player in PLAYERS:
        module = initial_module(architecture, player, images(16), 0)
        for name, value in module.named_parameters():
            inputs = value[0].numel() if value.dim() > 1 else 0
            gain = math.sqrt(2 / 1.04) / 6**0.25 if ".expand." in name or ".mix." in name else 1.0
            if name.endswith("bias") or ".reduce." in name:
                assert value.abs().max() == 0, name
            else:
                deviation = {"generator": 1.0, "discriminator": 0.25}[player] if name == "basis" else None
                expected = deviation or gain / math.sqrt(inputs)
                assert value.std().item() == pytest.approx(expected, rel=6 / math.sqrt(2 * value.numel())), name


@pytest.mark.parametrize(
    ("features", "group_width", "groups"), [(32, 16, [4]), (32, 0, [1]), (4, 16, [1]), (9, 16, [9]), (12, 16, [3])]
)
def test_groups_are_as_wide_as_asked_or_the_largest_part_of_that_which_fits(features, group_width, groups):
    module = r3gan(base_channels=features, max_channels=features, blocks=1, group_width=group_width).generator(SMALL)
    grouped = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3)]
    assert [layer.groups for layer in grouped] == 2 * groups


def formula(shape: tuple[int, ...], place: int, scale: float) -> Tensor:
    """Numbers in [-scale, scale] that look random; exact in integers, so that they are the same everywhere."""
    i = torch.arange(math.prod(shape)) + 1000 * place
    return (((i * i * 31 + i * 17) % 10007).double() / 10007 - 0.5).mul(2 * scale).view(shape)


BLOCK = ("expand.weight", "mix.weight", "reduce.weight", "expand.bias", "mix.bias")  # in the authors' order


def order(player: str) -> list[str]:
    """The names of the parameters in the authors' order, for three stages of two blocks and widths 8, 8 and 4."""

    def blocks(*at: int) -> list[str]:
        return [f"stages.{index}.{each}" for index in at for each in BLOCK]

    if player == "generator":
        inner = ["basis", "first.weight", *blocks(0, 1, 3, 4), "stages.5.change.weight", *blocks(6, 7)]
        return [*inner, "last.weight"]
    inner = [*blocks(0, 1), "stages.2.change.weight", *blocks(3, 4, 6, 7)]
    return ["first.weight", *inner, "basis", "last.weight"]


def test_outputs_penalty_and_gradient_are_those_of_the_authors_code():
    """Recorded in double precision with brownvc/R3GAN at 19a7ddf and its reference operators: NoiseDimension 5, widths
    8, 8, 4, cardinalities 4, 4, 2, two blocks a stage. The loss is the relativistic one of fixed generated images plus
    half the squared gradient of each real one."""
    architecture = r3gan(latent_size=5, base_channels=4, max_channels=8, group_width=4, output_activation="linear")
    networks = {player: initial_module(architecture, player, images(16), 0).double() for player in PLAYERS}
    with torch.no_grad():
        for player, module in networks.items():
            named = dict(module.named_parameters())
            assert sorted(named) == sorted(order(player))
            for place, name in enumerate(order(player)):
                value = named[name]
                is_filter = player == "discriminator" and name == "basis"  # to them a convolution, (8, 1, 4, 4)
                scale = 0.2 if value.dim() < 2 else math.sqrt(1.5 / (16 if is_filter else value[0].numel()))
                scale = 1.0 if player == "generator" and name == "basis" else scale
                value.copy_(formula(tuple(value.shape), place, scale))
    fake = networks["generator"](formula((3, 5), 100, 2.0))

    pixels = [0.20779107821063897, 0.22226825576803275, -0.06694910619666179, -0.051238434277040314]
    assert fake.flatten()[[0, 1, 500, 2000]].tolist() == pytest.approx(pixels, rel=1e-12)
    real = formula((3, 3, 16, 16), 50, 1.0).requires_grad_()
    on_real, on_fake = (networks["discriminator"](each) for each in (real, fake))
    assert on_real.tolist() == pytest.approx([-0.05351358950120487, -0.03508633442404137, -0.08924980020492418])
    assert on_fake.tolist() == pytest.approx([-0.1396194500673354, -0.09085960907262267, -0.13842810031246133])
    (gradient,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
    r1 = gradient.square().sum((1, 2, 3))
    assert r1.tolist() == pytest.approx([0.004783547141254858, 0.0046492055878289374, 0.004795903945399197])
    loss = (softplus(on_fake - on_real) + 0.5 * r1).mean()
    assert loss.item() == pytest.approx(0.6642149027232764, rel=1e-12)
    gradients = torch.autograd.grad(loss, list(networks["discriminator"].parameters()))
    assert sum(each.square().sum() for each in gradients).sqrt().item() == pytest.approx(0.20070833950995945)


# Training -------------------------------------------------------------------------------------------------------------


class BothPenalties(type(part("regularizer", "r1"))):
    """R1 and R2 at once, as R3GAN is trained."""

    def penalty(self, discriminator, real, fake, noise):
        return super().penalty(discriminator, real, fake, noise) + super().penalty(discriminator, fake, real, noise)


IMAGES = torch.rand(16, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("options", [{"group_width": 4, "conditioning": "projection"}, {"group_width": 0}])
def test_members_train_together_as_alone_with_both_penalties(options):
    architecture = r3gan(base_channels=2, max_channels=4, blocks=1, latent_size=4, **options)
    game = gan(
        IMAGES,
        data=SMALL,
        architecture=architecture,
        objective=part("objective", "relativistic_pairing"),
        regularizer=BothPenalties(gamma=1.0),
        labels=np.arange(16) % 3 if architecture.conditional else None,
        batch_size=4,
    )
    assert game.unvectorised is None
    members = [Member(seed, 16, 1e-3) for seed in range(2)]
    how = [training(3, execution=form) for form in ("traced", "eager")]
    train_together_and_alone(game, members, *how, moves=1e-4, atol=1e-9)


@pytest.mark.slow
def test_three_hundred_steps_on_digits_diverge_nowhere_and_learn():
    """With the published loss, penalties and optimizer (Adam without momentum); images end nearer to the digits' mean
    and deviation than they began."""
    dataset = part("dataset", "digits")
    digits = dataset.load().train
    game = gan(
        digits,
        data=dataset.spec,
        architecture=r3gan(base_channels=16, max_channels=32, group_width=8),
        objective=part("objective", "relativistic_pairing"),
        regularizer=BothPenalties(gamma=0.1),
        batch_size=32,
        dtype=torch.float32,
    )
    adam = part("optimizer", "adam", beta1=0.0, beta2=0.99)
    (result,) = train(
        game, training(300, optimizer=adam, dtype=torch.float32), [Member(0, len(digits), 2e-3)], device=CPU
    )
    assert result["diverged"] is None
    network, z = game.networks["generator"], torch.randn(1, 500, 64, generator=torch.Generator().manual_seed(1))
    before, after = (network(torch.from_numpy(result["snapshots"]["generator"][row])[None], z)[0] for row in (0, -1))
    mean = torch.from_numpy(digits).float().mean(0)
    assert torch.isfinite(after).all()
    assert (after.mean(0) - mean).norm() < 0.5 * (before.mean(0) - mean).norm()
    assert after.std(0).mean() > 0.1, "the images are not all the same"


@pytest.mark.slow
def test_it_keeps_the_contract_with_labels():
    architecture = r3gan(
        base_channels=2, max_channels=4, blocks=1, latent_size=4, group_width=4, conditioning="projection"
    )
    assert architecture_fault(architecture, SMALL) is None


@pytest.mark.parametrize(
    ("options", "shape", "bounded", "said"),
    [
        ({}, (3, 28, 28), True, None),
        (
            {},
            (3, 100, 100),
            True,
            "4, 5, 6 or 7 times a power of two, .*a side has 100 pixels: resize to 96 or 112",
        ),
        ({}, (3, 30, 30), True, "resize to 28 or 32"),
        ({}, (3, 16, 32), True, "square images .*, of at least 8 pixels, but images have 16x32 pixels"),
        ({}, (3, 32, 32), False, r"values in \[-1, 1\], or `output_activation: linear`"),
        ({"output_activation": "linear"}, (3, 32, 32), False, None),
    ],
)
def test_a_refusal_names_what_helps(options, shape, bounded, said):
    reason = r3gan(**options).unsupported(DataSpec(shape, bounded, 64, 10))
    assert (reason is None) == (said is None), reason
    assert said is None or re.search(said, reason), reason
