"""Training that stops and goes on: against training itself, recursions by hand, and known Shapley values."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from building import CPU, gan, training
from playing import look, make_game, networks, part, play
from repository import ROOT

from ganbench.data import DataSpec
from ganbench.engine.diagnose import trajectories_of
from ganbench.engine.train import train
from ganbench.games import Member
from ganbench.numerics.resumption import PARTS, resumption, shapley, subsets

STEPS = 7
NORMALISED = ROOT / "config" / "studies" / "small" / "running_statistics.py"
SHARES = [f"{part}_share" for part in PARTS]


def game_with_everything():
    """Running statistics, noise, a regularizer with a state, and one that is computed in every third step."""
    adaptive = {"name": "adaptive_augmentation", "initial_probability": 0.5, "interval": 2, "ramp_images": 200}
    return gan(
        np.random.default_rng(0).uniform(-1, 1, (40, 1, 8, 8)),
        data=DataSpec(shape=(1, 8, 8), bounded=True, train=40, modes=10),
        architecture=part("architecture", str(NORMALISED), latent_size=3, width=6),
        regularizer=part("regularizer", "combined", regularizers=({"name": "r1", "every": 3}, adaptive)),
    )


@pytest.fixture(scope="module")
def trained():
    """Two runs from their start to twice `STEPS` steps, as trained, and as diagnostics see them."""
    game, members = game_with_everything(), [Member(seed, 40, rate) for seed, rate in ((0, 1e-2), (3, 2e-2))]
    how = training(
        2 * STEPS, snapshots=(0, STEPS, 2 * STEPS), ema_decay=0.8, schedule=part("schedule", "linear", end_factor=0.3)
    )
    runs = train(game, how, members, device=CPU)
    seen = trajectories_of(
        game,
        how.dynamics,
        how.optimizer,
        members,
        [run["snapshots"] | {"buffers": run["buffers"]} for run in runs],
        how.snapshots,
        device=CPU,
        dtype=torch.float64,
        schedule=how.factor,
        ema_decay=0.8,
    )
    return runs, seen


@pytest.fixture(scope="module")
def resumed(trained):
    return resumption(trained[1], 0, [0, 1], STEPS, repeated=False)


def test_without_a_stop_it_is_training(trained, resumed):
    runs, _ = trained
    for k, run in enumerate(runs):
        for state, at in ((resumed.first, 0), (resumed.stopped, 1), (resumed.end, 2)):
            for player, theta in state.players.items():
                np.testing.assert_allclose(theta[k], run["snapshots"][player][at], rtol=1e-9, atol=1e-12)
                np.testing.assert_allclose(state.average[player][k], run["average"][player][at], rtol=1e-9, atol=1e-12)
            assert state.buffers.keys() == run["buffers"].keys()
            for name, value in state.buffers.items():
                np.testing.assert_allclose(value[k], run["buffers"][name][at], rtol=1e-9, atol=1e-12, err_msg=name)


def test_with_everything_saved_nothing_is_lost_and_every_part_alone_is_missed(resumed):
    assert resumed.present == {*PARTS}
    complete = frozenset(PARTS)
    assert (resumed.drift(complete) == 0).all()
    for kind in ("buffers", "average"):
        assert (resumed.kept_drift(complete, kind) == 0).all()
    for name, value in resumed.end.buffers.items():
        assert torch.equal(value, resumed.ends[complete].buffers[name])
    for part_ in PARTS:
        assert (resumed.drift(complete - {part_})[:, -1] > 1e-6).all(), part_
    assert (resumed.kept_drift(complete - {"buffers"}, "average") > 0.01).all()


def test_shares_add_up_to_the_drift_by_the_weights_alone(trained):
    _, seen = trained
    values = look(seen, "resuming", at="start", steps=3).values
    np.testing.assert_allclose(sum(values[name] for name in SHARES), 1, rtol=1e-12)
    assert (values["complete"] == 0).all()
    assert (values["examples_at_stop"] > 0.01).all(), "batch normalisation needs its running statistics"
    assert (values["weights"] > 0).all()
    # Adam and batch normalisation: the random streams beside the weights do not suffice, nor are they nothing.
    assert (values["weights_streams"] > 0).all()
    assert (values["weights_streams"] != values["weights"]).all()


def test_from_the_last_snapshot_training_goes_on_where_it_was(trained):
    _, seen = trained
    found = resumption(seen, -1, [1], STEPS, repeated=False)
    for player, theta in found.first.players.items():
        assert torch.equal(theta[0], seen.path[player][1, -1])
    for name, value in found.first.buffers.items():
        assert torch.equal(value[0], seen.buffers[name][1, -1])
    assert (found.drift(frozenset(PARTS)) == 0).all()


def test_drift_with_momentum_is_that_of_a_recursion_by_hand():
    """Two independent parabolas: v <- 0.9 v + c x, x <- x - 0.1 v, whose velocity is lost after five steps."""
    game = make_game("linear", matrix=(1.0, 0.0, 0.0, 0.4), initial_parameters=(1.0, 2.0))
    runs = play(game, optimizer=part("optimizer", "sgd", momentum=0.9), rates=(0.1,), steps=3, every=3)
    values = look(runs, "resuming", at="start", steps=5).values

    def moved(x, v, steps):
        for _ in range(steps):
            v = 0.9 * v + np.array([1.0, 0.4]) * x
            x = x - 0.1 * v
        return x, v

    first = np.array([1.0, 2.0])
    stopped, velocity = moved(first, np.zeros(2), 5)
    end, other = moved(stopped, velocity, 5)[0], moved(stopped, np.zeros(2), 5)[0]
    expected = np.linalg.norm(other - end) / np.linalg.norm(end - first)
    assert values["weights"][0] == pytest.approx(expected, rel=1e-12)
    assert values["without_optimizer"][0] == values["weights"][0]
    assert [values[name][0] for name in SHARES] == pytest.approx([1, 0, 0])
    assert values["weights_optimizer"][0] == 0
    assert values["weights_streams"][0] == values["weights"][0]
    assert np.isnan(values["buffers_drift"][0])


@pytest.mark.parametrize("streams", ["fresh", "repeated"])
def test_plain_descent_needs_its_random_streams_only(streams):
    """And what it draws without them: the numbers since the snapshot once more, or none that training draws."""
    game, rate, count = networks(), 0.05, 4
    runs = play(game, rates=(rate,), steps=2, every=2)
    result = look(runs, "resuming", steps=count, streams=streams)
    values, curves = result.values, result.arrays

    def moved(players, drawn):
        for step in drawn:
            batches = runs.match.draw(step, 1)
            players = runs.dynamics.step(runs.match, players, states, batches, runs.optimizer, runs.rates).players
        return torch.cat([*players.values()], dim=1), players

    states = runs.dynamics.init(runs.match, runs.at(-1), runs.optimizer)
    first = torch.cat([*runs.at(-1).values()], dim=1)
    _, stopped = moved(runs.at(-1), range(2, 2 + count))
    end, _ = moved(stopped, range(2 + count, 2 + 2 * count))
    if streams == "repeated":
        other, _ = moved(stopped, range(2, 2 + count))
        assert values["weights"][0] == pytest.approx(float((other - end).norm() / (end - first).norm()), rel=1e-9)
    assert values["weights"][0] > 1e-3
    assert values["without_optimizer"][0] == values["without_buffers"][0] == values["weights_streams"][0] == 0
    assert [values[name][0] for name in SHARES] == [0, 1, 0]
    assert curves["weights"].shape == (1, count + 1)
    assert (curves["weights"][0, 0], curves["weights"][0, -1]) == (0, values["weights"][0])


def test_the_schedule_goes_on():
    """At a learning rate of 0 from the stop on, nothing can drift."""
    runs = replace(play(networks(), optimizer="adam", steps=2, every=2), schedule=lambda step: float(step < 2 + STEPS))
    values = look(runs, "resuming", steps=STEPS).values
    assert values["weights"][0] == 0
    assert all(np.isnan(values[name][0]) for name in SHARES)


def test_a_moving_average_that_begins_anew_forgets_that_by_its_decay():
    """The parameters are the same, so that the difference of two averages shrinks by the decay in every step."""
    runs = replace(play(networks(), optimizer="adam", rates=(0.05,), steps=1), ema_decay=0.8)
    found = resumption(runs, 0, [0], STEPS, repeated=False)
    stopped, end, first = (
        torch.cat([*tensors.values()], dim=1)
        for tensors in (found.stopped.players, found.end.average, found.first.players)
    )
    gap = stopped - torch.cat([*found.stopped.average.values()], dim=1)
    without = frozenset(PARTS) - {"buffers"}
    assert found.drift(without)[0, -1] == 0
    expected = 0.8**STEPS * gap.norm() / (end - first).norm()
    assert found.kept_drift(without, "average")[0] == pytest.approx(float(expected), rel=1e-9)
    assert found.kept_drift(frozenset(PARTS), "average")[0] == 0


def test_shapley_values_that_are_known():
    def game(worth):
        return {
            saved: torch.tensor([float(worth(frozenset("abc") - saved))], dtype=torch.float64)
            for saved in subsets("abc")
        }

    def values(worth):
        return [float(value) for value in shapley(game(worth)).values()]

    weights = {"a": 1.0, "b": 2.0, "c": 4.0}
    assert values(lambda lost: sum(weights[each] for each in lost)) == pytest.approx([1, 2, 4])  # additive
    assert values(lambda lost: len(lost) == 3) == pytest.approx([1 / 3] * 3)  # unanimity
    # Two gloves: a has a left one, b and c a right one each; a pair is worth 1 (Shapley values 2/3, 1/6, 1/6).
    assert values(lambda lost: "a" in lost and len(lost) > 1) == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def test_subsets_are_all_and_different():
    found = subsets("abc")
    assert len({*found}) == len(found) == 8
    assert all(len(one) <= len(other) for one, other in pairwise(found))
