"""The diagnostics of a run's path and of what its players could still gain."""

from __future__ import annotations

from math import acos, atan, ceil, cos, log, pi, sin, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import diverged, look, make_game, part, play

from ganbench.core.errors import GanbenchError

RATES = (0.01, 0.1, 0.5, 1.0)
CIRCLE = {"initial_parameters": (1.0, 1.0)}


def same(one, other, **tolerance):
    """Readings of the same columns with the same numbers."""
    assert list(one.values) == list(other.values)
    for name, values in one.values.items():
        np.testing.assert_allclose(values, other.values[name], err_msg=name, **tolerance)


# The path -------------------------------------------------------------------------------------------------------------


def test_simultaneous_descent_of_the_bilinear_game_is_a_growing_spiral():
    values = look(play(make_game("bilinear", **CIRCLE), rates=RATES, steps=200), "path").values
    for k, rate in enumerate(RATES):
        growth = log(1 + rate**2) / 2  # of ln r in a step: r'^2 = (1 + rate^2) r^2
        assert values["step_ratio"][k] == pytest.approx(sqrt(1 + rate**2), abs=1e-12)
        assert values["step_ratio_spread"][k] < 1e-12
        assert values["decay_rate"][k] == pytest.approx(growth, abs=1e-12)
        assert values["decay_error"][k] < 1e-12
        assert values["angular_speed"][k] == pytest.approx(atan(rate), abs=1e-12)
        assert values["turns"][k] == pytest.approx(200 * atan(rate) / (2 * pi), rel=1e-12)
        assert values["final_radius"][k] == pytest.approx(sqrt(2) * np.exp(200 * growth), rel=1e-12)
        assert values["growth"][k] == pytest.approx(values["max_radius"][k] / sqrt(2), rel=1e-12)
        assert values["min_radius"][k] == values["start_radius"][k] == pytest.approx(sqrt(2))
        angle = pi / 4 - 200 * atan(rate)  # x ascends, y descends: the spiral runs clockwise
        assert values["final_x"][k] == pytest.approx(values["final_radius"][k] * cos(angle), rel=1e-9)
        assert values["final_y"][k] == pytest.approx(values["final_radius"][k] * sin(angle), rel=1e-9)
        tenfold = ceil(log(10) / growth)
        assert values["steps_to_tenfold"][k] == tenfold or (np.isnan(values["steps_to_tenfold"][k]) and tenfold > 200)
        assert values["gradient_norm_ratio"][k] == pytest.approx(values["growth"][k])  # |F| = r
    assert (values["converged"] == 0).all()


def test_alternating_descent_of_the_bilinear_game_keeps_its_invariant():
    rate, steps = 0.1, 500
    values = look(play(make_game("bilinear", **CIRCLE), "alternating", rates=(rate,), steps=steps), "path").values
    # x^2 + y^2 + rate x y stays at its first value: r^2 (1 + rate sin(2 angle) / 2) = 2 + rate.
    assert values["min_radius"][0] >= sqrt((2 + rate) / (1 + rate / 2)) - 1e-12
    assert values["max_radius"][0] <= sqrt((2 + rate) / (1 - rate / 2)) + 1e-12
    assert values["angular_speed"][0] == pytest.approx(acos(1 - rate**2 / 2), abs=1 / steps)
    assert values["turns"][0] == pytest.approx(steps * acos(1 - rate**2 / 2) / (2 * pi), abs=0.1)
    assert abs(values["decay_rate"][0]) < 1e-3
    assert values["average_radius"][0] < 0.01
    assert np.isnan(values["steps_to_tenfold"][0])


def test_extragradient_converges_at_its_rate():
    rates = (0.2, 0.5)
    values = look(play(make_game("bilinear", **CIRCLE), "extragradient", rates=rates, steps=1000), "path").values
    for k, rate in enumerate(rates):
        assert values["decay_rate"][k] == pytest.approx(log(1 - rate**2 + rate**4) / 2, abs=1e-12)
    assert (values["converged"] == 1).all()
    assert values["gradient_norm_ratio"] == pytest.approx(values["growth"], rel=1e-9)


