"""Training that stops and goes on with a part of its state, beside training without a stop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np
import torch
from torch import Tensor

from ganbench.games import Batch, Buffers, Match, Players
from ganbench.numerics.jacobians import select_members
from ganbench.numerics.step_maps import StepMap, TrainingState, state_vector
from ganbench.numerics.trajectories import Trajectories

FAR = 1_000_000_000  # steps: random numbers that no training has drawn

OPTIMIZER, STREAMS, BUFFERS = PARTS = ("optimizer", "streams", "buffers")
Saved = frozenset[str]
"""The parts of a state of training that were saved, of `PARTS`, beside the weights."""


@dataclass(frozen=True)
class Resumption:
    """What became of k runs after a stop.

    Attributes:
        first, stopped: the states at the snapshot, and at the stop.
        end: the state at the end of training without a stop.
        ends: that of the resumed training, by the parts that were saved.
        drifts: the drifts of the parameters after each step since the stop, (k, steps + 1), by the same.
        present: the parts that the state of these runs has; without the others it is the same state.
        match: the game with the runs, in double precision.
        initial_buffers: the buffers before training.
    """

    first: TrainingState
    stopped: TrainingState
    end: TrainingState
    ends: dict[Saved, TrainingState]
    drifts: dict[Saved, np.ndarray]
    present: Saved
    match: Match
    initial_buffers: Buffers

    def drift(self, saved: Saved) -> np.ndarray:
        """The drifts of the parameters, (k, steps + 1)."""
        return self.drifts[saved & self.present]

    def kept_drift(self, saved: Saved, kind: str) -> np.ndarray:
        """The drifts of the `buffers` or of the `average` at the end, (k,); NaN where there are none."""
        states = self.ends[saved & self.present], self.end, self.first
        resumed, other, first = (_numbers(getattr(state, kind), len(self.match.members)) for state in states)
        return _over((resumed - other).norm(dim=1), (other - first).norm(dim=1)).cpu().numpy()

    def shares(self) -> dict[str, np.ndarray]:
        """The share of each part in the drift by the weights alone, (k,) each; NaN where that is 0."""
        last = {saved: torch.from_numpy(self.drift(saved)[:, -1]) for saved in subsets(PARTS)}
        return {part: _over(value, last[frozenset()]).numpy() for part, value in shapley(last).items()}


def resumption(runs: Trajectories, snapshot: int, indices: Sequence[int], steps: int, *, repeated: bool) -> Resumption:
    """Train `steps` steps from a snapshot, stop, and train as many without a stop and with each combination of parts.

    Args:
        runs: the runs.
        snapshot: index of the snapshot, the state at which is given no history.
        indices: indices of the k members, whose parameters are finite there.
        steps: number of steps before the stop, and after it.
        repeated: whether random streams that begin anew are those since the snapshot, or else fresh ones.
    """

    def process() -> StepMap:
        return StepMap(runs, indices)

    def anew(players: Players, snapshot: int) -> TrainingState:
        theta = torch.cat([players[name] for name in runs.match.players], dim=1)
        begun = StepMap(runs, indices, snapshot=snapshot).begin(theta)
        return replace(begun, average={} if runs.ema_decay is None else begun.players)

    # Every process has a match of its own, so that it knows nothing but the state that it is given.
    going_on, resumed, lost = process(), process(), process()
    players = {name: theta.double() for name, theta in select_members(runs.at(snapshot), indices).items()}
    begun, middle = (int(runs.steps[snapshot]) + done for done in (0, steps))

    first = state = anew(players, snapshot)
    for step in range(begun, middle):
        state = going_on(state, going_on.batches(step), runs.schedule(step), step)
    stopped = state

    def other_batches(step: int) -> list[Batch]:
        drawn = lost.batches(step - steps if repeated else step + FAR)
        # The index of the step is no random number.
        return [
            {name: torch.full_like(value, step) if name == "noise.step" else value for name, value in batch.items()}
            for batch in drawn
        ]

    present = frozenset(
        part
        for part, there in (
            (OPTIMIZER, any(stopped.states.values())),
            (STREAMS, _differ(going_on.batches(middle), other_batches(middle))),
            (BUFFERS, bool(stopped.buffers or stopped.average)),
        )
        if there
    )
    new = anew(stopped.players, 0)
    states = {
        saved: TrainingState(
            stopped.players,
            (stopped if OPTIMIZER in saved else new).states,
            (stopped if BUFFERS in saved else new).buffers,
            (stopped if BUFFERS in saved else new).average,
        )
        for saved in subsets(present)
    }
    distances = {saved: [torch.zeros(len(indices), dtype=torch.float64, device=runs.match.device)] for saved in states}
    processes = {saved: process() for saved in states}
    for step in range(middle, middle + steps):
        factor = runs.schedule(step)
        state = going_on(state, going_on.batches(step), factor, step)
        drawn = {True: resumed.batches(step), False: other_batches(step)}
        theta = state_vector(state, [])
        for saved, before in states.items():
            batches = drawn[STREAMS in saved or STREAMS not in present]
            states[saved] = processes[saved](before, batches, factor, step)
            distances[saved].append((state_vector(states[saved], []) - theta).norm(dim=1))
    way = (theta - state_vector(first, [])).norm(dim=1)
    drifts = {saved: _over(torch.stack(each, dim=1), way[:, None]).cpu().numpy() for saved, each in distances.items()}
    return Resumption(first, stopped, state, states, drifts, present, resumed.match, new.buffers)


def shapley(losses: Mapping[Saved, Tensor]) -> dict[str, Tensor]:
    """The Shapley value of every part: what its loss adds to a number, mean over all orders of losing the parts.

    Args:
        losses: the number by the parts that were saved, for every combination of parts.
    """
    parts = frozenset().union(*losses)

    def value(part: str) -> Tensor:
        others = parts - {part}
        return sum(
            (losses[saved] - losses[saved | {part}]) / (len(parts) * comb(len(others), len(saved)))
            for saved in subsets(others)
        )

    return {part: value(part) for part in sorted(parts)}


def subsets(parts: Iterable[str]) -> list[Saved]:
    """All sets of some of the parts."""
    every = sorted(parts)
    return [frozenset(some) for size in range(len(every) + 1) for some in combinations(every, size)]


def _differ(one: list[Batch], other: list[Batch]) -> bool:
    pairs = zip(one, other, strict=True)
    return any(not torch.equal(mine[name], its[name]) for mine, its in pairs for name in mine)


def _numbers(tensors: dict[str, Tensor], count: int) -> Tensor:
    """The real numbers of all tensors as vectors, (count, n)."""
    known = [value.reshape(count, -1) for value in tensors.values() if value.is_floating_point()]
    return torch.cat(known, dim=1) if known else torch.zeros(count, 0, dtype=torch.float64)


def _over(distance: Tensor, way: Tensor) -> Tensor:
    """A ratio, NaN where there is no way."""
    return torch.where(way > 0, distance / way, torch.nan)
