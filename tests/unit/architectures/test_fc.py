"""The fully connected networks: those of the articles are settings of their options."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from building import gan, part, train_together_and_alone, training
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from ganbench.architectures import initial_module
from ganbench.core.errors import GanbenchError
from ganbench.core.registry import components
from ganbench.data import DataSpec
from ganbench.games import Member
from ganbench.games.gan import GAN
from ganbench.nn.network import Network

GREY = DataSpec((1, 28, 28), True, 64, 10)
COLOUR = DataSpec((3, 64, 64), True, 64, 0)
SMALL = DataSpec((1, 4, 4), True, 64, 0)
IMAGES = torch.rand(12, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1

LISTED = {
    **{"latent_size": 50, "hidden_sizes": (200, 400, 1000), "scale_hidden_sizes": False},
    **{"dropout": 0.1, "discriminator_activation": "relu"},
}
PLANE = {**LISTED, "latent_size": 2, "hidden_sizes": (248, 512, 1024), "discriminator_hidden_sizes": (1000, 400, 200)}
LARGE = {"hidden_sizes": (512, 2048, 8192), "scale_hidden_sizes": False, "discriminator_activation": "relu"}
HALF = {**LARGE, "hidden_sizes": (512, 2048, 4096)}


def affine(*sizes: int) -> int:
    """Number of weights and biases of layers with these numbers of units."""
    return sum(a * b + b for a, b in pairwise(sizes))


# The widths as the articles give them, and the numbers of parameters of both networks.
SYSTEMS = {
    "listed": (LISTED, GREY, (50, 200, 400, 1000, 784), (784, 1000, 400, 200, 1), 2_542_185),
    "described": ({}, GREY, (100, 256, 512, 1024, 784), (784, 1024, 512, 256, 1), 2_946_577),
    "plane": (PLANE, GREY, (2, 248, 512, 1024, 784), (784, 1000, 400, 200, 1), 2_722_945),
    "large": (LARGE, COLOUR, (100, 512, 2048, 8192, 12_288), (12_288, 8192, 2048, 512, 1), 237_063_681),
    "half": (HALF, COLOUR, (100, 512, 2048, 4096, 12_288), (12_288, 4096, 2048, 512, 1), 119_614_977),
}


def sizes(module: nn.Module) -> tuple[int, ...]:
    layers = [layer for layer in module if isinstance(layer, nn.Linear)]
    return (layers[0].in_features, *(layer.out_features for layer in layers))


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_systems_of_the_articles_are_settings(system):
    options, data, generator, discriminator, count = SYSTEMS[system]
    architecture = part("architecture", "fc", **options)
    with torch.device("meta"):
        modules = [architecture.generator(data), architecture.discriminator(data)]
    assert [sizes(module) for module in modules] == [generator, discriminator]
    counted = [sum(parameter.numel() for parameter in module.parameters()) for module in modules]
    assert counted == [affine(*generator), affine(*discriminator)]
    assert sum(counted) == count


def test_weights_next_to_the_image_grow_with_its_pixels():
    """Claim F1: with 4096 units there, both networks together have 1.0e8 at 64x64x3, and 4.0e8 at 128x128x3."""
    found = []
    for side in (64, 128):
        with torch.device("meta"):
            architecture, data = part("architecture", "fc", **HALF), DataSpec((3, side, side), True, 64, 0)
            outer = architecture.generator(data)[-3], architecture.discriminator(data)[1]
        found.append(sum(layer.weight.numel() for layer in outer))
    assert found == [100_663_296, 402_653_184]


def listed_by_hand() -> tuple[nn.Module, nn.Module]:
    """The networks of the article's listing."""
    generator = nn.Sequential(
        *(nn.Linear(50, 200), nn.ReLU(), nn.Linear(200, 400), nn.ReLU(), nn.Linear(400, 1000), nn.ReLU()),
        *(nn.Linear(1000, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))),
    )
    discriminator = nn.Sequential(
        *(nn.Flatten(), nn.Linear(784, 1000), nn.ReLU(), nn.Dropout(0.1)),
        *(nn.Linear(1000, 400), nn.ReLU(), nn.Dropout(0.1), nn.Linear(400, 200), nn.ReLU(), nn.Dropout(0.1)),
        *(nn.Linear(200, 1), nn.Flatten(0)),
    )
    return generator, discriminator


def test_the_listed_networks_are_those_written_by_hand():
    architecture = part("architecture", "fc", **LISTED)
    for player, hand, x in zip(
        ("generator", "discriminator"), listed_by_hand(), (torch.randn(5, 50), torch.randn(5, 1, 28, 28)), strict=True
    ):
        module = getattr(architecture, player)(GREY)
        assert [repr(layer) for layer in module] == [repr(layer) for layer in hand]
        for mine, theirs in zip(hand.parameters(), module.parameters(), strict=True):
            mine.data = theirs.data
        outputs = []
        for each in (module, hand):
            torch.manual_seed(0)  # of the dropout
            outputs.append(each(x))
        torch.testing.assert_close(*outputs, rtol=0, atol=0)


def test_the_default_starts_from_the_numbers_that_it_always_had():
    """What is named without options has the layers, and draws the weights, of this plain construction."""
    torch.manual_seed(3)
    plain = nn.Sequential(
        *(nn.Flatten(), nn.Linear(16, 146), nn.LeakyReLU(0.2), nn.Linear(146, 73), nn.LeakyReLU(0.2)),
        *(nn.Linear(73, 37), nn.LeakyReLU(0.2), nn.Linear(37, 1), nn.Flatten(0)),
    )
    torch.manual_seed(3)
    module = part("architecture", "fc").discriminator(SMALL)  # 1024 * 4 / 28 = 146.3
    assert [repr(layer) for layer in module] == [repr(layer) for layer in plain]
    assert torch.equal(Network.vector(module), Network.vector(plain))
    assert sizes(part("architecture", "fc").generator(SMALL)) == (100, 37, 73, 146, 16)
    assert sizes(part("architecture", "fc", scale_hidden_sizes=False).generator(SMALL)) == (100, 256, 512, 1024, 16)


