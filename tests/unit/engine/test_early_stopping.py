"""Members that a rule stops: at the step of a closed form, the same in every pack and after every interruption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil, log

import numpy as np
import pytest
import torch
from building import CPU, every_step, gan, part, players, toy, training
from stored import flat

from ganbench.core import result_files
from ganbench.core.recorder import check_steps
from ganbench.engine.diagnose import trajectories_of
from ganbench.engine.records import Reason
from ganbench.engine.train import train
from ganbench.games import CHUNK, Member

STEPS = 6 * CHUNK
LIMIT = 100.0  # of the squared distance from the equilibrium, which is 1 at first
# Simultaneous steps on f = xy multiply the squared distance by 1 + rate^2.
RATES = (0.01, 0.3, 0.1, 0.02, 0.4)
REACHED = [log(LIMIT) / log(1 + rate**2) for rate in RATES]  # the step at which the limit is passed
STOPPED = [None if at > STEPS - CHUNK else CHUNK * ceil(at / CHUNK) for at in REACHED]


@dataclass(frozen=True)
class Rule:
    """Stops a run by its curves, at the end of every chunk."""

    fails: Callable[[dict], bool]
    checks: tuple[int, ...] = tuple(range(CHUNK, STEPS, CHUNK))

    def __call__(self, curves: dict) -> Reason | None:
        return ("far-off", 1, "it is far off", 0.5) if self.fails(curves) else None


def far_off(curves: dict) -> bool:
    norms = curves["mean"][-1][[curves["series"].index(f"{player}_parameter_norm") for player in "xy"]]
    return bool((norms**2).sum() > LIMIT)


FAR_OFF = Rule(far_off)
GAME = toy("bilinear", initial_parameters=(1.0, 0.0))
EACH_STEP = every_step(STEPS, curve_bins=STEPS)


def assert_same(one: dict, other: dict) -> None:
    """Two results agree bit for bit."""
    one, other = flat(one), flat(other)
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name, strict=isinstance(value, np.ndarray))


def test_runs_are_stopped_at_the_check_after_they_have_gone_too_far():
    assert STOPPED.count(None) == 3
    assert len({*STOPPED}) == 3
    free = train(GAME, EACH_STEP, players(*RATES), device=CPU)
    held = train(GAME, EACH_STEP, players(*RATES), device=CPU, stop=FAR_OFF)
    for step, one, other in zip(STOPPED, free, held, strict=True):
        if step is None:
            assert_same(one, other)
            continue
        assert other["stopped"] == [step, "far-off", 1, "it is far off", 0.5]
        assert other["diverged"] is None
        assert other["steps_done"] == step
        for name, values in other["snapshots"].items():
            assert np.array_equal(values, one["snapshots"][name][: step + 1]), "it trained as it would have until then"
        assert np.array_equal(other["curves"]["mean"], one["curves"]["mean"][:step])


def test_a_run_alone_is_stopped_as_in_a_pack():
    together = train(GAME, EACH_STEP, players(*RATES), device=CPU, stop=FAR_OFF)
    for member, result in zip(players(*RATES), together, strict=True):
        alone = train(GAME, EACH_STEP, [member], device=CPU, stop=FAR_OFF)[0]
        assert alone["stopped"] == result["stopped"]
        assert np.allclose(alone["snapshots"]["x"], result["snapshots"]["x"], rtol=1e-12)


@cache
def undisturbed() -> tuple[list[dict], dict[int, dict]]:
    """The results of the pack, some of whose runs are stopped, and the states of training by their steps."""
    states: dict[int, dict] = {}
    keep = {"at_chunk": lambda now: states.setdefault(now.step, now.state())}
    return train(GAME, EACH_STEP, players(*RATES), device=CPU, stop=FAR_OFF, **keep), states


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(at, marks=pytest.mark.slow) if at in (2 * CHUNK, 4 * CHUNK) else at
        for at in range(CHUNK, STEPS, CHUNK)
    ],
)
def test_training_that_is_interrupted_stops_the_same_runs_at_the_same_steps(at, tmp_path):
    """Before, at and after the steps at which runs are stopped."""
    whole, states = undisturbed()
    with result_files.create_file(tmp_path / "state.h5", "resume") as file:
        result_files.write_tree(file.create_group("saved"), states[at])
    with result_files.open_file(tmp_path / "state.h5", "resume") as file:
        state = result_files.read_tree(file["saved"])
    again = train(GAME, EACH_STEP, players(*RATES), device=CPU, stop=FAR_OFF, resume=state)
    for one, other in zip(whole, again, strict=True):
        assert_same(one | {"about": None}, other | {"about": None})


def test_the_last_state_of_a_stopped_run_is_a_snapshot():
    sparse = every_step(STEPS, curve_bins=STEPS, snapshots=(0, 2 * CHUNK, STEPS))
    free = train(GAME, EACH_STEP, players(*RATES), device=CPU)
    for step, full, result in zip(
        STOPPED, free, train(GAME, sparse, players(*RATES), device=CPU, stop=FAR_OFF), strict=True
    ):
        expected = [0, 2 * CHUNK, STEPS] if step is None else sorted({0, *([2 * CHUNK] if step > CHUNK else []), step})
        assert result["snapshots"]["step"].tolist() == expected
        assert np.array_equal(result["snapshots"]["x"], full["snapshots"]["x"][expected])


def test_a_pack_in_which_everyone_was_stopped_ends():
    steps = []
    results = train(
        GAME, EACH_STEP, players(0.3, 0.4), device=CPU, stop=FAR_OFF, at_chunk=lambda now: steps.append(now.step)
    )
    assert steps[-1] == max(result["stopped"][0] for result in results) < STEPS


def test_a_run_that_diverges_before_the_look_was_not_stopped():
    results = train(GAME, EACH_STEP, players(1e20, 0.01), device=CPU, stop=FAR_OFF)
    assert [result["stopped"] for result in results] == [None, None]
    assert results[0]["diverged"][0] < CHUNK


@pytest.mark.cluster
def test_networks_train_on_when_a_neighbour_is_stopped():
    """To rounding, as when one diverges: products of a smaller pack may add in another order."""
    data = part("dataset", "ring8", examples=200)
    game = gan(data.load().train, data=data.spec, architecture=part("architecture", "mlp", width=16))
    members = [Member(seed, 100, rate) for seed, rate in enumerate((1e-3, 5e-4, 2e-3, 1e-4))]
    free = train(game, training(3 * CHUNK), members, device=CPU)
    first = free[2]["curves"]["mean"][0, 0]  # only the curves of this run begin with it
    rule, alive = Rule(lambda curves: curves["mean"][0, 0] == first), []
    held = train(
        game, training(3 * CHUNK), members, device=CPU, stop=rule, at_chunk=lambda now: alive.append(now.alive)
    )
    assert alive == [(0, 1, 3)] * 3
    for k, (one, other) in enumerate(zip(free, held, strict=True)):
        assert other["stopped"] == ([CHUNK, "far-off", 1, "it is far off", 0.5] if k == 2 else None)
        steps = other["steps_done"]
        assert steps == (CHUNK if k == 2 else 3 * CHUNK)
        bins = one["curves"]["last_step"] <= steps
        np.testing.assert_allclose(other["curves"]["mean"][: bins.sum()], one["curves"]["mean"][bins], rtol=1e-12)
        if k != 2:
            np.testing.assert_allclose(
                other["snapshots"]["generator"], one["snapshots"]["generator"], rtol=1e-10, atol=1e-12
            )


def test_diagnostics_leave_the_snapshot_of_the_stop_out():
    """Its step is none of those at which the runs of a pack are compared."""
    sparse = every_step(STEPS, curve_bins=STEPS, snapshots=(0, 20, STEPS))
    members = players(0.01, 0.4)
    results = train(GAME, sparse, members, device=CPU, stop=FAR_OFF)
    kept = [result["snapshots"] for result in results]
    path = trajectories_of(
        GAME, sparse.dynamics, sparse.optimizer, members, kept, sparse.snapshots, device=CPU, dtype=torch.float64
    ).path["x"]
    assert kept[1]["step"].tolist() == [0, 20, results[1]["stopped"][0]]
    assert torch.isfinite(path).all(dim=2).tolist() == [[True, True, True], [True, True, False]]


@pytest.mark.parametrize(
    ("steps", "start_from", "check_interval", "checks"),
    [
        (1000, 0.25, 0.1, [250, 350, 450, 550, 650, 750, 850, 950]),
        (1000, 0.3, 0.2, [300, 500, 700, 900]),
        (1010, 0.5, 0.25, [525, 775]),
        (60, 0.25, 0.1, [25, 50]),
        (25, 0.25, 0.1, []),
        (1000, 0.9, 1.0, [900]),
    ],
)
def test_checks_are_at_ends_of_chunks_before_the_last_step(steps, start_from, check_interval, checks):
    assert list(check_steps(steps, start_from, check_interval)) == checks
