"""Objectives, conditional networks and several outputs, against loops in plain PyTorch and formulas by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from building import CPU, gan, part, toy, training
from conditional_networks import Conditional
from torch import Tensor, nn

from ganbench.architectures import Architecture, initial_module
from ganbench.contracts.losses_and_optimizers import objective_fault
from ganbench.contracts.networks import architecture_fault
from ganbench.contracts.steps import mixes_examples
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.dynamics import simultaneous_gradient
from ganbench.engine.sampler import Sampler
from ganbench.engine.train import train
from ganbench.games import CHUNK, Match, Member
from ganbench.games.gan import GAN
from ganbench.nn.evaluation_inputs import balanced_labels, latent_points
from ganbench.nn.network import Network
from ganbench.nn.sample import Outputs, Sample
from ganbench.objectives import Objective

RING = part("dataset", "ring8", examples=200)
KNOWN = RING.load()
STEPS, RATE, DOUBLE = CHUNK + 5, 1e-3, torch.float64
bce, of_probabilities = F.binary_cross_entropy_with_logits, nn.BCELoss()


def networks(architecture: Architecture, objective: Objective, **parts) -> GAN:
    """Networks on the ring, in double precision."""
    labels = KNOWN.train_modes
    return gan(KNOWN.train, data=RING.spec, architecture=architecture, objective=objective, labels=labels, **parts)


# The losses of the literature, written for one run as its authors' code does: r, f are logits, c, d class logits with
# the labels y, w, of real and of generated examples.


def ones(a: Tensor, value: float = 1.0) -> Tensor:
    return torch.full_like(a, value)


def relativistic(loss: Callable[[Tensor, float], Tensor]):
    """Against the other kind's mean, both players."""

    def both(r, f):
        return loss(r - f.mean(), 1.0).mean() + loss(f - r.mean(), -1.0).mean()

    return both, lambda r, f: both(f, r)


def logistic(a: Tensor, side: float) -> Tensor:
    return bce(a, ones(a, (1 + side) / 2), reduction="none")


AVERAGE = {
    "logistic": relativistic(logistic),
    "least_squares": relativistic(lambda a, side: (a - side) ** 2),
    "hinge": relativistic(lambda a, side: F.relu(1 - side * a)),
}

LOSSES: dict[str, tuple[Objective, Callable, Callable]] = {
    "hinge": (
        part("objective", "hinge"),
        lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean(),
        lambda r, f: -f.mean(),
    ),
    "least squares": (
        part("objective", "least_squares", real_label=0.9, fake_label=-0.5, generator_label=0.7),
        lambda r, f: (F.mse_loss(r, ones(r, 0.9)) + F.mse_loss(f, ones(f, -0.5))) / 2,
        lambda r, f: F.mse_loss(f, ones(f, 0.7)) / 2,
    ),
    "smoothed": (
        part("objective", "non_saturating", label_smoothing=0.2),
        lambda r, f: bce(r, ones(r, 0.8)) + bce(f, ones(f, 0.0)),
        lambda r, f: bce(f, ones(f)),
    ),
    "smoothed minimax": (
        part("objective", "minimax", label_smoothing=0.1),
        lambda r, f: bce(r, ones(r, 0.9)) + bce(f, ones(f, 0.0)),
        lambda r, f: -bce(f, ones(f, 0.0)),
    ),
    "zero sum": (
        part("objective", "zero_sum"),
        lambda r, f: bce(r, ones(r)) + bce(f, ones(f, 0.0)),
        lambda r, f: -bce(r, ones(r)) - bce(f, ones(f, 0.0)),
    ),
    "probabilities": (
        part("objective", "binary_cross_entropy", label_smoothing=0.1),
        lambda r, f: of_probabilities(r.sigmoid(), ones(r, 0.9)) + of_probabilities(f.sigmoid(), ones(f, 0.0)),
        lambda r, f: of_probabilities(f.sigmoid(), ones(f)),
    ),
    "saturating probabilities": (
        part("objective", "binary_cross_entropy", saturating=True),
        lambda r, f: of_probabilities(r.sigmoid(), ones(r)) + of_probabilities(f.sigmoid(), ones(f, 0.0)),
        lambda r, f: -of_probabilities(f.sigmoid(), ones(f, 0.0)),
    ),
    "relativistic pairing": (
        part("objective", "relativistic_pairing"),
        lambda r, f: bce(r - f, ones(r)),
        lambda r, f: bce(f - r, ones(r)),
    ),
    **{
        f"relativistic {name}": (part("objective", "relativistic_average", loss=name), *AVERAGE[name])
        for name in AVERAGE
    },
}


