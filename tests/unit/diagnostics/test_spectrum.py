"""Diagnostics of the linear picture: the Jacobian, its eigenvalues, one step as a map, rotation, the path's angle."""

from __future__ import annotations

from dataclasses import replace
from math import atan, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import CPU, diverged, look, make_game, networks, part, play

from ganbench.core.errors import GanbenchError
from ganbench.games import CHUNK, Match, Member
from ganbench.numerics import jacobians
from ganbench.numerics.eigenvalues import arnoldi, eigenvalues
from ganbench.numerics.step_maps import clock_period, in_double_precision, state_roles

ENTRY = st.floats(-2, 2, allow_subnormal=False)
MATRIX = st.tuples(ENTRY, ENTRY, ENTRY, ENTRY)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


# Matrices and products -----------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(MATRIX)
def test_the_jacobian_of_a_linear_game_is_its_matrix(matrix):
    trajectories = play(make_game("linear", matrix=matrix), rates=(0.1, 0.2), steps=0)
    where = jacobians.snapshot_point(trajectories, "start")
    expected = torch.tensor(matrix, dtype=torch.float64).view(1, 2, 2).expand(2, 2, 2)
    torch.testing.assert_close(where.jacobian(), expected, rtol=0, atol=1e-15)
    torch.testing.assert_close(where.field(), torch.einsum("kij,kj->ki", expected, where.theta))


def test_products_are_those_of_the_matrix():
    trajectories = play(networks(), rates=(0.1, 0.1, 0.1), steps=0)
    where = jacobians.snapshot_point(trajectories, "start", batches=2)
    matrix, v = where.jacobian(), normal(3, where.width)
    ahead, back = jacobians.mean_products(where.match, where.players, where.batches)
    torch.testing.assert_close(ahead(v), torch.einsum("kij,kj->ki", matrix, v))
    torch.testing.assert_close(back(v), torch.einsum("kji,kj->ki", matrix, v))
    # By differences of the field: rows are what F_i becomes, columns what moves.
    match, batch, h = where.match, where.batches[0], 1e-5
    one = jacobians.jacobian(match, where.players, batch)
    for i in (0, where.width - 1):
        shift = h * torch.eye(where.width, dtype=v.dtype)[i]
        sides = [
            jacobians.ParameterPoint(
                match, jacobians.split(match, where.theta + sign * shift), [batch], where.indices
            ).field()
            for sign in (1, -1)
        ]
        torch.testing.assert_close(one[:, :, i], (sides[0] - sides[1]) / (2 * h), rtol=1e-6, atol=1e-8)


def test_a_jacobian_too_large_to_write_out_is_refused(monkeypatch):
    monkeypatch.setattr(jacobians, "MAX_PARAMETERS", 10)
    where = jacobians.snapshot_point(play(networks(), steps=0), "start")
    with pytest.raises(GanbenchError, match=r"38 parameters.*up to 10.*'max_exact_size'"):
        where.jacobian()


def test_eigenvalues_of_a_matrix_with_nan_are_nan_and_harm_no_other():
    matrix = torch.stack([torch.diag(torch.tensor([1.0, 2.0])), torch.full((2, 2), torch.nan)])
    values = eigenvalues(matrix)
    assert sorted(values[0].real.tolist()) == [1, 2]
    assert values[1].isnan().all()


def test_arnoldi_finds_all_eigenvalues_of_small_matrices():
    matrix = normal(4, 7, 7)
    found = arnoldi(lambda v: torch.einsum("kij,kj->ki", matrix, v), normal(4, 7, seed=1), 9)
    assert found.shape == (4, 9)
    assert found[:, 7:].isnan().all()
    for mine, exact in zip(found[:, :7].numpy(), np.linalg.eigvals(matrix.numpy()), strict=True):
        np.testing.assert_allclose(np.sort_complex(mine), np.sort_complex(exact), atol=1e-9)


def test_arnoldi_stops_where_its_space_closes():
    closing = torch.stack([torch.diag(torch.tensor([3.0, 1.0, 1.0, 1.0])), torch.zeros(4, 4)]).double()
    found = arnoldi(lambda v: torch.einsum("kij,kj->ki", closing, v), torch.ones(2, 4).double(), 4).numpy()
    np.testing.assert_allclose(np.sort(found[0, :2].real), [1, 3], atol=1e-12)
    assert np.isnan(found[0, 2:]).all()
    assert found[1, 0] == 0
    assert np.isnan(found[1, 1:]).all()
    lost = arnoldi(lambda v: v * torch.nan, torch.ones(1, 4).double(), 3)
    assert lost.isnan().all()


