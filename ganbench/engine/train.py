"""Training a pack: all members at once, each with its own random numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.core.recorder import Recorder, series_names
from ganbench.core.tree import Tree
from ganbench.dynamics import States, scaled
from ganbench.engine.out_of_memory import OutOfMemory, OutOfMemoryGuard
from ganbench.engine.precision import lowered_products
from ganbench.games import CHUNK, Buffers, Game, Match, Member, Players
from ganbench.schedules import Schedule
from ganbench.schedules.constant import Constant


@dataclass(frozen=True)
class Training:
    """How all members of a pack are trained.

    Attributes:
        dynamics, optimizer: the method.
        steps: number of training steps.
        dtype: precision of the parameters.
        products: lower precision of products of matrices and convolutions, "tf32" or "bfloat16"; None for `dtype`.
        snapshots: steps after which the parameters are kept; 0 is before the first step.
        curve_bins: number of bins of the recorded curves.
        schedule: how the learning rates change over the steps.
        ema_decay: decay of an exponential moving average of the parameters; None for none.
        every: distance of the snapshots in steps, if it is fixed; then bins have a fixed number of steps too, and the
            last state is kept, from which a run with more steps goes on.
    """

    dynamics: Any
    optimizer: Any
    steps: int
    dtype: torch.dtype
    snapshots: tuple[int, ...]
    curve_bins: int
    schedule: Schedule = field(default_factory=Constant)
    ema_decay: float | None = None
    every: int | None = None
    products: str | None = None

    def factor(self, step: int) -> float:
        """The factor of the learning rates in a step, and after the last one that of the last."""
        return self.schedule.factor(min(step, self.steps - 1), self.steps)


@dataclass(frozen=True)
class TrainingProgress:
    """The progress of a pack between two chunks of steps.

    Attributes:
        step: number of steps done.
        alive: indices of the members that have not diverged.
        state: returns the state from which training can be resumed.
        curves: returns the curves so far of the member with an index.
    """

    step: int
    alive: tuple[int, ...]
    state: Callable[[], Tree]
    curves: Callable[[int], Tree]


@dataclass
class RunRecord:
    """The record of one member: its curves, its snapshots, and the step and cause of a divergence."""

    recorder: Recorder
    snapshots: dict[int, dict[str, dict[str, np.ndarray]]] = field(default_factory=dict)  # by step, of `_snapshot`
    diverged: tuple[int, str] | None = None

    def tree(self) -> Tree:
        steps = sorted(self.snapshots)
        kept = {
            kind: {name: np.stack([self.snapshots[step][kind][name] for step in steps]) for name in tensors}
            for kind, tensors in self.snapshots[steps[0]].items()
        }
        return {
            "curves": self.recorder.curves(),
            "snapshots": {"step": np.array(steps), **kept.pop("players")},
            **kept,
            "diverged": None if self.diverged is None else list(self.diverged),
            "steps_done": self.recorder.steps_done,
        }


def train(
    game: Game,
    training: Training,
    members: Sequence[Member],
    *,
    device: torch.device,
    resume: Tree | None = None,
    at_chunk: Callable[[TrainingProgress], None] | None = None,
) -> list[Tree]:
    """Train the members, fused.

    Args:
        game: the game.
        training: how the members are trained.
        members: the runs.
        device: device to train on.
        resume: the state of an interrupted call; training goes on from there, with the same results bit for bit.
        at_chunk: called every `CHUNK` steps.

    Returns:
        Of every member its curves (bins of every recorded series, and their names), its snapshots (parameters (S, P) of
        both players and their steps), its networks' `buffers` at these, (S, ...) each, the moving `average` of the
        parameters at these, (S, P) of each player, if there is one, `diverged` (None, or the step and the cause),
        `steps_done`, and with `training.every` its last `state`, without the snapshots.

    Raises:
        OutOfMemory: a step does not fit into memory; its state contains all steps before.
    """
    # Everything that changes from step to step: players, states, members still in training, records.
    dynamics, optimizer = training.dynamics, training.optimizer
    everyone = match = Match(game, members, device, training.dtype)
    names = series_names(game.players, game.series)
    bins = (training.steps, training.curve_bins, names, training.every)
    runs = [RunRecord(Recorder(*bins)) for _ in members]
    alive = list(range(len(members)))
    start = 0
    with OutOfMemoryGuard() as guard:
        if resume is None:
            players = match.init()
            states = dynamics.init(match, players, optimizer)
            average = dict(players) if training.ema_decay is not None else {}
            _keep(runs, alive, _snapshot(dynamics.snapshot(players, states), average, match), 0)
        else:
            start, alive, players, states, average, buffers = _restore(runs, resume, device)
            match = everyone.select(alive) if alive else everyone
            match.buffers = buffers
        match.keeps_buffers = True
        buffers = match.buffers
        rates = match.rates()
    if guard.cause:
        raise OutOfMemory(guard.cause, resume)

    while start < training.steps and alive:
        # Steps, without reading the results: on a GPU nothing waits for them. One that does not fit into memory is the
        # end of its chunk; the next chunk ends where it would have ended.
        rows = []
        end = min(start - start % CHUNK + CHUNK, training.steps)
        with OutOfMemoryGuard() as guard, lowered_products(training.products, device):
            for step in range(start, end):
                batches = match.draw(step, dynamics.batches_per_step)
                factor = training.factor(step)
                scheduled = rates if factor == 1 else scaled(rates, factor)
                result = dynamics.step(match, players, states, batches, optimizer, scheduled)
                norms = {f"{player}_parameter_norm": theta.norm(dim=1) for player, theta in result.players.items()}
                row = torch.stack([(result.aux | norms)[name] for name in names], dim=1)
                # A new average, and not the old one in place: a step that runs out of memory is done again.
                moved = {
                    name: torch.lerp(theta, average[name], training.ema_decay)
                    for name, theta in result.players.items()
                    if average
                }
                if step + 1 in training.snapshots:
                    kept = _snapshot(dynamics.snapshot(result.players, result.states), moved, match)
                    _keep(runs, alive, kept, step + 1)
                rows.append(row)
                players, states, average, buffers = result.players, result.states, moved, match.buffers
        if guard.cause:
            match.buffers = buffers  # those of the last whole step

        # Record the chunk; a member whose recorded values are not finite has diverged and leaves the pack.
        record = torch.stack(rows).cpu().numpy() if rows else np.empty((0, len(alive), len(names)))
        for index, k in enumerate(alive):
            _record(runs[k], record[:, index])
        staying = [index for index, k in enumerate(alive) if runs[k].diverged is None]
        if len(staying) < len(alive):
            alive = [alive[index] for index in staying]
            players, states, average = _select(players, states, average, staying)
            match = match.select(staying) if staying else everyone
            buffers, rates = match.buffers, match.rates()
        start += len(rows)
        if guard.cause and alive:
            raise OutOfMemory(guard.cause, _state(runs, start, alive, players, states, average, match.buffers))
        if at_chunk is not None:
            state = partial(_state, runs, start, alive, players, states, average, match.buffers)
            at_chunk(TrainingProgress(start, tuple(alive), state, lambda k: runs[k].recorder.curves()))

    if training.every is None:
        return [run.tree() for run in runs]
    last = _state(runs, start, alive, players, states, average, match.buffers)
    for run in last["runs"].values():
        run["snapshots"] = {}
    parts = [part_of(last, range(k, k + 1)) | {"step": run.recorder.steps_done} for k, run in enumerate(runs)]
    return [run.tree() | {"state": part} for run, part in zip(runs, parts, strict=True)]


def part_of(state: Tree, members: range) -> Tree:
    """The state of adjacent members of a pack, without the others.

    Args:
        state: the state of the pack.
        members: indices of the members.
    """
    indices = [index for index, k in enumerate(state["alive"]) if k in members]

    def taken(tree: Tree) -> Tree:
        return {name: taken(item) if isinstance(item, dict) else item[indices] for name, item in tree.items()}

    return {
        "step": state["step"],
        "alive": [state["alive"][index] - members.start for index in indices],
        "players": taken(state["players"]),
        "states": taken(state["states"]),
        "average": taken(state["average"]),
        "buffers": taken(state["buffers"]),
        "runs": {str(index): state["runs"][str(k)] for index, k in enumerate(members)},
    }


def _snapshot(players: Players, average: Players, match: Match) -> dict[str, dict[str, Tensor]]:
    """What a snapshot keeps: parameters, buffers, and the moving average of the parameters if there is one."""
    return {"players": players, "buffers": match.buffers} | ({"average": average} if average else {})


def _keep(runs: list[RunRecord], alive: list[int], snapshot: dict[str, dict[str, Tensor]], step: int) -> None:
    """Keep a snapshot, whose tensors are (K, ...), in the records of its members."""
    arrays = {
        kind: {name: value.detach().cpu().numpy() for name, value in kept.items()} for kind, kept in snapshot.items()
    }
    for index, k in enumerate(alive):
        # An array too where a member has one number, such as a count of batches.
        runs[k].snapshots[step] = {
            kind: {name: np.array(value[index]) for name, value in kept.items()} for kind, kept in arrays.items()
        }


def _record(run: RunRecord, values: np.ndarray) -> None:
    """Record a chunk of one member's steps, (steps, series), up to and with the step at which it diverged."""
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad.any(axis=1)))
        step = run.recorder.steps_done + row + 1
        name = run.recorder.series[int(np.argmax(bad[row]))]
        run.diverged = (step, f"{name} became {values[row][bad[row]][0]}")
        values = values[: row + 1]
        run.snapshots = {at: kept for at, kept in run.snapshots.items() if at < step}
    run.recorder.add(values)


