"""What must hold of training on a device, checked in seconds, on a machine that has little more than PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.cases import Case
from ganbench.core.tree import Tree
from ganbench.dynamics import Dynamics, StepResult
from ganbench.engine.execution import COMPILED, EAGER, GRAPH, TRACED
from ganbench.engine.train import Training, train
from ganbench.games import CHUNK, Match

CASES = (
    Case("mlp", "mlp", "ring8", steps=0, options={"width": 16}),
    Case("dcgan", "dcgan", "digits", steps=0, options={"base_channels": 8}),
)
EXACT, ROUNDED = 1e-9, 1e-5  # differences by the norm of what is compared, in double and in single precision
COMPILER = 1e-3  # and of compiled steps, after `FORM_STEPS` steps, which amplify what a compiler rounds otherwise
FORM_STEPS = 2 * CHUNK
RUNS = 4


@dataclass(frozen=True)
class Finding:
    """The result of a check, in words; `holds` is None where it does not apply."""

    holds: bool | None
    words: str


def forms(device: torch.device) -> tuple[str, ...]:
    """The forms of execution that a device has, beside eager steps."""
    return (TRACED, COMPILED) if device.type == "cpu" else (TRACED, COMPILED, GRAPH)


def _training(case: Case, steps: int, execution: str = EAGER, dtype: torch.dtype = torch.float32) -> Training:
    return replace(case.training(steps), execution=execution, dtype=dtype, snapshots=(0, 1, steps))


def _train(
    case: Case, training: Training, device: torch.device, seeds: Sequence[int] = (), resume: Tree | None = None
) -> list[Tree]:
    """Train the runs of these seeds, or `RUNS` of them."""
    seeds = seeds or range(RUNS)
    game, members = case.game(device), case.members(max(seeds) + 1)
    if training.dtype == torch.float64:
        game = replace(game, examples=game.examples.double())
    return train(game, training, [members[seed] for seed in seeds], device=device, resume=resume)


def difference(found: Sequence[Tree], expected: Sequence[Tree], snapshot: int = -1) -> float:
    """The largest norm of a difference of parameters, by the norm of what is expected, of all runs and players."""
    return max(
        float(np.linalg.norm(one[player][snapshot] - other[player][snapshot]) / np.linalg.norm(other[player][snapshot]))
        for one, other in zip(_snapshots(found), _snapshots(expected), strict=True)
        for player in ("discriminator", "generator")
    )


def _snapshots(trees: Sequence[Tree]) -> list[Tree]:
    return [tree["snapshots"] for tree in trees]


def _equal(found: Sequence[Tree], expected: Sequence[Tree]) -> bool:
    """Whether snapshots and curves have the same bits."""
    return all(
        np.array_equal(one[part][name], other[part][name], equal_nan=one[part][name].dtype.kind == "f")
        for one, other in zip(found, expected, strict=True)
        for part in ("snapshots", "curves")
        for name in other[part]
        if isinstance(other[part][name], np.ndarray)
    )


def fused_against_alone(device: torch.device) -> Finding:
    """A pack gives the numbers that its runs give alone: in double precision, to rounding."""
    found = {}
    for case in CASES:
        training = _training(case, CHUNK, dtype=torch.float64)
        alone = [tree for seed in range(RUNS) for tree in _train(case, training, device, [seed])]
        found[case.name] = difference(_train(case, training, device), alone)
    return _bounded(found, EXACT)


def resumed(device: torch.device) -> Finding:
    """Training that goes on from a state in the middle ends with the same bits, however steps are executed."""
    found = {}
    for form in (EAGER, *forms(device)):
        for case in CASES:
            training, states = _training(case, 3 * CHUNK, form), []
            game, members = case.game(device), case.members(RUNS)
            whole = train(
                *(game, training, members),
                device=device,
                at_chunk=lambda progress, states=states: states.append(deepcopy(progress.state())),
            )
            found[f"{case.name} {form}"] = _equal(_train(case, training, device, resume=states[1]), whole)
    other = [name for name, same in found.items() if not same]
    return Finding(not other, f"other bits: {', '.join(other)}" if other else f"the same bits: {', '.join(found)}")


def forms_against_eager(device: torch.device) -> Finding:
    """Steps that are traced, compiled or captured give the numbers of eager ones."""
    found, failed = {}, []
    for case in CASES:
        eager = _train(case, _training(case, FORM_STEPS), device)
        for form in forms(device):
            trees = _train(case, _training(case, FORM_STEPS, form), device)
            found[f"{case.name} {form}"] = difference(trees, eager)
            about = trees[0]["about"]
            if about["execution"] != form:
                failed.append(f"{case.name} {form}: {about['execution_why']}")
    finding = _bounded(found, COMPILER)
    return Finding(False, "; ".join([*failed, finding.words])) if failed else finding


def cpu_against_device(device: torch.device) -> Finding:
    """A GPU gives the CPU's numbers: in double precision, and those of a first step in single precision."""
    if device.type == "cpu":
        return Finding(None, "a CPU is not compared with itself")
    cpu, found, first = torch.device("cpu"), {}, {}
    for case in CASES:
        for dtype, where, snapshot in ((torch.float64, found, -1), (torch.float32, first, 1)):
            training = _training(case, CHUNK, dtype=dtype)
            where[case.name] = difference(_train(case, training, device), _train(case, training, cpu), snapshot)
    double, single = _bounded(found, EXACT), _bounded(first, ROUNDED)
    words = f"double precision: {double.words}; a first step in single precision: {single.words}"
    return Finding(bool(double.holds and single.holds), words)