def test_arnoldi_finds_the_outer_eigenvalues_of_large_matrices():
    matrix = torch.block_diag(torch.tensor([[5.0, 3.0], [-3.0, 5.0]]).double(), torch.diag(normal(298)))[None]
    found = arnoldi(lambda v: torch.einsum("kij,kj->ki", matrix, v), normal(1, 300), 40)[0].numpy()
    outer = found[np.argmax(found.real)]
    assert outer.real == pytest.approx(5, abs=1e-9)
    assert abs(outer.imag) == pytest.approx(3, abs=1e-9)


# Spectrum ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "eigenvalues", "share"),
    [
        ({"discriminator": "gaussian"}, (-1 - 1.325j, -1 + 1.325j), 0.624),
        ({"discriminator": "gaussian_half"}, (-0.5 - 1.167j, -0.5 + 1.167j), None),
        ({"discriminator": "gaussian_pdf"}, (-0.759, -0.241), 0.087),
        ({"w_d": 0.5}, (1.67 - 0.88j, 1.67 + 0.88j), None),
        ({"w_d": 2.0}, (-1.527, -1.107), None),
    ],
)
def test_the_gaussian_discriminators_at_the_origin(options, eigenvalues, share):
    """Eigenvalues known to three digits from an independent computation; shares of rotation likewise."""
    values = look(play(make_game("gaussian", **options), steps=1), "spectrum", at="origin").values
    for place, expected in enumerate(eigenvalues, start=1):
        assert values[f"real_{place}"][0] == pytest.approx(np.real(expected), abs=6e-3)
        assert values[f"imag_{place}"][0] == pytest.approx(np.imag(expected), abs=6e-3)
    assert values["max_real"][0] == pytest.approx(max(np.real(eigenvalues)), abs=6e-3)
    assert values["frequency"][0] == pytest.approx(abs(np.imag(eigenvalues[1])), abs=6e-3)
    assert values["gradient_norm"][0] < 1e-9
    if share:
        assert values["rotation_share"][0] == pytest.approx(share, abs=1e-3)


def test_the_bilinear_game_only_turns():
    trajectories = play(make_game("bilinear", singular_values=(1.0, 3.0)), rates=(0.1, 0.2), steps=2)
    reading = look(trajectories, "spectrum")
    np.testing.assert_allclose(reading.values["max_real"], 0, atol=1e-14)
    np.testing.assert_allclose(reading.values["max_imag"], 3, atol=1e-12)
    assert (reading.values["max_imag_real_ratio"] == np.inf).all()
    np.testing.assert_allclose(reading.values["rotation_share"], 1, atol=1e-14)
    np.testing.assert_allclose(reading.values["x_hessian_max"], 0, atol=1e-14)
    np.testing.assert_allclose(np.sort(reading.arrays["eigenvalues_imag"]), [[-3, -1, 1, 3]] * 2, atol=1e-12)
    assert "real_1" not in reading.values
    field = torch.cat([3 * trajectories.path["x"][:, -1, 1:], trajectories.path["y"][:, -1, :0]], dim=1)
    assert field.shape == (2, 1)
    norm = torch.stack([trajectories.theta[:, -1, i] * s for i, s in enumerate((1, 3, 1, 3))], dim=1).norm(dim=1)
    np.testing.assert_allclose(reading.values["gradient_norm"], norm)


@settings(max_examples=25)
@given(MATRIX)
def test_the_spectrum_of_any_linear_game(matrix):
    values = look(play(make_game("linear", matrix=matrix), steps=0), "spectrum", at="start").values
    expected = np.linalg.eigvals(-np.reshape(matrix, (2, 2)))
    assert values["max_real"][0] == pytest.approx(expected.real.max(), abs=1e-7)
    assert values["real_1"][0] <= values["real_2"][0]
    assert values["second_real"][0] == pytest.approx(expected.real.min(), abs=1e-7)
    assert values["x_hessian_min"][0] == values["x_hessian_max"][0] == pytest.approx(matrix[0])
    a, b, c, d = matrix
    whole = a * a + b * b + c * c + d * d
    if whole > 1e-100:
        assert values["rotation_share"][0] == pytest.approx((b - c) ** 2 / 2 / whole, abs=1e-12)
    else:
        assert whole > 0 or np.isnan(values["rotation_share"][0])


