"""The laboratory: paths against closed forms, members against members, mistakes in words, and its two commands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from math import pi, sqrt

import numpy as np
import pandas as pd
import pytest
import torch
from building import CPU, every_step, part, toy
from documentation import blocks
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import ROOT
from scipy.integrate import quad
from scipy.stats import norm
from typer.testing import CliRunner

from ganbench import lab
from ganbench.cli import app
from ganbench.core.errors import GanbenchError
from ganbench.dynamics.extragradient import Extragradient
from ganbench.engine.train import train
from ganbench.games import Member
from ganbench.lab import terminal
from ganbench.lab.component_specs import parse_component_spec
from ganbench.optimizers.sgd import SGD

SOUND = {"game": "bilinear", "learning_rate": 0.1, "steps": 3}


# Closed forms ---------------------------------------------------------------------------------------------------------

# Moduli of the eigenvalues of one step on f = x y, by name.
RATIOS = {
    "simultaneous": lambda a: sqrt(1 + a**2),
    "extragradient": lambda a: sqrt(1 - a**2 + a**4),
    "extragradient(extrapolation=0)": lambda a: sqrt(1 + a**2),
    "consensus(gamma=0.5)": lambda a: sqrt((1 - a / 2) ** 2 + a**2),
}


@pytest.mark.parametrize("dynamics", RATIOS)
@settings(max_examples=15)
@given(
    rate=st.floats(1e-3, 0.9), start=st.tuples(*[st.floats(-3, 3).filter(lambda v: abs(v) > 1e-3) for _ in range(2)])
)
def test_every_step_on_the_bilinear_game_multiplies_the_radius_by_the_closed_form(dynamics, rate, start):
    played = lab.play("bilinear", dynamics, learning_rate=rate, start=start, steps=20)
    ratio = RATIOS[dynamics](rate)
    np.testing.assert_allclose(played.radius[0, 1:] / played.radius[0, :-1], ratio, rtol=1e-12)
    assert played.growth[0] == pytest.approx(ratio, rel=1e-12)


def test_alternating_steps_keep_their_invariant_and_average_to_the_solution():
    """x^2 + y^2 + a x y is kept exactly by alternating steps of size a, x first."""
    played = lab.play("bilinear", "alternating", learning_rate=0.1, start=[1, 1], steps=500)
    x, y = played.trajectory[0].T
    np.testing.assert_allclose(x**2 + y**2 + 0.1 * x * y, 2.1, rtol=1e-11)
    averaged = lab.play("bilinear", "averaging", learning_rate=0.1, start=[1, 1], steps=500)
    np.testing.assert_allclose(averaged.trajectory[0, -1], played.trajectory[0, 1:].mean(0), atol=1e-12)
    assert averaged.radius[0, -1] < 0.09


@pytest.mark.parametrize("dynamics", ["simultaneous", "extragradient"])
def test_a_lazy_penalty_counts_as_often_as_in_training(dynamics):
    """Every fourth step has four times the penalty, the others have none."""

    def dirac(regularizer):
        return lab.game("dirac", objective="minimax", regularizer=regularizer)

    options = {"learning_rate": 0.05, "start": [1, 1]}
    lazy = lab.play(dirac("r1(gamma=0.5,every=4)"), dynamics, steps=12, **options).trajectory[0]
    for step in range(12):
        game = dirac("r1(gamma=2.0)" if step % 4 == 0 else "none")
        alone = lab.play(game, dynamics, steps=1, **options | {"start": lazy[step]}).trajectory[0]
        np.testing.assert_allclose(lazy[step + 1], alone[1], rtol=1e-12)


def test_the_laboratory_plays_a_lazy_penalty_as_studies_train_it():
    """The Dirac-GAN, whose spiral would shrink far faster with the penalty at every step."""
    regularizer = part("regularizer", "r1", gamma=1.0, every=8)
    game = toy("dirac", regularizer=regularizer, initial_parameters=(1.0, 1.0))
    (trained,) = train(game, every_step(400), [Member(0, None, 0.05)], device=CPU)
    snapshots = np.concatenate([trained["snapshots"][player] for player in game.players], axis=1)
    played = lab.play(
        lab.game("dirac", objective="minimax", regularizer="r1(gamma=1,every=8)"),
        "simultaneous",
        learning_rate=0.05,
        start=[1, 1],
        steps=400,
    )
    np.testing.assert_array_equal(played.trajectory[0], snapshots)
    assert np.linalg.norm(snapshots[-1]) > 5e-3


def test_losses_are_those_at_the_parameters_of_the_same_row():
    played = lab.play("bilinear", "alternating", start=[2, 0.5], steps=30)
    x, y = played.trajectory[0].T
    np.testing.assert_array_equal(played.losses["y"][0], x * y)
    np.testing.assert_array_equal(played.losses["x"][0], -x * y)

    dirac = lab.play(lab.game("dirac", objective="minimax"), start=[1, 1], steps=10)
    logit = dirac.trajectory[0].prod(-1)
    np.testing.assert_allclose(dirac.losses["generator"][0], -np.log1p(np.exp(logit)), rtol=1e-12)
    np.testing.assert_allclose(dirac.losses["discriminator"][0], np.log(2) + np.log1p(np.exp(logit)), rtol=1e-12)


def test_eigenvalues_of_the_flow_and_of_a_step_are_the_known_ones():
    game = lab.game("gaussian", objective="minimax")
    (eigenvalues,) = lab.spectrum(game, at=[0, 0])
    # The flow's Jacobian is [[-c, -c], [c, c - 2]] with c = E[(z^2 - 1) ln(1 - exp(-z^2))] = 1.3775.
    c, _ = quad(lambda z: 2 * norm.pdf(z) * (z**2 - 1) * np.log(-np.expm1(-(z**2))), 0, 12, epsabs=1e-12, limit=200)
    np.testing.assert_allclose(eigenvalues, [-1 + 1j * sqrt(2 * c - 1), -1 - 1j * sqrt(2 * c - 1)], rtol=1e-9)
    np.testing.assert_allclose(lab.spectrum("bilinear(singular_values=[3.0])", at=[1, 2]), [[3j, -3j]], atol=1e-14)
    for dynamics, known in {
        "simultaneous": [sqrt(1.01), sqrt(1.25), sqrt(2)],
        "alternating": [1, 1, 1],
        "extragradient": [sqrt(0.9901), sqrt(0.8125), 1],
        "optimistic": [0.99493615, sqrt(0.5), sqrt(2 + sqrt(3))],
        "unrolled(unrolling_steps=1)": [sqrt(0.99), sqrt(0.75), 0],
    }.items():
        radius = lab.spectral_radius("bilinear", dynamics, learning_rate=[0.1, 0.5, 1.0], at=[0, 0])
        np.testing.assert_allclose(radius, known, rtol=1e-7, atol=1e-7)
    negative = lab.spectral_radius(
        "bilinear", "alternating", optimizer="sgd(momentum=-0.5)", learning_rate=0.5, at=[0, 0]
    )
    assert negative[0] == pytest.approx(0.9625, abs=5e-5)


@pytest.mark.parametrize(
    ("matrix", "kind"),
    [
        ((1.0, 0.0, 0.0, 2.0), "stable node"),
        ((1.0, 2.0, -2.0, 1.0), "stable focus"),
        ((0.0, 1.0, -1.0, 0.0), "center"),
        ((-1.0, 2.0, -2.0, -1.0), "unstable focus"),
        ((-1.0, 0.0, 0.0, -2.0), "unstable node"),
        ((1.0, 0.0, 0.0, -1.0), "saddle"),
    ],
)
def test_fixed_points_of_linear_fields(matrix, kind):
    (point,) = lab.fixed_points({"name": "linear", "matrix": matrix}, x=(-1, 2), y=(-1.3, 0.7), points=12)
    assert point.kind == kind
    assert list(point.at) == ["x", "y"]
    np.testing.assert_allclose(list(point.at.values()), 0, atol=1e-12)
    known = np.linalg.eigvals(-np.reshape(matrix, (2, 2)))
    np.testing.assert_allclose(np.sort_complex(point.eigenvalues), np.sort_complex(known), atol=1e-12)
    assert lab.fixed_points({"name": "linear", "matrix": matrix}, x=(0.5, 2), y=(-5, 5)) == []


def test_a_field_is_the_motion_that_descent_follows():
    field = lab.field("linear(matrix=(1, 2, 3, 4))", x=(-1, 1), y=(0, 3), points=5, parameters=("y", "x"))
    assert field.parameters == ("y", "x")
    y, x = np.meshgrid(field.x, field.y)
    np.testing.assert_allclose(field.v, -(x + 2 * y), atol=1e-12)
    np.testing.assert_allclose(field.u, -(3 * x + 4 * y), atol=1e-12)
    table = field.frame()
    assert list(table.columns) == ["y", "x", "u", "v"]
    np.testing.assert_allclose(table.v, -(table.x + 2 * table.y), atol=1e-12)


def test_a_plane_through_a_larger_game_leaves_the_other_parameters_where_they_are():
    game = {"name": "quadratic", "curvatures": [1.0, 2.0, 3.0, 4.0]}
    field = lab.field(game, parameters=("x1", "y0"), x=(-1, 1), y=(-1, 1), points=3, at=[9, 0, 0, 9])
    np.testing.assert_allclose(field.u, np.tile([2.0, 0, -2.0], (3, 1)), atol=1e-12)
    np.testing.assert_allclose(field.v, np.tile([[3.0], [0], [-3.0]], (1, 3)), atol=1e-12)


def test_a_sampled_gaussian_game_has_a_saddle_between_each_two_of_its_samples():
    points = lab.fixed_points(lab.game("gaussian(samples=5)", objective="minimax", seeds=[3]), points=81)
    assert [point.kind for point in points] == ["saddle"] * 4


# Members --------------------------------------------------------------------------------------------------------------


def test_shapes_and_tables():
    played = lab.play("bilinear(singular_values=[1.0, 2.0])", seeds=3, steps=7, keep=3)
    assert played.trajectory.shape == (3, 4, 4)
    assert played.trajectory.dtype == np.float64
    assert list(played.steps) == [0, 3, 6, 7]
    assert played.parameters == ("x0", "x1", "y0", "y1")
    assert {player: loss.shape for player, loss in played.losses.items()} == {"x": (3, 4), "y": (3, 4)}
    assert list(played.seed) == [0, 1, 2]
    table = played.frame()
    assert list(table.columns) == ["member", "step", "x0", "x1", "y0", "y1", "x_loss", "y_loss"]
    assert len(table) == 12
    second = table[(table.member == 1) & (table.step == 6)].iloc[0]
    np.testing.assert_array_equal(second[["x0", "x1", "y0", "y1"]].astype(float), played.trajectory[1, 2])
    np.testing.assert_array_equal(second[["x_loss", "y_loss"]].astype(float), [-second.y_loss, second.y_loss])
    assert lab.play("bilinear", steps=0).trajectory.shape == (1, 1, 2)
    assert "3 members, 7 steps" in repr(played)


def test_members_start_and_go_as_runs_of_their_seeds():
    together = lab.play(
        "gaussian(discriminator=sigmoid, samples=20, resample=true)", "alternating", seeds=[5, 2, 5], steps=30
    )
    for place, seed in enumerate([5, 2, 5]):
        alone = lab.play(
            "gaussian(discriminator=sigmoid, samples=20, resample=true)", "alternating", seeds=[seed], steps=30
        )
        np.testing.assert_allclose(together.trajectory[place], alone.trajectory[0], rtol=1e-9, atol=1e-12)
    assert not np.allclose(together.trajectory[0], together.trajectory[1])


@pytest.mark.parametrize(
    ("dynamics", "optimizer", "hyper"),
    [
        ("simultaneous", "sgd", {"learning_rate": [0.01, 0.3, 0.1]}),
        ({"name": "consensus", "gamma": [0.1, 1.0, 3.0]}, "sgd", {}),
        ("alternating", {"name": "sgd", "momentum": [-0.5, 0.0, 0.5]}, {"learning_rate": [0.1, 0.2, 0.3]}),
        ("extragradient(extrapolation=[0, 0.5, 1])", {"name": "adam", "beta1": [0.0, 0.5, 0.9]}, {}),
        ("gaussian_smoothing(sigma=[0.1, 0.2, 0.3], perturbations=4)", "sgd", {"seeds": [4, 5, 6]}),
    ],
    ids=str,
)
def test_values_of_each_member_are_those_of_separate_plays(dynamics, optimizer, hyper):
    start = [[2.0, 0.5], [1.0, 1.0], [-1.0, 0.3]]
    together = lab.play("bilinear", dynamics, optimizer=optimizer, start=start, steps=40, **hyper)
    assert together.trajectory.shape == (3, 41, 2)

    def of(family, part, k):
        name, options = parse_component_spec(family, part)
        return {"name": name} | {key: v[k] if isinstance(v, list) else v for key, v in options.items()}

    for k in range(3):
        own = {name: [values[k]] for name, values in hyper.items()}
        parts = {"dynamics": of("dynamics", dynamics, k), "optimizer": of("optimizer", optimizer, k)}
        alone = lab.play("bilinear", **parts, start=start[k], steps=40, **own)
        np.testing.assert_allclose(together.trajectory[k], alone.trajectory[0], rtol=1e-12, atol=1e-13)


def test_the_second_player_may_have_a_learning_rate_of_its_own():
    """Simultaneous steps at rates a and b multiply distances by sqrt(1 + a b) in the end."""
    own = [0.1, 0.4, 0.025]
    played = lab.play("bilinear", learning_rate=0.1, generator_learning_rate=own, start=[1, 1], steps=1)
    np.testing.assert_allclose(played.trajectory[:, 1], [[1.1, 1 - rate] for rate in own], rtol=1e-15)
    assert (list(played.learning_rate), list(played.generator_learning_rate)) == ([0.1] * 3, own)
    radius = lab.spectral_radius("bilinear", learning_rate=0.1, generator_learning_rate=own, at=[0, 0])
    np.testing.assert_allclose(radius, np.sqrt(1 + 0.1 * np.array(own)), rtol=1e-9)
    np.testing.assert_allclose(played.measure("step_map(at=origin)").values["spectral_radius"], radius, rtol=1e-12)


def test_one_value_stands_for_all_members():
    starts = np.random.default_rng(0).normal(size=(4, 2))
    played = lab.play("bilinear", "consensus(gamma=0.5)", start=starts, learning_rate=[0.1], steps=3)
    assert list(played.learning_rate) == [0.1] * 4
    np.testing.assert_array_equal(played.trajectory[:, 0], starts)
    by_name = lab.play("bilinear", start={"y": starts[:, 1], "x": torch.tensor(starts[:, 0])}, steps=1)
    np.testing.assert_array_equal(by_name.trajectory[:, 0], starts)
    mixed = lab.play("bilinear", start={"x": [1, 2], "y": 3}, steps=1)
    np.testing.assert_array_equal(mixed.trajectory[:, 0], [[1, 3], [2, 3]])


def test_objects_are_taken_as_they_are():
    gammas = torch.tensor([[0.5], [1.0]], dtype=torch.float64)
    given = lab.play("bilinear", Extragradient(extrapolation=gammas), optimizer=SGD(), start=[1, 1], steps=9)
    same = lab.play("bilinear", {"name": "extragradient", "extrapolation": [0.5, 1.0]}, start=[1, 1], steps=9)
    np.testing.assert_array_equal(given.trajectory, same.trajectory)
    match = lab.game("bilinear", seeds=2)
    assert lab.play(match, learning_rate=[0.1, 0.2], steps=1).trajectory.shape == (2, 2, 2)
    np.testing.assert_array_equal(
        lab.play(match, steps=5).trajectory, lab.play("bilinear", seeds=2, steps=5).trajectory
    )


def test_a_file_of_ones_own_plays(tmp_path):
    source = (ROOT / "ganbench" / "dynamics" / "simultaneous.py").read_text()
    path = tmp_path / "mine.py"
    path.write_text(source)
    np.testing.assert_array_equal(
        lab.play("bilinear", str(path), steps=5).trajectory, lab.play("bilinear", steps=5).trajectory
    )


def test_what_runs_off_is_left_as_it_came_and_leaves_the_others_alone():
    played = lab.play("bilinear", learning_rate=[0.1, 1e9], start=[1, 1], steps=100)
    alone = lab.play("bilinear", learning_rate=0.1, start=[1, 1], steps=100)
    np.testing.assert_array_equal(played.trajectory[0], alone.trajectory[0])
    assert list(played.diverged) == [-1, 35]
    assert not np.isfinite(played.trajectory[1, 35:]).any(axis=1).all()
    assert np.isfinite(played.trajectory[1, :35]).all()
    # Up to there the growth is known: 1e9 to within rounding.
    np.testing.assert_allclose(played.growth, [sqrt(1.01), 1e9], rtol=1e-9)
    values = played.measure("path").values
    assert values["step_ratio"] == pytest.approx(played.growth)
    assert np.isnan(values["final_radius"][1])


def test_diagnostics_measure_paths():
    played = lab.play("bilinear", "simultaneous", learning_rate=[0.1, 0.5], start=[2, 0], steps=200)
    reading = played.measure("path")
    np.testing.assert_allclose(reading.values["angular_speed"], np.arctan([0.1, 0.5]), rtol=1e-10)
    np.testing.assert_allclose(played.measure("spectrum(at=start)").values["frequency"], 1, rtol=1e-12)
    turned = played.measure({"name": "step_map", "at": "origin"}).values["angle"]
    np.testing.assert_allclose(turned % pi, np.arctan([0.1, 0.5]), rtol=1e-7)


def test_two_networks_play_too():
    game = lab.game("gan", dataset="ring8(examples=64)", architecture="mlp(width=4)", n_train=20, batch_size=8, seeds=2)
    played = lab.play(game, "alternating", optimizer="adam", learning_rate=1e-3, steps=6, keep=3)
    assert played.trajectory.shape == (2, 3, sum(game.sizes.values()))
    assert np.isfinite(played.losses["generator"]).all()
    assert (played.trajectory[:, 0] != played.trajectory[:, -1]).any(axis=1).all()
    again = lab.play(game, "alternating", optimizer="adam", learning_rate=1e-3, steps=6, start=played.trajectory[:, 0])
    np.testing.assert_array_equal(again.trajectory[:, ::3], played.trajectory)


def test_ten_thousand_members_are_one_pack():
    """About a fifth of a second; the limit is for busy machines."""
    seen = []
    rates = np.linspace(0.01, 1, 10_000)
    played = lab.play(
        "bilinear", "extragradient", learning_rate=rates, start=[1, 1], steps=100, keep=50, progress=seen.append
    )
    np.testing.assert_allclose(played.growth, np.sqrt(1 - rates**2 + rates**4), rtol=1e-10)
    assert seen == [0, 25, 50, 75, 100]


# Mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"game": "bilinaer"}, ["unknown game 'bilinaer'", "Did you mean 'bilinear'"]),
        ({"game": {"plane": "w"}}, ["game: must be a name, a signature"]),
        ({"game": "gaussian(planes=w)"}, ["unknown option 'planes'", "'plane'"]),
        ({"game": "gaussian(plane=q)"}, ["option 'plane' must be 'b' or 'w'"]),
        ({"game": "gaussian(plane=1+x)"}, ["plane is '1+x'"]),
        ({"game": "gaussian(w)"}, ["is not a signature", "every option needs its name"]),
        ({"game": "{name: gaussian, plane"}, ["is not a mapping"]),
        ({"dynamics": "extragradint"}, ["unknown dynamics", "Did you mean 'extragradient'"]),
        ({"dynamics": {"name": "consensus", "gama": 1}}, ["unknown option 'gama'", "Did you mean 'gamma'"]),
        ({"dynamics": {"name": "consensus", "gama": [1, 2]}}, ["unknown option 'gama'", "Did you mean 'gamma'"]),
        ({"dynamics": "consensus(gamma=much)"}, ["'gamma' must be a finite number of at least 0, but is 'much'"]),
        ({"dynamics": {"name": "consensus", "gamma": []}}, ["option 'gamma' must be a number"]),
        ({"dynamics": {"name": "consensus", "gamma": [1, float("nan")]}}, ["option 'gamma' must be finite"]),
        ({"dynamics": {"name": "consensus", "gamma": [1, -2]}}, ["must be a finite number of at least 0, but is -2"]),
        ({"optimizer": "sgd(momentum=[0.5, 1e308])"}, ["'momentum' must be a finite number above -1 and below 1"]),
        ({"dynamics": {"name": "lookahead", "sync_period": [2, 3]}}, ["'sync_period' is int", "only real-valued"]),
        ({"dynamics": 3}, ["dynamics: must be a name", "but is 3"]),
        ({"dynamics": Extragradient}, ["or an object of that family"]),
        ({"dynamics": "runge_kutta", "optimizer": "adam"}, ["runge_kutta", "has the state"]),
        ({"optimizer": "adm"}, ["unknown optimizer 'adm'", "Did you mean 'adam'"]),
        ({"learning_rate": [0.1, 0.2], "seeds": 3}, ["members do not agree: 3 seeds, 2 learning rates"]),
        ({"learning_rate": [0.1, 0.2], "start": [[1, 1]] * 3}, ["3 starts, 2 learning rates"]),
        ({"dynamics": "consensus(gamma=[1, 2])", "seeds": 3}, ["3 seeds, 2 values of the dynamics' gamma"]),
        ({"learning_rate": 0}, ["learning_rate must be positive, but is 0"]),
        ({"generator_learning_rate": -1}, ["generator_learning_rate must be positive, but is -1"]),
        ({"generator_learning_rate": [1, 2], "seeds": 3}, ["3 seeds, 2 learning rates of the second player"]),
        ({"learning_rate": [0.1, float("inf")]}, ["learning_rate must be finite, but is inf"]),
        ({"learning_rate": "fast"}, ["learning_rate must be a number", "'fast'"]),
        ({"learning_rate": True}, ["learning_rate must be a number"]),
        ({"start": [1]}, ["start must have 2 values (x, y), but has 1"]),
        ({"start": [1, 2, 3]}, ["start must have 2 values (x, y), but has 3"]),
        ({"start": [[1, 2], [3]]}, ["start must be x, y, or rows of these"]),
        ({"start": "1,2"}, ["start must be x, y"]),
        ({"start": [1, float("nan")]}, ["start must be finite, but has y = nan"]),
        ({"start": {"x": 1, "z": 2}}, ["start: unknown parameter 'z'", "Valid: x, y"]),
        ({"start": {"x": 1}}, ["start: y is missing"]),
        ({"start": {"x": [1, 2], "y": [1, 2, 3]}}, ["one value each, or as many as one another"]),
        ({"steps": -1}, ["steps must be a whole number of at least 0, but is -1"]),
        ({"steps": 1.5}, ["steps must be a whole number"]),
        ({"keep": 0}, ["keep must be a whole number of at least 1"]),
        ({"seeds": 0}, ["seeds must be a number of seeds, 1 or more"]),
        ({"seeds": [1, -2]}, ["seeds must be a number of seeds, or a list"]),
        ({"seeds": "ab"}, ["seeds must be a number of seeds, or a list"]),
        ({"seeds": 10_000, "steps": 100_000}, ["keep fewer snapshots (keep=1)"]),
    ],
    ids=lambda case: case if isinstance(case, str) else ", ".join(case),
)  # fmt: skip
def test_mistakes_are_told_in_words(wrong, words):
    with pytest.raises(GanbenchError) as told:
        lab.play(**{**SOUND, **wrong})
    for word in words:
        assert word in str(told.value)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"game": "bilinear", "objective": "minimax"}, "the game 'bilinear' has none; its parts: none"),
        (
            {"game": "dirac", "dataset": "ring8"},
            "dataset: the game 'dirac' has none; its parts: objective, regularizer",
        ),
        ({"game": "dirac", "n_train": 5}, "n_train: the game 'dirac' has no data set"),
        ({"game": "gan"}, "dataset: is missing"),
        ({"game": "dirac", "objective": "minmax"}, "Did you mean 'minimax'"),
        ({"game": "dirac", "regularizer": "r1(gama=1)"}, "Did you mean 'gamma'"),
        ({"game": "gan", "dataset": "ring8", "architecture": "dcgan"}, "does not support this data set"),
        ({"game": "gan", "dataset": "line", "architecture": "mlp", "n_train": 0}, "n_train must be from 1 to"),
        ({"game": "gan", "dataset": "line", "architecture": "mlp", "batch_size": 1}, "batch_size must be"),
        ({"game": "dirac", "dtype": "float16"}, "unknown dtype 'float16'"),
        ({"game": "dirac", "device": "gpu"}, "device 'gpu' is not known"),
    ],
    ids=lambda case: case if isinstance(case, str) else ", ".join(case),
)
def test_mistakes_about_games_are_told_in_words(wrong, words):
    with pytest.raises(GanbenchError, match=re.escape(words)):
        lab.game(**wrong)


def test_the_seeds_of_a_game_are_its_own():
    with pytest.raises(GanbenchError, match="this game has its own"):
        lab.play(lab.game("bilinear"), seeds=3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"x": (1, 1)}, "x must go from a number to a larger one, but is 1, 1"),
        ({"y": (0, float("inf"))}, "y must go from a number to a larger one"),
        ({"y": "ab"}, "y must be two numbers"),
        ({"points": 1}, "points must be a whole number from 2 to 1001, but is 1"),
        ({"parameters": ("x", "z")}, "unknown parameter 'z'"),
        ({"parameters": ("x", "x")}, "two parameters"),
        ({"parameters": ("x",)}, "parameters must be the names of two"),
        ({"at": [1, 2, 3]}, "at must have 2 values (x, y), but has 3"),
        ({"game": lab.game("bilinear", seeds=2)}, "a field is that of one member, but the game has 2"),
    ],
    ids=lambda case: case if isinstance(case, str) else ", ".join(case),
)
def test_mistakes_about_fields_are_told_in_words(wrong, words):
    with pytest.raises(GanbenchError, match=re.escape(words)):
        lab.field(**{"game": "bilinear", **wrong})


def test_diagnostics_that_cannot_measure_say_so(tmp_path):
    played = lab.play("bilinear", steps=1)
    with pytest.raises(GanbenchError, match="unknown diagnostic 'spectre'"):
        played.measure("spectre")
    with pytest.raises(GanbenchError, match=r"must end in .png or .svg"):
        lab.draw_field(lab.field("bilinear", points=5), tmp_path / "field.gif")
    with pytest.raises(GanbenchError, match="cannot write"):
        lab.draw_field(lab.field("bilinear", points=5), tmp_path / "nowhere" / "field.png")


@given(
    name=st.sampled_from(["consensus", "own/file.py"]),
    options=st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda word: word.isidentifier() and word != "name"),
        st.one_of(
            st.integers(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.booleans(),
            st.lists(st.floats(-9, 9)),
            st.text(),
        ),
        max_size=3,
    ),
)
def test_labels_say_what_mappings_say(name, options):
    import keyword

    options = {key: value for key, value in options.items() if not keyword.iskeyword(key)}
    label = f"{name}({', '.join(f'{key}={value!r}' for key, value in options.items())})"
    assert (
        parse_component_spec("dynamics", label)
        == (name, options)
        == parse_component_spec("dynamics", {"name": name, **options})
    )


def test_texts_in_yaml_are_mappings():
    assert parse_component_spec("game", "{name: gaussian, plane: w, samples: 5}") == (
        "gaussian",
        {"plane": "w", "samples": 5},
    )
    assert parse_component_spec("game", " bilinear ") == ("bilinear", {})
    assert parse_component_spec("game", "gaussian(plane=w)") == ("gaussian", {"plane": "w"})
    flags = {"x": True, "y": None, "z": "in", "text": "a, b=(c"}
    assert parse_component_spec("game", "mine(x=True, y=None, z=in, text='a, b=(c',)") == ("mine", flags)
    with pytest.raises(GanbenchError, match="option 'x' stands there twice"):
        parse_component_spec("game", "mine(x=1, x=2)")


# Command line ---------------------------------------------------------------------------------------------------------


def invoke(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: str) -> str:
    with pytest.raises(GanbenchError) as told:
        CliRunner().invoke(app, list(words), catch_exceptions=False)
    return str(told.value)


PLAY = ("play", "--game", "bilinear", "--dynamics", "extragradient", "--learning-rate", "0.1", "--start", "2,0.5")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_play_writes_a_row_for_every_step(tmp_path, suffix):
    path = tmp_path / f"path.{suffix}"
    assert "101 rows" in invoke(*PLAY, "--steps", "100", "--output", str(path))
    table = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    assert list(table.columns) == ["step", "x", "y", "x_loss", "y_loss"]
    assert list(table.step) == list(range(101))
    played = lab.play("bilinear", "extragradient", learning_rate=0.1, start=[2, 0.5], steps=100)
    np.testing.assert_array_equal(table[["x", "y"]], played.trajectory[0])
    np.testing.assert_array_equal(table.y_loss, played.losses["y"][0])

    assert "the file exists already; --force replaces it" in refused(*PLAY, "--output", str(path))
    assert "4 rows" in invoke(*PLAY, "--steps", "3", "--output", str(path), "--force")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_play_with_several_members_says_which_is_which(tmp_path):
    path = tmp_path / "path.csv"
    text = invoke("play", "--learning-rate", "0.1,1e9", "--start", "1,1", "--output", str(path))
    assert "2 of 2 members moved away from the origin, 1 diverged to inf or NaN" in text
    table = pd.read_csv(path)
    assert list(table.columns) == ["member", "step", "x", "y", "x_loss", "y_loss"]
    assert list(table.groupby("member").size()) == [101, 101]
    assert path.read_text().count("nan") > 0, "NaN stands in the file as such"
    text = invoke("play", "--seeds", "3,7", "--steps", "5")
    assert re.search(r"│\s+1 │\s+7 │\s+0.1 │", text)
    text = invoke("play", "--start", "x=1,y=2", "--start", "y=4,x=3", "--steps", "2")
    assert re.search(rf"│\s+1 │\s+0 │\s+0.1 │\s+{5} │", text)
    assert "..." in invoke("play", "--seeds", "30", "--steps", "1")


def test_play_without_a_file_shows_the_path_and_a_verdict():
    text = invoke(*PLAY, "--steps", "100")
    assert re.search(r"│\s+0 │\s+2 │\s+0.5 │\s+-1 │\s+1 │", text)
    assert re.search(r"│\s+100 │\s+-1.15602 │\s+0.484821 │", text)
    assert "radius 2.06155 -> 1.25357 in 100 steps, a factor of 0.995038 per step; 4 gradients a step." in text
    assert "diverged: no finite numbers from step" in invoke("play", "--learning-rate", "1e200", "--start", "1,1")


def test_play_tells_no_factor_where_there_is_none():
    assert invoke("play", "--steps", "0").splitlines()[-1].endswith(" in 0 steps; 2 gradients a step.")
    assert " factor of " not in invoke("play", "--steps", "0", "--seeds", "3").splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seeds", "2,2"), "--seeds must be seeds that all differ, but is '2,2'"),
        (("--learning-rate", "abc"), "--learning-rate must be numbers"),
        (("--start", "x=1,2"), "--start must be numbers, or name=number"),
        (("--start", "1"), "start"),
        (("--learning-rate", "-1"), "learning_rate must be positive"),
    ],
)
def test_play_refuses_what_it_cannot_read_before_it_tells_of_work(capsys, words, said):
    with pytest.raises(GanbenchError, match=said):
        invoke("play", *words)
    assert "to do" not in capsys.readouterr().err


def test_play_takes_parts_with_options():
    text = invoke(
        "play", "--game", "{name: gaussian, samples: 9}", "--objective", "minimax", "--regularizer", "weight_decay",
        "--dynamics", "consensus(gamma=0.5)", "--optimizer", "sgd(momentum=0.1)", "--steps", "2",
    )  # fmt: skip
    assert "b_d" in text
    text = invoke(
        "play", "--game", "gan", "--dataset", "ring8(examples=32)", "--architecture", "mlp(width=4)", "--n-train", "16",
        "--batch-size", "4", "--steps", "2",
    )  # fmt: skip
    assert "more" in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["play", "--learning-rate", "fast"], "--learning-rate must be numbers with commas"),
        (["play", "--start", "1;2"], "--start must be numbers with commas"),
        (["play", "--start", "1,2", "--start", "1"], "--start must have as many numbers every time"),
        (["play", "--start", "x=1,2"], "--start must be numbers, or name=number"),
        (["play", "--start", "x=1,y=1", "--start", "x=1"], "--start must name every parameter once"),
        (["play", "--start", "x=1,z=1"], "unknown parameter 'z'"),
        (["play", "--seeds", "a"], "--seeds must be a count"),
        (["play", "--game", "bilinear("], "game: 'bilinear(' is not a signature"),
        (["play", "--game", "bilinear("], "its brackets do not match"),
        (["play", "--seeds", "2", "--learning-rate", "0.1,0.2,0.3"], "2 seeds, 3 learning rates"),
        (["play", "--output", "path.xlsx"], "must end in .csv or .parquet"),
        (["play", "--output", "nowhere/path.csv"], "there is no folder nowhere"),
        (["play", "--n-train", "5"], "n_train: the game 'bilinear' has no data set"),
        (["field", "--output", "field.pdf"], "must end in .png or .svg"),
        (["field", "--plane", "x"], "--plane must be two values with a comma between them, but is 'x'"),
        (["field", "--plane", "x,q"], "unknown parameter 'q'"),
        (["field", "--x", "1,0"], "--x must go from a number to a larger one"),
        (["field", "--x", "0,inf"], "--x must go from a number to a larger one"),
        (["field", "--y", "1"], "--y must be two values with a comma between them, but is '1'"),
    ],
    ids=" ".join,
)
def test_mistakes_on_the_command_line_are_told_in_words(words, told):
    assert told in refused(*words)


@pytest.mark.cluster
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_field_draws_a_picture_and_lists_the_fixed_points(tmp_path, suffix):
    path = tmp_path / f"field.{suffix}"
    words = (
        "field",
        "--game",
        "gaussian",
        "--objective",
        "minimax",
        "--plane",
        "b_g,b_d",
        "--x",
        "-3,3",
        "--y",
        "-2,2",
    )
    text = invoke(*words, "--points", "21", "--output", str(path))
    assert re.search(r"│\s+0 │\s+0 │ stable focus │ -1 \+ 1.32478i, -1 - 1.32478i │", text)
    if suffix == "png":
        from PIL import Image

        with Image.open(path) as image:
            image.verify()
        with Image.open(path) as image:
            assert min(image.size) > 400
            assert len(image.convert("RGB").getcolors(1 << 24)) > 50
    else:
        assert path.read_text().startswith("<?xml")
    assert "--force replaces it" in refused(*words, "--output", str(path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "game",
    ["linear(matrix=[0, 0, 0, 0])", "bilinear", "gaussian(samples=5)", "gaussian(plane=w)", "dirac", "quadratic"],
)
def test_any_plane_can_be_drawn(game, tmp_path):
    figure = lab.field(game if "gauss" not in game else lab.game(game, objective="minimax"), points=15).figure()
    from ganbench.lab.field_figure import save

    assert save(figure, tmp_path / "field.png").stat().st_size > 5_000


def test_a_plane_without_fixed_points_says_so():
    text = invoke("field", "--game", "gaussian(discriminator=sigmoid)", "--objective", "minimax", "--points", "11")
    assert "no fixed points for b_d in [-5,5] and b_g in [-5,5]" in text


@pytest.mark.slow
def test_the_process_prints_one_line_for_a_mistake_and_a_table_else():
    commands = (["--start", "-2,0.5", "--steps", "3", "--learning-rate", "0.5"], ["--game", "bilinaer"])
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "ganbench", "play", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in commands
    ]
    (shown, errors), (_, told) = (process.communicate(timeout=120) for process in processes)
    assert [process.returncode for process in processes] == [0, 1], errors
    assert "a factor of 1.11803 per step" in shown
    assert told.startswith("Error: unknown game 'bilinaer'. Did you mean 'bilinear'")
    assert told.count("\n") == 1


def test_numbers_that_are_zero_but_for_rounding_are_shown_as_zero():
    assert terminal._complex(1e-17 + 2j) == "0 + 2i"
    assert terminal._complex(-1 - 1e-20j) == "-1"


# Pages ----------------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_what_the_pages_show_of_the_laboratory_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snippets = [block for block in blocks("python") if block.startswith("from ganbench import lab")]
    lines = [line for line in "\n".join(blocks("sh")).splitlines() if re.match(r"ganbench (play|field) ", line)]
    assert snippets
    assert lines
    for snippet in snippets:
        exec(compile(snippet, "docs/laboratory.md", "exec"), {})
    for line in lines:  # in the same folder, as for who follows the page
        invoke(*shlex.split(line, comments=True)[1:])
    assert {path.name for path in tmp_path.iterdir()} == {"path.csv", "field.png", "sample.png"}
