"""The normalisations of DCGAN: which layers a network has, and which of them let examples of a batch alone."""

from __future__ import annotations

import math

import pytest
import torch
from building import CPU, gan, part, training
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, conv2d, normalize

from ganbench.architectures import initial_module
from ganbench.contracts.networks import architecture_fault
from ganbench.contracts.steps import mixes_examples
from ganbench.data import DataSpec
from ganbench.engine.train import train
from ganbench.games import Match, Member
from ganbench.nn.network import Network
from ganbench.nn.sample import Sample
from ganbench.regularizers import input_gradient

DATA = DataSpec((1, 8, 8), True, 64, 10)
LAYERS = {
    "batch": nn.BatchNorm2d,
    "instance": nn.InstanceNorm2d,
    "group": nn.GroupNorm,
    "layer": nn.GroupNorm,
    "spectral": None,
    "none": None,
}
IMAGES = torch.rand(6, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1


def dcgan(player: str, norm: str, features: int = 4):
    return part("architecture", "dcgan", base_channels=features, **{f"{player}_norm": norm})


@pytest.mark.parametrize("norm", LAYERS)
def test_a_network_has_the_layers_of_its_normalisation_and_no_other(norm):
    for player in ("generator", "discriminator") if norm != "spectral" else ("discriminator",):
        module = initial_module(dcgan(player, norm), player, DATA, 0)
        kinds = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)
        layers = [part for part in module.modules() if isinstance(part, kinds)]
        assert {type(layer) for layer in layers} == ({LAYERS[norm]} if LAYERS[norm] else set())
        assert all((layer.weight - 1).abs().max() > 0 for layer in layers), "scales start at N(1, 0.02)"
        convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]
        normed = [layer for layer in convolutions if layer.bias is None]
        assert len(normed) == len(layers), "a bias before a normalisation is a parameter without effect"