@settings(max_examples=10)
@given(st.floats(0.01, 100), st.tuples(*[st.floats(-1, 1)] * 4))
def test_of_a_linear_game_only_lengths_have_a_scale(scale, matrix):
    def reading(by):
        return look(
            play(make_game("linear", matrix=matrix, initial_parameters=(0.6 * by, -0.8 * by)), rates=(0.2,)), "path"
        ).values

    one, other = reading(1.0), reading(scale)
    for name in ("start_radius", "final_radius", "min_radius", "max_radius", "final_x", "final_y"):
        np.testing.assert_allclose(other.pop(name), scale * one.pop(name), rtol=1e-9, atol=1e-9 * scale)
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values, rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_run_that_diverged_has_rates_but_no_end():
    trajectories = play(make_game("bilinear", **CIRCLE), rates=(0.1, 0.1), steps=200)
    values = look(diverged(trajectories, 1, 150), "path").values
    rates = ("step_ratio", "decay_rate", "angular_speed", "start_radius")
    for name in rates:
        assert values[name][1] == pytest.approx(values[name][0], abs=1e-9)
    assert values["turns"][1] == pytest.approx(149 * atan(0.1) / (2 * pi))
    assert values["converged"][1] == 0
    known = {name for name, each in values.items() if not np.isnan(each[1])}
    assert known == {*rates, "turns", "step_ratio_spread", "decay_error", "converged"}
    same(look(diverged(trajectories, 1, 150), "path"), look(diverged(trajectories, 1, 150), "path"))


def test_a_run_without_a_start_has_nothing():
    values = look(diverged(play(make_game("bilinear"), rates=(0.1, 0.1)), 0, 0), "path").values
    assert all(np.isnan(each[0]) for each in values.values())
    assert values["growth"][1] > 1


def test_overflow_is_no_warning():
    trajectories = play(make_game("bilinear", **CIRCLE), rates=(1.0,), steps=3000)
    assert trajectories.theta.isinf().any()
    values = look(trajectories, "path").values
    assert values["step_ratio"][0] == pytest.approx(sqrt(2), abs=1e-12)
    assert values["steps_to_tenfold"][0] == 7
    assert np.isnan(values["max_radius"][0])
    assert values["converged"][0] == 0


def test_sparse_snapshots_have_no_steps():
    game = make_game("bilinear", **CIRCLE)
    dense, sparse = (look(play(game, steps=200, every=every), "path").values for every in (1, 10))
    stepwise = {"step_ratio_spread", "angular_speed", "turns", "steps_to_tenfold"}
    for name, values in sparse.items():
        if name in stepwise:
            assert np.isnan(values).all(), name
        elif name not in ("decay_error", "average_radius"):
            np.testing.assert_allclose(values, dense[name], rtol=1e-10, err_msg=name)


def test_a_run_that_starts_at_rest_has_converged():
    values = look(play(make_game("bilinear", initial_parameters=(0.0, 0.0))), "path").values
    assert values["converged"][0] == 1
    assert values["start_radius"][0] == values["max_radius"][0] == 0
    assert np.isnan(values["growth"][0])
    assert np.isnan(values["step_ratio"][0])


def test_only_small_games_name_their_parameters_and_only_the_plane_has_angles():
    four = look(play(make_game("bilinear", singular_values=(1.0, 2.0))), "path").values
    assert {"final_x0", "final_x1", "final_y0", "final_y1"} < set(four)
    assert np.isnan(four["turns"]).all()
    ten = look(play(make_game("bilinear", singular_values=(1.0,) * 5)), "path").values
    assert not any(name.startswith("final_x") for name in ten)
    assert ten["step_ratio"][0] == pytest.approx(sqrt(1.01), abs=1e-12)


def test_runs_do_not_look_at_one_another():
    game = make_game("dirac", objective="non_saturating")
    together = look(play(game, "alternating", rates=(0.1, 0.3), seeds=(4, 7), steps=50), "path")
    for k, (rate, seed) in enumerate(((0.1, 4), (0.3, 7))):
        alone = look(play(game, "alternating", rates=(rate,), seeds=(seed,), steps=50), "path")
        for name, values in alone.values.items():
            np.testing.assert_allclose(together.values[name][k : k + 1], values, rtol=1e-12, err_msg=name)


def test_a_tolerance_must_be_positive():
    with pytest.raises(GanbenchError, match="'tolerance' must be a finite number above 0, but is -1"):
        part("diagnostic", "path", tolerance=-1)


# Exploitability -------------------------------------------------------------------------------------------------------


def test_the_gap_of_a_bilinear_game():
    singular = (1.0, 3.0)
    trajectories = play(make_game("bilinear", singular_values=singular), rates=(0.1, 0.1, 0.1))
    values = look(trajectories, "exploitability", radius=2.0).values
    for name, place in (("gap_start", 0), ("gap_end", -1)):
        x, y = (trajectories.path[player][:, place].numpy() * singular for player in "xy")
        np.testing.assert_allclose(values[name], 2 * (np.linalg.norm(x, axis=1) + np.linalg.norm(y, axis=1)))