def _select(players: Players, states: States, average: Players, indices: list[int]) -> tuple[Players, States, Players]:
    def kept(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value[indices] for name, value in tensors.items()}

    return kept(players), {owner: kept(state) for owner, state in states.items()}, kept(average)


def _state(
    runs: list[RunRecord],
    step: int,
    alive: list[int],
    players: Players,
    states: States,
    average: Players,
    buffers: Buffers,
) -> Tree:
    """The whole state of training, as arrays."""
    return {
        "step": step,
        "alive": list(alive),
        "players": _arrays(players),
        "states": {owner: _arrays(state) for owner, state in states.items()},
        "average": _arrays(average),
        "buffers": _arrays(buffers),
        "runs": {
            str(k): {
                "recorder": run.recorder.state(),
                "snapshots": {str(at): dict(kept) for at, kept in run.snapshots.items()},
                "diverged": None if run.diverged is None else list(run.diverged),
            }
            for k, run in enumerate(runs)
        },
    }


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in tensors.items()}


def _restore(
    runs: list[RunRecord], state: Tree, device: torch.device
) -> tuple[int, list[int], Players, States, Players, Buffers]:
    """Undo `_state`: fill the runs, and return the step, the members still in training, players, states, the moving
    average and buffers."""
    for k, run in enumerate(runs):
        kept = state["runs"][str(k)]
        run.recorder.restore(kept["recorder"])
        run.snapshots = {int(at): snapshot for at, snapshot in kept["snapshots"].items()}
        run.diverged = None if kept["diverged"] is None else tuple(kept["diverged"])

    def tensors(tree: Tree) -> Tree:
        return {
            name: tensors(item) if isinstance(item, dict) else torch.from_numpy(item).to(device)
            for name, item in tree.items()
        }

    rest = (tensors(state[name]) for name in ("players", "states", "average", "buffers"))
    return state["step"], list(state["alive"]), *rest