class Loop:
    """One run in plain PyTorch: alternating steps on given losses of all that the discriminator gives."""

    def __init__(self, game: GAN, member: Member) -> None:
        self.game, self.match = game, Match(game, [member], CPU, DOUBLE)
        self.d, self.g = (
            initial_module(game.architecture, player, game.data, member.seed).double() for player in game.players
        )

    def batch(self, step: int, player: str) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], dict[str, Tensor]]:
        """The discriminator's inputs for real examples and for a player's generated ones, and all of the batch."""
        batch = {name: values[0] for name, values in self.match.draw(step, 1)[0].items()}
        real, y = torch.from_numpy(KNOWN.train).double()[batch["order"]], torch.from_numpy(KNOWN.train_modes)
        conditional, w = self.game.architecture.conditional, batch.get(f"labels.{player}")
        fake = self.g(*((batch[f"latent.{player}"], w) if conditional else (batch[f"latent.{player}"],)))
        batch |= {"y": y[batch["order"]], "w": w}
        if "discriminator" not in conditional:
            return (real,), (fake,), batch
        return (real, batch["y"]), (fake, w), batch

    def train(self, losses: Callable, optimizer: str = "adam") -> np.ndarray:
        """The losses of every step, (STEPS, 2); `losses` gives one player's from the outputs and the batch."""
        moves = {"discriminator": self.d, "generator": self.g}
        made, options = {"adam": (torch.optim.Adam, {"betas": (0.5, 0.999)}), "sgd": (torch.optim.SGD, {})}[optimizer]
        optimizers = {name: made(module.parameters(), lr=RATE, **options) for name, module in moves.items()}
        kept = []
        for step in range(STEPS):
            for player in ("discriminator", "generator"):
                real, fake, batch = self.batch(step, player)
                if player == "discriminator":
                    fake = tuple(x.detach() for x in fake)
                seen = player == "discriminator" or self.game.objective.generator_sees_real
                loss = losses(player, self.d(*real) if seen else None, self.d(*fake), batch)
                optimizers[player].zero_grad()
                loss.backward()
                optimizers[player].step()
                kept.append(loss.item())
        return np.reshape(kept, (STEPS, 2))


def assert_equal_to(game: GAN, losses: Callable, optimizer: str = "adam", atol: float = 1e-10) -> None:
    """Two runs trained together, each alone, and each in plain PyTorch are the same."""
    shared = training(STEPS, curve_bins=STEPS, optimizer=part("optimizer", optimizer))
    members = [Member(seed, 100 + seed, RATE) for seed in range(2)]
    together = train(game, shared, members, device=CPU)
    for member, fused in zip(members, together, strict=True):
        (alone,) = train(game, shared, [member], device=CPU)
        loop = Loop(game, member)
        curves = loop.train(losses, optimizer)
        vectors = {"discriminator": Network.vector(loop.d), "generator": Network.vector(loop.g)}
        for result in (fused, alone):
            np.testing.assert_allclose(result["curves"]["mean"][:, :2], curves, rtol=0, atol=atol)
            for player, vector in vectors.items():
                np.testing.assert_allclose(result["snapshots"][player][-1], vector.numpy(), rtol=0, atol=atol)


