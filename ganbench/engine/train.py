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
from ganbench.engine.phases import PhasedExecutor
from ganbench.engine.precision import lowered_products
from ganbench.engine.records import EarlyStop, RunRecord, keep_snapshot, record_steps, stop_runs
from ganbench.engine.resuming import part_of, restore, training_state
from ganbench.engine.snapshots import SnapshotsInMemory, SnapshotStore, snapshot
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
        alive: indices of the members that have neither diverged nor been stopped.
        state: returns the state from which training can be resumed; to be called before the next step.
        curves: returns the curves so far of the member with an index.
    """

    step: int
    alive: tuple[int, ...]
    state: Callable[[], Tree]
    curves: Callable[[int], Tree]


def train(
    game: Game,
    training: Training,
    members: Sequence[Member],
    *,
    device: torch.device,
    resume: Tree | None = None,
    at_chunk: Callable[[TrainingProgress], None] | None = None,
    store: SnapshotStore | None = None,
    stop: EarlyStop | None = None,
) -> list[Tree]:
    """Train the members, fused.

    Args:
        game: the game.
        training: how the members are trained.
        members: the runs.
        device: device to train on.
        resume: the state of an interrupted call; training goes on from there, with the same results bit for bit.
        at_chunk: called every `CHUNK` steps.
        store: keeps the snapshots, those before `resume` among them; None to keep them in memory and in the state.
        stop: decides which members end before the last step; None for none.

    Returns:
        Of every member its curves (bins of every recorded series, and their names), its snapshots (parameters (S, P) of
        both players and their steps), its networks' `buffers` at these, (S, ...) each, the moving `average` of the
        parameters at these, (S, P) of each player, if there is one, `diverged` (None, or the step and the cause),
        `stopped` (None, or the step and the reason; its last snapshot is of this step), `steps_done`, `about` how steps
        were executed and why, and with `training.every` its last `state`, without the snapshots. A `store` of one's own
        decides what stands for the snapshots, buffers and averages.

    Raises:
        OutOfMemory: a step does not fit into memory; its state contains all steps before.
    """
    # Everything that changes from step to step: the variables, the members that go on, the records. The pack may keep
    # members that have diverged or been stopped, whose numbers are not read.
    dynamics, optimizer = training.dynamics, training.optimizer
    everyone = match = Match(game, members, device, training.dtype)
    names = series_names(game.players, game.series)
    bins = (training.steps, training.curve_bins, names, training.every)
    runs = [RunRecord(Recorder(*bins)) for _ in members]
    store = store or SnapshotsInMemory()
    pack = alive = list(range(len(members)))
    start, extends = 0, training.every is not None
    execution = intended(training.execution, training.steps, device, extends=extends)

    def executor() -> PhasedExecutor:
        known = execution.settled

        def of_phase(match: Match) -> Executor:
            step = Step(match, dynamics, optimizer, training.ema_decay, names)
            return Executor(step, execution, training.steps, extends=extends, known=known)

        return PhasedExecutor(match, of_phase)

    def alive_rows() -> dict[int, int]:
        """The members that go on, with their rows in the pack."""
        return {k: row for row, k in enumerate(pack) if runs[k].alive}

    with OutOfMemoryGuard() as guard:
        if resume is None:
            players = match.init()
            average = dict(players) if training.ema_decay is not None else {}
            variables = Variables(players, dynamics.init(match, players, optimizer), average, match.buffers)
            keep_snapshot(store, runs, dict(zip(pack, pack, strict=True)), snapshot(dynamics, variables), 0)
        else:
            start, pack, alive, variables = restore(runs, resume, device)
            known = Execution(**resume["execution"]) if "execution" in resume else execution
            execution = known if known.mode == training.execution else execution  # the study may ask for another now
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
                result, row = execute(step, variables, batches, scaled(rates, training.factor(step)))
                if step + 1 in training.snapshots:
                    keep_snapshot(store, runs, alive_rows(), snapshot(dynamics, result), step + 1)
                rows.append(row)
                variables = result
                del batches, result  # before the next ones need their memory

        # Record the chunk; a member whose recorded values are not finite has diverged. Others may be stopped.
        record = torch.stack(rows).cpu().numpy() if rows else np.empty((0, len(pack), len(names)))
        for index, k in enumerate(pack):
            if runs[k].alive:
                record_steps(runs[k], record[:, index])
        start += len(rows)
        if stop is not None and start in stop.checks:
            stop_runs(stop, store, runs, alive_rows(), partial(snapshot, dynamics, variables), start)
        alive = list(alive_rows())

        # Members that no longer train leave the pack, once they are more than it may keep.
        if alive and len(pack) - len(alive) > execution.diverged_share * len(pack):
            staying = [index for index, k in enumerate(pack) if k in alive]
            variables = variables.map(lambda value, rows=staying: value[rows])
            pack, match = alive, match.select(staying)
            rates, execute = match.rates(), executor()
        if guard.cause and alive:
            raise OutOfMemory(guard.cause, training_state(runs, start, pack, variables, execution))
        if at_chunk is not None:
            state = partial(training_state, runs, start, pack, variables, execution)
            at_chunk(TrainingProgress(start, tuple(alive), state, lambda k: runs[k].recorder.curves()))

    about = {"about": {"execution": execution.form, "execution_why": execution.why}}
    if training.every is None:
        return [run.tree(store) | about for run in runs]
    last = training_state(runs, start, pack, variables, execution)
    for run in last["runs"].values():
        run["snapshots"] = {}
    parts = [part_of(last, range(k, k + 1)) | {"step": run.recorder.steps_done} for k, run in enumerate(runs)]
    return [run.tree(store) | about | {"state": part} for run, part in zip(runs, parts, strict=True)]
