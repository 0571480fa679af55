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
from ganbench.engine.records import RunRecord, keep_snapshot, record_steps
from ganbench.engine.resuming import part_of, restore, training_state
from ganbench.engine.snapshots import SnapshotsInMemory, SnapshotStore, snapshot
from ganbench.games import CHUNK, Game, Match, Member, Players
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


def train(
    game: Game,
    training: Training,
    members: Sequence[Member],
    *,
    device: torch.device,
    resume: Tree | None = None,
    at_chunk: Callable[[TrainingProgress], None] | None = None,
    store: SnapshotStore | None = None,
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

    Returns:
        Of every member its curves (bins of every recorded series, and their names), its snapshots (parameters (S, P) of
        both players and their steps), its networks' `buffers` at these, (S, ...) each, the moving `average` of the
        parameters at these, (S, P) of each player, if there is one, `diverged` (None, or the step and the cause),
        `steps_done`, and with `training.every` its last `state`, without the snapshots. A `store` of one's own decides
        what stands for the snapshots, buffers and averages.

    Raises:
        OutOfMemory: a step does not fit into memory; its state contains all steps before.
    """
    # Everything that changes from step to step: players, states, members still in training, records.
    dynamics, optimizer = training.dynamics, training.optimizer
    everyone = match = Match(game, members, device, training.dtype)
    names = series_names(game.players, game.series)
    bins = (training.steps, training.curve_bins, names, training.every)
    runs = [RunRecord(Recorder(*bins)) for _ in members]
    store = store or SnapshotsInMemory()
    alive = list(range(len(members)))
    start = 0
    with OutOfMemoryGuard() as guard:
        if resume is None:
            players = match.init()
            states = dynamics.init(match, players, optimizer)
            average = dict(players) if training.ema_decay is not None else {}
            keep_snapshot(store, runs, alive, snapshot(dynamics.snapshot(players, states), average, match), 0)
        else:
            start, alive, players, states, average, buffers = restore(runs, resume, device)
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
                    kept = snapshot(dynamics.snapshot(result.players, result.states), moved, match)
                    keep_snapshot(store, runs, alive, kept, step + 1)
                rows.append(row)
                players, states, average, buffers = result.players, result.states, moved, match.buffers
        if guard.cause:
            match.buffers = buffers  # those of the last whole step

        # Record the chunk; a member whose recorded values are not finite has diverged and leaves the pack.
        record = torch.stack(rows).cpu().numpy() if rows else np.empty((0, len(alive), len(names)))
        for index, k in enumerate(alive):
            record_steps(runs[k], record[:, index])
        staying = [index for index, k in enumerate(alive) if runs[k].diverged is None]
        if len(staying) < len(alive):
            alive = [alive[index] for index in staying]
            players, states, average = _select(players, states, average, staying)
            match = match.select(staying) if staying else everyone
            buffers, rates = match.buffers, match.rates()
        start += len(rows)
        if guard.cause and alive:
            raise OutOfMemory(guard.cause, training_state(runs, start, alive, players, states, average, match.buffers))
        if at_chunk is not None:
            state = partial(training_state, runs, start, alive, players, states, average, match.buffers)
            at_chunk(TrainingProgress(start, tuple(alive), state, lambda k: runs[k].recorder.curves()))

    if training.every is None:
        return [run.tree(store) for run in runs]
    last = training_state(runs, start, alive, players, states, average, match.buffers)
    for run in last["runs"].values():
        run["snapshots"] = {}
    parts = [part_of(last, range(k, k + 1)) | {"step": run.recorder.steps_done} for k, run in enumerate(runs)]
    return [run.tree(store) | {"state": part} for run, part in zip(runs, parts, strict=True)]


def _select(players: Players, states: States, average: Players, indices: list[int]) -> tuple[Players, States, Players]:
    def kept(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value[indices] for name, value in tensors.items()}

    return kept(players), {owner: kept(state) for owner, state in states.items()}, kept(average)