SLOW = (  # much as the others
    *("smoothed minimax", "saturating probabilities", "relativistic least_squares", "relativistic hinge"),
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in LOSSES]
)
def test_training_on_an_objective_equals_a_plain_pytorch_loop(name):
    objective, of_d, of_g = LOSSES[name]
    game = networks(part("architecture", "mlp", width=6, depth=1, latent_size=3, activation="tanh"), objective)
    # A relativistic loss does not move the last bias; of such a gradient's rounding Adam makes steps.
    optimizer = "sgd" if "relativistic" in name else "adam"
    assert_equal_to(game, lambda player, r, f, _: of_d(r, f) if player == "discriminator" else of_g(r, f), optimizer)


def test_training_with_flipped_labels_equals_a_plain_pytorch_loop():
    """The labels come from the run's own stream; its numbers, and how many are flipped, are a chance's."""
    objective = part("objective", "non_saturating", label_flip_probability=0.3, label_smoothing=0.1)
    game = networks(part("architecture", "mlp", width=6, depth=1, latent_size=3), objective, batch_size=16)

    def losses(player, r, f, batch):
        if player == "generator":
            return bce(f, ones(f))
        label_r = torch.where(batch["flip.real"] < 0.3, ones(r, 0.0), ones(r, 0.9))
        label_f = torch.where(batch["flip.fake"] < 0.3, ones(f, 0.9), ones(f, 0.0))
        return bce(r, label_r) + bce(f, label_f)

    assert_equal_to(game, losses)
    drawn = game.draw(Member(0, 100, RATE), 0, 400, DOUBLE)
    other = game.draw(Member(1, 100, RATE), 0, 400, DOUBLE)
    for kind in ("flip.real", "flip.fake"):
        assert drawn[kind].shape == (400, 16)
        assert not torch.equal(drawn[kind], other[kind])
        assert (drawn[kind] < 0.3).double().mean().item() == pytest.approx(0.3, abs=5 * (0.21 / 6400) ** 0.5)
    assert abs(np.corrcoef(drawn["flip.real"].flatten(), drawn["flip.fake"].flatten())[0, 1]) < 5 / 80


# Probabilities --------------------------------------------------------------------------------------------------------

# From sure to wrong about sure, beyond where probabilities round: in float32 above 17, in float64 above 37.
LEVELS = [sign * size for size in (0.0, 0.5, 5.0, 15.0, 16.5, 20.0, 30.0, 40.0, 80.0, 101.0, 200.0) for sign in (1, -1)]


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("label", [0.0, 0.9, 1.0])
def test_the_cross_entropy_of_probabilities_is_that_of_pytorch(label, dtype):
    """Its values, clamped logarithms among them, and its gradients, zeros among them."""
    objective = part("objective", "binary_cross_entropy", label_smoothing=0.1 if label == 0.9 else 0.0)
    term = {0.0: objective.fake, 0.9: objective.real, 1.0: objective.generator}[label]
    ours, theirs = (torch.tensor(LEVELS, dtype=dtype, requires_grad=True) for _ in range(2))
    values = term(ours)
    expected = nn.BCELoss(reduction="none")(theirs.sigmoid(), ones(theirs, label))
    torch.testing.assert_close(values, expected)
    gradients = [torch.autograd.grad(loss.sum(), at)[0] for loss, at in ((values, ours), (expected, theirs))]
    torch.testing.assert_close(*gradients)
    assert torch.equal(*(gradient == 0 for gradient in gradients))
    assert values.max().item() == pytest.approx(100 if label != 0.9 else 90)