def test_a_penalty_moves_the_eigenvalues_of_the_dirac_gan():
    gamma = 0.3
    dirac = make_game("dirac", regularizer=part("regularizer", "r1", gamma=gamma))
    values = look(play(dirac, steps=1), "spectrum", at="origin").values
    assert values["max_real"][0] == pytest.approx(-gamma / 2, abs=1e-12)
    assert values["frequency"][0] == pytest.approx(sqrt(0.25 - gamma**2 / 4), abs=1e-12)
    assert values["discriminator_hessian_max"][0] == pytest.approx(gamma, abs=1e-12)
    assert values["generator_hessian_max"][0] == pytest.approx(0, abs=1e-12)


@pytest.mark.slow
def test_products_alone_find_the_same_outer_eigenvalues_of_networks():
    trajectories = play(networks(), rates=(0.05, 0.1), steps=10)
    exact, outer = (
        look(trajectories, "spectrum", batches=2),
        look(trajectories, "spectrum", batches=2, max_exact_size=1, hutchinson_samples=100),
    )
    for column in ("max_real", "frequency", "discriminator_hessian_max", "generator_hessian_min", "gradient_norm"):
        np.testing.assert_allclose(outer.values[column], exact.values[column], rtol=1e-7, atol=1e-10, err_msg=column)
    np.testing.assert_allclose(outer.values["rotation_share"], exact.values["rotation_share"], rtol=0.25)
    assert (exact.values["discriminator_hessian_min"] < exact.values["discriminator_hessian_max"]).all()


def test_an_average_over_batches_is_the_mean_of_jacobians():
    where = jacobians.snapshot_point(play(networks(), steps=0), "start", batches=3)
    each = [jacobians.jacobian(where.match, where.players, batch) for batch in where.batches]
    assert not torch.equal(each[0], each[1])
    torch.testing.assert_close(where.jacobian(), torch.stack(each).mean(0))


# One step as a map ---------------------------------------------------------------------------------------------------

H = np.array([0.1, 0.5])
METHODS = [
    ("simultaneous", {}, {}, np.sqrt(1 + H**2), 0.0),
    ("alternating", {}, {}, np.ones(2), 2.0),
    ("extragradient", {}, {}, np.sqrt(1 - H**2 + H**4), 1.0),
    ("optimistic", {}, {}, np.array([0.9949361530, 0.7071067812]), 1 / sqrt(3)),
    ("extrapolation_from_past", {}, {}, np.array([0.9949361530, 0.7071067812]), 1 / sqrt(3)),
    ("consensus", {"gamma": 0.5}, {}, np.sqrt((1 - H / 2) ** 2 + H**2), 0.8),
    ("alternating", {}, {"momentum": -0.5}, np.array([0.9985, 0.9625]), 1.0),
    ("simultaneous", {}, {"momentum": -0.5}, np.array([1.0007, 1.0201]), 0.0),
    ("symplectic", {}, {}, np.sqrt((1 - H) ** 2 + H**2), 1.0),
    ("runge_kutta", {}, {}, np.abs(1 + 1j * H - H**2 / 2 - 1j * H**3 / 6 + H**4 / 24), sqrt(8)),
    ("potential_component", {}, {}, np.ones(2), np.inf),
]


@pytest.mark.parametrize(("name", "options", "optimizer", "radius", "limit"), METHODS)
def test_the_step_on_the_bilinear_game(name, options, optimizer, radius, limit):
    """Radii in closed form where there is one, else known to four digits or more; limits likewise."""
    dynamics = part("dynamics", name, **options)
    trajectories = play(make_game("bilinear"), dynamics, part("optimizer", "sgd", **optimizer), rates=tuple(H), steps=2)
    reading = look(trajectories, "step_map", at="origin", learning_rates=(0.5,))
    given_to = 6e-5 if optimizer else 1e-9
    np.testing.assert_allclose(reading.values["spectral_radius"], radius, atol=given_to)
    np.testing.assert_allclose(reading.arrays["radius_by_rate"][:, 0], radius[1], atol=given_to)
    np.testing.assert_allclose(reading.values["stability_limit"], limit, atol=1e-7)
    np.testing.assert_allclose(reading.values["displacement"], 0, atol=1e-15)
    assert (reading.values["stable"] == (radius <= 1)).all()


