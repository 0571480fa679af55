"""Regularizers against closed forms: their penalties, their Dirac-GANs, and their derivatives of second order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import exp, hypot
from typing import ClassVar

import numpy as np
import pytest
import torch
from building import gan as networks_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.dynamics import simultaneous_gradient
from ganbench.games import Adversarial, Match, Member, drawn_or_given
from ganbench.nn.sample import Sample
from ganbench.nn.weights import Weights

CPU = torch.device("cpu")


def part(family: str, name: str, **options):
    member = registry.find(family, name)
    return member.build(member.complete(options))


def dirac(objective: str, regularizer, members: int = 1, **options) -> Match:
    member = registry.find("game", "dirac")
    parts = {"objective": part("objective", objective), "regularizer": regularizer or part("regularizer", "none")}
    game = member.build(member.complete(options), **parts)
    return Match(game, [Member(seed, None, 0.2) for seed in range(members)], CPU, torch.float64)


def flat(players) -> torch.Tensor:
    return torch.cat(list(players.values()), dim=1)


def split(like, vector):
    return dict(zip(like, vector.split([theta.shape[1] for theta in like.values()], dim=1), strict=True))


def jacobian(playing: Match, players, batch) -> np.ndarray:
    """J of the first member, column by column."""
    here = simultaneous_gradient(playing, players, batch, differentiable=True)
    size = flat(players).shape
    columns = []
    for i in range(size[1]):
        unit = torch.zeros(size, dtype=torch.float64)
        unit[:, i] = 1
        columns.append(flat(here.products(split(players, unit)))[0])
    return torch.stack(columns, dim=1).numpy()


def play(playing: Match, dynamics, steps: int, rate: float = 0.2):
    rates = dict.fromkeys(playing.players, torch.tensor([[rate]], dtype=torch.float64))
    """Where plain gradient steps lead, {player: (K, P)}."""
    optimizer, players = part("optimizer", "sgd"), playing.init()
    states = dynamics.init(playing, players, optimizer)
    for step in range(steps):
        batches = playing.draw(step, dynamics.batches_per_step)
        result = dynamics.step(playing, players, states, batches, optimizer, rates)
        players, states = result.players, result.states
    return players


# The Dirac-GANs of Mescheder, Geiger and Nowozin (2018), in their coordinates: psi -> -psi ----------------------------


def sigma(t: float) -> float:
    return 1 / (1 + exp(-t))


def gan(theta, psi):
    return -psi * sigma(-psi * theta), theta * sigma(-psi * theta)


def non_saturating(theta, psi):
    return -psi * sigma(psi * theta), theta * sigma(-psi * theta)


def wgan(theta, psi):
    return -psi, theta


def wgan_gp(theta, psi, gamma=0.7, target=1.0):
    """Of the penalty (gamma / 2) (|psi| - target)^2."""
    return -psi, theta - gamma * (abs(psi) - target) * np.sign(psi)


def penalised(simultaneous_gradient, gamma):
    def with_penalty(theta, psi):
        by_theta, by_psi = simultaneous_gradient(theta, psi)
        return by_theta, by_psi - gamma * psi

    return with_penalty


def consensus(theta, psi, gamma=1.0):
    """-F - gamma grad |F|^2 / 2, where |F|^2 = (theta^2 + psi^2) sigma(-psi theta)^2."""
    by_theta, by_psi = gan(theta, psi)
    f, grad = sigma(-psi * theta), -sigma(psi * theta) * sigma(-psi * theta)
    square = theta**2 + psi**2
    by_theta -= gamma * (theta * f**2 + square * f * grad * psi)
    return by_theta, by_psi - gamma * (psi * f**2 + square * f * grad * theta)


def theirs(simultaneous_gradient, alternating: bool, clip: float = np.inf) -> float:
    """Distance from (0, 0) after 500 steps of .2 from (1, 1); alternating, the generator moves first."""
    theta = psi = 1.0
    for _ in range(500):
        by_theta, by_psi = simultaneous_gradient(theta, psi)
        theta += 0.2 * by_theta
        if alternating:
            by_psi = simultaneous_gradient(theta, psi)[1]
        psi = min(max(psi + 0.2 * by_psi, -clip), clip)
    return hypot(theta, psi)


DIRAC = {  # name: objective, regularizer, the field in closed form, its clipping, published distance (Sim, Alt)
    "GAN": ("minimax", None, gan, np.inf, (3.1, 1.42)),
    "NSGAN": ("non_saturating", None, non_saturating, np.inf, (0.64, 0.284)),
    "WGAN": ("wasserstein", ("weight_clipping", {"clip_value": 1.0}), wgan, 1.0, (1.0, 1.02)),
    "WGAN-GP": ("wasserstein", ("wgan_gp", {"gamma": 0.35}), wgan_gp, np.inf, (1.8, 1.22)),
    "R1 .3": ("minimax", ("r1", {"gamma": 0.3}), penalised(gan, 0.3), np.inf, (2.6e-6, 2.3e-7)),
    "R1 1": ("minimax", ("r1", {"gamma": 1.0}), penalised(gan, 1.0), np.inf, (9.5e-22, 7.5e-17)),
    "NSGAN R2 .3": ("non_saturating", ("r2", {"gamma": 0.3}), penalised(non_saturating, 0.3), np.inf, None),
    "zero centred .3": ("minimax", ("zero_centered_gp", {"gamma": 0.3}), penalised(gan, 0.3), np.inf, (2.6e-6, 2.3e-7)),
}


FEW = (("WGAN-GP", False), ("R1 .3", True))


@pytest.mark.parametrize(
    ("name", "alternating"),
    [*FEW, *(pytest.param(*each, marks=pytest.mark.slow) for each in product(DIRAC, (False, True)) if each not in FEW)],
)
def test_dirac_gans_end_where_their_closed_forms_do(name, alternating):
    objective, regularizer, closed, clip, published = DIRAC[name]
    regularizer = regularizer and part("regularizer", regularizer[0], **regularizer[1])
    dynamics = (
        part("dynamics", "alternating", generator_first=True) if alternating else part("dynamics", "simultaneous")
    )
    end = play(dirac(objective, regularizer, initial_parameters=(-1.0, 1.0)), dynamics, 500)
    distance = flat(end).norm().item()
    assert distance == pytest.approx(theirs(closed, alternating, clip), rel=1e-6)
    if published:
        assert distance == pytest.approx(published[alternating], rel=0.02)


def test_consensus_ends_where_its_closed_form_does():
    end = play(dirac("minimax", None, initial_parameters=(-1.0, 1.0)), part("dynamics", "consensus", gamma=1.0), 500)
    assert flat(end).norm().item() == pytest.approx(theirs(consensus, alternating=False), rel=1e-6)


def test_instance_noise_shrinks_the_dirac_gan_to_its_noise_floor():
    """Near 0, psi is kicked by h sigma sqrt(2 / n) / 2 a step, and r^2 decays at the rate sigma^2 h / 2."""
    sigma_, n, h, runs = 0.7, 1000, 0.2, 20
    noise = part("regularizer", "instance_noise", sigma=sigma_)
    playing = dirac("minimax", noise, runs, initial_parameters=(-1.0, 1.0), noise_samples=n)
    ends = flat(play(playing, part("dynamics", "simultaneous"), 500)).square().sum(1)
    floor = (h * sigma_ / 2) ** 2 * 2 / n / (sigma_**2 * h / 2)
    assert 0.4 * floor < ends.mean().item() < 2.5 * floor


@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("name", ["r1", "r2", "zero_centered_gp"])
def test_zero_centred_penalties_damp_the_dirac_gan(name, gamma):
    """Eigenvalues -gamma / 2 +- sqrt(gamma^2 / 4 - 1 / 4) of the flow at 0."""
    playing = dirac("minimax", part("regularizer", name, gamma=gamma), initial_parameters=(0.0, 0.0))
    found = np.sort_complex(np.linalg.eigvals(-jacobian(playing, playing.init(), playing.draw(0, 1)[0])))
    root = np.sqrt(complex(gamma**2 / 4 - 1 / 4))
    np.testing.assert_allclose(found, np.sort_complex([-gamma / 2 - root, -gamma / 2 + root]), atol=1e-7)


@pytest.mark.parametrize("objective", ["minimax", "non_saturating"])
def test_the_plain_dirac_gan_turns_and_consensus_damps_it(objective):
    playing = dirac(objective, None, initial_parameters=(0.0, 0.0))
    matrix = jacobian(playing, playing.init(), playing.draw(0, 1)[0])
    np.testing.assert_allclose(np.sort_complex(np.linalg.eigvals(-matrix)), [-0.5j, 0.5j], atol=1e-12)
    damped = np.linalg.eigvals(-matrix - matrix.T @ matrix)
    np.testing.assert_allclose(np.sort_complex(damped), [-0.25 - 0.5j, -0.25 + 0.5j], atol=1e-12)


@pytest.mark.parametrize("sigma_", [0.3, 0.7, 2.5])
def test_instance_noise_damps_the_dirac_gan(sigma_):
    """Eigenvalues -s^2 / 4 +- sqrt(s^4 / 16 - 1 / 4): exactly for the noise's quantiles, by chance for its samples."""
    n = 4000
    playing = dirac(
        "minimax", part("regularizer", "instance_noise", sigma=sigma_), initial_parameters=(0.0, 0.0), noise_samples=n
    )
    root = np.sqrt(complex(sigma_**4 / 16 - 1 / 4))
    expected = np.sort_complex([-(sigma_**2) / 4 - root, -(sigma_**2) / 4 + root])
    batch = playing.draw(0, 1)[0]
    drawn = jacobian(playing, playing.init(), batch)
    assert abs(drawn[0, 0] - sigma_**2 / 2) < 5 * sigma_**2 / 4 * np.sqrt(2 * 2 / n)  # a mean of squares, twice
    middles = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    quantiles = torch.special.ndtri(middles).view(1, n, 1)
    exact = jacobian(playing, playing.init(), batch | {"noise.real": quantiles, "noise.fake": quantiles})
    np.testing.assert_allclose(np.sort_complex(np.linalg.eigvals(-exact)), expected, atol=1e-3 * sigma_**2)