@pytest.mark.parametrize(
    ("saturating", "logit", "of_d", "of_g"),
    [
        (False, 20.0, 0.0, 0.0),  # generated examples taken for real ones: nothing teaches the discriminator
        (False, 200.0, 0.0, 0.0),
        (False, -20.0, 2.1e-9, -1.0),
        (False, -30.0, 8.8e-15, -0.094),  # BCELoss divides by 1e-12 at least
        (False, -200.0, 0.0, 0.0),  # the generator has lost
        (True, -20.0, 2.1e-9, -2.1e-9),
        (True, -200.0, 0.0, 0.0),
    ],
)
def test_gradients_of_probabilities_die_where_those_of_logits_do_not(saturating, logit, of_d, of_g):
    a = torch.tensor([logit], requires_grad=True)
    objective = part("objective", "binary_cross_entropy", saturating=saturating)
    found = [torch.autograd.grad(term(a), a)[0].item() for term in (objective.fake, objective.generator)]
    assert found == pytest.approx([of_d, of_g], rel=0.05, abs=0), "exactly 0 where it is"
    on_logits = part("objective", "non_saturating")
    assert all(torch.autograd.grad(term(a), a)[0] != 0 for term in (on_logits.real, on_logits.generator) if logit < 100)
    assert torch.autograd.grad(on_logits.fake(a) + on_logits.generator(a), a)[0].abs() == pytest.approx(1, abs=1e-6)


def test_a_probability_that_is_no_number_harms_no_other():
    """Where `torch.nn.functional.binary_cross_entropy` raises an error, which would end all runs of a pack."""
    objective = part("objective", "binary_cross_entropy")
    logits = torch.tensor([[0.3, -1.0], [np.nan, 2.0]], requires_grad=True)
    for term in (objective.real, objective.fake, objective.generator):
        values = term(logits)
        (gradient,) = torch.autograd.grad(values.sum(), logits)
        for found in (values, gradient):
            assert found.isnan().tolist() == [[False, False], [True, False]]


def test_the_cross_entropy_of_probabilities_has_second_derivatives():
    logits = torch.linspace(-6, 6, 13, dtype=DOUBLE, requires_grad=True)
    objective = part("objective", "binary_cross_entropy", label_smoothing=0.2)
    for term in (objective.real, objective.fake, objective.generator):
        assert torch.autograd.gradgradcheck(term, logits)


# Conditional networks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norms", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["plain", "norms"])
@pytest.mark.parametrize("name", ["hinge", "relativistic pairing"])
def test_training_conditional_networks_equals_a_plain_pytorch_loop(name, norms):
    """With running statistics and power iterations every pass counts, of which a relativistic generator's has two."""
    objective, of_d, of_g = LOSSES[name]
    optimizer = "sgd" if norms or "relativistic" in name else "adam"  # nor does batch norm move the bias before it
    game = networks(Conditional(norms=norms), objective)
    assert game.has_buffers == norms
    assert_equal_to(game, lambda player, r, f, _: of_d(r, f) if player == "discriminator" else of_g(r, f), optimizer)


def test_a_relativistic_loss_and_a_penalty_of_a_conditional_discriminator_equal_a_plain_pytorch_loop():
    """R3GAN: relativistic pairing with R1 and labels in both networks."""
    game = networks(Conditional(), part("objective", "relativistic_pairing"), regularizer=part("regularizer", "r1"))
    loop = Loop(game, Member(0, 100, RATE))

    def losses(player, r, f, batch):
        if player == "generator":
            return bce(f - r, ones(r))
        x = torch.from_numpy(KNOWN.train).double()[batch["order"]].requires_grad_()
        (slope,) = torch.autograd.grad(loop.d(x, batch["y"]).sum(), x, create_graph=True)
        return bce(r - f, ones(r)) + slope.square().sum(1).mean() / 2

    curves, shared = loop.train(losses, "sgd"), training(STEPS, curve_bins=STEPS, optimizer=part("optimizer", "sgd"))
    for members in ([Member(0, 100, RATE)], [Member(0, 100, RATE), Member(4, 50, RATE)]):
        result = train(game, shared, members, device=CPU)[0]
        np.testing.assert_allclose(result["curves"]["mean"][:, :2], curves, rtol=0, atol=1e-10)


def between(real: Tensor, fake: Tensor, batch: dict[str, Tensor]) -> Tensor:
    return torch.lerp(real, fake, batch["noise.mix"])


