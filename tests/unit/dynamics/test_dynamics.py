"""Dynamics against theory: the matrices of their steps on linear games, their orders, their limits, and each other."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from torch import Tensor

from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.dynamics import PRODUCT, explain_autograd_error, simultaneous_gradient
from ganbench.games import Batch, Game, Match, Member, TrainingExamples
from ganbench.games.dirac import DiracGAN

CPU = torch.device("cpu")
RATES = (0.01, 0.1, 0.5, 0.9, 1.3)


def part(family: str, name: str, parts: dict | None = None, **options):
    member = registry.find(family, name)
    return member.build(member.complete(options), **(parts or {}))


def dynamics(name: str, **options):
    return part("dynamics", name, **options)


SGD, ADAM = part("optimizer", "sgd"), part("optimizer", "adam")
BILINEAR = part("game", "bilinear")
DIRAC = part("game", "dirac", {"objective": part("objective", "minimax"), "regularizer": part("regularizer", "none")})
NAMES = sorted(registry.components("dynamics"))
SECOND_ORDER = ("consensus", "potential_component", "symplectic", "unrolled")


@dataclass(frozen=True, eq=False)
class Linear(Game):
    """L_1 = a S_1 a / 2 + a B b, L_2 = b S_2 b / 2 + b C a: F = J theta with J = [[S_1, B], [C, S_2]]."""

    matrix: np.ndarray
    split: int

    players: ClassVar[tuple[str, str]] = ("a", "b")

    @classmethod
    def random(cls, seed: int, size: int = 5, split: int = 2) -> Linear:
        matrix = np.random.default_rng(seed).normal(size=(size, size))
        for block in (slice(0, split), slice(split, size)):
            matrix[block, block] += matrix[block, block].T.copy()
        return cls(matrix / size, split)

    @property
    def parameters(self):
        size = len(self.matrix)
        return {"a": tuple(f"a{i}" for i in range(self.split)), "b": tuple(f"b{i}" for i in range(self.split, size))}

    def start(self, member):
        values = torch.randn(len(self.matrix), generator=torch.Generator().manual_seed(member.seed)).double()
        return {"a": values[: self.split], "b": values[self.split :]}

    def loss(self, player, players, batch):
        mine, other = players[player], players["b" if player == "a" else "a"]
        own, cross = (slice(None, self.split), slice(self.split, None))[:: 1 if player == "a" else -1]
        matrix = torch.from_numpy(self.matrix)
        return ((mine @ matrix[own, own] * mine).sum(1) / 2 + (mine @ matrix[own, cross] * other).sum(1)), {}


def match(game: Game, count: int = 1) -> Match:
    return Match(game, [Member(seed, None, 0.1) for seed in range(count)], CPU, torch.float64)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def both(game: Game | Match, rate: Tensor) -> dict[str, Tensor]:
    """The same learning rates for both players."""
    return dict.fromkeys(game.players, rate)


def run(moves, game: Game | Match, rate: float | Tensor | dict[str, Tensor], steps: int, optimizer=SGD, players=None):
    """Where `steps` steps lead, the states then, and all points on the way, (K, steps + 1, P)."""
    game = game if isinstance(game, Match) else match(game)
    players = game.init() if players is None else players
    if not isinstance(rate, dict):
        rate = both(game, rate if isinstance(rate, Tensor) else column(*[rate] * len(game.members)))
    states, path = moves.init(game, players, optimizer), [torch.cat(list(players.values()), 1)]
    for step in range(steps):
        result = moves.step(game, players, states, game.draw(step, moves.batches_per_step), optimizer, rate)
        players, states = result.players, result.states
        path.append(torch.cat(list(players.values()), 1))
    return players, states, torch.stack(path, 1)


def step_matrix(
    moves, game: Game, rate: float | dict[str, float], optimizer=SGD, steps: int = 1, state: bool = True
) -> np.ndarray:
    """The matrix of steps that are linear in the players and, with `state`, in the states: exact, from its
    images of the unit vectors, a member each."""
    one = match(game)
    players = one.init()
    states = moves.init(one, players, optimizer) if state else {}
    tree = {"players": players} | states
    places = [(group, name) for group in tree for name, value in tree[group].items() if value.is_floating_point()]
    sizes = [tree[group][name].shape[1] for group, name in places]
    unit = dict(zip(places, torch.eye(sum(sizes), dtype=torch.float64).split(sizes, 1), strict=True))
    many = match(game, sum(sizes))
    of_players = rate if isinstance(rate, dict) else dict.fromkeys(game.players, rate)
    rates = {player: column(*[own] * sum(sizes)) for player, own in of_players.items()}
    players = {name: unit["players", name] for name in players}
    kept = moves.init(many, players, optimizer)
    kept = {g: {n: unit.get((g, n), value) if state else value for n, value in kept[g].items()} for g in kept}
    for _ in range(steps):
        result = moves.step(many, players, kept, [{}] * moves.batches_per_step, optimizer, rates)
        players, kept = result.players, result.states
    after = {"players": players} | kept
    return torch.cat([after[group][name] for group, name in places], 1).numpy().T


def radius(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())


# The bilinear game: spectral radii, eigenvalues, invariants ----------------------------------------------------------


def alternating_radius(h: float) -> float:
    return 1.0 if h <= 2 else ((h * h - 2) + np.sqrt((h * h - 2) ** 2 - 4)) / 2


def optimistic_radius(h: float) -> float:
    """Of the larger root of mu^2 - (1 - 2ih) mu - ih."""
    if h <= 0.5:
        return np.sqrt((1 + np.sqrt(1 - 4 * h * h)) / 2)
    return np.sqrt(1 + (2 * h + np.sqrt(4 * h * h - 1)) ** 2) / 2


def unrolled_radius(h: float) -> float:
    """One step unrolled: F = (-y, x + 2hy), whose J has the trace 2h and the determinant 1."""
    return np.sqrt(1 - h * h) if h <= 1 else np.abs(1 - h * (h + np.sqrt(h * h - 1)))


def runge_kutta_factor(z: complex) -> complex:
    return 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24


RADII = {
    "simultaneous": ({}, lambda h: np.sqrt(1 + h * h), (1.0050, 1.1180)),
    "alternating": ({}, alternating_radius, (1.0, 1.0)),
    "extragradient": ({}, lambda h: np.sqrt(1 - h**2 + h**4), (0.9950, 0.9014)),
    "optimistic": ({}, optimistic_radius, (0.9949, 0.7071)),
    "extrapolation_from_past": ({}, optimistic_radius, (0.9949, 0.7071)),
    "consensus": ({"gamma": 0.5}, lambda h: np.sqrt((1 - h / 2) ** 2 + h * h), (0.9552, 0.9014)),
    "symplectic": ({"adjustment": 0.7}, lambda h: np.sqrt((1 - 0.7 * h) ** 2 + h * h), None),
    "unrolled": ({"unrolling_steps": 1}, unrolled_radius, None),
    "runge_kutta": ({}, lambda h: abs(runge_kutta_factor(1j * h)), None),
    "potential_component": ({}, lambda h: 1.0, None),
    "gaussian_smoothing": ({"sigma": 0.0}, lambda h: np.sqrt(1 + h * h), None),
}


@pytest.mark.parametrize("name", RADII)
def test_spectral_radius_on_the_bilinear_game(name):
    options, expected, rounded = RADII[name]
    moves = dynamics(name, **options)
    state = name in ("optimistic", "extrapolation_from_past")
    for h in RATES:
        # Double eigenvalues (the optimistic ones at 1/2) lose half the digits.
        assert radius(step_matrix(moves, BILINEAR, h, state=state)) == pytest.approx(expected(h), abs=1e-7)
    for h, value in zip((0.1, 0.5), rounded or (), strict=rounded is not None):
        assert expected(h) == pytest.approx(value, abs=5e-5)


def test_every_dynamics_has_a_closed_form_here():
    assert set(NAMES) == {*RADII, "lookahead", "averaging"}


@pytest.mark.parametrize(("name", "gain"), [("optimistic", 1), ("extrapolation_from_past", 1)])
@pytest.mark.parametrize("h", RATES)
def test_optimistic_eigenvalues_are_the_roots_of_their_polynomial(name, gain, h):
    """theta_(t+1) = theta_t - 2h J theta_t + h J theta_(t-1) has mu^2 - (1 - 2h lambda) mu - h lambda = 0; the
    extrapolation's matrix on (theta, past) is [[1 - h lambda, h^2 lambda], [lambda, -h lambda]], of the same trace and
    determinant."""
    polynomial = np.array([1, -(1 - 2j * h), -1j * h])
    both = np.polymul(polynomial, polynomial.conj()).real
    np.testing.assert_allclose(np.poly(step_matrix(dynamics(name), BILINEAR, h)), both, atol=1e-12)


@pytest.mark.parametrize("momentum", [-0.5, -0.2, 0.6])
@pytest.mark.parametrize("h", RATES)
def test_momentum_eigenvalues_are_the_roots_of_their_polynomials(momentum, h):
    """Simultaneous: |mu^2 - (1 + beta - ih) mu + beta|^2; alternating: (mu - 1)^2 (mu - beta)^2 + h^2 mu^3 (Gidel et
    al. 2019b, theorem 5)."""
    optimizer = replace(SGD, momentum=momentum)
    polynomial = np.array([1, -(1 + momentum - 1j * h), momentum])
    simultaneous = np.polymul(polynomial, polynomial.conj()).real
    turns = np.poly([1, 1, momentum, momentum]) + np.array([0, h * h, 0, 0, 0])
    for name, expected in (("simultaneous", simultaneous), ("alternating", turns)):
        np.testing.assert_allclose(np.poly(step_matrix(dynamics(name), BILINEAR, h, optimizer)), expected, atol=1e-12)


def test_negative_momentum_helps_alternating_descent_only():
    optimizer = replace(SGD, momentum=-0.5)
    for name, values in (("alternating", (0.9985, 0.9625)), ("simultaneous", (1.0007, 1.0201))):
        for h, value in zip((0.1, 0.5), values, strict=True):
            assert radius(step_matrix(dynamics(name), BILINEAR, h, optimizer)) == pytest.approx(value, abs=5e-5)
    for beta in np.linspace(-0.99, 0.99, 34):
        for h in (0.01, 0.1, 0.5, 1.0, 2.0):
            assert radius(step_matrix(dynamics("simultaneous"), BILINEAR, h, replace(SGD, momentum=beta))) > 1


@pytest.mark.parametrize(
    ("name", "options", "momentum", "limit"),
    [
        ("extragradient", {}, 0.0, 1.0),
        ("optimistic", {}, 0.0, 1 / np.sqrt(3)),
        ("extrapolation_from_past", {}, 0.0, 1 / np.sqrt(3)),
        ("alternating", {}, -0.5, 1.0),
        ("consensus", {"gamma": 0.5}, 0.0, 0.8),
        ("symplectic", {"adjustment": 1.0}, 0.0, 1.0),
        ("unrolled", {"unrolling_steps": 1}, 0.0, 2 / np.sqrt(3)),
        ("runge_kutta", {}, 0.0, 2 * np.sqrt(2)),
    ],
)
def test_largest_stable_learning_rate(name, options, momentum, limit):
    optimizer = replace(SGD, momentum=momentum)
    below, above = (
        step_matrix(dynamics(name, **options), BILINEAR, h, optimizer) for h in (limit - 1e-4, limit + 1e-4)
    )
    assert radius(below) < 1 < radius(above)


def test_extragradient_is_fastest_at_one_over_root_two():
    radii = {
        h: radius(step_matrix(dynamics("extragradient"), BILINEAR, h))
        for h in np.sqrt(0.5) + np.array([-0.01, 0, 0.01])
    }
    assert min(radii, key=radii.get) == np.sqrt(0.5)
    assert radii[np.sqrt(0.5)] == pytest.approx(np.sqrt(3) / 2)


@pytest.mark.parametrize("generator_first", [False, True])
@pytest.mark.parametrize("h", [0.1, 0.5, 1.0, 1.9])
def test_alternating_descent_stays_on_an_ellipse(h, generator_first):
    _, _, path = run(dynamics("alternating", generator_first=generator_first), match(BILINEAR, 3), h, 150)
    x, y = path.unbind(-1)
    invariant = x**2 + y**2 + (-h if generator_first else h) * x * y
    torch.testing.assert_close(invariant, invariant[:, :1].expand_as(invariant), rtol=1e-11, atol=1e-11)


def test_alternating_descent_from_one_one():
    _, _, path = run(dynamics("alternating"), part("game", "bilinear", initial_parameters=(1, 1)), 0.1, 800)
    distance = path.norm(dim=-1)
    assert distance.min() == pytest.approx(np.sqrt(2.1 / 1.05), abs=1e-3)
    assert distance.max() == pytest.approx(np.sqrt(2.1 / 0.95), abs=1e-3)


def test_alternating_descent_grows_linearly_at_two():
    turn = step_matrix(dynamics("alternating"), BILINEAR, 2.0) + np.eye(2)
    np.testing.assert_allclose(turn @ turn, 0, atol=1e-13)  # so that (-1)^t M^t = 1 - t (M + 1)
    assert np.abs(turn).max() > 1
    start = match(BILINEAR, 1).init()
    _, _, path = run(dynamics("alternating"), BILINEAR, 2.0, 50, players=start)
    expected = [(-1) ** t * (np.eye(2) - t * turn) @ path[0, 0].numpy() for t in range(51)]
    np.testing.assert_allclose(path[0], expected, atol=1e-11)
    assert radius(step_matrix(dynamics("alternating"), BILINEAR, 2.1)) == pytest.approx(alternating_radius(2.1))


@pytest.mark.parametrize("h", [0.01, 0.1, 0.5, 1.0])
def test_step_ratio_and_angular_speed(h):
    _, _, path = run(dynamics("simultaneous"), match(BILINEAR, 4), h, 200)
    distance = path.norm(dim=-1)
    torch.testing.assert_close(distance[:, 1:] / distance[:, :-1], torch.full((4, 200), np.sqrt(1 + h * h)).double())
    angle = np.unwrap(np.arctan2(path[..., 1].numpy(), path[..., 0].numpy()), axis=1)
    np.testing.assert_allclose(np.diff(angle), -np.arctan(h), rtol=1e-11)
    turn = np.angle(np.linalg.eigvals(step_matrix(dynamics("alternating"), BILINEAR, h)))
    np.testing.assert_allclose(np.sort(turn), np.arccos(1 - h * h / 2) * np.array([-1, 1]), rtol=1e-9)


@pytest.mark.parametrize("inner", ["simultaneous", "alternating"])
@pytest.mark.parametrize(("period", "alpha"), [(1, 0.3), (5, 0.5), (6, 0.8)])
def test_lookahead_eigenvalues_follow_from_powers_of_the_inner_step(inner, period, alpha):
    for h in RATES:
        matrix = step_matrix(dynamics(inner), BILINEAR, h)
        moves = dynamics("lookahead", inner=inner, sync_period=period, alpha=alpha)
        twice = step_matrix(moves, BILINEAR, h, steps=2 * period, state=False)
        expected = 1 - alpha + alpha * np.linalg.eigvals(matrix) ** period
        assert radius(twice) == pytest.approx(np.abs(expected).max() ** 2, rel=1e-9)
        late = step_matrix(moves, BILINEAR, h, steps=period - 1, state=False)
        np.testing.assert_allclose(late, np.linalg.matrix_power(matrix, period - 1), atol=1e-12)


def test_averages_of_alternating_descent_tend_to_the_equilibrium_as_one_over_t():
    h, steps = 0.3, 600
    moves, game = dynamics("averaging"), match(BILINEAR, 2)
    rate, players = both(game, column(h, h)), game.init()
    states, answers = moves.init(game, players, SGD), []
    assert all(torch.equal(moves.snapshot(players, states)[name], players[name]) for name in players)
    for _ in range(steps):
        result = moves.step(game, players, states, [{}], SGD, rate)
        players, states = result.players, result.states
        answers.append(torch.cat(list(moves.snapshot(players, states).values()), 1))
    _, _, path = run(dynamics("alternating"), game, h, steps)
    t = torch.arange(1, steps + 1)[:, None]
    answers = torch.stack(answers, 1)
    torch.testing.assert_close(answers, path[:, 1:].cumsum(1) / t, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.cat(list(players.values()), 1), path[:, -1])
    # The sum of the iterates is (1 - M)^-1 M (1 - M^t) theta_0: on an ellipse, so its largest norm does not change.
    far = (answers * t).norm(dim=-1)
    torch.testing.assert_close(far[:, 100:350].amax(1), far[:, 350:].amax(1), rtol=0.01, atol=0)


def test_exponential_averages_forget():
    moves, game = dynamics("averaging", kind="exponential", decay=0.9, inner="simultaneous"), match(DIRAC, 2)
    players, states, path = run(moves, game, 0.2, 30)
    expected = path[:, 0]
    for theta in path.unbind(1)[1:]:
        expected = 0.9 * expected + 0.1 * theta
    torch.testing.assert_close(torch.cat(list(moves.snapshot(players, states).values()), 1), expected)


# Linear games: second-order terms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("h", [0.1, 0.7])
@pytest.mark.parametrize("ratio", [1.0, 0.25])
def test_matrices_on_general_linear_games(seed, h, ratio):
    """With a rate of each player's own, the learning rate is the diagonal matrix R of every parameter's."""
    game = Linear.random(seed)
    rates, one = np.diag([h] * 2 + [ratio * h] * 3), np.eye(5)
    jacobian = game.matrix
    rotation, symmetric = (jacobian - jacobian.T) / 2, (jacobian + jacobian.T) / 2
    first, second = np.diag([1.0, 1, 0, 0, 0]), np.diag([0.0, 0, 1, 1, 1])
    expected = {
        ("simultaneous",): one - rates @ jacobian,
        ("alternating",): (one - second @ rates @ jacobian) @ (one - first @ rates @ jacobian),
        ("alternating", ("generator_first", True)): (one - first @ rates @ jacobian)
        @ (one - second @ rates @ jacobian),
        ("extragradient", ("extrapolation", 0.6)): one - rates @ jacobian @ (one - 0.6 * rates @ jacobian),
        ("consensus", ("gamma", 0.8)): one - rates @ (jacobian + 0.8 * jacobian.T @ jacobian),
        ("symplectic", ("adjustment", 0.8), ("align", False)): one - rates @ (jacobian + 0.8 * rotation.T @ jacobian),
        ("potential_component",): one - rates @ symmetric,
        ("potential_component", ("nodes", 1)): one - rates @ symmetric,
        ("gaussian_smoothing", ("sigma", 0.0)): one - rates @ jacobian,
        ("runge_kutta",): sum(
            np.linalg.matrix_power(-rates @ jacobian, k) / factor for k, factor in enumerate((1, 1, 2, 6, 24))
        ),
    }
    for (name, *options), matrix in expected.items():
        found = step_matrix(dynamics(name, **dict(options)), game, {"a": h, "b": ratio * h}, state=False)
        np.testing.assert_allclose(found, matrix, atol=1e-13, err_msg=name)


@pytest.mark.parametrize(("steps", "ratio"), [(1, 1.0), (3, 1.0), (4, 0.5)])
def test_unrolling_on_general_linear_games(steps, ratio):
    """a_k = P a - Q b, with P = (1 - eta S_1)^k and Q = eta sum_(i<k) (1 - eta S_1)^i B for the first player's rate
    eta: b descends b S_2 b / 2 + b C a_k, through a_k."""
    game, h = Linear.random(2), 0.2
    own, cross = slice(0, 2), slice(2, 5)
    power = np.eye(2) - ratio * h * game.matrix[own, own]
    p = np.linalg.matrix_power(power, steps)
    q = ratio * h * sum(np.linalg.matrix_power(power, i) for i in range(steps)) @ game.matrix[own, cross]
    answer = game.matrix[cross, own]
    bent = game.matrix.copy()
    bent[cross, own] = answer @ p
    bent[cross, cross] -= answer @ q + (answer @ q).T
    found = step_matrix(dynamics("unrolled", unrolling_steps=steps), game, {"a": ratio * h, "b": h})
    np.testing.assert_allclose(found, np.eye(5) - np.diag([ratio * h] * 2 + [h] * 3) @ bent, atol=1e-13)


def test_the_adjustment_is_aligned_member_by_member():
    game, h = Linear.random(3), 0.1
    trajectories = match(game, 60)
    start = {name: theta * torch.linspace(1, 12, 60)[:, None] for name, theta in trajectories.init().items()}
    _, _, path = run(dynamics("symplectic", adjustment=0.5), trajectories, h, 1, players=start)
    theta, after = path.numpy().swapaxes(0, 1)
    grad = theta @ game.matrix.T
    uphill = grad @ game.matrix
    turned = grad @ (game.matrix - game.matrix.T) / 2
    sign = np.sign((grad * uphill).sum(1) * (turned * uphill).sum(1) / 5 + 0.1)
    assert {-1.0, 1.0} == set(sign)
    np.testing.assert_allclose(after, theta - h * (grad + 0.5 * sign[:, None] * turned), rtol=1e-12, atol=1e-12)


def test_potential_component_is_a_gradient_and_the_rest_is_at_right_angles():
    """On the Dirac-GAN, whose field is (s theta, -s psi) with s = sigmoid(psi theta), phi by quadrature of its own."""

    def grad(point: np.ndarray) -> np.ndarray:
        psi, theta = point
        s = 1 / (1 + np.exp(-psi * theta))
        return np.array([s * theta, -s * psi])

    game = match(DIRAC, 5)
    start = game.init()
    first = torch.cat(list(start.values()), 1).numpy()
    for center in ("origin", "start"):
        moves = dynamics("potential_component", center=center, nodes=12)
        # From where a first step led, with a centre that training began at.
        states = moves.init(game, start, SGD)
        players = {name: theta + 0.5 for name, theta in start.items()}
        here = torch.cat(list(players.values()), 1).numpy()
        result = moves.step(game, players, states, game.draw(0, 1), SGD, both(game, column(*[1.0] * 5)))
        followed = here - torch.cat(list(result.players.values()), 1).numpy()
        for k in range(5):
            c = first[k] if center == "start" else np.zeros(2)

            def phi(point, c=c):
                return quad(lambda t: (point - c) @ grad(c + t * (point - c)), 0, 1, epsabs=1e-13)[0]

            steps = 1e-4 * np.eye(2)
            expected = [(phi(here[k] + e) - phi(here[k] - e)) / 2e-4 for e in steps]
            np.testing.assert_allclose(followed[k], expected, atol=1e-7)
            assert (grad(here[k]) - followed[k]) @ (here[k] - c) == pytest.approx(0, abs=1e-12)


def test_potential_component_stands_still_on_the_bilinear_game():
    _, _, path = run(
        dynamics("potential_component"), match(part("game", "bilinear", singular_values=(1, 2.5)), 3), 0.5, 20
    )
    torch.testing.assert_close(path, path[:, :1].expand_as(path), rtol=0, atol=1e-14)


# The flow -----------------------------------------------------------------------------------------------------------


def order(moves, game: Game, exact, time: float = 2.0) -> float:
    """The fitted order of convergence: the slope of the logarithm of the error on that of the step."""
    steps = np.array([8, 16, 32, 64])
    errors = [np.linalg.norm(run(moves, game, time / n, n)[2][0, -1].numpy() - exact) for n in steps]
    return float(np.polyfit(np.log(time / steps), np.log(errors), 1)[0])


@pytest.mark.parametrize(("name", "expected"), [("runge_kutta", 4), ("simultaneous", 1), ("alternating", 1)])
def test_order_of_convergence_to_the_flow(name, expected):
    bilinear = part("game", "bilinear", initial_parameters=(1.0, 0.5))
    turn = np.array([[np.cos(2), np.sin(2)], [-np.sin(2), np.cos(2)]])
    assert order(dynamics(name), bilinear, turn @ [1.0, 0.5]) == pytest.approx(expected, abs=0.15)

    def flow(_, point):
        s = 1 / (1 + np.exp(-point[0] * point[1]))
        return [-s * point[1], s * point[0]]

    dirac = replace(DIRAC, initial_parameters=(1.0, 0.5))
    exact = solve_ivp(flow, (0, 2), [1.0, 0.5], rtol=1e-12, atol=1e-12).y[:, -1]
    assert order(dynamics(name), dirac, exact) == pytest.approx(expected, abs=0.15)


def test_runge_kutta_errs_in_radius_by_h6_and_in_phase_by_h5():
    for h in (0.05, 0.1, 0.2):
        matrix = step_matrix(dynamics("runge_kutta"), BILINEAR, h)
        (factor,) = (value for value in np.linalg.eigvals(matrix) if value.imag > 0)
        assert (1 - abs(factor)) / h**6 == pytest.approx(1 / 144, rel=0.02)
        assert (h - np.angle(factor)) / h**5 == pytest.approx(1 / 120, rel=0.02)


def test_runge_kutta_refuses_an_optimizer_with_a_state():
    for optimizer in (ADAM, part("optimizer", "rmsprop"), replace(SGD, momentum=0.5), replace(SGD, decay_exponent=1.0)):
        game = match(BILINEAR)
        with pytest.raises(GanbenchError, match=r"runge_kutta .* has the state \w+.* Valid: 'sgd' without"):
            dynamics("runge_kutta").init(game, game.init(), optimizer)


# Relations between dynamics ------------------------------------------------------------------------------------------

SAME = [
    ("extragradient", {"extrapolation": 0.0, "moments": "update"}, "simultaneous"),
    ("consensus", {"gamma": 0.0}, "simultaneous"),
    ("symplectic", {"adjustment": 0.0}, "simultaneous"),
    ("unrolled", {"unrolling_steps": 0}, "simultaneous"),
    ("gaussian_smoothing", {"sigma": 0.0, "perturbations": 3}, "simultaneous"),
    ("averaging", {"inner": "simultaneous"}, "simultaneous"),
    ("averaging", {"inner": "alternating"}, "alternating"),
    ("lookahead", {"alpha": 1.0, "inner": "simultaneous"}, "simultaneous"),
    ("lookahead", {"alpha": 1.0, "inner": "alternating", "sync_period": 2}, "alternating"),
    ("optimistic", {"optimism": "gradient"}, "optimistic"),
]


@pytest.mark.parametrize(("name", "options", "other"), SAME)
@settings(max_examples=4)
@given(seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=3, unique=True), rate=st.floats(0.01, 0.5))
def test_options_at_which_two_dynamics_are_one(name, options, other, seeds, rate):
    game = Match(DIRAC, [Member(seed, None, rate) for seed in seeds], CPU, torch.float64)
    for optimizer in (SGD, ADAM) if other != "optimistic" else (SGD,):
        path, expected = (run(d, game, rate, 7, optimizer)[2] for d in (dynamics(name, **options), dynamics(other)))
        torch.testing.assert_close(path, expected, rtol=1e-10, atol=1e-10)


def test_lookahead_without_going_back_is_the_inner_dynamics_to_the_last_bit():
    for optimizer in (SGD, ADAM):
        paths = [
            run(d, match(DIRAC, 3), 0.2, 12, optimizer)[2]
            for d in (dynamics("lookahead", alpha=1.0), dynamics("alternating"))
        ]
        assert torch.equal(*paths)


def test_points_extrapolated_from_the_past_are_optimistic_iterates():
    """theta'_(t+1) = theta_(t+1) - h F(theta'_t) = theta'_t - 2h F(theta'_t) + h F(theta'_(t-1))."""
    moves, game, h = dynamics("extrapolation_from_past"), match(DIRAC, 3), 0.3
    _, _, expected = run(dynamics("optimistic"), game, h, 25)
    for steps in (0, 1, 2, 25):
        players, states, _ = run(moves, game, h, steps)
        trial = torch.cat([theta - h * states["past"][name] for name, theta in players.items()], 1)
        torch.testing.assert_close(trial, expected[:, steps], rtol=1e-12, atol=1e-12)


def test_optimism_in_the_step_is_optimistic_adam():
    """Daskalakis et al. (2018), algorithm 1: theta - 2 rate p_t + rate p_(t-1), with p Adam's step over the rate."""
    game, rate, beta1, beta2 = match(DIRAC, 2), 0.05, 0.5, 0.999
    players = game.init()
    theta = torch.cat(list(players.values()), 1)
    mean = square = past = torch.zeros_like(theta)
    for t in range(1, 21):
        at = dict(zip(players, theta.split(1, 1), strict=True))
        grad = torch.cat(list(simultaneous_gradient(game, at, game.draw(t, 1)[0]).gradients.values()), 1)
        mean, square = beta1 * mean + (1 - beta1) * grad, beta2 * square + (1 - beta2) * grad**2
        step = mean / (1 - beta1**t) / ((square / (1 - beta2**t)).sqrt() + 1e-8)
        theta, past = theta - 2 * rate * step + rate * past, step
    _, _, path = run(dynamics("optimistic"), game, rate, 20, ADAM)
    torch.testing.assert_close(path[:, -1], theta, rtol=1e-10, atol=1e-10)


class HandWritten:
    """The Adam of a paper, in place on a vector, for loops that are written by hand."""

    def __init__(self, beta1: float = 0.5, beta2: float = 0.999, epsilon: float = 1e-8):
        self.beta1, self.beta2, self.epsilon, self.steps, self.mean, self.square = beta1, beta2, epsilon, 0, 0.0, 0.0

    def step(self, grad: Tensor) -> Tensor:
        """The step over the rate; differentiable where no gradient is 0."""
        self.steps += 1
        self.mean = self.beta1 * self.mean + (1 - self.beta1) * grad
        self.square = self.beta2 * self.square + (1 - self.beta2) * grad**2
        mean, square = self.mean / (1 - self.beta1**self.steps), self.square / (1 - self.beta2**self.steps)
        return mean / (square.sqrt() + self.epsilon)

    def copy(self) -> HandWritten:
        return copy.copy(self)


def gradient_of(game: Match, player: str, at: dict[str, Tensor], batch, graph: bool = False) -> Tensor:
    loss, _ = game.loss(player, at, batch)
    return torch.autograd.grad(loss.sum(), at[player], create_graph=graph)[0]


def leaves(at: dict[str, Tensor]) -> dict[str, Tensor]:
    return {player: theta.detach().requires_grad_() for player, theta in at.items()}


def test_extragradient_with_adam_is_extra_adam(networks):
    """Gidel et al. (2019), algorithm 4: moments of both gradients, corrected for the 2t - 1 and 2t seen so far."""
    game, rates = gan(networks, 2), {"discriminator": 0.02, "generator": 0.005}
    theta, adam = game.init(), {player: HandWritten() for player in game.players}
    for step in range(12):
        first, second = game.draw(step, 2)
        here = leaves(theta)
        ahead = leaves({p: theta[p] - rates[p] * adam[p].step(gradient_of(game, p, here, first)) for p in theta})
        theta = {p: theta[p] - rates[p] * adam[p].step(gradient_of(game, p, ahead, second)) for p in theta}
    given = {player: column(rate, rate) for player, rate in rates.items()}
    players, _, _ = run(dynamics("extragradient"), game, given, 12, ADAM)
    for player in theta:
        torch.testing.assert_close(players[player], theta[player], rtol=1e-9, atol=1e-9)
    former, _, _ = run(dynamics("extragradient", moments="update"), game, given, 12, ADAM)
    assert not torch.allclose(former["generator"], theta["generator"], rtol=1e-3)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("name", ["adam", "rmsprop", "momentum"])
def test_unrolling_unrolls_the_optimizer(networks, name, steps):
    """Metz et al. (2017) with the optimizer that trains the discriminator: its steps from its present state, and the
    generator's gradient through all of them, its moments included."""
    game, rates = gan(networks, 2), {"discriminator": 0.02, "generator": 0.01}
    optimizer = {"adam": ADAM, "rmsprop": part("optimizer", "rmsprop"), "momentum": replace(SGD, momentum=0.6)}[name]

    def step(rule: HandWritten, grad: Tensor) -> Tensor:
        if name == "adam":
            return rule.step(grad)
        if name == "momentum":
            rule.mean = 0.6 * rule.mean + grad
            return rule.mean
        rule.square = 0.99 * rule.square + 0.01 * grad**2
        return grad / (rule.square.sqrt() + 1e-8)

    theta, rules = game.init(), {player: HandWritten() for player in game.players}
    for t in range(5):
        (batch,), here = game.draw(t, 1), leaves(theta)
        ahead, rule = here["discriminator"], rules["discriminator"].copy()
        for _ in range(steps):
            at = {"discriminator": ahead, "generator": here["generator"]}
            ahead = ahead - rates["discriminator"] * step(
                rule, gradient_of(game, "discriminator", at, batch, graph=True)
            )
        at = {"discriminator": ahead, "generator": here["generator"]}
        grads = {p: gradient_of(game, p, at if p == "generator" else here, batch) for p in theta}
        theta = {p: theta[p] - rates[p] * step(rules[p], grads[p]).detach() for p in theta}
    given = {player: column(rate, rate) for player, rate in rates.items()}
    players, _, _ = run(dynamics("unrolled", unrolling_steps=steps), game, given, 5, optimizer)
    for player in theta:
        torch.testing.assert_close(players[player], theta[player], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_unrolling_past_a_parameter_without_a_gradient(name):
    """A parameter of which no loss depends has the gradient 0, at which a root of its square has no derivative."""
    matrix, optimizer = Linear.random(5, 4, 2).matrix, part("optimizer", name)
    dead = np.insert(np.insert(matrix, 1, 0.0, axis=0), 1, 0.0, axis=1)
    paths = []
    for game, kept in ((Linear(matrix, 2), [0, 1, 2, 3]), (Linear(dead, 3), [0, 2, 3, 4])):
        start = {"a": torch.tensor([[0.4, -0.3]]).double(), "b": torch.tensor([[0.7, 0.2]]).double()}
        if len(game.matrix) == 5:
            start["a"] = torch.tensor([[0.4, 9.0, -0.3]]).double()
        paths.append(
            run(dynamics("unrolled", unrolling_steps=3), game, 0.05, 6, optimizer, players=start)[2][..., kept]
        )
    assert paths[0].isfinite().all()
    torch.testing.assert_close(paths[0], paths[1], rtol=1e-10, atol=1e-10)


class Cut(type(SGD)):
    """Descent without a way back through its steps."""

    def step(self, theta, gradient, state, rate):
        return theta.detach() - rate * gradient.detach(), state


def test_unrolling_refuses_an_optimizer_that_cannot_be_differentiated():
    with pytest.raises(GanbenchError, match=r"unrolling needs an optimizer whose steps can be differentiated"):
        run(dynamics("unrolled"), BILINEAR, 0.1, 1, Cut())


# Several steps of the first player ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("several", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_the_first_player_moves_alone_before_the_move_of_any_dynamics(name, several, networks):
    """By hand: its gradient on a batch of its own, its optimizer's step and its projection, and then one move."""
    one, optimizer = in_pack(name)
    moves, game = replace(one, discriminator_steps=several), gan(networks, 2)
    rates = {"discriminator": column(0.02, 0.01), "generator": column(0.005, 0.01)}
    assert moves.batches_per_step == several - 1 + one.batches_per_step
    assert moves.gradients_per_step == several - 1 + one.gradients_per_step
    players = game.init()
    states = moves.init(game, players, optimizer)
    for step in range(2):
        batches = game.draw(step, moves.batches_per_step)
        found = moves.step(game, players, states, batches, optimizer, rates)
        for batch in batches[: several - 1]:
            grad = gradient_of(
                game, "discriminator", players | leaves({"discriminator": players["discriminator"]}), batch
            )
            theta, kept = optimizer.step(
                players["discriminator"], grad, states["discriminator"], rates["discriminator"]
            )
            players = players | {"discriminator": game.project("discriminator", theta)}
            states = states | {"discriminator": kept}
        expected = one.step(game, players, states, batches[several - 1 :], optimizer, rates)
        for mine, other in ((found.players, expected.players), (found.aux, expected.aux)):
            assert mine.keys() == other.keys()
            assert all(torch.equal(mine[key], other[key]) for key in mine)
        assert all(map(torch.equal, tensors(found.states), tensors(expected.states)))
        players, states = found.players, found.states


def test_alternating_descent_with_several_discriminator_steps(networks):
    """The loop that everybody writes: every step of the discriminator on a batch of its own, the generator on the
    last."""
    game, rate = gan(networks, 1), 0.01
    theta, adam = game.init(), {player: HandWritten() for player in game.players}
    for step in range(6):
        batches = game.draw(step, 3)
        for player, batch in [("discriminator", batch) for batch in batches] + [("generator", batches[-1])]:
            grad = gradient_of(game, player, leaves(theta), batch)
            theta = theta | {player: theta[player] - rate * adam[player].step(grad)}
    players, _, _ = run(dynamics("alternating", discriminator_steps=3), game, rate, 6, ADAM)
    for player in theta:
        torch.testing.assert_close(players[player], theta[player], rtol=1e-9, atol=1e-9)


def test_gaussian_smoothing_averages_the_field_over_displacements_of_the_run():
    moves = dynamics("gaussian_smoothing", perturbations=4, sigma=0.3)
    game = match(DIRAC, 3)
    players = game.init()
    states = moves.init(game, players, SGD)
    cloud = states["perturbation"]
    result = moves.step(game, players, states, game.draw(0, 1), SGD, both(game, column(1, 1, 1)))
    at = [{name: theta + cloud[name][:, j] for name, theta in players.items()} for j in range(4)]
    fields = [simultaneous_gradient(game, point, game.draw(0, 1)[0]) for point in at]
    for name, theta in players.items():
        expected = torch.stack([each.gradients[name] for each in fields]).mean(0)
        torch.testing.assert_close(theta - result.players[name], expected)
        losses = torch.stack([each.losses[name] for each in fields]).mean(0)
        torch.testing.assert_close(result.aux[f"{name}_loss"], losses)
    assert result.states["perturbation"] is cloud
    assert all(len(values.unique()) == values.numel() for values in cloud.values()), "every run has its own"
    alone = moves.init(game.select([2]), {name: theta[2:] for name, theta in players.items()}, SGD)
    assert all(torch.equal(alone["perturbation"][name], values[2:]) for name, values in cloud.items())
    many = dynamics("gaussian_smoothing", perturbations=4000).init(match(BILINEAR), match(BILINEAR).init(), SGD)
    drawn = torch.cat(list(many["perturbation"].values()), 2)[0]
    np.testing.assert_allclose(np.cov(drawn.numpy().T), 0.04 * np.eye(2), atol=0.004)


# Packs --------------------------------------------------------------------------------------------------------------


def in_pack(name: str):
    """The dynamics with options at which all of its parts matter, and an optimizer that it works with."""
    options = {"lookahead": {"sync_period": 2}, "averaging": {"kind": "exponential", "decay": 0.7}}.get(name, {})
    # Adam would blow up what cancels in the gradient part.
    return dynamics(name, **options), SGD if name in ("runge_kutta", "potential_component") else ADAM


def tensors(states) -> list[Tensor]:
    return [value for state in states.values() for value in state.values()]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3)
@given(order=st.permutations(range(4)), size=st.integers(1, 4))
def test_members_know_nothing_of_their_pack(name, order, size):
    moves, optimizer = in_pack(name)
    game, rate = match(DIRAC, 4), column(0.1, 0.2, 0.05, 0.15)
    _, states, path = run(moves, game, rate, 5, optimizer)
    places = order[:size]
    players, kept, some = run(moves, game.select(places), rate[places], 5, optimizer)
    torch.testing.assert_close(some, path[places], rtol=1e-12, atol=1e-12)
    for one, other in zip(tensors(kept), tensors(states), strict=True):
        torch.testing.assert_close(one, other[places], rtol=1e-12, atol=1e-12)
    assert all(value.shape[0] == size for value in tensors(kept))
    assert all(theta.shape == (size, 1) for theta in moves.snapshot(players, kept).values())


REAL = [
    (n, o)
    for n in NAMES
    for o, option in registry.components("dynamics")[n].options.items()
    if option.annotation == "float"
]


@pytest.mark.parametrize(("name", "option"), REAL)
def test_options_may_differ_from_member_to_member(name, option):
    moves, optimizer = in_pack(name)
    values, game, rate = (0.3, 0.6, 0.9), match(DIRAC, 3), column(0.1, 0.2, 0.05)
    together = replace(moves, **{option: column(*values)})
    players, states, path = run(together, game, rate, 5, optimizer)
    answers = together.snapshot(players, states)
    for k, value in enumerate(values):
        alone = replace(moves, **{option: value})
        players, states, expected = run(alone, game.select([k]), rate[[k]], 5, optimizer)
        torch.testing.assert_close(path[[k]], expected, rtol=1e-12, atol=1e-12)
        for player, theta in alone.snapshot(players, states).items():
            torch.testing.assert_close(answers[player][[k]], theta, rtol=1e-12, atol=1e-12)


# What a step costs ---------------------------------------------------------------------------------------------------


class _Loss(torch.autograd.Function):
    """A loss (K,), which adds to the tally how often it is differentiated, per member."""

    @staticmethod
    def forward(ctx, loss, tally):
        ctx.tally = tally
        return loss.clone()

    @staticmethod
    def backward(ctx, grad):
        ctx.tally.append(len(grad))
        return grad, None


class _Again(torch.autograd.Function):
    """A gradient (K, P), which adds to the tally that it is differentiated once more."""

    @staticmethod
    def forward(ctx, grad, tally):
        ctx.tally = tally
        return grad.clone()

    @staticmethod
    def backward(ctx, grad):
        ctx.tally.append(len(grad))
        return grad, None


class _Theta(torch.autograd.Function):
    """Parameters, whose gradient is an `_Again` the first time that it is taken."""

    @staticmethod
    def forward(ctx, theta, tally):
        ctx.tally, ctx.taken = tally, False
        return theta.clone()

    @staticmethod
    def backward(ctx, grad):
        first, ctx.taken = not ctx.taken, True
        return (_Again.apply(grad, ctx.tally) if first else grad), None


class Counted(Match):
    """A match whose losses keep a tally, in units of one gradient of one player's loss of all members."""

    def __init__(self, game, members, device, dtype, tally=None):
        super().__init__(game, members, device, dtype)
        self.tally = [] if tally is None else tally

    def part_loss(self, player, players, batch):
        loss, aux = super().part_loss(player, players | {player: _Theta.apply(players[player], self.tally)}, batch)
        return _Loss.apply(loss, self.tally), aux

    def repeated(self, count):
        members = [member for member in self.members for _ in range(count)]
        return Counted(self.game, members, self.device, self.dtype, self.tally)


COSTS = {
    "simultaneous": [({}, 2)],
    "alternating": [({}, 2), ({"discriminator_steps": 3}, 4)],
    "averaging": [({}, 2), ({"inner": "simultaneous"}, 2)],
    "consensus": [({}, 2 + PRODUCT)],
    "extragradient": [({}, 4)],
    "potential_component": [({}, 2 + 4 * (2 + PRODUCT)), ({"nodes": 2}, 10)],
    "lookahead": [({"sync_period": 1}, 2), ({"inner": "simultaneous"}, 2)],
    "gaussian_smoothing": [({}, 60), ({"perturbations": 7}, 14)],
    "optimistic": [({}, 2)],
    "extrapolation_from_past": [({}, 2)],
    "runge_kutta": [({}, 8)],
    "symplectic": [({}, 2 + 2 * PRODUCT)],
    "unrolled": [({"unrolling_steps": 0}, 2), ({"unrolling_steps": 1}, 3), ({"unrolling_steps": 5}, 11)],
}


@pytest.mark.parametrize("name", NAMES)
def test_evaluations_are_what_a_step_costs(name):
    for options, expected in COSTS[name]:
        moves = dynamics(name, **options)
        game = Counted(DIRAC, [Member(seed, None, 0.1) for seed in range(3)], CPU, torch.float64)
        players = game.init()
        states = moves.init(game, players, SGD)
        assert not game.tally, "the start of training costs nothing"
        moves.step(game, players, states, game.draw(0, moves.batches_per_step), SGD, both(game, column(0.1, 0.1, 0.1)))
        assert sum(game.tally) / 3 == moves.gradients_per_step == expected


# Networks -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def networks() -> Game:
    """A small GAN: networks of width 4 on a few points of the plane."""
    examples = TrainingExamples(torch.from_numpy(np.random.default_rng(0).normal(size=(20, 2))), CPU, torch.float64)
    parts = {
        "architecture": part("architecture", "mlp", width=4, latent_size=2, activation="tanh"),
        "objective": part("objective", "non_saturating"),
        "regularizer": part("regularizer", "none"),
        "data": DataSpec((2,), False, 20, 1),
    }
    return part("game", "gan", parts | {"examples": examples, "batch_size": 5})


def gan(game: Game, count: int) -> Match:
    return Match(game, [Member(seed, 10 + seed, 0.01) for seed in range(count)], CPU, torch.float64)


@pytest.mark.parametrize("name", NAMES)
def test_every_dynamics_moves_a_pack_of_networks(name, networks):
    moves, optimizer = in_pack(name)
    game, rate = gan(networks, 2), column(0.01, 0.02)
    start = game.init()
    players, states = start, moves.init(game, start, optimizer)
    series = {f"{p}_{what}" for p in game.players for what in ("loss", "gradient_norm")} | set(networks.series)
    for step in range(4):
        result = moves.step(game, players, states, game.draw(step, moves.batches_per_step), optimizer, both(game, rate))
        players, states = result.players, result.states
        assert set(result.aux) == series
        for value in (*result.aux.values(), *players.values(), *tensors(states)):
            assert value.shape[0] == 2
            assert value.isfinite().all()
            assert not value.requires_grad, "a step must not keep the graph of its gradients"
        assert all(value.shape == (2,) for value in result.aux.values())
    alone = run(moves, game.select([1]), rate[[1]], 4, optimizer)[0]
    for player, theta in players.items():
        assert not torch.equal(theta, start[player])
        torch.testing.assert_close(alone[player], theta[[1]], rtol=1e-10, atol=1e-10)


def test_products_on_networks_agree_with_finite_differences_of_the_field(networks):
    game, epsilon = gan(networks, 2), 1e-5
    players, (batch,) = game.init(), game.draw(0, 1)
    generator = torch.Generator().manual_seed(1)
    v, u = ({n: torch.randn(t.shape, generator=generator).double() for n, t in players.items()} for _ in range(2))
    here = simultaneous_gradient(game, players, batch, differentiable=True)
    forth, back = here.products(v), here.products(u, transposed=True)
    sides = [
        simultaneous_gradient(game, {n: t + e * v[n] for n, t in players.items()}, batch).gradients
        for e in (epsilon, -epsilon)
    ]
    difference = {name: (sides[0][name] - sides[1][name]) / (2 * epsilon) for name in players}
    for name in players:
        torch.testing.assert_close(forth[name], difference[name], rtol=1e-6, atol=1e-8)
    one, other = (sum((a[n] * b[n]).sum(1) for n in players) for a, b in ((u, difference), (back, v)))
    torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_second_order_steps_on_networks_agree_with_finite_differences(networks):
    """J by columns, and with it consensus, the adjustment, and the gradient through one unrolled step."""
    game = gan(networks, 1)
    players, (batch,), rate, epsilon = game.init(), game.draw(0, 1), 0.1, 1e-5
    sizes = [theta.shape[1] for theta in players.values()]

    def joined(values) -> Tensor:
        return torch.cat([values[name] for name in game.players], 1)

    def gradients(theta: Tensor) -> Tensor:
        many = game.select([0] * len(theta))
        repeated = {name: values.expand(len(theta), *values.shape[1:]) for name, values in batch.items()}
        return joined(
            simultaneous_gradient(many, dict(zip(game.players, theta.split(sizes, 1), strict=True)), repeated).gradients
        )

    theta = joined(players)
    unit = epsilon * torch.eye(sum(sizes), dtype=torch.float64)
    jacobian = ((gradients(theta + unit) - gradients(theta - unit)) / (2 * epsilon)).T
    grad = gradients(theta)[0]
    rotation = (jacobian - jacobian.T) / 2
    for name, options, expected in (
        ("consensus", {"gamma": 2.0}, grad + 2 * jacobian.T @ grad),
        ("symplectic", {"align": False}, grad + rotation.T @ grad),
    ):
        moved = dynamics(name, **options).step(
            game, players, {n: {} for n in players}, [batch], SGD, both(game, column(rate))
        )
        followed = (theta - joined(moved.players))[0] / rate
        torch.testing.assert_close(followed, expected, rtol=1e-6, atol=1e-8)

    def unrolled(generator: Tensor) -> Tensor:
        many = game.select([0] * len(generator))
        repeated = {name: values.expand(len(generator), *values.shape[1:]) for name, values in batch.items()}
        at = {"discriminator": players["discriminator"].expand(len(generator), -1), "generator": generator}
        at["discriminator"] = (
            at["discriminator"] - rate * simultaneous_gradient(many, at, repeated).gradients["discriminator"]
        )
        return many.loss("generator", at, repeated)[0]

    unit = epsilon * torch.eye(sizes[1], dtype=torch.float64)
    expected = (unrolled(players["generator"] + unit) - unrolled(players["generator"] - unit)) / (2 * epsilon)
    moved = dynamics("unrolled", unrolling_steps=1).step(
        game, players, {n: {} for n in players}, [batch], SGD, both(game, column(rate))
    )
    followed = (players["generator"] - moved.players["generator"])[0] / rate
    torch.testing.assert_close(followed, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("objective", "sees_real"), [("zero_sum", 1), ("minimax", 0)])
def test_the_unrolled_generator_of_a_zero_sum_game_sees_what_its_examples_do_to_scores_of_real_ones(
    objective, sees_real
):
    """One step on D(x) = phi x with a real example r and a generated one g, and s the logistic function.

    The discriminator goes to p = phi + rate (s(-phi r) r - s(phi g) g). The generator's L_G = -[ln(1 + exp(-p r)) +
    ln(1 + exp(p g))], of which `minimax` has the second term alone, has the derivative in g
    -[(-s(-p r) r + s(p g) g) dp/dg + s(p g) p], with dp/dg = -rate (s(phi g) + s'(phi g) phi g).
    """
    real, g, phi, rate = 1.5, -0.4, 0.8, 0.7

    def s(a: float) -> float:
        return 1 / (1 + np.exp(-a))

    p = phi + rate * (s(-phi * real) * real - s(phi * g) * g)
    of_p = -rate * (s(phi * g) + s(phi * g) * (1 - s(phi * g)) * phi * g)
    expected = -((-sees_real * s(-p * real) * real + s(p * g) * g) * of_p + s(p * g) * p)

    class DataAwayFromZero(DiracGAN):
        def draw(self, member: Member, chunk: int, count: int, dtype: torch.dtype) -> Batch:
            batch = super().draw(member, chunk, count, dtype)
            return batch | {"real": batch["real"] + real}

    game = DataAwayFromZero(objective=part("objective", objective), regularizer=part("regularizer", "none"))
    match = gan(game, 1)
    players = {"discriminator": column(phi), "generator": column(g)}
    moved = dynamics("unrolled", unrolling_steps=1).step(
        match, players, {n: {} for n in players}, match.draw(0, 1), SGD, both(match, column(rate))
    )
    followed = (players["generator"] - moved.players["generator"])[0] / rate
    assert followed.item() == pytest.approx(expected, rel=1e-12)
    assert moved.players["discriminator"].item() == pytest.approx(p, rel=1e-12)


# Errors -------------------------------------------------------------------------------------------------------------


class _Once(torch.autograd.Function):
    """A product with a derivative but no second one."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return grad * y, grad * x


class OnceDifferentiable(type(BILINEAR)):
    def loss(self, player, players, batch):
        value = _Once.apply(players["x"], players["y"]).sum(-1)
        return (-value if player == "x" else value), {}


@pytest.mark.parametrize("name", NAMES)
def test_a_game_without_second_derivatives_is_refused_by_methods_that_need_them(name):
    if name in SECOND_ORDER:
        with pytest.raises(GanbenchError, match=r"the game lacks the second derivative that .* needs"):
            run(dynamics(name), OnceDifferentiable(), 0.1, 1)
    else:
        run(dynamics(name), OnceDifferentiable(), 0.1, 1)


def _of_a_constant(x):
    return torch.autograd.grad(torch.ones(1).sum(), x)


def _of_another(x):
    return torch.autograd.grad(torch.ones(1, requires_grad=True).sum(), x)


def _twice(x):
    (grad,) = torch.autograd.grad(_Once.apply(x, x).sum(), x, create_graph=True)
    return torch.autograd.grad(grad.sum(), x)


def _changed_in_place(x):
    root = x.exp()
    value = root.square()
    root.add_(1)
    return torch.autograd.grad(value.sum(), x)


class _OneWay(torch.autograd.Function):
    """A function of which nobody wrote the derivative."""

    @staticmethod
    def forward(ctx, x):
        return x * 2


def _unwritten(x):
    return torch.autograd.grad(_OneWay.apply(x).sum(), x)


REFUSED = [_of_a_constant, _of_another, _twice, _changed_in_place, _unwritten]


@pytest.mark.parametrize("differentiate", REFUSED, ids=lambda each: each.__name__.strip("_"))
def test_autograd_s_refusals_are_called_missing_derivatives(differentiate):
    x = torch.rand(4, requires_grad=True)
    refusal = pytest.raises(GanbenchError, match="the game lacks the second derivative: ")
    with refusal, explain_autograd_error("second derivative"):
        differentiate(x)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: an illegal memory access was encountered\nCompile with `TORCH_USE_CUDA_DSA`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling cublasSgemm"),
        RuntimeError("The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 0"),
        ValueError("a derivative"),
    ],
    ids=lambda error: str(error)[:20],
)
def test_other_errors_are_not_called_missing_derivatives(error):
    with pytest.raises(type(error)) as caught, explain_autograd_error("second derivative"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("alternating", "discriminator_steps", 0),
        ("potential_component", "nodes", 0),
        ("lookahead", "sync_period", 0),
        ("gaussian_smoothing", "perturbations", 0),
        ("unrolled", "unrolling_steps", -1),
    ],
)
def test_options_out_of_range_are_refused_in_words(name, option, value):
    with pytest.raises(GanbenchError, match=rf"{option}' must be an integer from \d.*but is {value}"):
        dynamics(name, **{option: value})
