"""From a job's task to the objects that it names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganbench.core import registry, result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.source_digests import engine_digest, sources_digest
from ganbench.data import Examples
from ganbench.engine.train import Training, snapshot_steps
from ganbench.games import Game
from ganbench.pipeline.tasks import Component, Group

CPU = torch.device("cpu")


def build(family: str, component: Component) -> Any:
    """The member of a family that a task names, with its options."""
    member = registry.find(family, component.name)
    return member.build(member.complete(component.options))


def training_images(prepared: Path | None) -> np.ndarray | None:
    """The training examples of a prepared data set, (N, *example); None for a game without one."""
    return None if prepared is None else examples(prepared).train


def build_game(
    components: dict[str, Component], train: dict[str, Any], images: np.ndarray | None, device: torch.device
) -> Game:
    """The game that a run's components make up.

    Args:
        components: What the run is made of, by family.
        train: The training options.
        images: The training examples, (N, *example), if the game has any.
        device: The device of its tensors.
    """
    named = components["game"]
    game = registry.find("game", named.name)
    taken = {family: build(family, components[family]) for family in game.constants.get("components", ())}
    if "dataset" in taken:
        data = taken.pop("dataset").spec
        images = np.zeros((1, *data.shape), np.float32) if images is None else images
        held = torch.from_numpy(images).to(device, getattr(torch, train["dtype"]))
        taken |= {"data": data, "examples": held, "batch_size": train["batch_size"]}
    return game.build(game.complete(named.options), **taken)


def build_training(train: dict[str, Any], components: dict[str, Component]) -> Training:
    """How runs of these components train."""
    return Training(
        dynamics=build("dynamics", components["dynamics"]),
        optimizer=build("optimizer", components["optimizer"]),
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


def verify(expected: str, components: Iterable[tuple[str, Component]], engine: str | None = None) -> None:
    """Refuse to compute under a digest that is no longer the sources'.

    Args:
        expected: The digest of the sources when the job was planned.
        components: The members that the job works with, each with its family.
        engine: The module of `ganbench/engine` that computes, if one does.

    Raises:
        GanbenchError: A source file has been edited since.
    """
    members = [registry.find(family, component.name) for family, component in components]
    found = engine_digest(engine, members) if engine else sources_digest(*(member.path for member in members))
    if found != expected:
        raise GanbenchError(
            "source files were edited after this job was planned, so its result would carry a wrong digest. Start the "
            "workflow again; what is computed is kept."
        )