def test_spectral_normalisation_bounds_every_convolution():
    module = initial_module(dcgan("discriminator", "spectral"), "discriminator", DATA, 0)
    for _ in range(50):  # power iterations
        module(IMAGES.float())
    weights = [layer.weight.detach().flatten(1) for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    assert [torch.linalg.matrix_norm(weight, 2).item() for weight in weights] == pytest.approx(
        [1.0] * len(weights), abs=1e-3
    )


@pytest.mark.parametrize(("features", "groups"), [(4, 1), (16, 1), (12, 3), (48, 3), (5, 5)])
def test_groups_have_sixteen_channels_or_the_largest_part_of_them_that_fits(features, groups):
    module = initial_module(dcgan("generator", "group", features), "generator", DATA, 0)
    last = [layer for layer in module if isinstance(layer, nn.GroupNorm)][-1]
    assert (last.num_channels, last.num_groups) == (features, groups)
    assert features // groups == math.gcd(features, 16)


@pytest.mark.slow
@pytest.mark.parametrize("norm", LAYERS)
def test_every_normalisation_keeps_the_contract(norm):
    options = {"discriminator_norm": norm, "generator_norm": "none" if norm == "spectral" else norm}
    assert architecture_fault(part("architecture", "dcgan", base_channels=4, **options), DATA) is None


@pytest.mark.parametrize("norm", LAYERS)
def test_r1_is_the_mean_of_the_examples_penalties_where_none_mix(norm):
    """Of the whole batch at once, of each example in a batch of its own, and as the game with it is judged."""
    architecture = dcgan("discriminator", norm)
    module = initial_module(architecture, "discriminator", DATA, 0)
    network = Network(module).to(CPU, torch.float64)
    theta = Network.vector(module).double()[None]

    def discriminator(points: Tensor) -> Tensor:
        return network.apply(theta, {}, None, points, training=False)[0]  # without a power iteration

    def squares(points: Tensor) -> Tensor:
        """|grad D(x)|^2 of each example, (1, batch)."""
        return input_gradient(discriminator, points).square().sum(-1).detach()

    r1 = part("regularizer", "r1", gamma=2.0)
    whole = r1.penalty(discriminator, Sample(IMAGES[None]), Sample(IMAGES[None]), {}).item()
    alone = torch.cat([squares(IMAGES[None, i : i + 1]) for i in range(len(IMAGES))], dim=1).mean().item()
    game = gan(IMAGES, data=DATA, architecture=architecture, regularizer=r1, batch_size=4)
    mixed = mixes_examples(game, [Member(0, 6, 1e-3), Member(1, 6, 1e-3)])
    assert mixed == (norm == "batch")
    assert (whole == pytest.approx(alone, rel=1e-9)) == (not mixed)


# The steps of the articles, written by hand ---------------------------------------------------------------------------


class SpectralConv(nn.Conv2d):
    """A convolution by W / sigma(W), with sigma by one power iteration in each forward pass (Miyato et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        matrix = self.weight.flatten(1)
        with torch.no_grad():
            self.u = normalize(matrix @ self.v, dim=0)
            self.v = normalize(matrix.T @ self.u, dim=0)
        sigma = self.u.clone() @ matrix @ self.v.clone()
        return conv2d(x, self.weight / sigma, self.bias, self.stride, self.padding)


def networks_by_hand(norm: str) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of DCGAN for images of 8 pixels with 4 features."""
    generator = nn.Sequential(
        *(nn.Unflatten(1, (100, 1, 1)), nn.ConvTranspose2d(100, 8, 2, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        *(nn.ConvTranspose2d(4, 1, 4, 2, 1), nn.Tanh()),
    )
    conv = SpectralConv if norm == "spectral" else nn.Conv2d
    batch = [nn.BatchNorm2d(8)] if norm == "batch" else []
    discriminator = nn.Sequential(
        *(conv(1, 4, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(conv(4, 8, 4, 2, 1, bias=norm == "spectral"), *batch, nn.LeakyReLU(0.2)),
        *(conv(8, 1, 2), nn.Flatten(0)),
    )
    return generator.double(), discriminator.double()


def copy_start(module: nn.Module, theirs: nn.Module) -> None:
    """Give a network that is written by hand the initial weights of another, and its vectors of power iterations."""
    state = {name.replace("parametrizations.weight.original", "weight"): v for name, v in theirs.state_dict().items()}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(state[name])
    for index, layer in enumerate(module):
        if isinstance(layer, SpectralConv):
            layer.u, layer.v = (state[f"{index}.parametrizations.weight.0.{name}"].double() for name in ("_u", "_v"))


@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_steps_are_those_of_the_articles(norm):
    """Three of DCGAN's (Radford et al. 2016), and of the same with spectral normalisation: a binary cross-entropy of
    real and of generated examples, alternating Adam with the rates of the article."""
    architecture, member, steps, size = dcgan("discriminator", norm), Member(3, 6, 2e-4), 3, 4
    game = gan(IMAGES, data=DATA, architecture=architecture, batch_size=size)
    (result,) = train(game, training(steps), [member], device=CPU)
    generator, discriminator = networks_by_hand(norm)
    for player, module in (("generator", generator), ("discriminator", discriminator)):
        copy_start(module, initial_module(architecture, player, DATA, member.seed))
    slow = {"lr": 2e-4, "betas": (0.5, 0.999)}
    adam = {module: torch.optim.Adam(module.parameters(), **slow) for module in (generator, discriminator)}
    ones, zeros = torch.ones(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    numbers = Match(game, [member], CPU, torch.float64)
    for step in range(steps):
        (batch,) = numbers.draw(step, 1)
        generated = generator(batch["latent.discriminator"][0]).detach()
        loss = binary_cross_entropy_with_logits(discriminator(IMAGES[batch["order"][0]]), ones)
        loss = loss + binary_cross_entropy_with_logits(discriminator(generated), zeros)
        adam[discriminator].zero_grad()
        loss.backward()
        adam[discriminator].step()
        adam[generator].zero_grad()
        binary_cross_entropy_with_logits(discriminator(generator(batch["latent.generator"][0])), ones).backward()
        adam[generator].step()
    for player, module in (("generator", generator), ("discriminator", discriminator)):
        end = torch.from_numpy(result["snapshots"][player][-1])
        names = [name for name, _ in initial_module(architecture, player, DATA, 0).named_parameters()]
        mine = dict(module.named_parameters())
        theirs = [mine[name.replace("parametrizations.weight.original", "weight")] for name in names]
        torch.testing.assert_close(end, torch.cat([p.detach().flatten() for p in theirs]), rtol=1e-10, atol=1e-10)
        assert (end - torch.from_numpy(result["snapshots"][player][0])).abs().max() > 1e-4, "it moves"
