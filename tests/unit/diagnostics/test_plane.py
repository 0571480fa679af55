"""The diagnostics that draw planes: vector fields with their fixed points, basins of attraction, random slices."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from playing import diverged, look, make_game, networks, part, play, with_buffers
from scipy.integrate import quad
from scipy.optimize import brentq

from ganbench.core.errors import GanbenchError
from ganbench.diagnostics.slices import CYCLES, RESTS, RUNS_OFF, topology
from ganbench.games import Game
from ganbench.numerics import fixed_points as fixed
from ganbench.numerics import plane_fields

COUNTS = ("fixed_points", "stable", "centers", "unstable", "saddles")
KINDS = {  # J of the linear game, of which the flow follows -J
    fixed.STABLE_NODE: (1.0, 0.0, 0.0, 2.0),
    fixed.STABLE_FOCUS: (1.0, 1.0, -1.0, 1.0),
    fixed.CENTER: (0.0, 2.0, -1.0, 0.0),
    fixed.UNSTABLE_FOCUS: (-1.0, 1.0, -1.0, 0.5),
    fixed.UNSTABLE_NODE: (-1.0, 0.5, 0.0, -1.0),
    fixed.SADDLE: (1.0, 0.0, 0.0, -1.0),
    fixed.DEGENERATE: (1.0, 1.0, 1.0, 1.0),
}


@dataclass(frozen=True)
class TwoWells(Game):
    """L_x = (x^2 - 1)^2 / 4, L_y = y^2 / 2: wells at (-1, 0) and (1, 0), a saddle at (0, 0) between them."""

    initial_parameters: tuple[float, ...] = (0.5, 0.5)

    players: ClassVar[tuple[str, str]] = ("x", "y")
    parameters: ClassVar[dict[str, tuple[str, ...]]] = {"x": ("x",), "y": ("y",)}

    def start(self, member):
        return {
            name: torch.tensor([value], dtype=torch.float64)
            for name, value in zip("xy", self.initial_parameters, strict=True)
        }

    def loss(self, player, players, batch):
        x, y = players["x"], players["y"]
        return ((x.square() - 1).square() / 4 if player == "x" else y.square() / 2).sum(-1), {}


def still(game, members=1, **options):
    """Runs that have not moved."""
    return play(game, rates=(0.1,) * members, steps=0, **options)


def counts(reading):
    return {name: int(reading.values[name][0]) for name in COUNTS}


def same(together, alone, member):
    """One member's part of a reading is what it is alone."""
    for part_of, whole in ((alone.values, together.values), (alone.arrays, together.arrays)):
        assert list(part_of) == list(whole)
        for name, values in part_of.items():
            np.testing.assert_allclose(whole[name][member], values[0], rtol=1e-9, atol=1e-9, err_msg=name)


# Vector fields --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "matrix"), KINDS.items())
def test_every_kind_of_fixed_point_is_told(kind, matrix):
    reading = look(still(make_game("linear", matrix=matrix)), "vector_field", low=-1, high=1.3, points=8)
    assert reading.arrays["fixed_kind"][0, 0] == kind
    expected = {"stable": kind < fixed.CENTER, "centers": kind == fixed.CENTER, "saddles": kind == fixed.SADDLE}
    expected["unstable"] = fixed.CENTER < kind < fixed.SADDLE
    if kind != fixed.DEGENERATE:
        assert counts(reading) == {"fixed_points": 1} | {name: int(value) for name, value in expected.items()}
        assert reading.values["nearest_to_origin"][0] < 1e-12
    else:  # a line of them, met in many cells
        assert counts(reading)["fixed_points"] > 3
        assert set(counts(reading).values()) == {0, counts(reading)["fixed_points"]}