def test_the_eigenvalues_of_a_step_come_by_falling_modulus():
    """Descent of a game of its own curvature and rotation for each pair: 1 - rate (a +- i b)."""
    trajectories = play(make_game("linear", matrix=(0.5, 2.0, -2.0, 0.5)), rates=(0.2,), steps=0)
    arrays = look(trajectories, "step_map", at="origin").arrays
    found = arrays["eigenvalues_real"][0] + 1j * arrays["eigenvalues_imag"][0]
    np.testing.assert_allclose(np.sort_complex(found), [0.9 - 0.4j, 0.9 + 0.4j], atol=1e-12)
    unlike = play(make_game("quadratic", curvatures=(1.0, 9.0, 4.0)), rates=(0.2,), steps=0)
    arrays = look(unlike, "step_map", at="origin").arrays
    np.testing.assert_allclose(arrays["eigenvalues_real"][0], [0.8, -0.8, 0.2], atol=1e-12)
    np.testing.assert_allclose(arrays["eigenvalues_imag"][0], 0, atol=1e-12)


def test_each_run_is_looked_at_with_its_own_options():
    """Options may be tensors with a value for each member: sqrt((1 - gamma h)^2 + h^2), also of those that are left."""
    gamma = torch.tensor([[0.5], [2.0], [1.0]], dtype=torch.float64)
    rates, h = (0.1, 0.1, 0.2), np.array([0.1, 0.1, 0.2])
    trajectories = play(
        make_game("bilinear"), replace(part("dynamics", "consensus"), gamma=gamma), rates=rates, steps=2
    )
    expected = np.sqrt((1 - gamma[:, 0].numpy() * h) ** 2 + h**2)
    found = look(trajectories, "step_map", at="end").values["spectral_radius"]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    left = look(diverged(trajectories, 0, 1), "step_map", at="end").values["spectral_radius"]
    np.testing.assert_allclose(left, [np.nan, *expected[1:]], atol=1e-9)


def test_a_step_looked_at_in_double_precision_meets_the_numbers_of_training():
    """Generators give other numbers in another precision; what is looked at are those that the run has seen."""
    match = Match(networks(torch.float32), [Member(0, 50, 0.1), Member(3, 20, 0.1)], CPU, torch.float32)
    wide = in_double_precision(match)
    assert wide.dtype == torch.float64
    for step, batches_per_step in ((0, 1), (7, 1), (7, 2), (CHUNK + 1, 3)):
        seen, drawn = wide.draw(step, batches_per_step), match.draw(step, batches_per_step)
        assert len(seen) == batches_per_step
        for one, other in zip(seen, drawn, strict=True):
            assert one.keys() == other.keys()
            assert all(torch.equal(one[name], other[name].to(one[name].dtype)) for name in one)
            assert all(value.dtype in (torch.float64, torch.int64) for value in one.values())
    for player, theta in wide.select([1]).init().items():
        assert torch.equal(theta, match.init()[player][[1]].double())
    assert wide.game.examples.dtype == torch.float64
    assert in_double_precision(wide) is wide


def test_the_angle_of_a_step_is_the_arc_tangent_of_the_rate():
    values = look(play(make_game("bilinear"), rates=tuple(H), steps=2), "step_map", at="end").values
    np.testing.assert_allclose(values["angle"], [atan(h) for h in H], atol=1e-9)
    values = look(play(make_game("bilinear"), "alternating", rates=tuple(H), steps=2), "step_map", at="end").values
    np.testing.assert_allclose(values["angle"], np.arccos(1 - H**2 / 2), atol=1e-9)


@settings(max_examples=20)
@given(MATRIX, st.floats(0.01, 0.5))
def test_the_map_of_plain_descent_is_one_less_the_jacobian(matrix, rate):
    reading = look(play(make_game("linear", matrix=matrix), rates=(rate,), steps=0), "step_map", at="origin")
    expected = np.linalg.eigvals(np.eye(2) - rate * np.reshape(matrix, (2, 2)))
    assert reading.values["spectral_radius"][0] == pytest.approx(np.abs(expected).max(), abs=1e-7)


