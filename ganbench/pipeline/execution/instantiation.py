"""From a job's slice to the objects it names."""

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
from ganbench.diagnostics import Diagnostic
from ganbench.games import Game

CPU = torch.device("cpu")


def make(family: str, named: dict[str, Any]) -> Any:
    """The member of a family that a slice names, with its options."""
    member = registry.find(family, named["name"])
    return member.build(member.complete(named["options"]))


def instrument_of(named: dict[str, Any]) -> Diagnostic:
    """The instrument of an experiment."""
    return make("diagnostic", named)


def images_of(prepared: str | None) -> np.ndarray | None:
    """The training examples of a prepared data set; None for a game without one."""
    return None if prepared is None else examples(Path(prepared)).train


def build_game(parts: dict[str, Any], train: dict[str, Any], images: np.ndarray | None, place: torch.device) -> Game:
    """The rules of the game that a run's parts make up.

    Args:
        parts: by family, as a slice names them.
        train: the slice's training options.
        images: of the data set, if the game has one.
        place: where its tensors shall lie.
    """
    game = registry.find("game", parts["game"]["name"])
    taken = {family: make(family, parts[family]) for family in game.constants.get("components", ())}
    if "dataset" in taken:
        data = taken.pop("dataset").spec
        images = np.zeros((1, *data.shape), np.float32) if images is None else images
        held = torch.from_numpy(images).to(place, getattr(torch, train["dtype"]))
        taken |= {"data": data, "examples": held, "batch_size": train["batch_size"]}
    return game.build(game.complete(parts["game"]["options"]), **taken)


def examples(path: Path) -> Examples:
    """A prepared data set."""
    with result_files.open_file(path, "prepare") as file:
        return Examples(**result_files.read_tree(result_files.descend(file, "examples")))


def verify(expected: str, named: Iterable[tuple[str, dict[str, Any]]], engine: str | None = None) -> None:
    """Refuse to compute under a digest that is no longer the sources'.

    Args:
        expected: digest of the sources when the job was planned.
        named: the parts it will work with: (family, as the slice names it).
        engine: module of `ganbench/engine` that will compute, if one does.

    Raises:
        GanbenchError: a source file has been edited since.
    """
    members = [registry.find(family, part["name"]) for family, part in named]
    found = engine_digest(engine, members) if engine else sources_digest(*(member.path for member in members))
    if found != expected:
        raise GanbenchError(
            "source files were edited after this job was planned, so its result would carry a wrong digest. Start the "
            "workflow again; what is computed is kept."
        )