@settings(max_examples=15)
@given(st.tuples(*[st.floats(-2, 2)] * 4))
def test_the_field_of_a_linear_game_is_minus_its_matrix(matrix):
    j = np.array(matrix).reshape(2, 2)
    assume(abs(np.linalg.det(j)) > 1e-3)
    reading = look(still(make_game("linear", matrix=matrix)), "vector_field", low=-1, high=1.3, points=8)
    x, y = np.meshgrid(reading.arrays["x"][0], reading.arrays["y"][0])
    u, v = -(j @ np.stack([x.ravel(), y.ravel()]))
    np.testing.assert_allclose(reading.arrays["u"][0].ravel(), u, atol=1e-12)
    np.testing.assert_allclose(reading.arrays["v"][0].ravel(), v, atol=1e-12)
    assert reading.values["min_motion_x"][0] == pytest.approx(u.min())
    assert reading.values["min_motion_y"][0] == pytest.approx(v.min())
    growth = np.linalg.eigvals(-j)
    assume(np.abs(growth.real).min() > 1e-4)
    assert counts(reading) == {
        "fixed_points": 1,
        "stable": int((growth.real < 0).all()),
        "centers": 0,
        "unstable": int((growth.real > 0).all()),
        "saddles": int(np.ptp(np.sign(growth.real)) == 2),
    }


def test_all_fixed_points_of_a_plane_are_found():
    reading = look(still(TwoWells()), "vector_field", low=-2, high=2.1, points=20)
    assert counts(reading) == {"fixed_points": 3, "stable": 2, "centers": 0, "unstable": 0, "saddles": 1}
    at = np.stack([reading.arrays["fixed_x"][0], reading.arrays["fixed_y"][0]], axis=1)
    np.testing.assert_allclose(at[:3], [[-1, 0], [0, 0], [1, 0]], atol=1e-12)
    assert np.isnan(at[3:]).all()
    # The same with all of them on the grid, each seen by the four cells around it.
    assert counts(look(still(TwoWells()), "vector_field", low=-2, high=2, points=41)) == counts(reading)


@pytest.mark.parametrize(("gamma", "kind"), [(0.0, fixed.CENTER), (0.5, fixed.STABLE_FOCUS), (2.0, fixed.STABLE_NODE)])
def test_r1_turns_the_centre_of_the_dirac_gan_into_a_focus_and_a_node(gamma, kind):
    game = make_game("dirac", regularizer=part("regularizer", "r1", gamma=gamma))  # critical at gamma = 1
    reading = look(still(game), "vector_field", points=10)
    assert reading.arrays["fixed_kind"][0, 0] == kind


def test_the_gaussian_discriminator_has_a_stable_focus():
    trajectories = still(make_game("gaussian"))
    reading = look(trajectories, "vector_field", points=12)
    assert counts(reading) == {"fixed_points": 1, "stable": 1, "centers": 0, "unstable": 0, "saddles": 0}
    assert reading.arrays["fixed_kind"][0, 0] == fixed.STABLE_FOCUS
    assert reading.values["nearest_to_origin"][0] < 1e-9

    def integrand(z):
        return (z**2 - 1) * np.log(-np.expm1(-(z**2))) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

    c = 2 * quad(integrand, 0, 1, epsabs=1e-12)[0] + 2 * quad(integrand, 1, 12, epsabs=1e-12)[0]
    plane = plane_fields.coordinate_plane(trajectories, "", "", "start")  # b_d, b_g
    found = plane.jacobian(torch.tensor([0]), torch.zeros(1, 2, dtype=torch.float64))[0]
    np.testing.assert_allclose(found, [[c - 2, c], [-c, -c]], atol=1e-8)
    assert c == pytest.approx(1.3775, abs=1e-4)


@pytest.mark.parametrize(("w_d", "kind"), [(0.5, fixed.UNSTABLE_FOCUS), (2.0, fixed.STABLE_NODE)])
def test_a_wrong_scale_of_the_gaussian_discriminator(w_d, kind):
    assert look(still(make_game("gaussian", w_d=w_d)), "vector_field", points=12).arrays["fixed_kind"][0, 0] == kind


def test_the_plane_of_weights_has_no_equilibrium_of_positive_weights():
    trajectories = still(make_game("gaussian", plane="w"))
    reading = look(trajectories, "vector_field", low=0.2, high=3, points=12)
    assert counts(reading)["fixed_points"] == 0
    assert (reading.arrays["v"] < 0).all()  # w_g always falls
    plane = plane_fields.coordinate_plane(trajectories, "", "", "start")
    at_one = plane.inside(torch.tensor([0]), torch.ones(1, 2, dtype=torch.float64))[0]
    np.testing.assert_allclose(at_one, [-0.623, -1.378], atol=1e-3)
    whole = look(
        trajectories, "vector_field", low=-1, high=1, points=5
    )  # w = 0, where there is no motion, is on the grid
    assert np.isnan(whole.arrays["u"]).any()
    assert np.isfinite([whole.values["min_motion_w_d"], whole.values["fixed_points"]]).all()