@settings(max_examples=10)
@given(MATRIX, st.floats(0.01, 0.5), st.floats(0.01, 0.5))
def test_the_map_of_two_time_scales_has_each_player_s_own_rate(matrix, first, second):
    """theta - R J theta, R the diagonal matrix of the rates; over them, a step goes as far as the gradient is long."""
    game = make_game("linear", matrix=matrix, initial_parameters=(0.3, -0.8))
    trajectories = play(game, rates=(first,), generator_rates=(second,), steps=0)
    jacobian = np.reshape(matrix, (2, 2))
    reading = look(trajectories, "step_map", at="end", learning_rates=(2 * first,))
    expected = [np.eye(2) - scale * np.diag([first, second]) @ jacobian for scale in (1, 2)]
    radii = [np.abs(np.linalg.eigvals(each)).max() for each in expected]
    assert reading.values["spectral_radius"][0] == pytest.approx(radii[0], abs=1e-7)
    assert reading.arrays["radius_by_rate"][0, 0] == pytest.approx(radii[1], abs=1e-7), "the other's is in proportion"
    assert reading.values["displacement"][0] == pytest.approx(np.linalg.norm(jacobian @ [0.3, -0.8]), rel=1e-9)


def test_the_limit_of_two_time_scales_is_that_of_the_first_player():
    """1 - a and 1 - 4 a / 2: the second player's is the first to exceed 1, at a = 1."""
    trajectories = play(make_game("quadratic", curvatures=(1.0, 4.0)), rates=(0.1,), generator_rates=(0.05,), steps=0)
    assert look(trajectories, "step_map", at="origin").values["stability_limit"][0] == pytest.approx(1.0, abs=1e-8)


def test_minimisation_is_stable_up_to_twice_the_inverse_curvature():
    trajectories = play(make_game("quadratic", curvatures=(1.0, 4.0)), rates=(0.1, 0.6), steps=3)
    values = look(trajectories, "step_map", at="origin").values
    np.testing.assert_allclose(values["spectral_radius"], [0.9, 1.4], atol=1e-12)
    np.testing.assert_allclose(values["stability_limit"], 0.5, atol=1e-8)
    np.testing.assert_array_equal(values["contracting"], [1, 0])


def test_momentum_is_part_of_the_state_and_an_average_is_not():
    momentum = play(make_game("bilinear"), "simultaneous", part("optimizer", "sgd", momentum=0.9), steps=1)
    assert look(momentum, "step_map").arrays["eigenvalues_real"].shape == (1, 4)
    average = play(make_game("bilinear"), part("dynamics", "averaging", inner="simultaneous"), steps=1)
    assert state_roles(average, 0).state == []
    assert state_roles(average, 0).clocks == []
    reading = look(average, "step_map")
    assert reading.arrays["eigenvalues_real"].shape == (1, 2)
    assert reading.values["spectral_radius"][0] == pytest.approx(sqrt(1.01), abs=1e-9)


@pytest.mark.parametrize(("optimizer", "options"), [("rmsprop", {}), ("sgd", {"momentum": 0.99})])
def test_the_states_of_a_step_are_at_rest(optimizer, options):
    """With the gradient g held, the mean of squares is g^2, so that a step of RMSprop has length 1 in every parameter
    but for epsilon, and a velocity is g / (1 - momentum)."""
    game = make_game("quadratic", curvatures=(1.0, 2.0, 3.0), initial_parameters=(1.0, 1.0, 1.0))
    played = play(game, optimizer=part("optimizer", optimizer, **options), rates=(0.01,), steps=1)
    values = look(played, "step_map", at="start").values
    expected = sqrt(3) if optimizer == "rmsprop" else sqrt(1 + 4 + 9) / 0.01
    assert values["displacement"][0] == pytest.approx(expected, rel=1e-6)
    assert values["stable"][0] == 1


def test_a_step_whose_states_do_not_come_to_rest_has_no_eigenvalues(monkeypatch):
    monkeypatch.setattr("ganbench.numerics.step_map_jacobian.REST", 50)
    game = make_game("quadratic", curvatures=(1.0, 2.0), initial_parameters=(1.0, 1.0))
    values = look(play(game, optimizer="rmsprop", rates=(0.01,), steps=1), "step_map", at="start").values
    assert all(np.isnan(each).all() for each in values.values())