# Penalties by hand ----------------------------------------------------------------------------------------------------


def samples(members: int = 3, n: int = 6, size: int = 2):
    drawn = torch.randn(2, members, n, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Sample(drawn[0]), Sample(drawn[1])


def noise_for(regularizer, members: int, shape: tuple[int, ...]):
    """One batch's random numbers of members with seeds 0, 1, ..., {name: (K, ...)}."""
    drawn = [
        regularizer.draw(torch.Generator().manual_seed(seed), 1, shape, torch.empty(0).double())
        for seed in range(members)
    ]
    return {name: torch.cat([each[name] for each in drawn]) for name in drawn[0]}


def test_penalties_are_their_formulas():
    """For D(x) = x^T A x / 2, whose gradient is A x."""
    real, fake = samples()
    a = torch.tensor([[2.0, -1.0], [-1.0, 3.0]], dtype=torch.float64)

    def judge(points):
        return (points @ a * points).sum(-1) / 2

    def lengths(points):
        return (points @ a).square().sum(-1).sqrt()

    r2, zero, one = (part("regularizer", name, gamma=0.7) for name in ("r2", "zero_centered_gp", "wgan_gp"))
    torch.testing.assert_close(r2.penalty(judge, real, fake, {}), 0.35 * lengths(fake.points).square().mean(1))
    weights = torch.rand(1, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weighted = r2.penalty(judge, real, Sample(fake.points, weights), {})
    torch.testing.assert_close(weighted, 0.35 * (weights * lengths(fake.points).square()).sum(1))
    for name, wanted in ((zero, lambda length: 0.35 * length**2), (one, lambda length: 0.7 * (length - 1) ** 2)):
        noise = noise_for(name, 3, (6, 2))
        assert noise["mix"].shape == (3, 6, 1)
        between = real.points + noise["mix"] * (fake.points - real.points)
        torch.testing.assert_close(name.penalty(judge, real, fake, noise), wanted(lengths(between)).mean(1))


def test_a_gradient_penalty_of_ones_own_says_its_points_alone(tmp_path):
    """At the mean of a real and a generated example; with a target, of the norm's distance from it."""
    path = tmp_path / "midway.py"
    path.write_text(
        """from dataclasses import dataclass, replace
from ganbench.regularizers import GradientPenalty


@dataclass(frozen=True)
class Midway(GradientPenalty):
    gamma: float = 3.0
    target: float | None = None

    def points(self, real, fake, noise):
        return replace(real, points=(real.points + fake.points) / 2)
""",
        encoding="utf-8",
    )
    real, fake = samples()
    squares = ((real.points + fake.points) / 2).square().sum(-1)

    def penalty(**options):
        """For D(x) = |x|^2 / 2, whose gradient is x."""
        return part("regularizer", str(path), **options).penalty(lambda x: x.square().sum(-1) / 2, real, fake, {})

    torch.testing.assert_close(penalty(), 1.5 * squares.mean(1))
    torch.testing.assert_close(penalty(target=0.5), 3.0 * (squares.sqrt() - 0.5).square().mean(1))


@pytest.mark.parametrize("name", sorted(registry.components("regularizer")))
def test_a_penalty_of_gradients_in_examples_says_so(name):
    """The others do without a graph between examples and logits."""
    regularizer = part("regularizer", name)
    shape = (1, 2, 2) if regularizer.images else (2,)
    points = torch.ones(1, 3, *shape, dtype=torch.float64)
    noise = regularizer.draw(torch.Generator().manual_seed(0), 1, (3, *shape), points[:0])
    noise |= {name: value.double()[None] for name, value in regularizer.start().items()}

    def constant(examples):
        return examples.detach().flatten(2).sum(-1)

    def penalised():
        return regularizer.penalty(constant, Sample(points), Sample(points), noise)

    if regularizer.per_example:
        with pytest.raises(RuntimeError, match="does not require grad"):
            penalised()
    else:
        penalised()


def test_a_gradient_of_zero_has_a_norm_without_nan():
    """For D(x) = sum w_i x_i^2 at x = 0, and to second order."""
    weights = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
    origin = Sample(torch.zeros(1, 3, 2, dtype=torch.float64, requires_grad=True))
    penalty = part("regularizer", "wgan_gp", gamma=2.0, target=0.5).penalty(
        lambda points: (weights[:, None] * points.square()).sum(-1),
        origin,
        origin,
        {"mix": torch.zeros(1, 3, 1).double()},
    )
    assert penalty.item() == pytest.approx(2 * 0.5**2)
    first = torch.autograd.grad(penalty.sum(), (weights, origin.points), create_graph=True)
    second = torch.autograd.grad(sum(grad.sum() for grad in first), (weights, origin.points), materialize_grads=True)
    assert all((grad == 0).all() for grad in (*first, *second))


def test_weights_are_clipped_and_decay_for_the_players_named():
    theta = torch.tensor([[0.5, -3.0], [0.01, 0.2]], dtype=torch.float64)
    weights = Weights(theta, {"0.weight": (1, 1), "0.bias": (1,)})
    for players, moved in (("discriminator", ("discriminator",)), ("both", ("discriminator", "generator"))):
        clipping = part("regularizer", "weight_clipping", clip_value=0.1, players=players)
        decay = part("regularizer", "weight_decay", strength=0.4, players=players)
        for player in ("discriminator", "generator"):
            if player in moved:
                inside = clipping.project(player, weights)
                assert inside.vector.tolist() == [[0.1, -0.1], [0.01, 0.1]]
                assert torch.equal(clipping.project(player, inside).vector, inside.vector)
                torch.testing.assert_close(decay.weight_penalty(player, weights), 0.2 * theta.square().sum(1))
            else:
                assert clipping.project(player, weights) == {}
                assert decay.weight_penalty(player, weights) is None
    for clip_value in (0.0, -1.0, float("nan")):
        with pytest.raises(GanbenchError, match="'clip_value' must be a finite number above 0, but is"):
            part("regularizer", "weight_clipping", clip_value=clip_value)
    with pytest.raises(GanbenchError, match="players"):
        part("regularizer", "weight_decay", players="everyone")


@pytest.mark.parametrize(
    ("architecture", "players", "options", "refused"),
    [
        ("sngan", "discriminator", {"discriminator_norm": "spectral"}, "discriminator"),
        ("sngan", "discriminator", {"generator_spectral_norm": True, "discriminator_norm": "none"}, None),
        ("sngan", "both", {"generator_spectral_norm": True, "discriminator_norm": "none"}, "generator"),
        ("sngan", "both", {"discriminator_norm": "none", "conditioning": "projection"}, None),
        ("dcgan", "discriminator", {"discriminator_norm": "weight"}, "discriminator"),
        ("stylegan2", "discriminator", {"base_channels": 1}, "discriminator"),
        ("r3gan", "both", {"base_channels": 2, "group_width": 0}, None),
    ],
)
def test_weights_that_are_a_function_of_parameters_are_not_clipped_in_vain(architecture, players, options, refused):
    """Under spectral and weight normalisation, and with an equalised learning rate."""

    def game() -> Adversarial:
        return networks_of(
            np.zeros((4, 1, 8, 8)),
            data=DataSpec((1, 8, 8), True, 4, 2),
            architecture=part("architecture", architecture, latent_size=2, **options),
            regularizer=part("regularizer", "weight_clipping", players=players),
            labels=[0, 1, 0, 1],
            batch_size=2,
        )

    if refused is None:
        assert game().regularizer.unsupported(game()) is None
    else:
        with pytest.raises(GanbenchError, match=f"the weights of the {refused} are a function of its parameters"):
            game()


def test_weight_decay_damps_the_dirac_gan():
    """J gains the strength on its diagonal."""
    playing = dirac("minimax", part("regularizer", "weight_decay", strength=0.3), initial_parameters=(0.0, 0.0))
    found = np.linalg.eigvals(-jacobian(playing, playing.init(), playing.draw(0, 1)[0]))
    np.testing.assert_allclose(np.sort_complex(found), [-0.3 - 0.5j, -0.3 + 0.5j], atol=1e-12)


# What holds for every regularizer -------------------------------------------------------------------------------------

MEMBERS = sorted(registry.components("regularizer"))


@pytest.mark.parametrize("name", MEMBERS)
@given(seed=st.integers(0, 2**62), count=st.integers(1, 4), batch=st.integers(1, 5), size=st.integers(1, 3))
@settings(max_examples=10)
def test_what_is_drawn_depends_on_the_generator_alone(name, seed, count, batch, size):
    regularizer, before = part("regularizer", name), torch.get_rng_state()
    for dtype in (torch.float32, torch.float64):
        like, shape = torch.empty(0, dtype=dtype), (batch, size)
        one, two, other = (
            regularizer.draw(torch.Generator().manual_seed(s), count, shape, like) for s in (seed, seed, seed + 1)
        )
        assert torch.equal(torch.get_rng_state(), before), f"{name}: draw() must use its own generator"
        for key, values in one.items():
            assert values.shape[0] == count
            assert values.dtype == dtype
            assert torch.equal(values, two[key])
            assert not torch.equal(values, other[key])


@dataclass(frozen=True, kw_only=True, eq=False)
class Curved(Adversarial):
    """D(x) = d_1 tanh(d_0 sum_i i x_i) + d_2 |x|^2 and G(z) = g_1 z + g_0: everything has second derivatives. Examples
    are numbers, or images of 2 x 2 of them."""

    families: ClassVar[tuple[str, ...]] = ("objective", "regularizer")

    @property
    def example_shape(self):
        return (1, 2, 2) if self.regularizer.images else (1,)

    @property
    def parameters(self):
        return {"discriminator": ("d0", "d1", "d2"), "generator": ("g0", "g1")}

    def start(self, member):
        return drawn_or_given((), member, self.parameters)

    def draw(self, member, chunk, count, dtype):
        generator = torch.Generator().manual_seed(member.seed)
        shape = (8, *self.example_shape)
        real, latent = torch.randn(2, count, *shape, generator=generator, dtype=dtype)
        latents = {f"latent.{player}": latent for player in self.players}
        return {"real": real, **latents, **self.noise(member, chunk, count, shape, dtype)}

    def discriminate(self, theta, points):
        values = points.flatten(2)
        along = (values * torch.arange(1, values.shape[2] + 1)).sum(-1)
        return theta[:, 1:2] * (theta[:, :1] * along).tanh() + theta[:, 2:] * values.square().sum(-1)

    def generate(self, theta, latent):
        mean, spread = (theta[:, i].view(-1, *(1 for _ in latent.shape[1:])) for i in (0, 1))
        return spread * latent + mean


@pytest.mark.parametrize("name", [name for name in MEMBERS if name != "orthogonal"])  # which is for networks
def test_second_derivatives_reach_both_players(name):
    """J v and J^T u by autograd and by finite differences of F: a penalty on generated examples moves with them."""
    game = Curved(objective=part("objective", "non_saturating"), regularizer=part("regularizer", name))
    playing = Match(game, [Member(seed, None, 0.1) for seed in range(4)], CPU, torch.float64)
    players, batch, h = playing.init(), playing.draw(0, 1)[0], 1e-6
    generator = torch.Generator().manual_seed(0)
    u, v = torch.randn(2, 4, 5, generator=generator, dtype=torch.float64)
    here = simultaneous_gradient(playing, players, batch, differentiable=True)
    torch.testing.assert_close(
        flat(simultaneous_gradient(playing, players, batch).gradients), flat(here.gradients), rtol=1e-12, atol=1e-12
    )
    up, down = (
        flat(simultaneous_gradient(playing, split(players, flat(players) + side * h * v), batch).gradients)
        for side in (1, -1)
    )
    along = flat(here.products(split(players, v)))
    torch.testing.assert_close(along, (up - down) / (2 * h), rtol=1e-6, atol=1e-6)
    back = flat(here.products(split(players, u), transposed=True))
    torch.testing.assert_close((u * along).sum(1), (back * v).sum(1), rtol=1e-11, atol=1e-11)
    for k in range(4):  # and members never mix
        alone = Match(game, [playing.members[k]], CPU, torch.float64)
        solo = simultaneous_gradient(alone, alone.init(), alone.draw(0, 1)[0])
        torch.testing.assert_close(flat(solo.gradients)[0], flat(here.gradients)[k], rtol=1e-12, atol=1e-12)