def halved(device: torch.device) -> Finding:
    """A pack that does not fit into memory goes on in halves, and gives the same numbers."""
    from benchmarks.overhead import trained
    from ganbench.pipeline.execution.job_context import JobContext
    from ganbench.pipeline.jobs import ExecutionSettings
    from ganbench.pipeline.stages.train import train_new

    case = CASES[0]
    training = _training(case, 2 * CHUNK, dtype=torch.float64)
    context = JobContext(ExecutionSettings(device=device.type))
    with trained(case, RUNS, training) as job, tempfile.TemporaryDirectory() as folder:
        double = replace(case.game(device), examples=case.game(device).examples.double())
        with (
            patch("ganbench.pipeline.stages.train.build_game", lambda *_: double),
            _room_for(RUNS // 2, training),
        ):
            resume = Path(folder) / "train" / ".resume" / "pack"  # as in a folder of results
            trees = [tree for _, tree in train_new(job.task, list(job.task.members), resume, context)]
        # Whole arrays while their files are there, should they be in files.
        found = [{"snapshots": {name: values[:] for name, values in tree["snapshots"].items()}} for tree in trees]
    together = sorted({tree["about"]["together"] for tree in trees})
    largest = difference(found, _train(case, training, device))
    holds = together == [RUNS // 2] and largest <= EXACT
    return Finding(holds, f"{RUNS} runs went on as packs of {together}; largest difference {largest:.1e}")


@contextmanager
def _room_for(runs: int, training: Training) -> Iterator[None]:
    """A block in which a training step of more runs than this runs out of memory, as the allocator says it."""
    dynamics = type(training.dynamics)
    step = dynamics.step

    def limited(self: Dynamics, match: Match, *given: Any) -> StepResult:
        if len(match.members) > runs:
            if match.device.type == "cuda":  # the allocator's own error: for twice what the GPU has
                torch.empty(2 * torch.cuda.get_device_properties(match.device).total_memory, device=match.device)
            raise torch.OutOfMemoryError("out of memory: there is room for fewer runs in this check")
        return step(self, match, *given)

    with patch.object(dynamics, "step", limited):
        yield


def _bounded(found: dict[str, float], bound: float) -> Finding:
    words = ", ".join(f"{name} {value:.1e}" for name, value in found.items())
    return Finding(all(value <= bound for value in found.values()), f"{words} (at most {bound:g})")


CHECKS = {  # those that compile nothing first
    "a pack against its runs alone": fused_against_alone,
    "the GPU against the CPU": cpu_against_device,
    "out of memory: on in halves": halved,
    "traced, compiled, captured against eager": forms_against_eager,
    "resumed against uninterrupted": resumed,
}
