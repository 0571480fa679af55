"""The unpooling GAN: its layers, and training with corners from the real, the generated or no batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from building import CPU, gan, part, training
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from ganbench.architectures import initial_module
from ganbench.architectures.unpool import LEVELS
from ganbench.contracts.networks import architecture_fault
from ganbench.core.dotted_names import under
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.engine import sampler
from ganbench.engine.modules import resize_buffers, trained_module
from ganbench.engine.sampler import Sampler
from ganbench.engine.train import train
from ganbench.games import Match, Member
from ganbench.nn.evaluation_inputs import latent_points
from ganbench.nn.network import Network

DATA = DataSpec((3, 16, 32), True, 12, 0)
SMALL = {"latent_size": 3, "base_channels": 2, "hidden_sizes": (6,), "discriminator_hidden_sizes": (6, 5)}
IMAGES = torch.rand(12, *DATA.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
MEMBERS = [Member(0, 12, 1e-3), Member(1, 8, 5e-4)]
BATCH = 4
SOURCES = ["real", "generated", "fixed"]
LEARNED = ["real", *(pytest.param(source, marks=pytest.mark.slow) for source in SOURCES[1:])]  # where networks train


def network(player: str, side: int = 128, **options) -> nn.Module:
    with torch.device("meta"):
        return getattr(part("architecture", "unpool", **options), player)(DataSpec((3, side, side), True, 64, 0))


def convolution(a: int, b: int) -> int:
    return 9 * a * b + b


def linear(a: int, b: int) -> int:
    return a * b + b


# By hand, from the widths of the article: the convolutions, of which the shared one counts once, and the layers.
MAPS = convolution(16, 16) + convolution(16, 32)
DISCRIMINATOR = convolution(3, 16) + MAPS + linear(2048, 512) + linear(512, 50) + linear(50, 1)
GENERATOR = linear(50, 512) + linear(512, 2048) + convolution(32, 16) + convolution(16, 16) + convolution(16, 3)


def test_the_parameters_are_those_of_the_article_s_layers():
    counts = {player: sum(p.numel() for p in network(player).parameters()) for player in ("discriminator", "generator")}
    assert counts == {"discriminator": DISCRIMINATOR, "generator": GENERATOR}
    assert counts == {"discriminator": 1_082_197, "generator": 1_084_115}
    for player in counts:
        apart = sum(p.numel() for p in network(player, shared=False).parameters())
        assert apart - counts[player] == convolution(16, 16)
    two = sum(p.numel() for p in network("discriminator", discriminator_output="softmax").parameters())
    assert two - counts["discriminator"] == 50 + 1


@pytest.mark.parametrize(("side", "inner"), [(128, 8), (64, 4), (32, 2)])
def test_the_layers_are_those_of_the_article(side, inner):
    flat = 32 * inner**2
    found = network("discriminator", side)
    assert [(c.in_channels, c.out_channels) for c in found.convolutions] == [(3, 16), (16, 16), (16, 16), (16, 32)]
    assert found.convolutions[1] is found.convolutions[2]
    assert [repr(layer) for layer in found.head] == [
        repr(layer)
        for layer in (
            *(nn.Flatten(), nn.Linear(flat, 512), nn.ReLU(), nn.Dropout(0.1)),
            *(nn.Linear(512, 50), nn.ReLU(), nn.Dropout(0.1), nn.Linear(50, 1), nn.Flatten(0)),
        )
    ]
    made = network("generator", side)
    assert [(c.in_channels, c.out_channels) for c in made.convolutions] == [(32, 16), (16, 16), (16, 16), (16, 3)]
    assert made.convolutions[1] is made.convolutions[2]
    assert all(c.kernel_size == (3, 3) and c.padding == (1, 1) for c in (*found.convolutions, *made.convolutions))
    assert [repr(layer) for layer in (*made.first, made.last)] == [
        repr(layer)
        for layer in (
            *(nn.Linear(50, 512), nn.ReLU(), nn.Linear(512, flat), nn.ReLU()),
            *(nn.Unflatten(1, (32, inner, inner)), nn.Tanh()),
        )
    ]
    shapes = [tuple(getattr(made, name).shape) for name in LEVELS]
    assert shapes == [(1, 16, s, s) for s in (8 * inner, 4 * inner, 2 * inner)] + [(1, 32, inner, inner)]
    assert network("generator", side, shared=False).convolutions[1] is not made.convolutions[2]


def test_it_says_which_images_it_takes():
    architecture = part("architecture", "unpool")
    assert architecture.unsupported(DataSpec((1, 64, 48), True, 64, 0)) is None
    for shape in ((1, 28, 28), (3, 16, 8), (2,)):
        assert "multiples of 16" in architecture.unsupported(DataSpec(shape, True, 64, 0))
    assert "[-1, 1]" in architecture.unsupported(DataSpec((3, 16, 16), False, 64, 0))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("output", ["logit", "softmax"])
def test_it_keeps_the_contract(source, output):
    architecture = part("architecture", "unpool", **SMALL, indices=source, discriminator_output=output)
    assert architecture_fault(architecture, DATA) is None
    objective = part("objective", "wasserstein")
    if output == "softmax":
        with pytest.raises(GanbenchError, match=r"architecture Unpool: .* Wasserstein takes a critic's score"):
            gan(IMAGES, data=DATA, architecture=architecture, objective=objective)
    else:
        gan(IMAGES, data=DATA, architecture=architecture, objective=objective)


# Written by hand, with PyTorch's pooling and unpooling ---------------------------------------------------------------


class Found(nn.Module):
    """The small discriminator, without dropout: logits, and MaxPool2d's indices from the image on."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(a, b, 3, padding=1) for a, b in ((3, 2), (2, 2), (2, 4))])
        self.a, self.b, self.c = nn.Linear(4 * 1 * 2, 6), nn.Linear(6, 5), nn.Linear(5, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        first, shared, last = self.convolutions
        indices = []
        for convolution in (first, shared, shared, last):
            x, where = nn.MaxPool2d(2, return_indices=True)(convolution(x).relu())
            indices.append(where)
        return self.c(self.b(self.a(x.flatten(1)).relu()).relu())[:, 0], indices


class Made(nn.Module):
    """The small generator, which unpools at MaxPool2d's indices."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 6), nn.Linear(6, 4 * 1 * 2)
        self.convolutions = nn.ModuleList([nn.Conv2d(a, b, 3, padding=1) for a, b in ((4, 2), (2, 2), (2, 3))])

    def forward(self, z: Tensor, indices: list[Tensor]) -> Tensor:
        first, shared, last = self.convolutions
        x = self.b(self.a(z).relu()).relu().view(-1, 4, 1, 2)
        for where, convolution in zip(reversed(indices), (first, shared, shared, last), strict=True):
            x = convolution(nn.MaxUnpool2d(2)(x, where.expand(len(z), -1, -1, -1)))
            x = x.tanh() if convolution is last else x.relu()
        return x


def places(corners: Tensor) -> Tensor:
    """The indices that MaxPool2d has for corners (..., height, width)."""
    height, width = corners.shape[-2:]
    rows = 2 * torch.arange(height)[:, None] + corners.long() // 2
    return 2 * width * rows + 2 * torch.arange(width) + corners.long() % 2


def by_hand(match: Match, member: Member, steps: int) -> tuple[dict[str, nn.Module], list[Tensor]]:
    """Both networks after a plain loop, and the indices by which the generator made the last batch, or would the
    next."""
    architecture = match.game.architecture
    starts = {player: initial_module(architecture, player, DATA, member.seed) for player in match.players}
    modules = {"discriminator": Found().double(), "generator": Made().double()}
    for player, module in modules.items():
        for mine, theirs in zip(module.parameters(), starts[player].parameters(), strict=True):
            mine.data = theirs.detach().double()
    discriminator, generator = modules["discriminator"], modules["generator"]
    adam = {p: torch.optim.Adam(each.parameters(), member.learning_rate, (0.5, 0.999)) for p, each in modules.items()}
    ones, zeros = torch.ones(BATCH, dtype=torch.float64), torch.zeros(BATCH, dtype=torch.float64)
    drawn = match.game.start_buffers(member)
    indices = [places(drawn[f"generator.{name}"]) for name in LEVELS]
    for step in range(steps):
        (batch,) = match.draw(step, 1)
        real, of_real = discriminator(match.game.examples.read(batch)[0])
        if architecture.indices == "real":
            indices = of_real
        fake, of_fake = discriminator(generator(batch["latent.discriminator"][0], indices).detach())
        if architecture.indices == "generated":
            indices = of_fake
        adam["discriminator"].zero_grad()
        (bce(real, ones) + bce(fake, zeros)).backward()
        adam["discriminator"].step()
        fake, of_fake = discriminator(generator(batch["latent.generator"][0], indices))
        if architecture.indices == "generated":
            indices = of_fake
        adam["generator"].zero_grad()
        bce(fake, ones).backward()
        adam["generator"].step()
    return modules, indices


def small(**options):
    return part("architecture", "unpool", **SMALL, **options)


@pytest.mark.parametrize("source", LEARNED)
def test_it_trains_as_the_loop_written_by_hand(source):
    game = gan(IMAGES, data=DATA, architecture=small(indices=source, dropout=0.0), batch_size=BATCH)
    how = training(12)
    for member, result in zip(MEMBERS, train(game, how, MEMBERS, device=CPU), strict=True):
        modules, indices = by_hand(Match(game, [member], CPU, torch.float64), member, how.steps)
        for player, module in modules.items():
            found = result["snapshots"][player]
            assert np.abs(found[-1] - found[0]).max() > 1e-3, "it trains"
            np.testing.assert_allclose(found[-1], Network.vector(module).numpy(), rtol=0, atol=1e-10)
        for name, expected in zip(LEVELS, indices, strict=True):
            kept = result["buffers"][f"generator.{name}"]
            assert kept.dtype == np.uint8
            np.testing.assert_array_equal(places(torch.from_numpy(kept[-1])), expected)


@pytest.mark.parametrize("source", SOURCES)
def test_a_run_starts_from_what_its_own_seed_gives(source):
    """Corners of its first real batch, of a batch that its initial generator makes, or random ones."""
    game = gan(IMAGES, data=DATA, architecture=small(indices=source), batch_size=BATCH, dtype=torch.float32)
    starts = [game.start_buffers(member) for member in MEMBERS]
    assert {name.split(".")[0] for name in starts[0]} == {"generator"}
    assert not all(torch.equal(starts[0][name], starts[1][name]) for name in starts[0])
    rows = 1 if source == "fixed" else BATCH
    assert all(value.shape[0] == rows for value in starts[0].values())
    own = initial_module(game.architecture, "generator", DATA, MEMBERS[0].seed)
    drawn = [getattr(own, name) for name in LEVELS]
    assert (source == "fixed") == all(
        torch.equal(starts[0][f"generator.{n}"], d) for n, d in zip(LEVELS, drawn, strict=True)
    )
    shares = torch.bincount(torch.cat([each.flatten() for each in drawn]).long(), minlength=4)
    assert (shares > 0).all(), "random corners are all four"
    if source == "real":
        discriminator = initial_module(game.architecture, "discriminator", DATA, MEMBERS[0].seed).eval()
        (batch,) = Match(game, MEMBERS[:1], CPU, torch.float32).draw(0, 1)
        first = discriminator(game.examples.read(batch)[0])
        assert all(torch.equal(first[name], starts[0][f"generator.{name}"]) for name in LEVELS)


@pytest.mark.parametrize("source", LEARNED)
def test_runs_train_together_as_alone_and_are_evaluated_with_their_own_corners(source, monkeypatch):
    """With dropout, which is of training only."""
    architecture = small(indices=source, discriminator_output="softmax")
    game = gan(IMAGES, data=DATA, architecture=architecture, batch_size=BATCH)
    assert game.unvectorised is None
    together = train(game, training(8), MEMBERS, device=CPU)
    for member, result in zip(MEMBERS, together, strict=True):
        (alone,) = train(game, training(8), [member], device=CPU)
        for player in game.players:
            np.testing.assert_allclose(result["snapshots"][player], alone["snapshots"][player], rtol=0, atol=1e-10)
        for name, values in result["buffers"].items():
            np.testing.assert_array_equal(values, alone["buffers"][name])
        theta = result["snapshots"]["generator"][-1].astype(np.float32)
        buffers = {name: values[-1] for name, values in under("generator", result["buffers"]).items()}
        monkeypatch.setattr(sampler, "BATCH", 6)  # in two parts, of which the second begins with the first corners
        made = Sampler(architecture, DATA, BATCH, CPU).examples(theta, buffers, member.seed, 10)
        module = trained_module(architecture, "generator", DATA, theta, buffers)
        with torch.no_grad():
            expected = module(latent_points(member.seed, 10, architecture.latent_size)).numpy()
        np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
        assert made.shape == (10, *DATA.shape)


def test_dropout_is_of_training_only():
    module = initial_module(small(dropout=0.5), "discriminator", DATA, 0)
    without = initial_module(small(dropout=0.0), "discriminator", DATA, 0)
    torch.manual_seed(0)
    assert not torch.equal(module(IMAGES)["logits"], module(IMAGES)["logits"])
    assert torch.equal(module.eval()(IMAGES)["logits"], without(IMAGES)["logits"])


@pytest.mark.slow
def test_the_generator_is_a_program_for_batches_of_any_size():
    module = initial_module(small(), "generator", DATA, 0).eval()
    resize_buffers(module, {name: (BATCH, *getattr(module, name).shape[1:]) for name in LEVELS})
    batch = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(module, (torch.zeros(4, 3),), dynamic_shapes=batch).module()
    for size in (2, 9):
        latent = latent_points(0, size, 3)
        torch.testing.assert_close(program(latent), module(latent))