def test_a_sigmoid_discriminator_never_lets_the_generator_rest():
    reading = look(still(make_game("gaussian", discriminator="sigmoid")), "vector_field", low=-8, high=8, points=9)
    least, _ = quad(lambda z: np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) / (1 + np.exp(16 - z)), -12, 12, epsabs=1e-16)
    assert reading.values["min_motion_b_g"][0] == pytest.approx(least, rel=1e-3)
    assert counts(reading)["fixed_points"] == 0
    assert np.isnan(reading.values["nearest_to_origin"][0])


@pytest.mark.parametrize(
    ("samples", "options"),
    [(2, {}), (5, {}), (40, {}), (5, {"w_d": -0.7, "w_g": 1.5}), (9, {"discriminator": "gaussian_half"})],
)
def test_between_all_samples_there_is_a_saddle(samples, options):
    values = look(still(make_game("gaussian", samples=samples, **options), 3), "vector_field", points=3).values
    assert (values["sampled_zeros"] == samples - 1).all()
    assert (values["sampled_saddles"] == samples - 1).all()
    assert (values["sampled_stable"] == 0).all()


def test_the_saddles_between_samples_lie_where_the_article_s_loss_is_at_rest():
    """At b_d = -mean(x), and where the derivative of the sum of ln(1 - exp(-(z_i + m)^2)) in m = b_d + b_g is 0."""
    trajectories, reference = still(make_game("gaussian", samples=5), 4), (1.0, -2.0)
    (batch,) = trajectories.match.draw(0, 1)
    expected = []
    for x, z in zip(*(batch[name][..., 0].numpy() for name in ("real", "latent")), strict=True):
        poles = np.sort(-z)
        gaps = [(low + 1e-9 * (high - low), high - 1e-9 * (high - low)) for low, high in pairwise(poles)]
        m = np.array([brentq(lambda m, z=z: np.sum((z + m) / np.expm1((z + m) ** 2)), *gap) for gap in gaps])
        expected.append(np.hypot(-x.mean() - reference[0], m + x.mean() - reference[1]).min())
    values = look(trajectories, "vector_field", points=3, reference_point=reference).values
    np.testing.assert_allclose(values["sampled_saddle_distance"], expected, atol=1e-6)


def test_the_grid_finds_saddles_that_are_there():
    reading = look(still(make_game("gaussian", samples=5), 3), "vector_field")
    assert (reading.values["saddles"] == reading.values["fixed_points"]).all()
    assert (reading.values["saddles"] <= reading.values["sampled_saddles"]).all()
    assert (reading.values["saddles"] >= 3).all()


def test_zeros_between_samples_are_of_sampled_games_with_poles_only():
    sampled = ({"max_output": 0.99}, {"plane": "w"}, {"discriminator": "sigmoid"})
    others = ({}, *({"samples": 5} | options for options in sampled))
    for game in (*(make_game("gaussian", **options) for options in others), make_game("bilinear")):
        values = look(still(game), "vector_field", points=3).values
        assert all(np.isnan(values[f"sampled_{name}"]) for name in ("zeros", "saddles", "stable", "saddle_distance"))


def test_only_clipped_fields_get_smoother_with_samples_and_with_noise():
    def rough(**options):
        field = {"perturbations": options.pop("perturbations", 0), "points": 21}
        return look(still(make_game("gaussian", **options), 4), "vector_field", **field).values["rough"].mean()

    assert rough(samples=100, max_output=0.99) < 0.5 * rough(samples=5, max_output=0.99)
    assert rough(samples=100) > 0.08  # Cauchy noise: as rough as with 5
    assert rough(samples=5, max_output=0.99, perturbations=30) < 0.9 * rough(samples=5, max_output=0.99)
    assert rough() == 0
    assert np.isnan(look(still(make_game("dirac")), "vector_field", points=5).values["rough"][0])


