"""Games of a few numbers: the rules every game keeps, and each game against closed forms and SciPy's quadrature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from math import erf, exp, log, pi, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import ROOT
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.special import expit
from torch.nn.functional import softplus

from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.dynamics import gradient, simultaneous_gradient
from ganbench.engine.components import game_families
from ganbench.games import Match, Member
from ganbench.games._shapes import logit
from ganbench.objectives import Objective
from ganbench.study.strict_yaml import read_yaml

CPU = torch.device("cpu")
CLAIMS = {claim["id"]: claim for claim in read_yaml(ROOT / "config/studies/lab.yaml")["claims"]}
PARTS = {"objective": "minimax", "regularizer": "none"}


def part(family: str, name: str, **options):
    member = registry.find(family, name)
    return member.build(member.complete(options))


def build(name: str, *, objective=None, regularizer=None, **options):
    """A game with these options, on the minimax loss and without a regularizer unless given."""
    given = {"objective": objective, "regularizer": regularizer}
    parts = {family: given[family] or part(family, PARTS[family]) for family in game_families(name)}
    member = registry.find("game", name)
    return member.build(member.complete(options), **parts)


def match(game, members: int = 1, first: int = 0) -> Match:
    return Match(game, [Member(first + k, None, 0.1) for k in range(members)], CPU, torch.float64)


def at(game, *rows) -> dict[str, torch.Tensor]:
    """Players at these points, (K, P) each, first player first."""
    sizes = [len(names) for names in game.parameters.values()]
    values = torch.tensor(rows, dtype=torch.float64)
    return dict(zip(game.players, values.split(sizes, dim=1), strict=True))


def flat(players) -> torch.Tensor:
    return torch.cat(list(players.values()), dim=1)


def split(like, vector) -> dict[str, torch.Tensor]:
    return dict(zip(like, vector.split([theta.shape[1] for theta in like.values()], dim=1), strict=True))


def gradients(game, *point) -> np.ndarray:
    """F at one point, in the order of the players."""
    playing = match(game)
    here = simultaneous_gradient(playing, at(game, point), playing.draw(0, 1)[0])
    return flat(here.gradients)[0].numpy()


def jacobian(game, *point) -> np.ndarray:
    """J at one point, column by column."""
    playing, players = match(game), at(game, point)
    here = simultaneous_gradient(playing, players, playing.draw(0, 1)[0], differentiable=True)
    unit = torch.eye(len(point), dtype=torch.float64)
    columns = [flat(here.products(split(players, unit[i : i + 1])))[0] for i in range(len(point))]
    return torch.stack(columns, dim=1).numpy()


def flow(game):
    """-F as a right-hand side for SciPy."""
    return lambda _, y: -gradients(game, *y)


# What holds for every game --------------------------------------------------------------------------------------------

TOYS = {name: {} for name in registry.components("game") if name != "gan" and set(game_families(name)) <= set(PARTS)}
TOYS |= {
    "bilinear of 3": {"singular_values": (1.0, 0.5, 2.0)},
    "quadratic of 3": {"curvatures": (1.0, -0.5, 2.0)},
    "linear focus": {"matrix": (0.3, 1.0, -2.0, 0.1)},
    "dirac R1": {"regularizer": ("r1", {"gamma": 0.7})},
    "dirac noisy": {"noise_samples": 20, "regularizer": ("instance_noise", {"sigma": 0.7})},
    "gaussian w": {"plane": "w"},
    "gaussian sigmoid": {"discriminator": "sigmoid", "w_g": -0.7},
    "gaussian two_bumps": {"discriminator": "two_bumps", "plane": "w"},
    "gaussian clipped": {"max_output": 0.99},
    "gaussian clipped R1": {"max_output": 0.9, "plane": "w", "regularizer": ("r1", {})},
    "gaussian R2": {"discriminator": "gaussian_pdf", "w_d": 0.8, "regularizer": ("r2", {})},
    "gaussian sampled": {"discriminator": "gaussian_half", "samples": 5},
    "gaussian sampled zero_centered_gp": {
        "discriminator": "sigmoid",
        "samples": 7,
        "plane": "w",
        "resample": True,
        "regularizer": ("zero_centered_gp", {}),
    },
}


@pytest.fixture(params=TOYS)
def toy(request):
    options = dict(TOYS[request.param])
    if "regularizer" in options:
        name, given = options.pop("regularizer")
        options["regularizer"] = part("regularizer", name, **given)
    return build(request.param.split()[0], **options)


def trained(playing: Match, steps: int = 10) -> torch.Tensor:
    """Where simultaneous descent leads, (K, P)."""
    dynamics, optimizer = part("dynamics", "simultaneous"), part("optimizer", "sgd")
    players = playing.init()
    states = dynamics.init(playing, players, optimizer)
    rates = dict.fromkeys(playing.players, torch.tensor([[0.01]], dtype=torch.float64))
    for step in range(steps):
        result = dynamics.step(
            playing, players, states, playing.draw(step, dynamics.batches_per_step), optimizer, rates
        )
        players, states = result.players, result.states
    return flat(players)


def test_a_member_of_a_pack_plays_as_alone_and_its_place_does_not_matter(toy):
    pack = match(toy, 4)
    together = trained(pack)
    assert together.isfinite().all()
    assert together.unique(dim=0).shape == together.shape, "members must differ by their seeds"
    for k, row in enumerate(together):
        torch.testing.assert_close(trained(match(toy, 1, first=k))[0], row, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(trained(pack.select([2, 0, 3, 1])), together[[2, 0, 3, 1]], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(trained(pack.select([1, 1])), together[[1, 1]], rtol=1e-12, atol=1e-12)


def test_gradients_and_losses_agree_with_finite_differences(toy):
    playing, h = match(toy, 3), 1e-5
    players, batch = playing.init(), playing.draw(0, 1)[0]
    here = simultaneous_gradient(playing, players, batch)
    both = simultaneous_gradient(playing, players, batch, differentiable=True)
    for player in toy.players:
        loss, grad, _ = gradient(playing, player, players, batch)
        for other in (here, both):
            torch.testing.assert_close(other.gradients[player], grad, rtol=1e-13, atol=1e-13)
            torch.testing.assert_close(other.losses[player], loss, rtol=1e-13, atol=1e-13)
        for i in range(players[player].shape[1]):
            step = torch.zeros_like(players[player])
            step[:, i] = h
            up, down = (
                playing.loss(player, {**players, player: players[player] + side * step}, batch)[0] for side in (1, -1)
            )
            torch.testing.assert_close((up - down) / (2 * h), grad[:, i], rtol=1e-6, atol=1e-6)
    assert set(here.aux) == set(toy.series)
    assert all(value.shape == (3,) for value in here.aux.values())


def test_products_with_the_jacobian_agree_with_finite_differences(toy):
    playing, h = match(toy, 3), 1e-5
    players, batch = playing.init(), playing.draw(0, 1)[0]
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.randn(flat(players).shape, generator=generator, dtype=torch.float64) for _ in range(2))
    here = simultaneous_gradient(playing, players, batch, differentiable=True)
    up, down = (
        flat(simultaneous_gradient(playing, split(players, flat(players) + side * h * v), batch).gradients)
        for side in (1, -1)
    )
    along = flat(here.products(split(players, v)))
    torch.testing.assert_close(along, (up - down) / (2 * h), rtol=1e-6, atol=1e-6)
    back = flat(here.products(split(players, u), transposed=True))
    torch.testing.assert_close((u * along).sum(1), (back * v).sum(1), rtol=1e-11, atol=1e-11)  # <u, J v> = <J^T u, v>


def test_a_start_that_is_none_is_refused(toy):
    names = [name for names in toy.parameters.values() for name in names]
    size = len(names)
    right = tuple(range(size))
    assert flat(match(replace(toy, initial_parameters=right)).init()).tolist() == [list(right)]
    for wrong in ((1.0,) * (size + 1), (1.0,) * (size - 1), (float("nan"),) * size, (1.0,) * (size - 1) + (1e999,)):
        with pytest.raises(GanbenchError, match=rf"{size} finite values \({', '.join(names)}\)"):
            match(replace(toy, initial_parameters=wrong)).init()


# Linear fields --------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.lists(st.floats(-3, 3), min_size=2, max_size=2))
@settings(max_examples=25)
def test_the_linear_game_has_the_field_asked_for(entries, point):
    matrix = np.reshape(entries, (2, 2))
    game = build("linear", matrix=tuple(entries))
    np.testing.assert_allclose(gradients(game, *point), matrix @ point, atol=1e-12)
    np.testing.assert_allclose(jacobian(game, *point), matrix, atol=1e-12)


def test_bilinear_turns_and_quadratic_does_not():
    values = (1.0, 0.5, 2.0)
    turning = np.linalg.eigvals(jacobian(build("bilinear", singular_values=values), *range(6)))
    np.testing.assert_allclose(turning.real, 0, atol=1e-12)
    np.testing.assert_allclose(np.sort(np.abs(turning.imag)), np.sort(2 * values), atol=1e-12)
    matrix = jacobian(build("quadratic", curvatures=(1.0, -0.5, 2.0)), *range(3))
    np.testing.assert_allclose(matrix, np.diag([1.0, -0.5, 2.0]), atol=1e-12)


def test_descent_of_a_quadratic_is_stable_up_to_two_over_its_curvature_and_leaves_saddles():
    """Each coordinate is multiplied by 1 - rate a."""
    start, curvatures, optimizer = (1.0, -2.0, 0.5), (4.0, 1.0, -0.5), part("optimizer", "sgd")
    dynamics = part("dynamics", "simultaneous")
    for rate in (1.9 / 4, 2.1 / 4):
        playing = match(build("quadratic", curvatures=curvatures, initial_parameters=start))
        players = playing.init()
        for _ in range(100):
            step = dict.fromkeys(playing.players, torch.tensor([[rate]], dtype=torch.float64))
            players = dynamics.step(playing, players, {"x": {}, "y": {}}, [{}], optimizer, step).players
        expected = np.array(start) * (1 - rate * np.array(curvatures)) ** 100
        np.testing.assert_allclose(flat(players)[0], expected, rtol=1e-11)
        assert (abs(expected[0]) > abs(start[0])) == (rate > 2 / 4)
        assert abs(expected[2]) > 100 * abs(start[2])


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("quadratic", {"curvatures": (1.0,)}, r"at least two numbers.*\(1\.0,\)"),
        ("linear", {"matrix": (1.0, 2.0)}, "must be a list of 4 finite numbers"),
        ("linear", {"matrix": (1.0, 2.0, float("nan"), 0.0)}, "must be a list of 4 finite numbers, but is .*nan"),
        ("bilinear", {"singular_values": ()}, r"at least one number.*\(\)"),
        ("dirac", {"noise_samples": 0}, "from 1 to 1000000, but is 0"),
        ("gaussian", {"w_d": 0.0}, r"not be 0, but are 0\.0"),
        ("gaussian", {"plane": "w", "w_g": 2.0}, "plane 'b'"),
        ("gaussian", {"samples": -1}, "is -1"),
        ("gaussian", {"resample": True}, "needs samples"),
        ("gaussian", {"max_output": 1.5}, r"at least 0 and below 1.*1\.5"),
        ("gaussian", {"max_output": 0.9, "discriminator": "sigmoid"}, "gaussian_half.*'sigmoid'"),
        ("gaussian", {"regularizer": "r1"}, "infinitely steep.*max_output"),
        ("gaussian", {"regularizer": "instance_noise"}, "draws random numbers.*samples"),
        ("gaussian", {"regularizer": "wgan_gp", "discriminator": "sigmoid"}, "draws random numbers.*samples"),
    ],
)
def test_options_that_make_no_game_are_refused(name, options, said):
    if "regularizer" in options:
        options = {**options, "regularizer": part("regularizer", options["regularizer"])}
    with pytest.raises(GanbenchError, match=said):
        build(name, **options)


# Gaussian planes, against SciPy ---------------------------------------------------------------------------------------

LOG_S = {
    "sigmoid": lambda v: -np.logaddexp(0, -v),
    "gaussian": lambda v: -v * v,
    "gaussian_half": lambda v: -v * v / 2,
    "gaussian_pdf": lambda v: -v * v / 2 - log(2 * pi) / 2,
    "two_bumps": lambda v: np.logaddexp(-((v - 1) ** 2), -((v + 1) ** 2)) + log(0.5),
}


def log_one_minus(name: str, v: float, max_output: float = 0.0) -> float:
    log_s = LOG_S[name](v)
    log_s = min(log_s, log(max_output)) if max_output else log_s
    return log(-np.expm1(log_s)) if log_s > -0.7 else np.log1p(-np.exp(log_s))


def expectation(h, mean: float, sd: float, breaks=()) -> float:
    """E[h(v)], v ~ N(mean, sd^2); h may have a logarithmic singularity at 0 and kinks at the breaks."""
    low, high = mean - 10 * sd, mean + 10 * sd
    inside = [v for v in (*np.arange(-3, 3.1, 0.5), *breaks) if low < v < high]
    ends = sorted({low, high, *inside, *np.linspace(low, high, 11)})
    density = lambda v: np.exp(-(((v - mean) / sd) ** 2) / 2) / (sd * sqrt(2 * pi))  # noqa: E731
    pieces = pairwise(ends)
    return sum(quad(lambda v: h(v) * density(v), a, b, epsabs=1e-12, epsrel=1e-11, limit=200)[0] for a, b in pieces)


@cache
def c(name: str, w: float = 1.0) -> float:
    """E[(z^2 - 1) ln(1 - D(z))], D = S(w z), by Stein's lemma the second derivative of E[ln(1 - D(z + t))] at t = 0."""
    return expectation(lambda z: (z * z - 1) * log_one_minus(name, w * z), 0, 1)