def around(real: Tensor, _: Tensor, batch: dict[str, Tensor]) -> Tensor:
    return real + batch["noise.mix"] * 0.5 * real.std(correction=0) * batch["noise.shift"]


def zero_centered(slope: Tensor) -> Tensor:
    return slope.square().sum(1).mean() / 2


def one_centered(slope: Tensor) -> Tensor:
    return 10 * (slope.square().sum(1).sqrt() - 1).square().mean()


PENALTIES = {  # where the gradient is taken, with whose labels, and what the penalty makes of it
    "r1": (lambda real, fake, batch: real, "real", zero_centered),
    "r2": (lambda real, fake, batch: fake, "fake", zero_centered),
    "zero_centered_gp": (between, "real", zero_centered),
    "wgan_gp": (between, "real", one_centered),
    "dragan": (around, "real", one_centered),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_have_the_labels_of_the_examples_that_they_are_taken_at_or_around(name):
    points, labelled, penalty = PENALTIES[name]
    game = networks(Conditional(), part("objective", "wasserstein"), regularizer=part("regularizer", name))
    match = Match(game, [Member(0, 100, RATE)], CPU, DOUBLE)
    players, batch = match.init(), match.draw(0, 1)[0]
    loss, _ = match.loss("discriminator", players, batch)
    discriminator = initial_module(game.architecture, "discriminator", game.data, 0).double()
    samples = {"real": game.real(players, batch), "fake": game.fake("discriminator", players, batch)}
    real, fake = samples.values()
    assert not torch.equal(real.labels, fake.labels)
    x = points(real.points, fake.points, batch)[0].detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x, samples[labelled].labels[0]).sum(), x)
    score = [discriminator(each.points[0], each.labels[0]).mean() for each in (real, fake)]
    torch.testing.assert_close(loss[0], score[1] - score[0] + penalty(slope))


def test_labels_are_those_of_the_examples_and_drawn_uniformly_for_generated_ones():
    game = networks(Conditional(), part("objective", "hinge"), batch_size=20)
    match = Match(game, [Member(0, 60, RATE), Member(1, 200, RATE)], CPU, DOUBLE)
    batches = [match.draw(step, 1)[0] for step in range(4 * CHUNK)]
    for batch in batches[:CHUNK]:
        real = game.real({}, batch)
        assert torch.equal(real.labels, torch.from_numpy(KNOWN.train_modes)[batch["order"]])
        assert torch.equal(real.points, torch.from_numpy(KNOWN.train).double()[batch["order"]])
    drawn = torch.stack([torch.stack([batch[f"labels.{player}"] for player in game.players]) for batch in batches])
    assert drawn.dtype == torch.int64
    counts = np.array([np.bincount(drawn[:, player, k].flatten(), minlength=8) for player in (0, 1) for k in (0, 1)])
    assert counts.shape[1] == 8
    n = counts[0].sum()
    chi_square = ((counts - n / 8) ** 2 / (n / 8)).sum(1)
    assert (chi_square < 30).all(), "of 7 degrees of freedom: 1e-4"
    assert not torch.equal(drawn[:, 0], drawn[:, 1]), "both players have labels of their own"
    assert not torch.equal(drawn[:, :, 0], drawn[:, :, 1])
    assert torch.equal(match.draw(1, 1)[0]["labels.generator"], batches[1]["labels.generator"])


@pytest.mark.parametrize("kind", ["projection", "classes"])
def test_a_discriminator_with_labels_or_several_outputs_is_seen_to_keep_examples_apart(kind):
    game = networks(Conditional(kind), part("objective", "hinge"))
    assert not mixes_examples(game, [Member(0, 50, RATE)])


def test_networks_without_labels_draw_none():
    game = networks(part("architecture", "mlp", width=6), part("objective", "hinge"))
    assert set(game.draw(Member(0, 20, RATE), 0, 2, DOUBLE)) == {
        "order", "latent.discriminator", "latent.generator",
    }  # fmt: skip