def test_an_averaged_linear_field_is_shifted_by_the_mean_shift():
    game = make_game("linear", matrix=KINDS[fixed.STABLE_FOCUS])
    plain, averaged = (look(still(game, 2), "vector_field", points=9, perturbations=n, sigma=0.5) for n in (0, 7))
    shift = np.stack([averaged.arrays["fixed_x"][:, 0], averaged.arrays["fixed_y"][:, 0]], axis=1)
    assert 0.05 < np.abs(shift).max() < 1  # of the order of 0.5 / sqrt(7)
    j = np.array(KINDS[fixed.STABLE_FOCUS]).reshape(2, 2)
    for k in range(2):
        du, dv = j @ shift[k]
        np.testing.assert_allclose(averaged.arrays["u"][k], plain.arrays["u"][k] + du, atol=1e-12)
        np.testing.assert_allclose(averaged.arrays["v"][k], plain.arrays["v"][k] + dv, atol=1e-12)


def test_a_plane_of_a_larger_game_is_named():
    game = make_game("bilinear", singular_values=(1.0, 2.0), initial_parameters=(0.0, 0.3, 0.0, -0.2))
    default = look(play(game, steps=5), "vector_field", points=8)
    assert counts(default)["centers"] == 1  # x0, y0
    assert {"min_motion_x0", "min_motion_y0"} < set(default.values)
    # In the plane of x0 and y1 each moves with the other player's second parameter, which stands still.
    other = look(play(game, steps=5), "vector_field", x="x0", y="y1", points=8, at="start")
    assert counts(other)["fixed_points"] == 0
    np.testing.assert_allclose(other.arrays["v"], -2 * 0.3)
    ended = look(diverged(play(game, rates=(0.1, 0.1)), 0, 3), "vector_field", points=4)
    assert np.isnan(ended.values["fixed_points"][0])
    assert ended.values["fixed_points"][1] == 1


def test_a_plane_has_two_parameters_of_the_game():
    with pytest.raises(GanbenchError, match=r"unknown parameter 'z'.*x, y"):
        part("diagnostic", "vector_field", x="z").columns(make_game("bilinear"))
    with pytest.raises(GanbenchError, match="both are 'y'"):
        part("diagnostic", "basins", x="y").measure(still(make_game("bilinear")))


def test_fused_fields_are_those_of_each_alone():
    game = make_game("gaussian", samples=5)
    together = look(still(game, 3), "vector_field", points=15)
    for k in range(3):
        same(together, look(still(game, seeds=(k,)), "vector_field", points=15), k)


def test_a_piece_at_a_time_is_the_same(monkeypatch):
    trajectories = still(make_game("gaussian", samples=5), 2)
    whole = look(trajectories, "vector_field", points=7)
    monkeypatch.setattr(plane_fields, "PIECE", 1000)
    pieces = look(trajectories, "vector_field", points=7)
    for kind in ("values", "arrays"):
        for name, values in getattr(whole, kind).items():
            np.testing.assert_allclose(getattr(pieces, kind)[name], values, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("vector_field", {"low": 1, "high": 1}, "low must be below high"),
        ("vector_field", {"points": 1}, "'points' must be an integer from 2"),
        ("vector_field", {"perturbations": -1}, "'perturbations' must be an integer from 0 .* but is -1"),
        ("basins", {"steps": 0}, "'steps' must be an integer from 1"),
        ("basins", {"high": -9}, "'basins': low must be below high"),
        ("slices", {"extent": 0}, "'extent' must be a finite number above 0"),
    ],
)
def test_options_out_of_range_are_refused(name, options, words):
    with pytest.raises(GanbenchError, match=words):
        part("diagnostic", name, **options)


# Basins of attraction -------------------------------------------------------------------------------------------------


def shares(trajectories, **options):
    reading = look(trajectories, "basins", **{"points": 8, "steps": 150} | options)
    names = ("converged_share", "escaped_share", "moving_share", "attractors")
    whole = np.sum([reading.values[name] for name in names[:3]], axis=0)
    np.testing.assert_allclose(whole, 1)
    return [reading.values[name].tolist() for name in names], reading


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (KINDS[fixed.STABLE_FOCUS], (1, 0, 0, 1)),
        (KINDS[fixed.STABLE_NODE], (1, 0, 0, 1)),
        (KINDS[fixed.UNSTABLE_NODE], (0, 1, 0, 0)),
        (KINDS[fixed.SADDLE], (0, 1, 0, 0)),
    ],
)
def test_where_a_linear_game_ends_is_known(matrix, expected):
    found, _ = shares(still(make_game("linear", matrix=matrix)))
    assert found == [[value] for value in expected]