POINTS = [(0.3, -0.2), (1.7, 0.6), (-2.0, 2.5), (0.05, 3.0), (-4.0, -0.5)]


@pytest.mark.parametrize("name", LOG_S)
@pytest.mark.parametrize("plane", ["b", "w"])
@pytest.mark.parametrize("point", POINTS)
def test_quadrature_agrees_with_scipy(name, plane, point):
    """Losses by definition; gradients by Stein's lemma, which is what their principal values are."""
    d, g = point
    game = build("gaussian", discriminator=name, plane=plane, w_d=1.0 if plane == "w" else 0.8)
    w_d, b_d, w_g, b_g = (d, 0.0, g, 0.0) if plane == "w" else (0.8, d, 1.0, g)
    of_real, of_fake = (b_d, abs(w_d)), (w_d * b_g + b_d, abs(w_d * w_g))

    def expected(h, mean, sd):
        """E[h] and its derivatives in the mean and in the standard deviation."""
        weighted = [lambda v: 1, lambda v: (v - mean) / sd**2, lambda v: ((v - mean) ** 2 / sd**2 - 1) / sd]
        return [expectation(lambda v, weight=weight: h(v) * weight(v), mean, sd) for weight in weighted]

    real, fake = expected(LOG_S[name], *of_real), expected(lambda v: log_one_minus(name, v), *of_fake)
    playing = match(game)
    here = simultaneous_gradient(playing, at(game, point), {})
    assert here.losses["discriminator"].item() == pytest.approx(-real[0] - fake[0], abs=1e-10, rel=1e-10)
    assert here.losses["generator"].item() == pytest.approx(fake[0], abs=1e-10, rel=1e-10)
    if plane == "b":
        by_d, by_g = -real[1] - fake[1], w_d * fake[1]
    else:
        by_d, by_g = -np.sign(d) * (real[2] + abs(g) * fake[2]), np.sign(g) * abs(d) * fake[2]
    assert here.gradients["discriminator"].item() == pytest.approx(by_d, abs=1e-9, rel=1e-9)
    assert here.gradients["generator"].item() == pytest.approx(by_g, abs=1e-9, rel=1e-9)


