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
from ganbench.dynamics import scaled
from ganbench.engine.execution import Execution, intended
from ganbench.engine.out_of_memory import OutOfMemory, OutOfMemoryGuard
from ganbench.engine.precision import lowered_products
from ganbench.engine.step import Executor, Step, Variables
from ganbench.games import CHUNK, Game, Match, Member
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
        execution: how steps are executed: a form of `FORMS`, or "auto", which decides by a rule.
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
    execution: str = "auto"

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
        `steps_done`, `about` how steps were executed and why, and with `training.every` its last `state`, without the
        snapshots.

    Raises:
        OutOfMemory: a step does not fit into memory; its state contains all steps before.
    """
    # Everything that changes from step to step: the variables, the members that have not diverged, the records. The
    # pack may keep members that have diverged, whose numbers are not read.
    dynamics, optimizer = training.dynamics, training.optimizer
    everyone = match = Match(game, members, device, training.dtype)
    names = series_names(game.players, game.series)
    bins = (training.steps, training.curve_bins, names, training.every)
    runs = [RunRecord(Recorder(*bins)) for _ in members]
    pack = alive = list(range(len(members)))
    start, execution = 0, intended(training.execution, training.steps, device)

    def executor() -> Executor:
        step = Step(match, dynamics, optimizer, training.ema_decay, names)
        extends = training.every is not None
        return Executor(step, execution, training.execution, training.steps, extends=extends)

    with OutOfMemoryGuard() as guard:
        if resume is None:
            players = match.init()
            average = dict(players) if training.ema_decay is not None else {}
            variables = Variables(players, dynamics.init(match, players, optimizer), average, match.buffers)
            _keep(runs, pack, _snapshot(dynamics, variables), 0)
        else:
            start, pack, alive, variables = _restore(runs, resume, device)
            execution = Execution(**resume["execution"]) if "execution" in resume else execution
            match = everyone.select(pack) if pack else everyone
        match.keeps_buffers = True
        variables, rates, execute = variables.map(Tensor.contiguous), match.rates(), executor()
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
                result, row = execute(variables, batches, scaled(rates, training.factor(step)))
                if step + 1 in training.snapshots:
                    _keep(runs, pack, _snapshot(dynamics, result), step + 1)
                rows.append(row)
                variables = result

        # Record the chunk; a member whose recorded values are not finite has diverged.
        record = torch.stack(rows).cpu().numpy() if rows else np.empty((0, len(pack), len(names)))
        for index, k in enumerate(pack):
            if runs[k].diverged is None:
                _record(runs[k], record[:, index])
        alive = [k for k in pack if runs[k].diverged is None]
        start += len(rows)

        # Members that have diverged leave the pack, once they are more than it may keep.
        if alive and len(pack) - len(alive) > execution.diverged_share * len(pack):
            staying = [index for index, k in enumerate(pack) if k in alive]
            variables = variables.map(lambda value, rows=staying: value[rows])
            pack, match = alive, match.select(staying)
            rates, execute = match.rates(), executor()
        if guard.cause and alive:
            raise OutOfMemory(guard.cause, _state(runs, start, pack, variables, execution))
        if at_chunk is not None:
            state = partial(_state, runs, start, pack, variables, execution)
            at_chunk(TrainingProgress(start, tuple(alive), state, lambda k: runs[k].recorder.curves()))

    about = {"about": {"execution": execution.form, "execution_why": execution.why}}
    if training.every is None:
        return [run.tree() | about for run in runs]
    last = _state(runs, start, pack, variables, execution)
    for run in last["runs"].values():
        run["snapshots"] = {}
    parts = [part_of(last, range(k, k + 1)) | {"step": run.recorder.steps_done} for k, run in enumerate(runs)]
    return [run.tree() | about | {"state": part} for run, part in zip(runs, parts, strict=True)]


def part_of(state: Tree, members: range) -> Tree:
    """The state of adjacent members of a pack, without the others, and without tensors of members that have diverged.

    Args:
        state: the state of the pack.
        members: indices of the members.
    """
    indices = [index for index, k in enumerate(state["pack"]) if k in members and k in state["alive"]]

    def taken(tree: Tree) -> Tree:
        return {name: taken(item) if isinstance(item, dict) else item[indices] for name, item in tree.items()}

    alive = [state["pack"][index] - members.start for index in indices]
    return {
        **{name: state[name] for name in ("step", "execution")},
        "pack": alive,
        "alive": alive,
        **{name: taken(state[name]) for name in Variables._fields},
        "runs": {str(index): state["runs"][str(k)] for index, k in enumerate(members)},
    }


def _snapshot(dynamics: Any, variables: Variables) -> dict[str, dict[str, Tensor]]:
    """What a snapshot keeps: parameters, buffers, and the moving average of the parameters if there is one."""
    players = dynamics.snapshot(variables.players, variables.states)
    average = {"average": variables.average} if variables.average else {}
    return {"players": players, "buffers": variables.buffers} | average


def _keep(runs: list[RunRecord], pack: list[int], snapshot: dict[str, dict[str, Tensor]], step: int) -> None:
    """Keep a snapshot, whose tensors are (K, ...), in the records of its members that have not diverged."""
    arrays = {
        kind: {name: value.detach().cpu().numpy() for name, value in kept.items()} for kind, kept in snapshot.items()
    }
    for index, k in enumerate(pack):
        if runs[k].diverged is not None:
            continue
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


def _state(runs: list[RunRecord], step: int, pack: list[int], variables: Variables, execution: Execution) -> Tree:
    """The whole state of training, as arrays."""
    return {
        "step": step,
        "execution": execution.tree(),
        "pack": list(pack),
        "alive": [k for k in pack if runs[k].diverged is None],
        **{name: _arrays(value) for name, value in variables._asdict().items()},
        "runs": {
            str(k): {
                "recorder": run.recorder.state(),
                "snapshots": {str(at): dict(kept) for at, kept in run.snapshots.items()},
                "diverged": None if run.diverged is None else list(run.diverged),
            }
            for k, run in enumerate(runs)
        },
    }


def _arrays(tensors: Tree) -> Tree:
    return {name: _arrays(value) if isinstance(value, dict) else value.cpu().numpy() for name, value in tensors.items()}


def _restore(runs: list[RunRecord], state: Tree, device: torch.device) -> tuple[int, list[int], list[int], Variables]:
    """Undo `_state`: fill the runs, and return the step, the members of the pack, those that have not diverged, and the
    variables."""
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

    variables = Variables(*(tensors(state[name]) for name in Variables._fields))
    return state["step"], list(state["pack"]), list(state["alive"]), variables