def test_lookahead_is_looked_at_a_whole_round_at_a_time():
    """After k steps of the inner map with eigenvalue mu, the way back leaves 1 - alpha + alpha mu^k."""
    k, h = 6, 0.5
    lookahead = part("dynamics", "lookahead", inner="simultaneous", sync_period=k, alpha=0.5)
    trajectories = play(make_game("bilinear"), lookahead, rates=(h,), steps=1)
    assert clock_period(trajectories, 0, state_roles(trajectories, 0).clocks) == k
    expected = abs(0.5 + 0.5 * (1 + 1j * h) ** k) ** (1 / k)
    assert look(trajectories, "step_map", at="origin").values["spectral_radius"][0] == pytest.approx(expected, abs=1e-9)
    assert look(trajectories, "step_map", at="end", period=k).values["spectral_radius"][0] == pytest.approx(
        expected, abs=1e-8
    )


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_step_that_jumps_where_the_gradient_is_zero_has_no_eigenvalues(optimizer):
    reading = look(play(make_game("bilinear"), "simultaneous", optimizer, steps=1), "step_map", at="origin")
    assert np.isnan(reading.values["spectral_radius"]).all()
    assert np.isnan(reading.values["stable"]).all()


def test_products_alone_find_the_same_radius_of_networks():
    trajectories = play(networks(), "alternating", rates=(0.05, 0.2), steps=10, dtype=torch.float64)
    exact, outer = look(trajectories, "step_map"), look(trajectories, "step_map", max_exact_size=1)
    np.testing.assert_allclose(outer.values["spectral_radius"], exact.values["spectral_radius"], rtol=1e-8)
    single = play(networks(torch.float32), "alternating", rates=(0.05, 0.2), steps=0, dtype=torch.float32)
    assert np.isfinite(look(single, "step_map", at="start").values["spectral_radius"]).all()


# Rotation ------------------------------------------------------------------------------------------------------------


def test_rotation_along_the_path():
    turning = look(play(make_game("bilinear"), steps=30), "rotation", max_snapshots=4)
    assert turning.arrays["steps"].tolist() == [[0, 10, 20, 30]]
    for values in turning.values.values():
        np.testing.assert_allclose(values, 1, atol=1e-14)
    descent = look(play(make_game("quadratic", curvatures=(1.0, 3.0, 2.0)), steps=5), "rotation")
    for values in descent.values.values():
        np.testing.assert_allclose(values, 0, atol=1e-14)


def test_rotation_of_networks_by_probes_is_near_that_of_the_matrix():
    trajectories = play(networks(), rates=(0.1, 0.1), steps=10)
    exact, probed = (
        look(trajectories, "rotation", max_snapshots=2),
        look(trajectories, "rotation", max_snapshots=2, max_exact_size=1, hutchinson_samples=100),
    )
    for column in exact.values:
        np.testing.assert_allclose(probed.values[column], exact.values[column], rtol=0.2)


# Path angle ----------------------------------------------------------------------------------------------------------


def test_a_straight_descent_switches_its_sign_at_its_end():
    trajectories = play(make_game("quadratic", curvatures=(1.0, 1.0)), rates=(0.5,), steps=60)
    reading = look(trajectories, "path_angle")
    alpha, cosine = reading.arrays["alpha"][0], reading.arrays["cosine"][0]
    np.testing.assert_allclose(cosine, np.where(alpha < 1, -1, 1), atol=1e-9)
    chord = float((trajectories.theta[0, -1] - trajectories.theta[0, 0]).norm())
    np.testing.assert_allclose(reading.arrays["norm"][0], np.abs(1 - alpha) * chord, rtol=1e-6)
    expected = {"cosine_range": 2, "bump": 0, "sign_switch": 1, "rotation": 0, "chord": chord}
    for column, value in expected.items():
        assert reading.values[column][0] == pytest.approx(value, abs=1e-9), column


def test_rotation_about_the_end_has_a_field_square_to_the_chord_but_for_a_bump():
    """From theta_0 = (1, 0) to e (0, 1): c = e / sqrt((1 - alpha)^2 + alpha^2 e^2) / sqrt(1 + e^2), up to its sign."""
    e = 1e-3
    trajectories = play(make_game("linear", initial_parameters=(1.0, 0.0)), steps=1)
    trajectories.path["x"][:, -1], trajectories.path["y"][:, -1] = 0, e
    reading = look(trajectories, "path_angle", points=121)
    alpha = reading.arrays["alpha"][0]
    expected = e / np.sqrt((1 - alpha) ** 2 + alpha**2 * e**2) / sqrt(1 + e**2)
    np.testing.assert_allclose(np.abs(reading.arrays["cosine"][0]), expected, atol=1e-9)
    assert reading.values["bump"][0] > 0.98
    assert reading.values["sign_switch"][0] == 0
    assert reading.values["rotation"][0] > 0.99