@pytest.mark.parametrize("point", [(0.1, 0.0), (2.0, -1.5), (0.0, 40.0)])
def test_clipped_quadrature_agrees_with_scipy(point):
    """With R1 too: (gamma / 2) w_d^2 E[(d logit / dv)^2], and d logit / dv = -2 v / (1 - D) outside the flat part."""
    b_d, b_g = point
    w_d, edge = 0.5, sqrt(-log(0.9))
    game = build("gaussian", max_output=0.9, w_d=w_d, regularizer=part("regularizer", "r1", gamma=3.0))
    real = expectation(lambda v: min(-v * v, log(0.9)), b_d, w_d, (edge, -edge))
    fake = expectation(lambda v: log_one_minus("gaussian", v, 0.9), w_d * b_g + b_d, w_d, (edge, -edge))
    steep = expectation(
        lambda v: (abs(v) > edge) * (2 * v / -np.expm1(-v * v)) ** 2 if v else 0, b_d, w_d, (edge, -edge)
    )
    losses = simultaneous_gradient(match(game), at(game, point), {}).losses
    assert losses["generator"].item() == pytest.approx(fake, abs=1e-10, rel=1e-10)
    expected = -real - fake + 3 / 2 * w_d**2 * steep
    assert losses["discriminator"].item() == pytest.approx(expected, abs=1e-10, rel=1e-10)


