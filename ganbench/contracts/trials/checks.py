"""The checks of a trial, and small games, trainings and examples that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch

from ganbench.contracts import supports_fault
from ganbench.contracts.data import few_examples
from ganbench.contracts.steps import CPU, STEPS, dynamics_fault, game_fault, steps_fault
from ganbench.core import registry
from ganbench.core.pixels import floats
from ganbench.data import DataSpec, Examples
from ganbench.engine.components import build_component, build_game
from ganbench.engine.train import Training
from ganbench.games import Game, Member, TrainingExamples

DOUBLE = torch.float64
BATCH = 8
RATE = 1e-2
TRAINED = "steps repeat to the last bit, and two runs computed together are those of each run alone."


class LeftOpen(Exception):
    """Raised by a check that says nothing about a component; the message is the reason, as a clause."""


@dataclass(frozen=True)
class Check:
    """A check of a component.

    Attributes:
        what: what must hold, as a sentence.
        fault: returns the fault as a clause, or None; it may raise what the component raises, or `LeftOpen`.
        at: the method or attribute that a fault is of if it names none.
        rests: whether it rests on the checks before it, so that it is left open where one of these failed.
    """

    what: str
    fault: Callable[[], str | None]
    at: str = ""
    rests: bool = False


def supports_some(answers: Sequence[Any], tried: Iterable[str]) -> str | None:
    """The fault of answers of `unsupported`, as a clause; None if they are valid.

    Args:
        answers: what it answered.
        tried: names of what it was asked about.

    Raises:
        LeftOpen: it supports nothing of this trial, as what is made for other games or data.
    """
    if fault := next(filter(None, map(supports_fault, answers)), None):
        return fault
    if None not in answers:
        raise LeftOpen(
            f"it refuses all of {', '.join(tried)} ({answers[0]}); `ganbench check` tries it with the data and games "
            "of a study"
        )
    return None


@dataclass(frozen=True)
class Subject:
    """The component of a trial.

    Attributes:
        component: its description.
        made: an object of its class, with default options.
    """

    component: registry.ComponentInfo
    made: Any

    @property
    def name(self) -> str:
        """What the registry finds it by: the path of its file."""
        return str(self.component.path)


def part(family: str, name: str, **options: Any) -> Any:
    """A component of the package, with default options but for those given."""
    return build_component(family, name, options)


@cache
def points() -> tuple[DataSpec, Examples]:
    """Examples of two for each of eight modes and more, in the plane: of eight Gaussians on a ring."""
    made = part("dataset", "ring8", examples=2000)
    return made.spec, made.load()


@cache
def images(channels: int = 1) -> tuple[DataSpec, Examples]:
    """Handwritten digits: 8 x 8 grey levels, or 16 x 16 colours."""
    made = part("dataset", "digits")
    spec, found = made.spec, made.load()
    if channels == 1:
        return spec, found
    train, heldout = (
        np.repeat(each.repeat(2, axis=2).repeat(2, axis=3), channels, axis=1) for each in (found.train, found.heldout)
    )
    return replace(spec, shape=(channels, 16, 16)), replace(found, train=train, heldout=heldout)


@cache
def line() -> tuple[DataSpec, Examples]:
    """Points on the line, without labels."""
    made = part("dataset", "line")
    spec, found = made.spec, few_examples(made.load(), 2000)
    return replace(spec, modes=0), replace(found, train_modes=None, heldout_modes=None)


def gan(data: tuple[DataSpec, Examples], architecture: Any = None, game: str = "gan", **parts: Any) -> Game:
    """Small networks on a few examples; the non-saturating loss and no regularizer unless others are given.

    Args:
        data: spec and examples.
        architecture: the networks; by default small fully connected ones.
        game: a game of networks and data.
        **parts: objective and regularizer.
    """
    spec, examples = data
    few = few_examples(examples)
    if architecture is None:
        image = len(spec.shape) > 1
        architecture = part("architecture", "fc", hidden_sizes=(8,), latent_size=4) if image else _mlp()
    given = {"objective": part("objective", "non_saturating"), "regularizer": part("regularizer", "none")}
    numbers = TrainingExamples(torch.from_numpy(floats(few.train)).to(DOUBLE), CPU, DOUBLE, spec.mean, spec.std)
    labels = None if few.train_modes is None else torch.from_numpy(few.train_modes)
    return build_game(
        game,
        {},
        given | parts | {"dataset": _Described(spec), "architecture": architecture},
        examples=numbers,
        labels=labels,
        batch_size=BATCH,
    )


@dataclass(frozen=True)
class _Described:
    spec: DataSpec


def _mlp() -> Any:
    return part("architecture", "mlp", width=8)


def toy(name: str, **parts: Any) -> Game:
    """A game of few numbers, with the minimax loss and no regularizer where it has any."""
    given = {"objective": part("objective", "minimax"), "regularizer": part("regularizer", "none")} | parts
    return build_game(name, {}, given)


def training(**parts: Any) -> Training:
    """Two steps of alternating Adam in double precision, unless told otherwise."""
    given = {"dynamics": part("dynamics", "alternating"), "optimizer": part("optimizer", "adam")} | parts
    return Training(steps=STEPS, dtype=DOUBLE, snapshots=tuple(range(STEPS + 1)), curve_bins=STEPS, **given)


def members(game: Game) -> list[Member]:
    """Two runs of a game, which differ in seed, learning rate and, where there are data, number of examples."""
    count = BATCH if "dataset" in type(game).families else None
    return [Member(seed, count and count * (seed + 2), RATE / (seed + 1)) for seed in (0, 1)]


def training_fault(game: Game, how: Training) -> str | None:
    """The fault of a few training steps, as a clause; None if they repeat, and are those of each run alone.

    Args:
        game: the game.
        how: the training.
    """
    who: Sequence[Member] = members(game)
    return game_fault(game, who, how.dtype) or dynamics_fault(game, how, who) or steps_fault(game, how, who, fused=True)