def test_attraction_with_rotation_has_both_signs_and_a_steady_cosine():
    """F = (s + A) theta about the end: the cosine is -s / sqrt(s^2 + a^2) before it, and the opposite behind."""
    trajectories = play(make_game("linear", matrix=(0.6, 0.8, -0.8, 0.6)), rates=(0.5,), steps=200)
    reading = look(trajectories, "path_angle", batches=2)
    before = reading.arrays["alpha"][0] < 1
    np.testing.assert_allclose(reading.arrays["cosine"][0], np.where(before, -0.6, 0.6), atol=1e-9)
    assert reading.values["sign_switch"][0] == 1
    assert reading.values["bump"][0] == pytest.approx(0, abs=1e-9)
    assert reading.values["rotation"][0] == pytest.approx(0.64, abs=1e-9)


def test_the_bounds_of_the_path_angle_are_reached():
    """By a straight descent, and by a pure rotation about the end: what axes and tables take for their ranges."""
    descent = look(play(make_game("quadratic", curvatures=(1.0, 1.0)), rates=(0.5,), steps=60), "path_angle").values
    trajectories = play(make_game("linear", initial_parameters=(1.0, 0.0)), steps=1)
    trajectories.path["x"][:, -1] = trajectories.path["y"][:, -1] = 0
    turning = look(trajectories, "path_angle").values
    reached = {
        "cosine_range": (turning, descent),
        "sign_switch": (turning, descent),
        "rotation": (descent, turning),
    }
    columns = part("diagnostic", "path_angle").columns(trajectories.match.game)
    for name, (least, most) in reached.items():
        assert (least[name][0], most[name][0]) == pytest.approx((columns[name].lower, columns[name].upper), abs=1e-9)
    for name in ("bump", "chord"):
        assert columns[name].lower == 0
    assert descent["bump"][0] == pytest.approx(0, abs=1e-9)


# What all of them promise --------------------------------------------------------------------------------------------

DIAGNOSTICS = {"spectrum": {}, "step_map": {"learning_rates": (0.1,)}, "rotation": {}, "path_angle": {}}


@pytest.mark.parametrize("game", ["dirac", pytest.param("gaussian", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_a_run_that_diverged_has_no_numbers_and_harms_no_other(name, game):
    whole = play(make_game(game), rates=(0.1, 0.05, 0.2), steps=6)
    one_lost, all_lost = diverged(whole, 1, 3), diverged(diverged(diverged(whole, 0, 3), 1, 3), 2, 3)
    expected, seen, none = (
        look(trajectories, name, **DIAGNOSTICS[name]) for trajectories in (whole, one_lost, all_lost)
    )
    for column, values in seen.values.items():
        np.testing.assert_array_equal(values[[0, 2]], expected.values[column][[0, 2]])
        if column.startswith(("rotation_share_start", "turning_share_start", "rotation_share_m", "turning_share_m")):
            assert np.isfinite(values[1])  # of the part of the path that there is
        else:
            assert np.isnan(values[1]), column
            assert np.isnan(none.values[column]).all(), column


@pytest.mark.slow
@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_a_run_reads_the_same_whatever_its_neighbours(name):
    rates = (0.05, 0.1, 0.2)
    fused = look(play(networks(), "alternating", rates=rates, steps=5), name, **DIAGNOSTICS[name])
    for k, rate in enumerate(rates):
        alone = look(play(networks(), "alternating", rates=(rate,), seeds=(k,), steps=5), name, **DIAGNOSTICS[name])
        for column, values in alone.values.items():
            np.testing.assert_allclose(values[0], fused.values[column][k], rtol=1e-7, atol=1e-9, err_msg=column)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("spectrum", {"batches": 0}, "'batches' must be an integer from 1 .*, but is 0"),
        (
            "step_map",
            {"learning_rates": (-1.0,)},
            r"'learning_rates' must be a list of finite numbers, each above 0, but is \(-1.0,\)",
        ),
        ("rotation", {"max_snapshots": 0}, "'max_snapshots' must be an integer from 1 .*, but is 0"),
        ("path_angle", {"points": 3}, "'points' must be an integer from 12 .*, but is 3"),
    ],
)
def test_options_out_of_range_are_refused_in_words(name, options, words):
    with pytest.raises(GanbenchError, match=words):
        part("diagnostic", name, **options)