def test_quadrature_stays_exact_for_extreme_densities():
    """The sigmoid's real loss tends to E[max(-v, 0)] for wide densities, and to its value at the mean for narrow ones;
    a density far from 0 is followed."""
    for w_d in (1e-4, 30.0, 1e3):
        game = build("gaussian", discriminator="sigmoid", w_d=w_d)
        loss, _ = game.loss("generator", at(game, (0.0, 0.0)), {})
        wide = expectation(
            lambda z, w=w_d: -np.logaddexp(0, w * z), 0, 1, [s * t / w_d for s in (-1, 1) for t in (1, 4, 20)]
        )
        assert loss.item() == pytest.approx(wide, rel=1e-8)
    game = build("gaussian", discriminator="sigmoid")
    far = game.loss("generator", at(game, (0.0, 300.0)), {})[0].item()
    assert far == pytest.approx(-300, rel=1e-12)
    game = build("gaussian")
    assert game.loss("discriminator", at(game, (300.0, 0.0)), {})[0].item() == pytest.approx(300**2 + 1, rel=1e-12)


@pytest.mark.parametrize("name", ["sigmoid", "gaussian_pdf", "two_bumps"])
@pytest.mark.parametrize("point", [(0.0, 1.0), (0.7, 0.0), (0.0, 0.0), (0.66855, 5.8e-10), (1e-5, -2.0)])
def test_narrow_densities_are_exact_down_to_no_width(name, point):
    """Against Gauss-Hermite nodes of x, of which no density is too narrow: losses, gradients, and their Jacobian."""
    z, weights = (torch.from_numpy(each) for each in np.polynomial.hermite_e.hermegauss(180))
    weights = weights / weights.sum()

    def losses(d, g):
        fake = weights @ softplus(logit(name, d * g * z, 0.0))
        return {"discriminator": weights @ softplus(-logit(name, d * z, 0.0)) + fake, "generator": -fake}

    def simultaneous(own):
        of_d, of_g = losses(*own).values()
        return torch.stack([torch.autograd.grad(of, own, create_graph=True)[0][k] for k, of in enumerate((of_d, of_g))])

    game = build("gaussian", discriminator=name, plane="w")
    where = torch.tensor(point, dtype=torch.float64, requires_grad=True)
    for player, loss in losses(*where).items():
        assert game.loss(player, at(game, point), {})[0].item() == pytest.approx(loss.item(), abs=1e-10)
    np.testing.assert_allclose(gradients(game, *point), simultaneous(where).detach(), atol=1e-10)
    expected = torch.autograd.functional.jacobian(simultaneous, where)
    np.testing.assert_allclose(jacobian(game, *point), expected, atol=1e-6)


