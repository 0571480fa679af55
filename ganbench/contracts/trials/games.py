"""Trials of games and of architectures."""

from __future__ import annotations

from typing import Any

import torch

from ganbench.architectures import initial_module, trial_inputs
from ganbench.contracts.networks import architecture_fault
from ganbench.contracts.steps import dynamics_fault, game_fault, steps_fault
from ganbench.contracts.trials.checks import (
    DOUBLE,
    TRAINED,
    Check,
    LeftOpen,
    Subject,
    gan,
    images,
    members,
    part,
    points,
    supports_some,
    toy,
    training,
    training_fault,
)
from ganbench.core.registry import ComponentInfo
from ganbench.data import DataSpec
from ganbench.engine.components import game_families
from ganbench.games import Game, Match

SHAPES = {
    "points of the plane": DataSpec((2,), bounded=False, train=64, modes=8),
    "1 x 8 x 8 images": DataSpec((1, 8, 8), bounded=True, train=64, modes=10),
    "1 x 28 x 28 images": DataSpec((1, 28, 28), bounded=True, train=64, modes=10),
    "3 x 32 x 32 images": DataSpec((3, 32, 32), bounded=True, train=64, modes=10),
}
IN_TRAINING = {"eight Gaussians": points, "handwritten digits": images, "digits in colour": lambda: images(3)}


def built(component: ComponentInfo) -> Any:
    """A component with default options; a game with small components of its families.

    Args:
        component: its description.
    """
    if component.family.key != "game":
        return component.build(component.complete({}))
    name = str(component.path)
    return gan(points(), game=name) if "dataset" in game_families(name) else toy(name)


def of_game(subject: Subject) -> list[Check]:
    """The checks of a game."""
    game = subject.made
    how = training(dynamics=part("dynamics", "simultaneous"), optimizer=part("optimizer", "sgd"))
    return [
        Check("It says who plays with which parameters, and starts from the run's seed.", lambda: _players_fault(game)),
        Check(
            "Its start, random numbers and losses are functions of their arguments, one number for each run.",
            lambda: game_fault(game, members(game), DOUBLE),
            rests=True,
        ),
        Check("Its losses give the quantities that it says it records.", lambda: _series_fault(game), rests=True),
        Check(
            "Simultaneous descent can play it: both losses have gradients.",
            lambda: dynamics_fault(game, how, members(game)),
            rests=True,
        ),
        Check(f"In training, {TRAINED}", lambda: steps_fault(game, how, members(game), fused=True), rests=True),
    ]


def _players_fault(game: Game) -> str | None:
    """The fault of a game's players and of their starts, as a clause; None for valid ones."""
    if len(set(game.players)) != 2:
        return f"its players must be two names, but are {game.players!r}"
    if list(game.parameters) != list(game.players):
        return f"its parameters must be those of {list(game.players)} in this order, but are of {list(game.parameters)}"
    names = game.parameter_names
    if len(set(names)) != len(names) or not names:
        return f"its parameters must have a name each, but are {names!r}"
    one, other = (game.start(member) for member in members(game))
    for player in game.players:
        if not one[player].isfinite().all():
            return f"its start() of {player} is not finite"
        if torch.equal(one[player], other[player]):
            return f"its start() of {player} is the same whatever the seed; draw it from the run's stream"
    return None


def _series_fault(game: Game) -> str | None:
    """The fault of the quantities that losses give beside their values, as a clause; None for those of `series`."""
    match = Match(game, members(game), torch.device("cpu"), DOUBLE)
    players, batch = match.init(), match.draw(0, 1)[0]
    given = {name for player in game.players for name in match.loss(player, players, batch)[1]}
    if given != set(game.series):
        return f"its loss() gives {sorted(given)}, but its `series` names {sorted(game.series)}"
    return None


def of_architecture(subject: Subject) -> list[Check]:
    """The checks of an architecture."""
    architecture = subject.made

    def networks(data: DataSpec) -> str | None:
        _refuse(architecture, data)
        return architecture_fault(architecture, data) or _range_fault(architecture, data)

    def some() -> str | None:
        return supports_some([architecture.unsupported(data) for data in SHAPES.values()], SHAPES)

    def trains() -> str | None:
        for make in IN_TRAINING.values():
            if architecture.unsupported(make()[0]) is None:
                return training_fault(gan(make(), architecture), training())
        raise LeftOpen("it supports none of the examples of this trial")

    return [
        Check(f"It supports one at least of {', '.join(SHAPES)}.", some),
        *(
            Check(
                f"On {where}: both networks have the right shapes, keep nothing but buffers, start from the seed, and "
                "are the same alone and in a pack.",
                lambda data=data: networks(data),
            )
            for where, data in SHAPES.items()
        ),
        Check(f"In training on the first of {', '.join(IN_TRAINING)} that it supports, {TRAINED}", trains),
    ]


def _refuse(architecture: Any, data: DataSpec) -> None:
    if (why := architecture.unsupported(data)) is not None:
        raise LeftOpen(f"it does not support them: {why}")


def _range_fault(architecture: Any, data: DataSpec) -> str | None:
    """The fault of examples beyond the data's range, as a clause; None for examples within it."""
    module = initial_module(architecture, "generator", data, 0)
    with torch.no_grad():
        largest = module(*trial_inputs(architecture, "generator", data, 4)).abs().max().item()
    if data.bounded and largest > 1:
        return f"its generator() gives values up to {largest:.3g} for data within [-1, 1]; end it in tanh"
    return None
