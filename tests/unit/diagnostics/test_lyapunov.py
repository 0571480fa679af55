"""Lyapunov exponents: against closed forms, known chaotic maps, and systems whose regime is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import look, make_game, networks, part, play, with_buffers

from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import values_fault
from ganbench.diagnostics.lyapunov import _random
from ganbench.dynamics import Dynamics, StepResult
from ganbench.numerics.jacobians import split
from ganbench.numerics.orbits import OrbitStatistics
from ganbench.numerics.regimes import CHAOS, CYCLE, FIXED_POINT, RUN_OFF, regime
from ganbench.numerics.step_maps import StepMap, state_roles, state_vector

H = np.array([0.02, 0.1, 0.5])


@dataclass(frozen=True)
class Map(Dynamics):
    """A known map of (x, y) or of (x_1, x_2, y_1), whatever the game."""

    kind: str

    gradients_per_move: ClassVar[int] = 0

    def move(self, match, players, states, batches, optimizer, rates):
        x, y = players["x"], players["y"]
        if self.kind == "henon":
            x, y = 1 - 1.4 * x**2 + y, 0.3 * x
        elif self.kind == "lorenz":
            place = torch.cat([x, y], dim=1)
            place = _runge_kutta(place)
            x, y = place[:, :2], place[:, 2:]
        else:
            x, y = {"logistic": 4.0, "period two": 3.2, "point": 2.5}[self.kind] * x * (1 - x), y / 2
        return StepResult({"x": x, "y": y}, states, {})


def _runge_kutta(place, h=0.01):
    def flow(at):
        a, b, c = at[:, 0], at[:, 1], at[:, 2]
        return torch.stack([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c, -at[:, 3]], dim=1)

    one = flow(place)
    two = flow(place + h / 2 * one)
    three = flow(place + h / 2 * two)
    return place + h / 6 * (one + 2 * two + 2 * three + flow(place + h * three))


def linear(*matrix: float):
    return make_game("linear", matrix=matrix, initial_parameters=(1.0, 0.5))


# Exponents -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("method", ["tangent", "shadow"])
@pytest.mark.parametrize(
    ("dynamics", "expected", "within", "kind"),
    [
        ("simultaneous", np.log(1 + H**2) / 2, 1e-8, RUN_OFF),
        ("alternating", 0 * H, 1e-3, CYCLE),  # neutral, but its steps stretch now and shrink then
        ("extragradient", np.log(1 - H**2 + H**4) / 2, 1e-8, FIXED_POINT),
    ],
)
def test_methods_on_the_bilinear_game(method, dynamics, expected, within, kind):
    trajectories = play(
        make_game("bilinear", initial_parameters=(1.0, 1.0)), dynamics, rates=tuple(H), steps=400, every=400
    )
    values = look(trajectories, "lyapunov", method=method).values
    np.testing.assert_allclose(values["max_exponent"], expected, atol=within)
    np.testing.assert_allclose(values["max_exponent_per_time"], values["max_exponent"] / H)
    assert (values["low"] <= expected + 1e-8).all()
    assert (values["high"] >= expected - 1e-8).all()
    assert (values["regime"] == kind).all()
    if method == "tangent":
        np.testing.assert_allclose(values["second"], expected, atol=within)
        np.testing.assert_allclose(values["sum"], 2 * expected, atol=1e-8)  # det of a step is the same everywhere
    else:
        assert np.isnan(values["second"]).all()


@settings(max_examples=3)
@given(st.floats(-1, 3), st.floats(-1, 3), st.floats(-1, 1), st.floats(0.05, 0.3))
def test_both_methods_find_the_eigenvalues_of_linear_games(a, d, b, rate):
    """ln |1 - h lambda|, of symmetric J to within what the turn to the leading direction costs: less than 1 / steps."""
    trajectories = play(linear(a, b, b, d), rates=(rate,), steps=200, every=200)
    moduli = np.abs(np.linalg.eigvalsh(np.eye(2) - rate * np.array([[a, b], [b, d]])))
    expected = np.log(np.sort(moduli)[::-1].clip(1e-12))
    tangent = look(trajectories, "lyapunov", burn_in=0.5).values
    shadow = look(trajectories, "lyapunov", method="shadow", burn_in=0.5).values
    slack = 2 / 100
    assert tangent["max_exponent"][0] == pytest.approx(expected[0], abs=slack)
    if moduli.min() > 1e-3:
        assert tangent["sum"][0] == pytest.approx(expected.sum(), abs=1e-5)
    assert shadow["max_exponent"][0] == pytest.approx(tangent["max_exponent"][0], abs=slack)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "start", "largest", "total"),
    [
        ("logistic", (0.3, 0.1), log(2), 0.0),  # and -ln 2
        ("henon", (0.1, 0.1), 0.4192, log(0.3)),  # Sprott 2003; the determinant is -0.3
    ],
)
@pytest.mark.parametrize("method", ["tangent", "shadow"])
def test_chaotic_maps(kind, start, largest, total, method):
    trajectories = play(make_game("bilinear", initial_parameters=start), Map(kind), steps=2000, every=2000)
    values = look(trajectories, "lyapunov", method=method).values
    assert values["max_exponent"][0] == pytest.approx(largest, abs=0.02)
    assert values["low"][0] < largest < values["high"][0]
    assert values["regime"][0] == CHAOS
    if method == "tangent":
        assert values["sum"][0] == pytest.approx(total, abs=0.01)


@pytest.mark.slow
def test_the_lorenz_system():
    """0.9056 per unit of time, followed in steps of 0.01 (Viswanath 1998); 0 along the flow."""
    game = make_game("bilinear", singular_values=(1.0, 1.0), initial_parameters=(1.0, 1.0, 20.0, 0.0))
    values = look(play(game, Map("lorenz"), steps=2500, every=2500), "lyapunov").values
    assert values["max_exponent"][0] == pytest.approx(0.009056, abs=2e-3)
    assert values["second"][0] == pytest.approx(0, abs=5e-4)
    assert values["regime"][0] == CHAOS


def test_the_step_as_nearby_runs_see_it_is_the_jacobian_and_no_hessian():
    """(M - 1) v = -rate J v for plain simultaneous steps; alternating ones differ by the order of the rate; the
    symmetric part of the bilinear game is nothing, so all of the growth is missing from it."""
    rates = (0.1, 0.01)
    bilinear = look(play(make_game("bilinear"), rates=rates, steps=1), "lyapunov").values
    np.testing.assert_allclose(bilinear["jacobian_gap"], 0, atol=1e-7)
    np.testing.assert_allclose(bilinear["hessian_gap"], 1, atol=1e-7)
    turns = look(play(make_game("bilinear"), "alternating", rates=rates, steps=1), "lyapunov").values
    assert turns["jacobian_gap"][0] / turns["jacobian_gap"][1] == pytest.approx(10, rel=1e-3)
    descent = look(play(make_game("quadratic", curvatures=(1.0, 2.0)), rates=rates, steps=1), "lyapunov").values
    np.testing.assert_allclose([descent["jacobian_gap"], descent["hessian_gap"]], 0, atol=1e-7)
    scales = {"rates": rates, "generator_rates": (0.02, 0.3)}
    for game, gap in (("bilinear", 1), ("quadratic", 0)):
        apart = look(play(make_game(game), **scales, steps=1), "lyapunov").values
        np.testing.assert_allclose(apart["jacobian_gap"], 0, atol=1e-7)
        np.testing.assert_allclose(apart["hessian_gap"], gap, atol=1e-7)
    apart = look(play(networks(), **scales, steps=1), "lyapunov").values
    np.testing.assert_allclose(apart["jacobian_gap"], 0, atol=1e-5)
    gan = look(play(networks(), rates=rates, steps=1), "lyapunov").values
    np.testing.assert_allclose(gan["jacobian_gap"], 0, atol=1e-5)
    assert (gan["hessian_gap"] > 0.1).all()
    assert np.isnan(gan["max_exponent"]).all()  # of a single step there is none


# Regimes -------------------------------------------------------------------------------------------------------------

LABELLED = {
    "node": (linear(1.0, 0.2, 0.1, 2.0), "simultaneous", FIXED_POINT),
    "slow node": (linear(0.01, 0.0, 0.0, 0.02), "simultaneous", FIXED_POINT),
    "focus": (linear(0.2, 1.0, -1.0, 0.1), "simultaneous", FIXED_POINT),
    "saddle": (linear(-0.3, 0.2, 0.1, 1.0), "simultaneous", RUN_OFF),
    "unstable node": (linear(-0.3, 0.2, 0.1, -1.0), "simultaneous", RUN_OFF),
    "unstable focus": (linear(-0.1, 1.0, -1.0, 0.0), "simultaneous", RUN_OFF),
    "centre": (linear(0.0, 1.0, -1.0, 0.0), "alternating", CYCLE),
    "centre followed to fourth order": (linear(0.0, 1.0, -1.0, 0.0), "runge_kutta", CYCLE),
    "Gaussian discriminator": (make_game("gaussian", initial_parameters=(0.5, 1.5)), "simultaneous", FIXED_POINT),
    "sigmoid discriminator": (
        make_game("gaussian", discriminator="sigmoid", initial_parameters=(0.5, 1.5)),
        "simultaneous",
        RUN_OFF,
    ),
    "sigmoid discriminator, non-saturating": (
        make_game("gaussian", discriminator="sigmoid", objective="non_saturating", initial_parameters=(0.5, 1.5)),
        "simultaneous",
        RUN_OFF,
    ),
    "R1": (
        make_game("dirac", regularizer=part("regularizer", "r1", gamma=0.3), initial_parameters=(1.0, 1.0)),
        "simultaneous",
        FIXED_POINT,
    ),
    "stable cycle of two": (make_game("bilinear", initial_parameters=(0.3, 0.1)), Map("period two"), CYCLE),
    "arrived": (make_game("bilinear", initial_parameters=(0.3, 0.1)), Map("point"), FIXED_POINT),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LABELLED)
def test_labelled_systems(name):
    game, dynamics, expected = LABELLED[name]
    trajectories = play(game, dynamics, rates=(0.05, 0.1), steps=400, every=400)
    reading = look(trajectories, "lyapunov", exponents=1)
    assert (reading.values["regime"] == expected).all(), reading.values


@pytest.mark.cluster
def test_the_limit_cycle_of_the_non_saturating_dirac_gan():
    """Simultaneous steps end on a cycle of radius about sqrt(2 h): neutral along it, attracting across."""
    game = make_game("dirac", objective="non_saturating", initial_parameters=(0.5, 0.5))
    trajectories = play(game, rates=(0.2,), steps=1200, every=1200)
    values = look(trajectories, "lyapunov", burn_in=0.4).values
    assert values["regime"][0] == CYCLE
    assert values["low"][0] < 0 < values["high"][0]
    assert values["second"][0] < -5e-3
    radius = float(trajectories.theta[0, -1].norm())
    assert radius == pytest.approx((2 * 0.2) ** 0.5, rel=0.1)


def orbit(**changes) -> OrbitStatistics:
    steady = {
        "steps": 800, "before": 200, "speed": (1.0, 1.0, 1.0), "top_speed": 1.0, "last_speed": 1.0,
        "directness": 0.01, "bend": 0.99, "noisy": False, "diverged": False,
    }  # fmt: skip
    return OrbitStatistics(**(steady | changes))


def test_regimes_that_the_exponent_alone_would_get_wrong():
    # A run held in place by noise moves as steadily as a cycle, but its neighbours meet.
    assert regime(orbit(noisy=True), -0.01, -0.02, -0.005) == FIXED_POINT
    assert regime(orbit(), -0.01, -0.02, -0.005) == CYCLE
    # Neighbours part, and the run is not leaving.
    assert regime(orbit(), 0.01, 0.005, 0.02) == CHAOS
    assert regime(orbit(), 0.01, -0.005, 0.02) == CYCLE
    assert regime(orbit(speed=(1e-2, 0.1, 1.0)), 0.01, 0.005, 0.02) == RUN_OFF
    # Drifts: at a steady pace, one that slows down like 1 / steps, and one that does like 1 / steps^2.
    assert regime(orbit(directness=0.99), 0.0, -1e-6, 1e-6) == RUN_OFF
    assert regime(orbit(directness=0.6, bend=0.0), 0.0, -1e-6, 1e-6) == CYCLE  # half a turn of one
    for power, expected in ((1, RUN_OFF), (2, FIXED_POINT)):
        speed = tuple(float(t) ** -power for t in (500, 700, 900))
        assert regime(orbit(directness=0.99, speed=speed), -0.002 * power, -0.003 * power, -1e-3) == expected
    # On the way to a node its speed falls at a constant rate.
    speed = tuple(float(np.exp(-0.001 * t)) for t in (500, 700, 900))
    assert regime(orbit(directness=0.99, speed=speed), -0.001, -0.0011, -0.0009) == FIXED_POINT
    assert regime(orbit(speed=(0.0, 0.0, 0.0), last_speed=0.0, directness=float("nan")), 0, 0, 0) == FIXED_POINT
    assert regime(orbit(diverged=True), 0.0, 0.0, 0.0) == RUN_OFF


# Training as it was --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_tangent_and_shadow_agree_on_networks(optimizer):
    """In single precision too, of which both make double; the optimizer's state is part of the map."""
    trajectories = play(
        networks(torch.float32), "alternating", optimizer, rates=(0.02, 0.01), steps=80, every=80, dtype=torch.float32
    )
    tangent = look(trajectories, "lyapunov", exponents=1, burn_in=0.0)
    shadow = look(trajectories, "lyapunov", method="shadow", shadows=1, burn_in=0.0)
    # One shadow starts in the direction of the first vector: the same differences, at another distance.
    np.testing.assert_allclose(tangent.values["max_exponent"], shadow.values["max_exponent"], rtol=2e-3, atol=2e-6)
    seldom = look(trajectories, "lyapunov", method="shadow", shadows=1, burn_in=0.0, every=10)
    np.testing.assert_allclose(seldom.values["max_exponent"], shadow.values["max_exponent"], rtol=2e-3, atol=2e-6)
    assert tangent.arrays["growth"].shape == (2, 20, 1)