def test_a_saddle_attracts_what_starts_on_its_stable_line():
    found, reading = shares(still(make_game("linear", matrix=KINDS[fixed.SADDLE])), points=9)
    assert found == [[1 / 9], [8 / 9], [0], [1]]
    assert (reading.arrays["labels"][0, 4] == 0).all()  # y = 0


def test_the_bilinear_game_depends_on_who_plays_it():
    circle = make_game("bilinear")
    assert shares(play(circle, "simultaneous", rates=(0.3,), steps=0))[0] == [[0], [1], [0], [0]]
    assert shares(play(circle, "alternating", rates=(0.3,), steps=0))[0] == [[0], [0], [1], [0]]
    assert shares(play(circle, "extragradient", rates=(0.5,), steps=0))[0] == [[1], [0], [0], [1]]


def test_a_close_circle_is_not_an_attractor():
    trajectories = play(make_game("bilinear"), "alternating", rates=(0.3,), steps=0)
    assert shares(trajectories, low=-0.02, high=0.02)[0] == [[0], [0], [1], [0]]


def test_wells_share_the_plane():
    _, reading = shares(still(TwoWells()), low=-2, high=2, points=10)
    x = reading.arrays["fixed_x"][0]
    labels = reading.arrays["labels"][0]
    np.testing.assert_allclose(x[labels], np.sign(reading.arrays["x"][:1].repeat(10, axis=0)), atol=1e-9)
    assert reading.values["attractors"][0] == 2


def test_each_run_plays_at_its_own_rate():
    """Gradient descent of x^2 / 2 is stable below a rate of 2."""
    found, _ = shares(play(make_game("quadratic"), rates=(0.5, 1.9, 2.1, 1.9), steps=0))
    assert found == [[1, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 1]]


def test_each_player_plays_at_its_own_rate():
    """Descent of y^2 / 2 by the second player is unstable above a rate of 2, whatever the first player's."""
    trajectories = play(make_game("quadratic"), rates=(0.5, 0.5), generator_rates=(None, 2.1), steps=0)
    found, _ = shares(trajectories)
    assert found == [[1, 0], [0, 1], [0, 0], [1, 0]]


def test_fused_basins_are_those_of_each_alone():
    game = make_game("gaussian", samples=4, max_output=0.9)
    options = {"points": 6, "steps": 60, "low": -1.0, "high": 1.0, "tolerance": 0.4}
    together = look(
        play(game, "alternating", part("optimizer", "adam"), rates=(0.1, 0.3), steps=0), "basins", **options
    )
    for k, rate in enumerate((0.1, 0.3)):
        alone = play(game, "alternating", part("optimizer", "adam"), rates=(rate,), seeds=(k,), steps=0)
        same(together, look(alone, "basins", **options), k)


def test_a_dynamics_that_draws_for_each_run_has_basins_of_each():
    averaging = part("dynamics", "gaussian_smoothing", perturbations=2, sigma=1.0)
    options = {"points": 8, "steps": 60, "low": -2.0, "high": 2.0, "tolerance": 0.8}
    together = look(play(make_game("gaussian"), averaging, rates=(0.1,) * 3, steps=0), "basins", **options)
    for k in range(3):
        alone = play(make_game("gaussian"), averaging, rates=(0.1,), seeds=(k,), steps=0)
        same(together, look(alone, "basins", **options), k)
    assert np.ptp(together.values["converged_share"]) > 0


def test_starts_are_trained_with_a_lazy_penalty_as_runs_are():
    """A penalty of every thousandth step is none, but for the first step."""
    options = {"points": 4, "low": -1.0, "high": 1.0, "steps": 200, "tolerance": 0.05}
    lazy, often, none = (
        look(
            play(make_game("dirac", objective="minimax", regularizer=regularizer), rates=(0.1,), steps=0),
            "basins",
            **options,
        )
        for regularizer in (
            part("regularizer", "r1", gamma=1.0, every=1000),
            part("regularizer", "r1", gamma=1.0),
            part("regularizer", "none"),
        )
    )
    shares = [float(each.values["converged_share"][0]) for each in (lazy, often, none)]
    assert shares == [0, 1, 0]


