"""Stage `diagnose`: measures a pack's runs with diagnostics.

Observations whose results a file of the study holds already are not made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganbench.core import result_files
from ganbench.core.formatting import plural
from ganbench.core.tree import Tree
from ganbench.diagnostics import Diagnostic
from ganbench.engine import subpacks
from ganbench.engine.diagnose import diagnose
from ganbench.engine.out_of_memory import OutOfMemoryGuard
from ganbench.engine.run_examples import Judging
from ganbench.engine.scoring import Scorer
from ganbench.engine.train import Training
from ganbench.games import Game
from ganbench.pipeline.execution import inception_weights, result_cache
from ganbench.pipeline.execution.checkpoints import checkpointed
from ganbench.pipeline.execution.devices import acquire_device
from ganbench.pipeline.execution.instantiation import (
    CPU,
    TrainingSet,
    build,
    build_game,
    build_training,
    examples,
    verify,
    verify_groups,
)
from ganbench.pipeline.execution.job_context import JobContext
from ganbench.pipeline.execution.progress import log
from ganbench.pipeline.execution.provenance import versions
from ganbench.pipeline.jobs import Job
from ganbench.pipeline.stages.reference import judge_state
from ganbench.pipeline.tasks import DiagnoseTask, FittedJudge, Observation

Results = list[tuple[Observation, Tree]]


def run(job: Job, context: JobContext) -> None:
    """Make the observations of a job that no file holds, and write the results of all into one file."""
    task = job.task
    for config in task.experiments.values():
        verify(config.sources, [("diagnostic", config.diagnostic)], "diagnose")
        if config.judge:
            verify(config.judge.sources, [("judge", config.judge.judge)], "scoring")
    verify_groups(task.groups)

    def compute(new: list[Observation], resume: Path) -> Results:
        batches = (_of_runs if task.trained else _of_study)(task, new, context)
        return checkpointed(map(_stored, batches), len(new), "diagnose", resume, context)

    result_cache.complete(job, compute, context)


def _stored(results: Results) -> Results:
    """Results as their file holds them: the numbers, which may be NaN, in one array beside an array of their names."""
    return [
        (each, tree | {"columns": list(tree["values"]), "values": np.array([*tree["values"].values()], np.float64)})
        for each, tree in results
    ]


def _of_study(task: DiagnoseTask, new: list[Observation], context: JobContext) -> Iterator[Results]:
    about = versions(CPU)
    for each in new:
        result = build("diagnostic", task.experiments[each.experiment].diagnostic).measure(None)
        values = {name: float(value) for name, value in result.values.items()}
        arrays = {name: np.asarray(array) for name, array in result.arrays.items()}
        yield [(each, {"values": values, "arrays": arrays, "about": about})]


def _of_runs(task: DiagnoseTask, new: list[Observation], context: JobContext) -> Iterator[Results]:
    """Make the observations of runs, those of one experiment and one group together."""
    real = examples(task.prepared) if task.prepared else None
    given = real and TrainingSet(real.train, real.train_modes)
    total = len({each.digest for each in task.observations})  # two experiments may make the same observation
    with (
        acquire_device(context.settings.device) as device,
        result_files.open_file(task.trained, "train") as file,
        context.progress(f"diagnose {task.pack}", total, "observations", done=total - len(new)) as report,
    ):
        done, about = total - len(new), versions(device)
        for (experiment, group), mine in groupby(new, key=lambda each: (each.experiment, each.member.group)):
            alike, components = list(mine), task.groups[group].components
            game, config = build_game(components, task.train, given, device), task.experiments[experiment]
            diagnostic = build("diagnostic", config.diagnostic)
            if diagnostic.unsupported(game) is None:
                training = build_training(task.train, components)
                seen = {"real": real, "judging": config.judge and _judging(config.judge)}
                diagnosed = partial(_diagnosed, file, diagnostic, game, training, device, seen)
                trees = _split_to_fit(diagnosed, alike, device)
            else:  # an experiment without a selector skips the games that its diagnostic does not support
                trees = [{"values": {}, "arrays": {}} for _ in alike]
            yield [(each, {**tree, "about": about}) for each, tree in zip(alike, trees, strict=True)]
            done += len(alike)
            report(done)


def _diagnosed(
    file: result_files.Group,
    diagnostic: Diagnostic,
    game: Game,
    training: Training,
    device: torch.device,
    seen: dict[str, Any],
    observations: list[Observation],
) -> list[Tree]:
    """The results of a diagnostic for runs of one group, measured together."""
    return diagnose(
        diagnostic,
        game,
        training.dynamics,
        training.optimizer,
        [each.member for each in observations],
        [_snapshots(result_cache.group_of(file, each.trained)) for each in observations],
        training.snapshots,
        device=device,
        dtype=training.dtype,
        schedule=training.factor,
        **seen,
        ema_decay=training.ema_decay,
    )


def _judging(fitted: FittedJudge) -> Judging:
    """What judges examples, with the state that stage `judge` wrote."""
    inception_weights.provide(fitted.weights)
    return Scorer(build("judge", fitted.judge), judge_state(fitted.fitted), ()).judged


def _snapshots(run: result_files.Group) -> Tree:
    """The snapshots of a run, with its networks' buffers."""
    read = {name: result_files.read_tree(result_files.descend(run, name)) for name in ("snapshots", "buffers")}
    return read["snapshots"] | {"buffers": read["buffers"]}


def _split_to_fit(
    diagnosed: Callable[[list[Observation]], list[Tree]], observations: list[Observation], device: torch.device
) -> list[Tree]:
    """Measure all runs at once if they fit into memory together, otherwise in halves.

    Raises:
        GanbenchError: a single run does not fit into memory.
    """
    memory = OutOfMemoryGuard()
    with memory:
        return diagnosed(observations)
    subpacks.release(device)
    where = f"memory ran out for {plural(len(observations), 'run')}"
    sizes = subpacks.halved_sizes(len(observations), None)
    if len(sizes) == 1:
        raise subpacks.does_not_fit(observations[0].id, where, memory.cause, device, "leave this experiment out")
    log(f"{where} ({memory.cause}); they are measured as {sizes[0]} + {sizes[1]}")
    halves = observations[: sizes[0]], observations[sizes[0] :]
    return [tree for half in halves for tree in _split_to_fit(diagnosed, half, device)]
