"""Construction of the objects that a job's task describes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ganbench.core import registry, result_files
from ganbench.core.dataset_specs import built_dataset
from ganbench.core.errors import GanbenchError
from ganbench.core.recorder import snapshot_steps
from ganbench.core.source_digests import engine_digest, refuse_edited, sources_digest
from ganbench.data import Examples
from ganbench.engine import components
from ganbench.engine.precision import PRECISIONS
from ganbench.engine.train import Training
from ganbench.games import Game, TrainingExamples
from ganbench.pipeline.execution import memory
from ganbench.pipeline.tasks import ComponentConfig, FusableGroup, PackMember, TrainTask
from ganbench.study.blocks import Train
from ganbench.study.choices import Choice
from ganbench.study.runs import Run

CPU = torch.device("cpu")


def build(family: str, component: ComponentConfig) -> Any:
    """Build a component of a family with its options."""
    return components.build_component(family, component.name, component.options)


def run_of(task: TrainTask, member: PackMember) -> Run:
    """The run that a member of a pack stands for, made from the task alone."""
    return runs_of(task, [member])[0]


def runs_of(task: TrainTask, members: Iterable[PackMember]) -> list[Run]:
    """The runs that members of a pack stand for; those of one group share their choices, which take long to make."""
    choices = [
        tuple(
            Choice(family=family, name=each.name, options=each.options, label=each.label)
            for family, each in group.components.items()
        )
        for group in task.groups
    ]
    train = Train.model_validate(task.train)
    return [
        Run(
            choices[member.group],
            member.n_train,
            member.learning_rate,
            member.seed,
            train,
            member.method,
            member.block,
            member.variant,
            member.generator_learning_rate,
        )
        for member in members
    ]


class TrainingSet(NamedTuple):
    """The training examples of a data set as stored, of shape (N, *example), and the label of each, of shape (N,); None
    without labels."""

    images: np.ndarray
    labels: np.ndarray | None


def training_set(prepared: Path | None) -> TrainingSet | None:
    """The training examples and labels of a prepared data set; None for a game without a data set."""
    if prepared is None:
        return None
    known = examples(prepared)
    return TrainingSet(known.train, known.train_modes)


def build_game(
    configs: dict[str, ComponentConfig], train: dict[str, Any], given: TrainingSet | None, device: torch.device
) -> Game:
    """Build the game of a run.

    Args:
        configs: the run's components, by family.
        train: the training options.
        given: the training examples and their labels. If None, a game with a data set gets one example of zeros.
        device: the device of the game's tensors.

    Returns:
        The game.
    """
    game = configs["game"]
    built = {
        family: built_dataset(configs[family].name, configs[family].options)
        if family == "dataset"
        else build(family, configs[family])
        for family in components.game_families(game.name)
    }
    held = {}
    if "dataset" in built:
        if given is None:
            given = TrainingSet(np.zeros((1, *built["dataset"].spec.shape), np.float32), np.zeros(1, np.int64))
        spec, precision = built["dataset"].spec, PRECISIONS[train["precision"]][0]
        held["examples"] = TrainingExamples.placed(given.images, device, precision, spec.mean, spec.std)
        held["labels"] = None if given.labels is None else torch.from_numpy(given.labels)
        held |= {name: train[name] for name in ("batch_size", "accumulation_steps")}
        held["subset_seed"] = train.get("subset_seed")
    return components.build_game(game.name, game.options, built, **held)


def build_training(train: dict[str, Any], configs: dict[str, ComponentConfig]) -> Training:
    """Build the training of runs.

    Args:
        train: the training options.
        configs: the components of the runs, by family.

    Returns:
        The training.

    Raises:
        GanbenchError: training is too short for its schedule.
    """
    schedule = build("schedule", configs["schedule"])
    if fault := schedule.fault(train["steps"]):
        raise GanbenchError(f"schedule {configs['schedule'].name!r}: {fault}.")
    dtype, products = PRECISIONS[train["precision"]]
    return Training(
        dynamics=build("dynamics", configs["dynamics"]),
        optimizer=build("optimizer", configs["optimizer"]),
        schedule=schedule,
        steps=train["steps"],
        dtype=dtype,
        snapshots=snapshot_steps(train["steps"], **train["snapshots"]),
        curve_bins=train["curve_bins"],
        ema_decay=train["ema_decay"],
        every=train["snapshots"]["every"],
        products=products,
    )


def examples(path: Path) -> Examples:
    """Read the examples of a prepared data set; those that would take too much memory are maps of the file."""
    with result_files.open_file(path, "prepare") as file:
        group = result_files.descend(file, "examples")
        return Examples(**result_files.read_tree(group, most=memory.most_held()))


def verify_groups(groups: Iterable[FusableGroup]) -> None:
    """Refuse to compute if the sources of a group were edited after the job was planned; see `verify`."""
    for group in groups:
        verify(group.sources, group.components.items(), "train")


def verify(expected: str, configs: Iterable[tuple[str, ComponentConfig]], engine: str | None = None) -> None:
    """Refuse to compute if source files were edited after the job was planned.

    Args:
        expected: the digest of the sources when the job was planned.
        configs: the components that the job uses, each with its family.
        engine: the module of `ganbench/engine` that the job uses, if any.

    Raises:
        GanbenchError: the sources have another digest.
    """
    infos = [
        info for family, config in configs for info in registry.find(family, config.name).with_parts(config.options)
    ]
    found = engine_digest(engine, infos) if engine else sources_digest(*(info.path for info in infos))
    refuse_edited(expected, found)
