"""Discriminators that judge several examples together (PacGAN): steps, penalties, and what is refused."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from building import CPU, gan, part, training
from conditional_networks import Conditional
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ganbench.architectures import Architecture, initial_module
from ganbench.contracts.networks import architecture_fault
from ganbench.contracts.steps import mixes_examples
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.engine.fusing import forward_work
from ganbench.engine.train import train
from ganbench.games import Match, Member
from ganbench.games.gan import GAN
from ganbench.nn.network import Network
from ganbench.nn.packing import Packing, first_of_group
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight.trial import try_study
from ganbench.study.schema import parse

PLANE = DataSpec((2,), False, 60, 8)
IMAGES = DataSpec((3, 8, 8), True, 60, 10)
POINTS = np.random.default_rng(0).normal(size=(60, 2))
MEMBERS = [Member(seed, 60, 1e-3) for seed in (3, 4, 5)]


def packed_mlp(packing: int, **options):
    return part(
        "architecture", "mlp", latent_size=2, width=5, depth=1, activation="tanh", packing_degree=packing, **options
    )


def packed_gan(packing: int, batch_size: int = 12, **parts) -> GAN:
    return gan(POINTS, data=PLANE, architecture=packed_mlp(packing), batch_size=batch_size, **parts)


def joined_by_hand(x: Tensor, packing: int) -> Tensor:
    """Every `packing` points of a batch (n, d) side by side, (n / packing, packing d)."""
    return torch.cat([x[place::packing] for place in range(packing)], dim=1)


def test_groups_are_joined_along_the_channels_in_their_order():
    images = torch.arange(6 * 2 * 3 * 3.0).view(6, 2, 3, 3)
    joined = Packing(3)(images)
    assert joined.shape == (2, 6, 3, 3)
    assert torch.equal(joined[1, 4:6], images[5])
    assert torch.equal(joined, joined_by_hand(images, 3))
    values = torch.arange(12.0).view(2, 6)
    assert first_of_group(values, 3).tolist() == [[0, 0, 0, 3, 3, 3], [6, 6, 6, 9, 9, 9]]
    with pytest.raises(ValueError, match="a batch of 7 examples cannot be divided into groups of 3"):
        Packing(3)(torch.zeros(7, 2))


@pytest.mark.parametrize("packing", [2, 3])
@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_steps_are_those_of_the_article(packing, gamma):
    """Three steps of PacGAN by hand, with R1 too: a penalty of the gradient in all examples of a group."""
    size, steps, member = 6, 3, MEMBERS[0]
    regularizer = part("regularizer", "r1", gamma=gamma) if gamma else part("regularizer", "none")
    game = packed_gan(packing, size, regularizer=regularizer)
    (result,) = train(game, training(steps), [member], device=CPU)
    generator = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    discriminator = nn.Sequential(nn.Linear(2 * packing, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    players = {"generator": generator, "discriminator": discriminator}
    for player, module in players.items():
        start = Network.vector(initial_module(game.architecture, player, PLANE, member.seed)).double()
        nn.utils.vector_to_parameters(start, module.parameters())
    adam = {p: torch.optim.Adam(m.parameters(), lr=1e-3, betas=(0.5, 0.999)) for p, m in players.items()}

    def judged(x: Tensor, label: float) -> Tensor:
        logits = discriminator(joined_by_hand(x, packing))[:, 0]
        return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))

    numbers = Match(game, [member], CPU, torch.float64)
    for step in range(steps):
        (batch,) = numbers.draw(step, 1)
        real = torch.from_numpy(POINTS)[batch["order"][0]].requires_grad_()
        loss = judged(real, 1) + judged(generator(batch["latent.discriminator"][0]).detach(), 0)
        logits = discriminator(joined_by_hand(real, packing))
        (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        loss = loss + gamma / 2 * gradient.square().sum() / (size // packing)  # per group, all its examples
        adam["discriminator"].zero_grad()
        loss.backward()
        adam["discriminator"].step()
        adam["generator"].zero_grad()
        judged(generator(batch["latent.generator"][0]), 1).backward()
        adam["generator"].step()
    for player, module in players.items():
        mine = nn.utils.parameters_to_vector(module.parameters()).detach()
        theirs = torch.from_numpy(result["snapshots"][player][-1])
        torch.testing.assert_close(theirs, mine, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("packing", [2, 3])
@pytest.mark.parametrize("name", ["wgan_gp", "zero_centered_gp"])
def test_penalties_between_examples_move_a_group_as_one(name, packing):
    game = packed_gan(packing, 6, regularizer=part("regularizer", name, gamma=1.0))
    match = Match(game, MEMBERS[:1], CPU, torch.float64)
    players, batch = match.init(), match.draw(0, 1)[0]
    loss, _ = match.loss("discriminator", players, batch)
    plain = Match(replace(game, regularizer=part("regularizer", "none")), MEMBERS[:1], CPU, torch.float64)
    penalty = loss - plain.loss("discriminator", players, batch)[0]
    module = nn.Sequential(nn.Linear(2 * packing, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    nn.utils.vector_to_parameters(players["discriminator"][0], module.parameters())
    real = joined_by_hand(torch.from_numpy(POINTS)[batch["order"][0]], packing)
    latent = batch["latent.discriminator"][0]
    generator = initial_module(game.architecture, "generator", PLANE, MEMBERS[0].seed).double()
    fake = joined_by_hand(generator(latent).detach(), packing)
    share = batch["noise.mix"][0, ::packing]
    between = ((1 - share) * real + share * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(module(between).sum(), between)
    lengths = gradient.norm(dim=1)
    expected = {"wgan_gp": (lengths - 1).square().mean(), "zero_centered_gp": lengths.square().mean() / 2}[name]
    torch.testing.assert_close(penalty[0], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["non_saturating", "relativistic_average", "relativistic_pairing"])
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_real_and_generated_groups_share_a_pass_and_do_not_mix(name, player):
    game = packed_gan(3, objective=part("objective", name), regularizer=part("regularizer", "instance_noise"))
    match = Match(game, MEMBERS[:2], CPU, torch.float64)
    assert game.shares_pass
    assert not mixes_examples(game, MEMBERS)
    at, batch = match.init(), match.draw(0, 1)[0]
    together, _ = match.loss(player, at, batch)
    apart, _ = game.replaced(shares_pass=False).loss(player, at, batch)
    torch.testing.assert_close(together, apart, rtol=1e-12, atol=1e-12)


def test_a_discriminator_that_normalises_by_the_batch_mixes_groups():
    architecture = part("architecture", "dcgan", base_channels=2, latent_size=2, packing_degree=2)
    game = gan(np.zeros((60, 3, 8, 8)), data=IMAGES, architecture=architecture, batch_size=8)
    assert not game.shares_pass
    assert mixes_examples(game, MEMBERS)


def test_a_group_has_one_flipped_label():
    game = packed_gan(3, objective=part("objective", "non_saturating", label_flip_probability=0.5))
    drawn = game.draw(MEMBERS[0], 0, 5, torch.float64)
    assert drawn["flip.real"].shape == drawn["flip.fake"].shape == (5, 4)
    match = Match(game, MEMBERS[:1], CPU, torch.float64)
    players, batch = match.init(), match.draw(0, 1)[0]
    loss, aux = match.loss("discriminator", players, batch)
    real, fake = (batch[f"flip.{kind}"][0] < 0.5 for kind in ("real", "fake"))
    logits = {}
    for kind, points in (("real", game.real(players, batch)), ("fake", game.fake("discriminator", players, batch))):
        logits[kind] = game.discriminate(players["discriminator"], points.points)[0]
    softplus = torch.nn.functional.softplus
    expected = torch.where(real, softplus(logits["real"]), softplus(-logits["real"])).mean()
    expected = expected + torch.where(fake, softplus(-logits["fake"]), softplus(logits["fake"])).mean()
    torch.testing.assert_close(loss[0], expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(aux["real_output"][0], logits["real"].sigmoid().mean())


@pytest.mark.parametrize(
    "made",
    [
        lambda m: (part("architecture", "mlp", width=4, depth=1, packing_degree=m), PLANE),
        lambda m: (part("architecture", "fc", hidden_sizes=(8,), latent_size=2, packing_degree=m), IMAGES),
        lambda m: (part("architecture", "dcgan", base_channels=2, latent_size=2, packing_degree=m), IMAGES),
    ],
    ids=["mlp", "fc", "dcgan"],
)
@pytest.mark.parametrize("packing", [2, 3, 4])
def test_an_architecture_with_packing_keeps_the_contract(made, packing):
    architecture, data = made(packing)
    assert architecture_fault(architecture, data) is None
    alone, _ = made(1)
    sizes = {
        m: [Network.vector(initial_module(of, p, data, 0)).numel() for p in GAN.players]
        for m, of in ((1, alone), (packing, architecture))
    }
    first = next(initial_module(alone, "discriminator", data, 0).parameters()).numel()
    assert sizes[packing][0] - sizes[1][0] == (packing - 1) * first, "only the first layer's weights are more"
    assert sizes[packing][1] == sizes[1][1]


@pytest.mark.parametrize("packing", [2, 3])
@pytest.mark.parametrize("regularizer", ["r1", "wgan_gp"])
def test_runs_with_packing_are_trained_together_as_alone(packing, regularizer):
    """Steps of the pack are traced, those of one run are not."""
    game = packed_gan(packing, regularizer=part("regularizer", regularizer))
    assert game.unvectorised is None
    together = train(game, training(8, execution="traced"), MEMBERS, device=CPU)
    for member, result in zip(MEMBERS, together, strict=True):
        assert result["about"]["execution"] == "traced"
        (alone,) = train(game, training(8), [member], device=CPU)
        for player in GAN.players:
            np.testing.assert_allclose(result["snapshots"][player], alone["snapshots"][player], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("packing", [1, 3])
def test_the_work_of_a_batch_counts_every_example_once(packing):
    """Products of 2 P multiplications and additions an input, P without the biases, for each group or latent point."""
    game = packed_gan(packing, 48)
    by_hand = 2 * 48 * (2 * 5 + 5 * 2) + 2 * 48 // packing * (2 * packing * 5 + 5)
    assert forward_work(game) == by_hand


# Refusals -------------------------------------------------------------------------------------------------------------


def test_a_batch_that_cannot_be_divided_is_refused_with_those_that_can():
    with pytest.raises(
        GanbenchError, match=r"with packing_degree=3 .* a batch of 10 examples .* take 9 or 12 examples\."
    ):
        packed_gan(3, 10)
    with pytest.raises(GanbenchError, match=r"a batch of 2 examples .* take 3 examples\."):
        packed_gan(3, 2)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (
            {"batch_size": [9, 16]},
            r"train.batch_size: with architecture 'mlp\(.*packing_degree=3.*\)'.* a batch of 16 examples",
        ),
        pytest.param({"batch_size": 18, "accumulation_steps": 2}, None, marks=pytest.mark.slow),
        (
            {"batch_size": 12, "accumulation_steps": 3},
            "train.batch_size / accumulation_steps: .* a batch of 4 examples",
        ),
    ],
)
def test_check_refuses_a_batch_that_cannot_be_divided(tmp_path, sizes, said, hurried):
    grid = {
        "dataset": {"name": "ring8", "examples": 64},
        "architecture": {"name": "mlp", "width": 4, "depth": 1, "latent_size": 2, "packing_degree": 3},
        "learning_rate": 1e-3,
        "seed": [0, 1],
    }
    study = {"study": "tiny", "results": str(tmp_path), "grid": [grid], "train": {"steps": 10} | sizes}
    if said is None:
        try_study(Plan(parse(study, origin="study")))
        return
    with pytest.raises(GanbenchError, match=said):
        try_study(Plan(parse(study, origin="study")))


@dataclass(frozen=True)
class PackedConditional(Conditional):
    """A conditional architecture that says it judges two examples together."""

    packing_degree: int = 2


@dataclass(frozen=True)
class OnePerExample(Architecture):
    """An architecture that says it judges groups, but gives a logit for each example."""

    latent_size: int = 2
    packing_degree: object = 2
    passed_to_generator: ClassVar[tuple[str, ...]] = ()

    def generator(self, data: DataSpec) -> nn.Module:
        return nn.Linear(2, math.prod(data.shape))

    def discriminator(self, data: DataSpec) -> nn.Module:
        return nn.Sequential(nn.Linear(math.prod(data.shape), 1), nn.Flatten(0))


@dataclass(frozen=True)
class PassingGroups(OnePerExample):
    """An architecture that judges groups and passes an output on."""

    passed_to_generator: ClassVar[tuple[str, ...]] = ("features",)


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        (
            PackedConditional(),
            "takes labels, but with packing_degree=2 .* take packing_degree=1, or a discriminator without labels",
        ),
        (OnePerExample(), r"gives outputs of shape \(8,\) .*; must be \(4,\), one for every 2 examples"),
        (OnePerExample(packing_degree=0), "packing_degree must be a whole number of at least 1, .* but is 0"),
        (OnePerExample(packing_degree=True), "but is True"),
        (PassingGroups(), "passes outputs on to the generator, but with packing_degree=2"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_goes_with_no_packing_is_refused(architecture, said):
    fault = architecture_fault(architecture, PLANE)
    assert fault
    assert re.search(said, fault), fault


def test_an_objective_that_needs_the_class_of_each_example_is_refused():
    labels = np.arange(60) % 8
    parts = {"objective": part("objective", "auxiliary_classifier"), "labels": labels}
    architecture = PackedConditional("classes")
    with pytest.raises(GanbenchError, match="AuxiliaryClassifier needs the class of each; take packing_degree=1"):
        gan(POINTS, data=PLANE, architecture=architecture, **parts)


def test_without_packing_a_discriminator_has_no_other_layers():
    alone, wide = (initial_module(packed_mlp(m), "discriminator", PLANE, 0) for m in (1, 2))
    assert [type(layer).__name__ for layer in alone] == ["Flatten", "Linear", "Tanh", "Linear", "Flatten"]
    assert [layer.in_features for layer in wide if isinstance(layer, nn.Linear)] == [4, 5]


def test_an_own_architecture_with_an_invalid_packing_is_named(tmp_path, hurried):
    """Told before its memory or its steps are looked at."""
    path = tmp_path / "own.py"
    path.write_text(
        '"""Networks whose packing is invalid."""\n'
        "from dataclasses import dataclass\n"
        "from torch import nn\n"
        "from ganbench.architectures import Architecture\n\n\n"
        "@dataclass(frozen=True)\n"
        "class Own(Architecture):\n"
        "    latent_size: int = 2\n"
        "    packing_degree: int = 0\n\n"
        "    def generator(self, data):\n"
        "        return nn.Linear(2, 2)\n\n"
        "    def discriminator(self, data):\n"
        "        return nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))\n"
    )
    ring = {"name": "ring8", "examples": 64}
    grid = {"dataset": ring, "architecture": str(path), "learning_rate": 1e-3, "seed": 0}
    study = {"study": "tiny", "results": str(tmp_path), "grid": [grid], "train": {"steps": 10}}
    with pytest.raises(GanbenchError, match="packing_degree must be a whole number of at least 1"):
        try_study(Plan(parse(study, origin="study")))


UNCONDITIONAL = {
    "sngan": {"base_channels": 2, "latent_size": 3},
    "r3gan": {"base_channels": 4, "max_channels": 8, "latent_size": 3, "group_width": 4},
    "stylegan2": {
        "base_channels": 4,
        "max_channels": 8,
        "latent_size": 3,
        "style_size": 3,
        "minibatch_deviation": True,
    },
}


@pytest.mark.parametrize("name", UNCONDITIONAL)
def test_a_packed_discriminator_is_the_one_of_joined_images(name):
    """That of images with m times the channels: the same parameters from the same seed, and the same logits."""
    options, joined = UNCONDITIONAL[name], replace(IMAGES, shape=(9, 8, 8))
    packed = initial_module(part("architecture", name, packing_degree=3, **options), "discriminator", IMAGES, 0)
    plain = initial_module(part("architecture", name, **options), "discriminator", joined, 0)
    assert torch.equal(Network.vector(packed), Network.vector(plain))
    x = torch.randn(12, 3, 8, 8)
    torch.testing.assert_close(packed(x), plain(joined_by_hand(x, 3)), rtol=1e-6, atol=1e-7)
    assert packed(x).shape == (4,)


@pytest.mark.parametrize("name", UNCONDITIONAL)
def test_packed_image_networks_train_together_as_alone(name):
    architecture = part("architecture", name, packing_degree=2, **UNCONDITIONAL[name])
    assert architecture_fault(architecture, IMAGES) is None
    images = np.random.default_rng(0).uniform(-1, 1, (16, 3, 8, 8))
    game = gan(images, data=IMAGES, architecture=architecture, batch_size=6)
    members = [Member(seed, 16, 1e-3) for seed in (0, 1)]
    assert mixes_examples(game, members) == (name == "stylegan2"), "by its deviation over the groups"
    plain = training(2)
    for member, result in zip(members, train(game, plain, members, device=CPU), strict=True):
        (alone,) = train(game, plain, [member], device=CPU)
        for player in game.players:
            end = result["snapshots"][player][-1]
            assert not np.array_equal(result["snapshots"][player][0], end)
            np.testing.assert_allclose(end, alone["snapshots"][player][-1], rtol=1e-9, atol=1e-9)


def test_a_packed_discriminator_with_labels_is_refused():
    for name in ("sngan", "r3gan"):
        architecture = part("architecture", name, packing_degree=2, conditioning="projection", **UNCONDITIONAL[name])
        assert "its discriminator takes labels, but with packing_degree=2" in architecture_fault(architecture, IMAGES)