def test_evaluation_shows_all_labels():
    architecture, count = Conditional(), 700
    module = initial_module(architecture, "generator", RING.spec, 3)
    sampler = Sampler(architecture, RING.spec, 32, CPU)
    examples = sampler.examples(Network.vector(module).numpy(), {}, 3, count)
    labels = balanced_labels(count, 8)
    with torch.no_grad():
        expected = module(latent_points(3, count, architecture.latent_size), labels)
    np.testing.assert_allclose(examples, expected, rtol=1e-5, atol=1e-6)


def test_labels_that_are_missing_are_missed_before_any_work():
    unlabelled = DataSpec(shape=(2,), bounded=False, train=64, modes=0)
    with pytest.raises(
        GanbenchError, match="architecture Conditional: it is conditional, but the data set has no labels"
    ):
        gan(KNOWN.train, data=unlabelled, architecture=Conditional())
    with pytest.raises(GanbenchError, match="conditional, but the game is given no labels"):
        gan(KNOWN.train, data=RING.spec, architecture=Conditional())
    assert "no labels" in architecture_fault(Conditional(), unlabelled)

    class Misspelt(Conditional):
        conditional = ("critic",)

    assert re_found("must be .*'generator'.*but is .*'critic'", architecture_fault(Misspelt(), RING.spec))


def re_found(pattern: str, text: str | None) -> bool:
    return text is not None and re.search(pattern, text) is not None


# Several outputs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("discriminates", [pytest.param("classes", marks=pytest.mark.slow), "named"])
def test_training_an_auxiliary_classifier_equals_a_plain_pytorch_loop(discriminates):
    game = networks(Conditional(discriminates), part("objective", "auxiliary_classifier", class_weight=0.7))

    def losses(player, real, fake, batch):
        f, d = (fake["logits"], fake["class_logits"]) if discriminates == "named" else fake
        of_fake = F.cross_entropy(d, batch["w"])
        if player == "generator":
            return bce(f, ones(f)) + 0.7 * of_fake
        r, c = (real["logits"], real["class_logits"]) if discriminates == "named" else real
        return bce(r, ones(r)) + bce(f, ones(f, 0.0)) + 0.7 * (F.cross_entropy(c, batch["y"]) + of_fake)

    assert_equal_to(game, losses)


@pytest.mark.parametrize("regularizer", ["r1", "wgan_gp", "instance_noise"])
def test_what_needs_logits_alone_takes_them(regularizer):
    """An objective and a penalty see the same game, whatever the discriminator gives besides."""
    parts = {"regularizer": part("regularizer", regularizer)}
    several, named = (networks(Conditional(kind), part("objective", "hinge"), **parts) for kind in ("classes", "named"))
    member = [Member(0, 50, RATE)]
    first, second = (train(game, training(10), member, device=CPU)[0] for game in (several, named))
    for player in several.players:
        np.testing.assert_array_equal(first["snapshots"][player], second["snapshots"][player])


def test_outputs_that_an_objective_misses_are_named():
    classifier = part("objective", "auxiliary_classifier")
    game = networks(Conditional("projection"), classifier)
    match = Match(game, [Member(0, 50, RATE)], CPU, DOUBLE)
    with pytest.raises(GanbenchError, match="needs 'class_logits' beside logits and labels; it takes a discriminator"):
        match.loss("discriminator", match.init(), match.draw(0, 1)[0])
    game = networks(part("architecture", "mlp", width=6), classifier)
    match = Match(game, [Member(0, 50, RATE)], CPU, DOUBLE)
    with pytest.raises(GanbenchError, match="needs 'labels' beside logits; it takes a data set with labels"):
        match.loss("discriminator", match.init(), match.draw(0, 1)[0])


@pytest.mark.parametrize("kind", ["projection", "classes", "named"])
def test_conditional_networks_keep_the_contract(kind):
    assert architecture_fault(Conditional(kind), RING.spec) is None


