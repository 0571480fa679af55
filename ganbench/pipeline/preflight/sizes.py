"""Counts of the memory that a run needs, made on the meta device, which allocates nothing.

The counts are lower bounds, so that a run that is refused could not have fitted into memory. Beside them, how much
longer the trial of a run's networks may take than that of small ones.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import nn

from ganbench.architectures import initial_module, trial_inputs
from ganbench.contracts.networks import MAX_LATENT
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import plural
from ganbench.core.recorder import GAN_SERIES, bin_edges, snapshot_steps
from ganbench.data import DataSpec
from ganbench.engine import fusing
from ganbench.engine.sampler import BATCH
from ganbench.engine.train import CHUNK, Training
from ganbench.games import Game
from ganbench.games.gan import GAN
from ganbench.pipeline.execution.memory import machine_memory, most_held
from ganbench.pipeline.plan import Plan
from ganbench.study.runs import Run
from ganbench.study.schema import Study

LARGE_BATCH = 4096  # activations are counted for larger batches only, since that costs seconds of imports
SINGLE = 4  # bytes of a number in float32
# Networks beyond these take longer to draw, compare and train for a few steps than small ones.
SMALL_PARAMETERS = 1e6  # of both networks
SMALL_WORK = 1e9  # floating-point operations of both forward passes, as often as a step takes gradients
MIN_COPIES = 3  # of the parameters: the present ones, their gradient, and the next ones


def memory_fault(study: Study, run: Run, available: int) -> str | None:
    """The reason why a run cannot fit into memory; None if it may fit.

    Args:
        study: the study.
        run: the run.
        available: the bytes of memory that a job may take; see `memory_of`.

    Returns:
        A sentence with the memory needed, the memory available, the largest part of it and a remedy.
    """
    needs = needed(study, run)
    if sum(needs.values()) <= available:
        return None
    largest = max(needs, key=needs.__getitem__)
    return (
        f"needs at least {_size(sum(needs.values()))} of memory, but {_size(available)} are available; most of "
        f"it is for {largest} ({_size(needs[largest])}); choose smaller values"
    )


def needed(study: Study, run: Run) -> dict[str, int]:
    """The bytes that one run needs at least, by their use.

    Args:
        study: the study.
        run: the run.

    Returns:
        The bytes by a description of their use; empty for a game without networks.
    """
    if not run.choice("architecture"):
        return {}
    architecture, data = run.choice("architecture").build(), run.choice("dataset").build().spec
    latent = getattr(architecture, "latent_size", None)
    if not isinstance(latent, int) or not 0 < latent <= MAX_LATENT:  # refused by the architecture's contract
        return {}
    train, evaluate = run.train, study.evaluate
    number = 2 * SINGLE if train.precision == "float64" else SINGLE
    part = train.batch_size // train.accumulation_steps  # as many examples pass a network together
    counted = {player: _counted(architecture, player, data, part > LARGE_BATCH) for player in GAN.players}
    parameters = sum(size for size, _ in counted.values())
    # One snapshot waits to be written; a diagnosis reads all.
    kept = len(snapshot_steps(train.steps, **train.snapshots.model_dump())) if study.diagnose else 1
    bins = len(bin_edges(train.steps, train.curve_bins, train.snapshots.every)) - 1
    example = prod(data.shape)
    words = ", ".join(f"{player}: {size:,} parameters" for player, (size, _) in counted.items())
    return {
        f"parameters, gradients and {plural(kept, 'snapshot')} of both networks ({words})": (MIN_COPIES + kept)
        * number
        * parameters,
        f"activations of {part:,} examples": number * part * sum(outputs for _, outputs in counted.values()),
        f"latent_size {architecture.latent_size:,} at batch_size {train.batch_size:,}": 2
        * number
        * min(CHUNK, train.steps)
        * train.batch_size
        * architecture.latent_size,
        f"the {data.train:,} training examples": data.train_bytes if data.train_bytes <= most_held() else 0,
        f"evaluate.samples {evaluate.samples:,}": SINGLE
        * (
            evaluate.samples * (example + architecture.latent_size)
            + min(BATCH, evaluate.samples) * counted["generator"][1]
        ),
        f"{bins:,} bins of the curves": 3 * 2 * SINGLE * len(GAN_SERIES) * bins,
    }


def memory_of(plan: Plan, *, here: bool) -> int:
    """The bytes of memory that a job of the study may take, on this machine or on a cluster.

    Args:
        plan: the study's plan.
        here: whether jobs will run on this machine.
    """
    most = plan.study.machine.max_mem_mb
    if not here:
        return 2**63 if most is None else most * 2**20
    return machine_memory()


def trial_size(game: Game, training: Training) -> float:
    """The number of times the usual limit of time that a few training steps of a game may take: 1 for small networks.

    Args:
        game: the game, with the batches of the trial.
        training: the training.
    """
    work = training.dynamics.gradients_per_step * fusing.forward_work(game)
    return max(1.0, fusing.parameters(game) / SMALL_PARAMETERS + work / SMALL_WORK)


def parameter_count(run: Run) -> int:
    """The number of parameters of a run's networks, of which nothing is allocated; 0 for a game without networks, and
    where they cannot be built.

    Args:
        run: the run, of components of the package.
    """
    architecture, dataset = run.choice("architecture"), run.choice("dataset")
    if not architecture or not dataset:
        return 0
    try:
        made, data = architecture.build(), dataset.build().spec
    except GanbenchError:  # which the trial reports
        return 0
    return sum(_counted(made, player, data, run=False)[0] for player in GAN.players)


def _counted(architecture: Any, player: str, data: DataSpec, run: bool) -> tuple[int, int]:
    """The number of a network's parameters, and of its layers' outputs for one example, as far as they can be counted.

    A network that cannot be built or run has a fault that the trial of its architecture reports.
    """
    outputs = 0

    def add(_: nn.Module, __: Any, output: Any) -> None:
        nonlocal outputs
        outputs += output.numel() if isinstance(output, torch.Tensor) else 0

    parameters, examples = 0, 2
    try:
        with torch.device("meta"), torch.no_grad():
            module = initial_module(architecture, player, data, seed=0)
            parameters = sum(each.numel() for each in module.parameters() if each.is_meta)
            for part in module.modules():
                if not list(part.children()):
                    part.register_forward_hook(add)
            if run:
                inputs = [x.to("meta") for x in trial_inputs(architecture, player, data, 2)]
                examples = len(inputs[0])
                module(*inputs)
    except Exception:  # a user's file may raise anything
        pass
    return parameters, outputs // max(examples, 1)


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"