def test_a_start_ends_where_training_takes_it():
    """The label of a starting point is where `play` goes from there."""
    options = {"low": -2.0, "high": 2.0, "points": 4, "steps": 100}
    reading = look(play(TwoWells(), "extragradient", steps=0), "basins", **options)
    line = np.linspace(-2, 2, 4)
    for row, y in enumerate(line):
        for column, x in enumerate(line):
            end = play(TwoWells(initial_parameters=(x, y)), "extragradient", steps=100).theta[0, -1]
            label = int(reading.arrays["labels"][0, row, column])
            assert end[0] == pytest.approx(reading.arrays["fixed_x"][0, label], abs=1e-2)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vector_field", {"points": 2, "low": -0.1, "high": 0.1}),
        ("basins", {"points": 2, "low": -0.1, "high": 0.1, "steps": 3}),
        ("slices", {"points": 3, "extent": 0.1}),
        ("step_map", {"max_exact_size": 0, "arnoldi_iterations": 3}),
        ("spectrum", {"max_exact_size": 0, "arnoldi_iterations": 3}),
    ],
)
def test_where_a_run_started_does_not_depend_on_where_it_went(name, options):
    """Networks have the buffers of the start, too."""
    went = with_buffers(12, "sgd")
    assert any((value[:, 0] != value[:, 1]).any() for value in went.buffers.values())
    stayed = dataclasses.replace(
        went,
        steps=went.steps[:1],
        path={player: theta[:, :1] for player, theta in went.path.items()},
        buffers={buffer: value[:, :1] for buffer, value in went.buffers.items()},
    )
    found, expected = (look(each, name, at="start", **options) for each in (went, stayed))
    for part_of, whole in ((found.values, expected.values), (found.arrays, expected.arrays)):
        for column, values in part_of.items():
            np.testing.assert_array_equal(values, whole[column], err_msg=column)
    if name == "slices":
        batch, at_start = went.batch(), went.match_at(0)
        motion = plane_fields.motion(at_start, went.theta[:, 0], batch)
        inside = np.square([found.arrays[axis][0, 1, 1] for axis in "uv"]).sum()
        assert found.values["in_plane_share"][0] == pytest.approx(inside / float(motion.square().sum()), rel=1e-9)


# Slices ---------------------------------------------------------------------------------------------------------------


def grid(size=12, extent=3.0):
    line = np.linspace(-extent, extent, size)
    return np.meshgrid(line, line)


@pytest.mark.parametrize(
    ("motion", "expected"),
    [
        (lambda x, y: (1 + 0 * x, 0.5 + 0 * y), (RUNS_OFF, 0, 0)),
        (lambda x, y: (-x, -2 * y), (RESTS, 1, 1)),
        (lambda x, y: (-x + 3 * y, -y - 3 * x), (RESTS, 1, 1)),
        (lambda x, y: (y, -x), (CYCLES, 1, 1)),
        (lambda x, y: (x + y, y - x), (RUNS_OFF, 1, 1)),
        (lambda x, y: (x, -y), (RUNS_OFF, 1, -1)),
        (lambda x, y: (x * (1 - x**2 - y**2) - y, y * (1 - x**2 - y**2) + x), (CYCLES, 1, 1)),  # a limit cycle, r = 1
        (lambda x, y: (x - x**3, -y), (RESTS, 3, 1)),
    ],
)
def test_the_topology_of_known_fields(motion, expected):
    kind, zeros, turns, _ = topology(np.stack(motion(*grid()), axis=-1))
    assert (kind, zeros, turns) == expected


@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("matrix", [*KINDS.values(), (1.0, 2.0, 3.0, 4.0), (0.0, 1.0, 1.0, 0.0)])
def test_a_zero_on_the_grid_counts_once(matrix, shift):
    """On a point of the grid, in the middle of an edge, at the centre of a cell: the index is the sign of det J."""
    j = np.array(matrix).reshape(2, 2)
    index = np.sign(np.linalg.det(j))
    x, y = np.meshgrid(np.arange(-3.0, 4), np.arange(-3.0, 4) + shift)
    for across in (0.0, 0.5):
        field = -np.einsum("ij,jyx->yxi", j, np.stack([x + across, y]))
        for each in (field, field + 0.0):  # -0 and 0
            _, zeros, turns, _ = topology(each)
            if index:
                assert (zeros, turns) == (1, index)