def test_where_a_gaussian_that_reaches_one_has_no_width_it_needs_a_clip():
    for point in ((0.0, 1.0), (1.0, 0.0)):
        assert np.isnan(gradients(build("gaussian", plane="w"), *point)).all()
        clipped = gradients(build("gaussian", plane="w", max_output=0.9), *point)
        assert np.isfinite(clipped).all()
        assert clipped[1] == 0, "the generator's examples, or the discriminator, are all alike"


@pytest.mark.parametrize("max_output", [0.0, 0.99])
@pytest.mark.parametrize("point", [(1.0, -1.0), (-1e6, 1e6), (3.0, 0.5)])
def test_quadrature_survives_rounding_at_the_singularity(max_output, point):
    """Neither single precision nor a large b_d makes a node's logit infinite, and what is lost is rounding."""
    game = build("gaussian", max_output=max_output)
    shifted = at(game, (0.0, sum(point)))  # the fake terms look at b_d + b_g only
    exact = simultaneous_gradient(match(game), shifted, {})
    large = simultaneous_gradient(match(game), at(game, point), {})
    assert large.gradients["generator"].item() == pytest.approx(exact.gradients["generator"].item(), abs=1e-8)
    if abs(point[0]) < 10:
        single = Match(game, [Member(0, None, 0.1)], CPU, torch.float32)
        players = {name: theta.float() for name, theta in at(game, point).items()}
        here = simultaneous_gradient(single, players, {})
        assert here.losses["generator"].item() == pytest.approx(exact.losses["generator"].item(), abs=1e-5)
        assert here.gradients["generator"].item() == pytest.approx(exact.gradients["generator"].item(), abs=1e-4)
        assert here.gradients["discriminator"].isfinite().all()


@pytest.mark.parametrize("objective", ["minimax", "non_saturating", "wasserstein"])
def test_many_samples_approach_quadrature(objective):
    """Within five standard errors, with a discriminator whose gradients have a variance."""
    options = {"discriminator": "two_bumps", "plane": "w", "objective": part("objective", objective)}
    exact = gradients(build("gaussian", **options), 0.7, 1.2)
    game = build("gaussian", samples=2000, **options)
    playing = match(game, 40)
    many = flat(simultaneous_gradient(playing, at(game, *[(0.7, 1.2)] * 40), playing.draw(0, 1)[0]).gradients).numpy()
    error = many.std(axis=0, ddof=1) / sqrt(40)
    assert (np.abs(many.mean(axis=0) - exact) < 5 * error).all()
    assert (error < 0.02).all()


def test_samples_are_the_runs_own_and_stay_unless_fresh():
    fixed, fresh = (match(build("gaussian", samples=5, resample=resample), 2) for resample in (False, True))
    for name in ("real", "latent"):
        assert torch.equal(fixed.draw(0, 1)[0][name], fixed.draw(60, 2)[1][name])
        assert not torch.equal(fixed.draw(0, 1)[0][name][0], fixed.draw(0, 1)[0][name][1])
        batches = [*fresh.draw(0, 2), *fresh.draw(1, 2), *fresh.draw(60, 2)]
        assert len({tuple(batch[name].flatten().tolist()) for batch in batches}) == 6
    repeated = fixed.select([1] * 10_000).draw(0, 1)[0]["real"]
    assert repeated.shape == (10_000, 5, 1)
    assert repeated.stride(0) == 0, "one sample must not be copied for everyone who looks at it"