def test_a_replay_meets_the_batches_of_training():
    """The exponent of one direction is the growth of the distance between two trainings from nearby starts."""
    game, steps, apart = networks(), 100, 1e-6
    trajectories = play(
        game, "alternating", part("optimizer", "sgd", momentum=0.5), rates=(0.05,), steps=steps, every=steps
    )
    growth = look(trajectories, "lyapunov", exponents=1, burn_in=0.0).values["max_exponent"][0] * steps
    direction = _random(1, trajectories.theta[:, 0])
    match, optimizer, dynamics = trajectories.match, trajectories.optimizer, trajectories.dynamics
    players = match.init()
    shift = split(match, apart * direction / direction.norm())
    near = {name: theta + shift[name] for name, theta in players.items()}
    ends = []
    for at in (players, near):
        states = dynamics.init(match, at, optimizer)
        for step in range(steps):
            result = dynamics.step(match, at, states, match.draw(step, 1), optimizer, trajectories.rates)
            at, states = result.players, result.states
        ends.append(torch.cat([*at.values(), *(states[name]["velocity"] for name in at)], dim=1))
    assert growth == pytest.approx(log(float((ends[1] - ends[0]).norm()) / apart), abs=1e-3)


def test_a_replay_begins_with_the_buffers_of_training():
    """Spectral normalisation and adaptive augmentation: another training, if it began with the last vectors and the
    last probability."""
    trained = with_buffers(steps=20)
    steps = StepMap(trained, [0])
    state = steps.begin()
    for step in range(20):
        state = steps(state, steps.batches(step), 1.0, step)
    for player, theta in state.players.items():
        np.testing.assert_allclose(theta, trained.at(-1)[player], rtol=1e-9, atol=1e-12)
    for name, value in trained.match_at(-1).buffers.items():
        np.testing.assert_allclose(state.buffers[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_shadows_have_buffers_of_their_own():
    """The exponent of one direction is the growth of the distance between two trainings from nearby starts, to which
    the vectors of spectral normalisation belong."""
    steps, apart = 60, 1e-9
    trained = with_buffers(steps, "sgd")
    growth = look(trained, "lyapunov", exponents=1, burn_in=0.0).values["max_exponent"][0] * steps
    pair = StepMap(trained, [0], 2)
    direction = _random(1, trained.theta[:, 0])
    start = trained.theta[:, 0] + torch.tensor([[0.0], [apart]]) * direction / direction.norm()
    state = pair.begin(start.double())
    keys = state_roles(trained, 0).buffers
    assert [name for _, name in keys] == ["discriminator.2.parametrizations.weight.0._v"]  # others follow from weights
    for step in range(steps):
        state = pair(state, pair.batches(step), 1.0, step)
    one, other = state_vector(state, keys)
    assert growth == pytest.approx(log(float((other - one).norm()) / apart), abs=1e-3)


def test_a_step_that_maps_everything_onto_a_point_has_exponents_of_minus_infinity():
    for method in ("tangent", "shadow"):
        played = play(linear(10.0, 0.0, 0.0, 10.0), rates=(0.1, 0.05), steps=60, every=60)
        found = look(played, "lyapunov", method=method, every=7)
        np.testing.assert_allclose(found.values["max_exponent"], [-np.inf, log(0.5)], atol=1e-6)
        assert np.isnan([found.values[name][0] for name in ("low", "high")]).all()
        assert np.isfinite([found.values[name][1] for name in ("low", "high")]).all()
        np.testing.assert_array_equal(found.values["regime"], FIXED_POINT)
        assert values_fault(part("diagnostic", "lyapunov").columns(None), _first(found), absent=True) is None
    # Only one direction is lost: the other exponent is what it is.
    values = look(play(linear(10.0, 0.0, 0.0, 5.0), rates=(0.1,), steps=60, every=60), "lyapunov").values
    assert values["max_exponent"][0] == pytest.approx(log(0.5), abs=1e-6)
    assert values["second"][0] == values["sum"][0] == -np.inf


def _first(found):
    return {name: float(values[0]) for name, values in found.values.items()}


def test_a_replay_follows_the_schedule_of_learning_rates():
    """On a quadratic a step multiplies every difference by 1 - factor rate curvature."""
    game, rate, steps = make_game("quadratic", curvatures=(1.0, 1.0), initial_parameters=(1.0, 1.0)), 0.1, 100
    played = play(game, rates=(rate,), steps=steps, every=steps)
    scheduled = replace(played, schedule=lambda step: 1.0 if step < 40 else 0.25)
    largest = look(scheduled, "lyapunov", exponents=1, burn_in=0.0).values["max_exponent"][0]
    assert largest == pytest.approx((40 * log(1 - rate) + 60 * log(1 - rate / 4)) / steps, abs=1e-6)
    radius = {at: look(scheduled, "step_map", at=at).values["spectral_radius"][0] for at in ("start", "end")}
    assert radius == pytest.approx({"start": 1 - rate, "end": 1 - rate / 4}, abs=1e-6)


@pytest.mark.parametrize("every", [1, 4])
def test_a_replay_has_lazy_penalties_in_the_steps_of_training(every):
    """Steps of the Wasserstein Dirac-GAN with R1 are the matrix [[1 - h k gamma, -h], [h, 1]] where k divides their
    index, and else [[1, -h], [h, 1]]. Exponents are those of the eigenvalues of the product of k, and their sum is the
    mean logarithm of the determinants."""
    gamma, rate, steps = 3.0, 0.1, 400
    regularizer = part("regularizer", "r1", gamma=gamma, every=every)
    game = make_game("dirac", objective="wasserstein", regularizer=regularizer, initial_parameters=(1.0, 0.5))
    played = play(game, rates=(rate,), steps=steps, every=steps)
    due, other = (np.array([[1 - rate * weight, -rate], [rate, 1]]) for weight in (every * gamma, 0.0))
    period = np.linalg.matrix_power(other, every - 1) @ due
    expected = np.sort(np.log(np.abs(np.linalg.eigvals(period))))[::-1] / every
    tangent = look(played, "lyapunov", burn_in=0.1).values
    assert tangent["sum"][0] == pytest.approx(expected.sum(), abs=1e-6)
    assert tangent["max_exponent"][0] == pytest.approx(expected[0], abs=1e-5)
    assert tangent["jacobian_gap"][0] == pytest.approx(0, abs=1e-7)
    shadow = look(played, "lyapunov", method="shadow", burn_in=0.1).values
    assert shadow["max_exponent"][0] == pytest.approx(expected[0], abs=1e-5)


@pytest.mark.slow
def test_a_run_that_leaves_the_numbers_has_the_exponents_of_its_life_and_harms_no_other():
    """Steps of 3 / a on curvature a: a factor of -2, and an overflow after some 1,000 of them."""
    game = make_game("quadratic", curvatures=(1.0, 1.0), initial_parameters=(1.0, 1.0))
    both = play(game, rates=(3.0, 0.5), seeds=(0, 1), steps=1200, every=1200)
    assert both.path["x"][0, -1].isnan()
    values = look(both, "lyapunov", exponents=1).values
    assert values["max_exponent"][0] == pytest.approx(log(2), abs=1e-6)
    np.testing.assert_array_equal(values["regime"], [RUN_OFF, FIXED_POINT])
    alone = look(play(game, rates=(0.5,), seeds=(1,), steps=1200, every=1200), "lyapunov", exponents=1).values
    for column, own in alone.items():
        np.testing.assert_allclose(values[column][1], own[0], rtol=1e-9, err_msg=column)
    gone = look(play(game, rates=(1e12,), steps=30), "lyapunov").values
    assert np.isnan(gone["max_exponent"]).all()
    assert gone["regime"][0] == RUN_OFF


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shadows": 0}, "'shadows' must be an integer from 1 to 1000, but is 0"),
        ({"steps": -1}, "'steps' must be an integer from 0"),
        ({"burn_in": 1.0}, "'burn_in' must be a finite number of at least 0 and below 1, but is 1"),
        ({"perturbation": 1e-20}, "'perturbation' must be a finite number from 1e-12"),
    ],
)
def test_options_out_of_range_are_refused_in_words(options, words):
    with pytest.raises(GanbenchError, match=words):
        part("diagnostic", "lyapunov", **options)