class Wrong(nn.Module):
    def __init__(self, outputs: Callable) -> None:
        super().__init__()
        self.layer, self.outputs = nn.Linear(2, 9), outputs

    def forward(self, x: Tensor):
        return self.outputs(self.layer(x))


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (lambda y: (y[:, 0], y[:, 1:8]), r"gives class_logits of shape \(4, 7\) .* must be \(4, 8\)"),
        (lambda y: {"score": y[:, 0]}, "gives a dict of score; one must be 'logits'"),
        (lambda y: tuple(y[:, i] for i in range(4)), "gives 4 outputs; more than logits, class_logits and features"),
        (lambda y: {"logits": y[:, 0], "more": y[0]}, r"gives more of shape \(9,\)"),
        (lambda y: (y[:, 0], y[:, 1:].detach()), "outputs that no gradient reaches"),
        (lambda y: {"logits": y[:, 0], "more": None}, "gives out NoneType"),
    ],
)
def test_outputs_that_are_wrong_are_told(outputs, message):
    @dataclass(frozen=True)
    class Broken(Conditional):
        discriminates: str = "classes"

        def discriminator(self, data):
            return Wrong(outputs)

    assert re_found(message, architecture_fault(Broken(), RING.spec))


# Expectations and contracts -------------------------------------------------------------------------------------------


def weighted(seed: int, members: int = 2, n: int = 7) -> Outputs:
    draw = torch.Generator().manual_seed(seed)
    logits, weights = torch.randn(2, members, n, generator=draw, dtype=DOUBLE)
    weights = weights.exp() / weights.exp().sum(1, keepdim=True)
    return Outputs(logits, Sample(logits[..., None], weights))


@pytest.mark.parametrize("loss", AVERAGE)
def test_relativistic_average_losses_take_weighted_means(loss):
    real, fake = weighted(0), weighted(1)
    objective = part("objective", "relativistic_average", loss=loss)
    term = {
        "logistic": lambda a, side: np.logaddexp(0, -side * a),
        "least_squares": lambda a, side: (a - side) ** 2,
        "hinge": lambda a, side: np.maximum(0, 1 - side * a),
    }[loss]
    for k in range(2):
        (r, p), (f, q) = ((each.logits[k].numpy(), each.sample.weights[k].numpy()) for each in (real, fake))
        of_d = p @ term(r - q @ f, 1) + q @ term(f - p @ r, -1)
        of_g = q @ term(f - p @ r, 1) + p @ term(r - q @ f, -1)
        assert objective.discriminator_loss(real, fake)[k].item() == pytest.approx(of_d, rel=1e-13)
        assert objective.generator_loss(real, fake)[k].item() == pytest.approx(of_g, rel=1e-13)


@pytest.mark.parametrize("loss", AVERAGE)
@pytest.mark.parametrize("discriminator", ["sigmoid", "gaussian_half"])
def test_relativistic_average_losses_by_quadrature_are_those_of_many_samples(loss, discriminator):
    parts = {"objective": part("objective", "relativistic_average", loss=loss), "discriminator": discriminator}
    limited = {"max_output": 0.9} if discriminator != "sigmoid" else {}
    exact = Match(toy("gaussian", **parts, **limited), [Member(0, None, RATE)], CPU, DOUBLE)
    n = 400_000
    drawn = Match(toy("gaussian", samples=n, **parts, **limited), [Member(0, None, RATE)], CPU, DOUBLE)
    at = {"discriminator": torch.tensor([[0.7]], dtype=DOUBLE), "generator": torch.tensor([[-0.4]], dtype=DOUBLE)}
    here, there = (simultaneous_gradient(match, at, match.draw(0, 1)[0]) for match in (exact, drawn))
    for player in at:
        assert here.losses[player].item() == pytest.approx(there.losses[player].item(), rel=0.02)
        assert here.gradients[player].item() == pytest.approx(there.gradients[player].item(), rel=0.05, abs=0.01)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (part("objective", "relativistic_pairing"), "game 'gaussian': .*one by one.* give samples"),
        (part("objective", "minimax", label_flip_probability=0.1), "flips labels of examples.* give samples"),
        (part("objective", "auxiliary_classifier"), "needs 'labels'"),
    ],
)
def test_expectations_that_no_quadrature_gives_are_refused(objective, message):
    with pytest.raises(GanbenchError, match=message):
        toy("gaussian", objective=objective)