def test_an_objective_without_expectation_is_refused():
    @dataclass(frozen=True)
    class Exponential(Objective):
        """As of the Kullback-Leibler f-GAN: exp(logit) = D / (1 - D) is not integrable where D = 1."""

        def real(self, logits):
            return -logits

        def fake(self, logits):
            return logits.exp()

        generator = output = real

    with pytest.raises(GanbenchError, match=r"no expectation.*'gaussian' reaches D = 1.*max_output"):
        build("gaussian", objective=Exponential())
    game = build("gaussian", objective=Exponential(), max_output=0.99)
    assert np.isfinite(gradients(game, 0.5, 0.5)).all()


# Gaussian planes, closed forms ----------------------------------------------------------------------------------------


def s(u: float) -> float:
    """E[sigmoid(z + u)]."""
    return expectation(lambda v: 1 / (1 + exp(-v)), u, 1)


@pytest.mark.parametrize(
    ("name", "k", "known"),
    [
        ("gaussian", 1.0, (-1 - 1.325j, -1 + 1.325j)),
        ("gaussian_half", 0.5, (-0.5 - 1.167j, -0.5 + 1.167j)),
        ("gaussian_pdf", 0.5, (-0.759, -0.241)),
    ],
)
def test_the_b_plane_turns_as_steins_lemma_says(name, k, known):
    """At (0, 0) in the order (b_d, b_g): -ln D = k v^2 + const has curvature 2 k, and ln(1 - D) has c."""
    here = jacobian(build("gaussian", discriminator=name), 0.0, 0.0)
    np.testing.assert_allclose(here, [[2 * k - c(name), -c(name)], [c(name), c(name)]], atol=1e-9)
    eigenvalues = np.sort_complex(np.linalg.eigvals(-here))
    np.testing.assert_allclose(eigenvalues, known, atol=6e-4)


def test_the_article_s_number():
    assert c("gaussian") == pytest.approx(1.3775, abs=5e-5)


def test_a_wrong_weight_of_d_can_unsettle_the_b_plane():
    """With w_d forced: stable above .671 only, and no longer turning at 2."""

    def growth(w, name="gaussian"):
        return np.linalg.eigvals(-jacobian(build("gaussian", discriminator=name, w_d=w), 0.0, 0.0)).real.max()

    np.testing.assert_allclose(
        np.sort_complex(np.linalg.eigvals(-jacobian(build("gaussian", w_d=0.5), 0.0, 0.0))),
        [1.67 - 0.88j, 1.67 + 0.88j],
        atol=5e-3,
    )
    np.testing.assert_allclose(
        np.sort(np.linalg.eigvals(-jacobian(build("gaussian", w_d=2.0), 0.0, 0.0))), [-1.527, -1.107], atol=5e-4
    )
    assert brentq(growth, 0.6, 0.75, xtol=1e-6) == pytest.approx(0.671, abs=6e-4)
    assert brentq(lambda w: growth(w, "gaussian_half"), 0.7, 0.9, xtol=1e-6) == pytest.approx(0.796, abs=6e-4)
    # The trace from scratch: with h(m) = E[ln(1 - S(w z + m))], F = (2 b_d - h'(m), w h'(m)) and h''(0) = c / w^2.
    scratch = brentq(lambda w: (c("gaussian", w) / w**2) * (1 - w**2) - 2, 0.6, 0.75, xtol=1e-5)
    assert scratch == pytest.approx(brentq(growth, 0.6, 0.75, xtol=1e-6), abs=1e-4)


@pytest.mark.parametrize("point", [(0.0, 0.0), (-3.0, 5.0), (8.0, -8.0), (-8.0, -8.0), (2.0, 6.0)])
def test_a_sigmoid_drives_the_generator_off(point):
    """b_g' = s(b_d + b_g) > 0 and b_d' = s(-b_d) - s(b_d + b_g)."""
    b_d, b_g = point
    down = -gradients(build("gaussian", discriminator="sigmoid"), b_d, b_g)
    np.testing.assert_allclose(down, [s(-b_d) - s(b_d + b_g), s(b_d + b_g)], atol=1e-9, rtol=1e-6)
    assert down[1] > 0