def test_dropout_is_of_training_only():
    module = part("architecture", "fc", dropout=0.5).discriminator(SMALL)
    x = torch.randn(7, 1, 4, 4)
    torch.manual_seed(0)
    assert not torch.equal(module(x), module(x))
    module.eval()
    without = nn.Sequential(*(layer for layer in module if not isinstance(layer, nn.Dropout)))
    assert torch.equal(module(x), without(x))
    assert not [layer for layer in part("architecture", "fc").discriminator(SMALL) if isinstance(layer, nn.Dropout)]


def test_runs_with_dropout_and_a_softmax_train_together_as_alone():
    architecture = part("architecture", "fc", latent_size=2, dropout=0.2, discriminator_output="softmax")
    game = gan(IMAGES, data=SMALL, architecture=architecture, batch_size=4)
    members = [Member(0, 12, 1e-3), Member(1, 8, 5e-4)]
    train_together_and_alone(game, members, training(12), moves=1e-4, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("output", "low"), [("tanh", -1), ("sigmoid", 0)])
def test_the_generator_ends_within_its_bounds(output, low):
    module = part("architecture", "fc", output_activation=output, initialization="xavier").generator(SMALL)
    made = module(30 * torch.randn(500, 100)).detach()
    assert made.shape == (500, 1, 4, 4)
    assert low <= made.min() < low + 0.01
    assert 0.99 < made.max() <= 1
    refusal = part("architecture", "fc", output_activation=output).unsupported(DataSpec((2,), False, 64, 0))
    assert output in refusal


@pytest.mark.parametrize("name", ["mlp", "fc", "unpool"])
def test_initial_weights_are_those_that_are_named(name):
    data = DataSpec((1, 16, 16), True, 64, 0)
    for player in GAN.players:
        found = {}
        for kind in ("pytorch", "normal", "xavier", "kaiming", "orthogonal"):
            module = initial_module(part("architecture", name, initialization=kind), player, data, 0)
            layers = [each for each in module.modules() if isinstance(each, nn.Linear | nn.Conv2d)]
            found[kind] = torch.cat([layer.weight.detach().flatten() for layer in layers])
            assert all((layer.bias == 0).all() for layer in layers) == (kind != "pytorch")
        assert found["normal"].std().item() == pytest.approx(0.02, rel=0.05)
        assert len({values.std().item() for values in found.values()}) == len(found)


# A softmax over two classes -------------------------------------------------------------------------------------------


def test_a_softmax_has_one_more_unit_and_the_loss_of_its_classes():
    """The cross-entropy of the two classes is the binary one of the logit, and so are its gradients."""
    one, two = (part("architecture", "fc", discriminator_output=kind) for kind in ("logit", "softmax"))
    counts = [sum(p.numel() for p in each.discriminator(GREY).parameters()) for each in (one, two)]
    assert counts[1] - counts[0] == 256 + 1
    module = two.discriminator(SMALL).double()
    scores, real = module[:-1](IMAGES), torch.arange(len(IMAGES)) % 2
    losses = cross_entropy(scores, real), binary_cross_entropy_with_logits(module(IMAGES), real.double())
    torch.testing.assert_close(*losses, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(loss, list(module.parameters()), retain_graph=True) for loss in losses]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(module(IMAGES).sigmoid(), scores.softmax(1)[:, 1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("objective", components("objective"))
def test_a_class_probability_serves_no_critic(objective):
    made = part("objective", objective)

    def game(kind: str) -> GAN:
        architecture = part("architecture", "fc", discriminator_output=kind)
        return gan(IMAGES, data=SMALL, architecture=architecture, objective=made, batch_size=4)

    game("logit")
    if made.probability:
        game("softmax")
        return
    with pytest.raises(GanbenchError) as error:
        game("softmax")
    said = f"architecture FC: its discriminator gives the probability of a class, but objective {type(made).__name__}"
    assert f"{said} takes a critic's score; " in str(error.value)
    for name in ("non_saturating", "minimax", "binary_cross_entropy"):
        assert name in str(error.value)
        assert part("objective", name).probability


# The small networks for points ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "generator", "discriminator"),
    [
        ({}, (16, 64, 64, 2), (2, 64, 64, 1)),
        ({"latent_size": 256, "width": 128, "activation": "tanh"}, (256, 128, 128, 2), (2, 128, 128, 1)),
        (
            {"latent_size": 64, "width": 384, "depth": 6},
            (64, *[384] * 6, 2),
            (2, *[384] * 6, 1),
        ),  # Balduzzi et al. 2018
        ({"latent_size": 1, "generator_depth": 0, "discriminator_width": 5}, (1, 2), (2, 5, 5, 1)),
    ],
)
def test_an_mlp_has_the_parameters_of_its_layers(options, generator, discriminator):
    architecture, data = part("architecture", "mlp", **options), DataSpec((2,), False, 64, 8)
    with torch.device("meta"):
        modules = [architecture.generator(data), architecture.discriminator(data)]
    counted = [sum(parameter.numel() for parameter in module.parameters()) for module in modules]
    assert counted == [affine(*generator), affine(*discriminator)]
    flat = [layer for module in modules for layer in module if not isinstance(layer, nn.Flatten | nn.Unflatten)]
    kind = nn.Tanh if options.get("activation") == "tanh" else nn.ReLU
    assert {type(layer) for layer in flat} <= {nn.Linear, kind}