def test_the_share_of_the_boundary_that_motion_leaves_across():
    x, y = grid()
    for motion, share in (((x, y), 1), ((-x, -y), 0), ((1 + 0 * x, 0 * y), 0.25), ((x, -y), 0.5)):
        assert topology(np.stack(motion, axis=-1))[3] == pytest.approx(share)


@pytest.mark.parametrize(
    ("game", "kind", "outflow"),
    [
        (lambda: make_game("quadratic", curvatures=(1.0, 2.0, 3.0)), RESTS, 0),
        (lambda: make_game("quadratic", curvatures=(-1.0, -2.0, -3.0)), RUNS_OFF, 1),
        (lambda: make_game("bilinear", singular_values=(1.0, 2.0)), CYCLES, None),
    ],
)
def test_a_slice_of_a_linear_field_has_its_kind(game, kind, outflow):
    """Cuts of a definite form are definite, and cuts of a rotation rotate."""
    values = look(still(game(), 4), "slices", extent=40).values
    assert (values["topology"] == kind).all()
    assert (values["zeros"] == 1).all()
    assert (values["boundary_turns"] == 1).all()
    assert outflow is None or (values["outflow_share"] == outflow).all()


def test_a_random_plane_holds_its_share_of_a_motion():
    dimensions, members = 10, 400
    values = look(still(make_game("quadratic", curvatures=(1.0,) * dimensions), members), "slices", points=3).values
    assert (values["in_plane_share_expected"] == 2 / dimensions).all()
    # Beta(1, (n - 2) / 2) distributed, of variance 2 * 2 (n - 2) / (n^2 (n + 2)).
    error = np.sqrt(4 * (dimensions - 2) / (dimensions**2 * (dimensions + 2)) / members)
    assert values["in_plane_share"].mean() == pytest.approx(2 / dimensions, abs=4 * error)
    np.testing.assert_array_equal(values["in_plane_of_all"], values["in_plane_share_mean"])
    assert np.isnan(values["in_plane_of_biases"]).all()


def test_a_cut_of_biases_leaves_weights_alone():
    game = networks()
    trajectories = still(game, 3)
    reading = look(trajectories, "slices", space="bias", points=5, extent=1)
    biases = sum(
        shape[0]
        for network in game.networks.values()
        for name, shape in network.shapes.items()
        if name.endswith("bias")
    )
    assert (reading.values["in_plane_share_expected"] == 2 / biases).all()
    np.testing.assert_array_equal(reading.values["in_plane_of_biases"], reading.values["in_plane_share_mean"])
    assert (reading.values["in_plane_of_all"] < reading.values["in_plane_of_biases"]).all()
    # The centre of the grid is where the run stands: there the motion is that of the run.
    match, players = trajectories.match, trajectories.at(-1)
    motion = plane_fields.motion(
        match, torch.cat([players[name] for name in match.players], dim=1), trajectories.batch()
    )
    within = torch.from_numpy(part("diagnostic", "slices", space="bias")._within(game))
    inside = np.square([reading.arrays[name][:, 2, 2] for name in "uv"]).sum(0)
    np.testing.assert_allclose(
        reading.values["in_plane_share"], inside / motion[:, within].square().sum(1).numpy(), rtol=1e-9
    )


def test_fused_slices_are_those_of_each_alone():
    game = networks()
    together = look(play(game, rates=(0.1, 0.1), steps=3), "slices", points=5)
    for k in range(2):
        same(together, look(play(game, rates=(0.1,), seeds=(k,), steps=3), "slices", points=5), k)


def test_a_run_that_diverged_has_no_slice():
    values = look(diverged(play(networks(), rates=(0.1, 0.1), steps=3), 1, 2), "slices", points=3).values
    assert all(np.isnan(each[1]) for each in values.values())
    assert np.isfinite(values["topology"][0])


def test_slices_are_of_large_games_and_of_biases_where_there_are_some():
    assert "vector_field" in part("diagnostic", "slices").unsupported(make_game("bilinear"))
    four = make_game("bilinear", singular_values=(1.0, 2.0))
    assert part("diagnostic", "slices").unsupported(four) is None
    assert "no biases" in part("diagnostic", "slices", space="bias").unsupported(four)
    assert part("diagnostic", "slices", space="bias").unsupported(networks()) is None
