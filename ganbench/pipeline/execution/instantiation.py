"""From a job's task to the objects that it names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ganbench.core import registry, result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import engine_digest, sources_digest
from ganbench.data import Examples
from ganbench.engine import components
from ganbench.engine.train import Training, snapshot_steps
from ganbench.games import Game
from ganbench.pipeline.tasks import ComponentConfig, Group, PackMember, TrainTask

if TYPE_CHECKING:
    from ganbench.study.grid import Run

CPU = torch.device("cpu")


def build(family: str, component: ComponentConfig) -> Any:
    """The component of a family that a task names, with its options."""
    return components.build_component(family, component.name, component.options)


def run_of(task: TrainTask, member: PackMember) -> Run:
    """The point of the grid that a member of a pack is, without the grid."""
    from ganbench.study.blocks import Train  # not before it is needed: these import pydantic, which takes a while
    from ganbench.study.choices import Choice
    from ganbench.study.grid import Run

    choices = tuple(
        Choice(family=family, name=each.name, options=each.options, label=each.label)
        for family, each in task.groups[member.group].components.items()
    )
    train = Train.model_validate(task.train)
    return Run(choices, member.n_train, member.learning_rate, member.seed, train, member.method, member.block)


def training_images(prepared: Path | None) -> np.ndarray | None:
    """The training examples of a prepared data set, (N, *example); None for a game without one."""
    return None if prepared is None else examples(prepared).train


def build_game(
    configs: dict[str, ComponentConfig], train: dict[str, Any], images: np.ndarray | None, device: torch.device
) -> Game:
    """The game that a run's components make up.

    Args:
        configs: What the run is made of, by family.
        train: The training options.
        images: The training examples, (N, *example); zeros stand in for them where a game that has some gets none.
        device: The device of its tensors.
    """
    game = configs["game"]
    built = {family: build(family, configs[family]) for family in components.game_components(game.name)}
    held = None
    if "dataset" in built:
        images = np.zeros((1, *built["dataset"].spec.shape), np.float32) if images is None else images
        held = torch.from_numpy(images).to(device, getattr(torch, train["dtype"]))
    return components.build_game(game.name, game.options, built, examples=held, batch_size=train["batch_size"])


def build_training(train: dict[str, Any], configs: dict[str, ComponentConfig]) -> Training:
    """How runs of these components train."""
    return Training(
        dynamics=build("dynamics", configs["dynamics"]),
        optimizer=build("optimizer", configs["optimizer"]),
        steps=train["steps"],
        dtype=getattr(torch, train["dtype"]),
        snapshots=snapshot_steps(train["steps"], **train["snapshots"]),
        curve_bins=train["curve_bins"],
    )


def examples(path: Path) -> Examples:
    """A prepared data set."""
    with result_files.open_file(path, "prepare") as file:
        return Examples(**result_files.read_tree(result_files.descend(file, "examples")))


def verify_groups(groups: Iterable[Group]) -> None:
    """Refuse to compute for runs whose sources have been edited since the job was planned; see `verify`."""
    for group in groups:
        verify(group.sources, group.components.items(), "train")


def verify(expected: str, configs: Iterable[tuple[str, ComponentConfig]], engine: str | None = None) -> None:
    """Refuse to compute under a digest that is no longer the sources'.

    Args:
        expected: The digest of the sources when the job was planned.
        configs: The components that the job works with, each with its family.
        engine: The module of `ganbench/engine` that computes, if one does.

    Raises:
        GanbenchError: A source file has been edited since.
    """
    infos = [registry.find(family, config.name) for family, config in configs]
    found = engine_digest(engine, infos) if engine else sources_digest(*(info.path for info in infos))
    if found != expected:
        raise GanbenchError(
            "source files were edited after this job was planned, so its result would carry a wrong digest. Start the "
            "workflow again; what is computed is kept."
        )