def test_the_sigmoid_s_path_grows_like_time():
    """b_g ~ t and b_d ~ -ln t - 1/2."""
    path = solve_ivp(flow(build("gaussian", discriminator="sigmoid")), (0, 1000), (0.0, 0.0), rtol=1e-6, atol=1e-8)
    b_d, b_g = path.y[:, -1]
    assert b_g / 1000 == pytest.approx(1, abs=2e-3)
    assert b_d == pytest.approx(-log(1000) - 0.5, abs=0.03)


def test_claim_h3_names_places_on_the_sigmoid_s_path():
    """The flow b_d' = s(-b_d) - s(m), b_g' = s(m), by nothing but SciPy."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)

    def motion(_, y):
        real, fake = expit(nodes - y[0]) @ weights, expit(nodes + y.sum()) @ weights
        return np.array([real - fake, fake]) / weights.sum()

    path = solve_ivp(motion, (0, 40), (0.0, 0.0), method="DOP853", rtol=1e-11, atol=1e-12, dense_output=True).sol
    tests = [test["closed_form"] for test in CLAIMS["H3"]["tests"]]
    assert {test["quantity"] for test in tests} == {"gaussian_path.final_b_d", "gaussian_path.final_b_g"}
    for test in tests:
        where = {"steps": 400} | test["where"]
        times = np.multiply(where["learning_rate"], where["steps"])
        known = path(np.atleast_1d(times))[int(test["quantity"].endswith("b_g"))]
        np.testing.assert_allclose(test["equals"], known, atol=1e-6)


def test_the_non_saturating_sigmoid_s_path_grows_like_a_logarithm_with_the_constants_of_claim_h2a():
    game = build("gaussian", discriminator="sigmoid", objective=part("objective", "non_saturating"))
    path = solve_ivp(flow(game), (0, 1e5), (0.0, 0.0), method="LSODA", rtol=1e-6, atol=1e-7)
    b_d, b_g = path.y[:, -1]
    assert b_g == pytest.approx(2 * log(1e5 / 2) + 1 - log(3 / 2), abs=2e-3)
    assert b_d + b_g / 2 == pytest.approx(log(3 / 2) / 2, abs=2e-4)


def test_weight_decay_gives_the_sigmoid_a_fixed_point_and_clipping_a_corner():
    """Where lambda b_g = s(m) and lambda b_d = s(-b_d) - s(m), which is finite."""
    game = build("gaussian", discriminator="sigmoid", regularizer=part("regularizer", "weight_decay", strength=0.1))
    end = solve_ivp(flow(game), (0, 300), (0.0, 0.0), rtol=1e-9, atol=1e-11, method="LSODA").y[:, -1]
    np.testing.assert_allclose(gradients(game, *end), 0, atol=1e-7)
    np.testing.assert_allclose(0.1 * end, [s(-end[0]) - s(end.sum()), s(end.sum())], atol=1e-7)
    clipping = part("regularizer", "weight_clipping", clip_value=2.0, players="both")
    playing = match(build("gaussian", discriminator="sigmoid", regularizer=clipping, initial_parameters=(0.0, 0.0)))
    dynamics, optimizer, players = part("dynamics", "simultaneous"), part("optimizer", "sgd"), playing.init()
    states, ends = dynamics.init(playing, players, optimizer), []
    rates = dict.fromkeys(playing.players, torch.tensor([[0.5]]).double())
    for _ in range(150):
        result = dynamics.step(playing, players, states, [{}], optimizer, rates)
        players = result.players
        ends.append(flat(players)[0])
    assert ends[-1][1] == 2
    b_d = ends[-1][0].item()
    assert s(-b_d) == pytest.approx(s(b_d + 2), abs=1e-8)
    assert b_d == pytest.approx(-1, abs=1e-8)  # s(-b_d) = s(b_d + 2)


def test_the_w_plane_is_not_at_rest_at_one_and_collapses_in_finite_time():
    game = build("gaussian", plane="w")
    # At (1, 1) both look at the same density, and d/dw E[h(w z)] = E[h(z) (z^2 - 1)] at w = 1.
    down = -gradients(game, 1.0, 1.0)
    np.testing.assert_allclose(down, [c("gaussian") - 2, -c("gaussian")], atol=1e-9)
    np.testing.assert_allclose(down, [-0.623, -1.378], atol=1e-3)

    def nearly_gone(_, y):
        return y[1] - 0.02

    nearly_gone.terminal = True
    path = solve_ivp(flow(game), (0, 1), (1.0, 1.0), events=nearly_gone, rtol=1e-7, atol=1e-9)
    assert path.t[-1] + path.y[1, -1] ** 2 / 4 == pytest.approx(0.304, abs=1e-3)  # w_g' = -2 / w_g near 0
    for w_d in (0.5, 1.0, 1.5):  # there w_d follows its own equation
        w_d_motion, w_g_motion = -gradients(game, w_d, 1e-3)
        assert w_d_motion == pytest.approx(-2 * w_d + 2 / w_d, abs=1e-4)
        assert w_g_motion * 1e-3 == pytest.approx(-2, abs=1e-4)


def test_two_bumps_undo_the_collapse():
    game = build("gaussian", plane="w", discriminator="two_bumps")
    path = solve_ivp(flow(game), (0, 100), (1.0, 0.01), rtol=1e-6, atol=1e-8)
    assert path.y[1, -1] > 0.5
    np.testing.assert_allclose(gradients(game, *path.y[:, -1]), 0, atol=1e-3)


def test_sampled_gradients_spread_as_widely_for_many_samples_as_for_few():
    """At m = 0 the generator's gradient is a mean of 2 / z: Cauchy, of interquartile range 4 pi / sqrt(2 pi) for all
    n."""
    theory = 4 * pi / sqrt(2 * pi)
    runs = 1500
    for n, max_output in ((5, 0.0), (500, 0.0), (500, 0.99)):
        game = build("gaussian", samples=n, max_output=max_output)
        drawn = [game.draw(Member(seed, None, 0.1), 0, 1, torch.float64) for seed in range(runs)]
        batch = {name: torch.cat([each[name] for each in drawn]) for name in drawn[0]}
        down = simultaneous_gradient(match(game, runs), at(game, *[(0.0, 0.0)] * runs), batch).gradients["generator"]
        low, high = np.quantile(down, [0.25, 0.75])
        # Standard error of a Cauchy interquartile range: pi scale / sqrt(runs), scale half the range.
        near = abs(high - low - theory) < 4 * pi * theory / 2 / sqrt(runs)
        assert near == (not max_output)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=2).filter(lambda z: abs(z[0] - z[1]) > 0.1), st.floats(-2, 2))
@settings(max_examples=25)
def test_a_finite_sample_has_no_stable_point_between_its_examples(z, b_d):
    """Between consecutive -z_i, dL_G / dm falls from +infinity to -infinity, so it crosses 0 once, downwards."""
    game = build("gaussian", samples=2)
    low, high = sorted(-value for value in z)
    m = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)[:, None] * (high - low) + low
    batch = {"real": torch.zeros(50, 2, 1).double(), "latent": torch.tensor(z).double().view(1, 2, 1).expand(50, 2, 1)}
    players = {"discriminator": torch.full_like(m, b_d), "generator": m - b_d}
    grad = gradient(match(game, 50), "generator", players, batch)[1][:, 0]
    assert (grad.diff() < 0).all()
    assert grad[0] > 0 > grad[-1]


def test_logits_are_accurate_from_tiny_to_large_arguments():
    from ganbench.games._shapes import TOUCHING, logit

    v = torch.logspace(-150, 2, 200, dtype=torch.float64).requires_grad_()
    for name, k in TOUCHING.items():
        a = k * v.detach().numpy() ** 2
        value = logit(name, v, 0.0)
        expected = np.where(a < 1e-8, -np.log(a) - a / 2, -np.log(np.expm1(np.clip(a, 0, 700))))
        expected = np.where(a > 700, -a, expected)
        np.testing.assert_allclose(value.detach(), expected, rtol=1e-13, atol=1e-13)
        (grad,) = torch.autograd.grad(value.sum(), v)
        np.testing.assert_allclose(grad, 2 * k * v.detach().numpy() / np.expm1(-a), rtol=1e-12)
        clipped = logit(name, torch.cat([v.detach(), torch.zeros(1)]).requires_grad_(), -log(0.99))
        assert clipped.max().item() == pytest.approx(log(0.99 / 0.01), abs=1e-12)


def test_the_flat_part_of_a_clipped_discriminator_counts_as_it_should():
    """All of a narrow density may lie in it: then both losses are those of D = max_output, and nothing pulls."""
    game = build("gaussian", max_output=0.99, w_d=1e-3)
    here = simultaneous_gradient(match(game), at(game, (0.0, 0.0)), {})
    assert here.losses["generator"].item() == pytest.approx(log(0.01), abs=1e-12)
    assert here.gradients["generator"].item() == 0
    half = build("gaussian", max_output=0.99, w_d=1.0)
    inside = erf(sqrt(-log(0.99)) / sqrt(2))
    weights = half.real(at(half, (0.0, 0.0)), {}).weights
    assert weights[0, -1].item() == pytest.approx(inside, abs=1e-14)
    assert weights.sum().item() == pytest.approx(1, abs=1e-13)