@pytest.mark.parametrize("options", [{"label_flip_probability": 0.4}, {"label_flip_probability": 1.0}, {}])
def test_flipped_labels_of_points_are_the_terms_exchanged(options):
    """Of the Dirac-GAN, whose logits are psi x: real examples at 0, generated ones at theta."""
    game = toy("dirac", noise_samples=50, objective=part("objective", "hinge", **options))
    match = Match(game, [Member(seed, None, RATE) for seed in (0, 1)], CPU, DOUBLE)
    players, batch = match.init(), match.draw(0, 1)[0]
    loss, _ = match.loss("discriminator", players, batch)
    a = (players["discriminator"] * players["generator"])[:, 0]
    probability = options.get("label_flip_probability")
    shares = [
        batch[f"flip.{kind}"].lt(probability).double().mean(1) if probability else 0 * a for kind in ("real", "fake")
    ]
    wanted = (1 - shares[0]) + shares[0] + (1 - shares[1]) * F.relu(1 + a) + shares[1] * F.relu(1 - a)
    torch.testing.assert_close(loss, wanted)
    assert ("flip.real" in batch) == bool(probability)


class Counting(Objective):
    """Says what its losses are given."""

    seen: ClassVar[list] = []
    probability: ClassVar[bool] = False

    def generator_loss(self, real, fake):
        self.seen.append(real)
        return fake.mean(-fake.logits)

    def discriminator_loss(self, real, fake):
        return fake.mean(fake.logits) - real.mean(real.logits)

    def output(self, logits):
        return logits


def test_the_generator_s_loss_is_given_real_logits_only_where_it_asks():
    class Asking(Counting):
        generator_sees_real = True

    for objective in (Counting(), Asking()):
        Counting.seen.clear()
        match = Match(toy("dirac", objective=objective), [Member(0, None, RATE)], CPU, DOUBLE)
        match.loss("generator", match.init(), match.draw(0, 1)[0])
        assert (Counting.seen[0] is not None) == objective.generator_sees_real
        assert objective_fault(objective) is None


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        (
            {"real": lambda self, a: -a},
            r"must have a method fake\(\), or discriminator_loss\(\) and generator_loss\(\)",
        ),
        ({"discriminator_loss": lambda self, r, f: r.logits.mean()}, r"must have a method real\(\), or"),
        (
            {"discriminator_loss": lambda self, r, f: (f.logits - r.logits).mean().expand(3)},
            r"discriminator_loss\(\) mixes members",
        ),
        ({"discriminator_loss": lambda self, r, f: (f.logits - r.logits).mean()}, r"_loss\(\) gives shape \(\)"),
        ({"discriminator_loss": lambda self, r, f: f.mean(f.logits)}, "no gradient to the logits of one kind"),
        ({"generator_loss": lambda self, r, f: f.mean(f.logits - r.logits)}, "AttributeError"),
    ],
)
def test_objectives_that_are_wrong_are_told(methods, message):
    whole = {} if "must have" in message else {"generator_loss": Counting.generator_loss, **Counting.__dict__}
    base = {name: whole[name] for name in ("generator_loss", "discriminator_loss") if name in whole}
    made = type(
        "Wrong", (Objective,), {"output": lambda self, a: a, "probability": False, "seen": [], **base, **methods}
    )()
    try:
        fault = objective_fault(made)
    except AttributeError as error:
        fault = f"AttributeError: {error}"
    assert re_found(message, fault), fault