def test_the_average_of_a_circling_run_approaches_the_equilibrium():
    game = make_game("bilinear", **CIRCLE)
    short, long = (look(play(game, "alternating", steps=steps), "exploitability").values for steps in (94, 1880))
    # 1.5 and 30 turns. Sums of points on an ellipse stay bounded, by its diameter over the angle of a step.
    assert short["gap_average"][0] > 0.2
    assert long["gap_average"][0] < sqrt(2) * 2 * 1.5 / 0.1 / 1880
    assert long["gap_end"][0] > 1.5  # while the last iterate is as far as ever
    assert long["gap_start"][0] == pytest.approx(2)


def test_the_gap_of_the_dirac_gan_is_its_closed_form():
    trajectories = play(make_game("dirac"), rates=(0.1, 0.1, 0.1, 0.1))
    psi, theta = (trajectories.path[player][:, 0, 0] for player in ("discriminator", "generator"))
    gap = torch.nn.functional.softplus(1.5 * psi.abs()) - torch.nn.functional.softplus(-1.5 * theta.abs())
    np.testing.assert_allclose(look(trajectories, "exploitability", radius=1.5).values["gap_start"], gap, rtol=1e-12)


@pytest.mark.parametrize("objective", ["minimax", "non_saturating", "wasserstein"])
@pytest.mark.parametrize("regularizer", ["none", "r1", "r2"])
def test_best_answers_in_the_dirac_gan_are_the_best_on_a_grid(objective, regularizer):
    trajectories = play(
        make_game("dirac", objective=objective, regularizer=part("regularizer", regularizer)), rates=(0.1,) * 3
    )
    match, players, batch = trajectories.match, trajectories.at(0), trajectories.batch()
    gap = torch.zeros(3, dtype=torch.float64)
    for player in match.players:
        answers = [torch.full((3, 1), answer, dtype=torch.float64) for answer in np.linspace(-1, 1, 401)]
        losses = torch.stack([match.loss(player, {**players, player: answer}, batch)[0] for answer in answers])
        gap += match.loss(player, players, batch)[0] - losses.amin(0)
    reading = look(trajectories, "exploitability").values["gap_start"]
    np.testing.assert_allclose(reading, gap.detach(), atol=2e-5)  # a grid of 0.005 misses a minimum by 0.0025^2 / 2
    assert (reading >= gap.detach().numpy() - 1e-12).all()


@pytest.mark.parametrize("name", ["bilinear", "dirac", "quadratic"])
def test_the_gap_is_zero_at_the_equilibrium(name):
    values = look(play(make_game(name, initial_parameters=(0.0, 0.0)), steps=2), "exploitability").values
    assert all(each[0] == pytest.approx(0, abs=1e-12) for each in values.values())


def test_the_gap_of_minimisation_is_the_function():
    trajectories = play(
        make_game("quadratic", curvatures=(1.0, 4.0), initial_parameters=(3.0, -1.0)), rates=(0.1,), steps=1
    )
    values = look(trajectories, "exploitability").values
    assert values["gap_start"][0] == pytest.approx((9 + 4) / 2)
    assert values["gap_end"][0] == pytest.approx((2.7**2 + 4 * 0.6**2) / 2)


def test_a_run_that_diverged_has_no_last_gap():
    for name in ("bilinear", "dirac", "quadratic"):
        values = look(diverged(play(make_game(name), rates=(0.1, 0.1)), 1, 5), "exploitability").values
        assert np.isnan([values["gap_end"][1], values["gap_average"][1]]).all()
        assert np.isfinite([values["gap_start"][1], values["gap_end"][0]]).all()


@pytest.mark.parametrize(
    ("game", "why"),
    [
        (lambda: make_game("linear"), "bilinear, dirac, quadratic"),
        (lambda: make_game("quadratic", curvatures=(1.0, -1.0)), "no minimum"),
        (lambda: make_game("dirac", regularizer=part("regularizer", "weight_clipping")), "r1 or r2 only"),
    ],
)
def test_games_without_known_answers_are_passed_over(game, why):
    assert why in part("diagnostic", "exploitability").unsupported(game())


def test_a_radius_must_be_positive():
    with pytest.raises(GanbenchError, match="'radius' must be a finite number above 0, but is 0"):
        part("diagnostic", "exploitability", radius=0)
