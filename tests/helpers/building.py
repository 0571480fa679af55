"""Games and trainings put together from the registry, as a study puts them together, for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ganbench.contracts.networks import architecture_fault
from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.core.recorder import snapshot_steps
from ganbench.core.tree import Tree
from ganbench.engine.components import build_component, build_game, game_families
from ganbench.engine.train import Training, train
from ganbench.games import Game, Match, Member, TrainingExamples
from ganbench.games.gan import GAN

CPU = torch.device("cpu")


def part(family: str, name: str, **options: Any) -> Any:
    """A component with these options, the others at their defaults."""
    return build_component(family, name, options)


def names(family: str) -> list[str]:
    return sorted(registry.components(family))


def toys() -> list[str]:
    """The games without data."""
    return [name for name in names("game") if "dataset" not in game_families(name)]


def toy(name: str = "bilinear", *, objective: Any = None, regularizer: Any = None, **options: Any) -> Game:
    """A game without data; of minimax losses and no regularizer where it has any, unless others are given."""
    given = {"objective": objective or part("objective", "minimax")}
    given["regularizer"] = regularizer or part("regularizer", "none")
    return build_game(name, options, given)


def gan(
    examples: np.ndarray | torch.Tensor,
    *,
    data: Any,
    architecture: Any,
    objective: Any = None,
    regularizer: Any = None,
    labels: np.ndarray | None = None,
    batch_size: int = 8,
    dtype: torch.dtype = torch.float64,
    **more: Any,
) -> GAN:
    """Networks on these examples; the non-saturating loss and no regularizer unless others are given."""
    return registry.find("game", "gan").build(
        {},
        data=data,
        examples=TrainingExamples(torch.as_tensor(examples).to(dtype), CPU, dtype),
        architecture=architecture,
        objective=objective or part("objective", "non_saturating"),
        regularizer=regularizer or part("regularizer", "none"),
        batch_size=batch_size,
        labels=None if labels is None else torch.as_tensor(labels),
        **more,
    )


def training(steps: int = 60, **changes: Any) -> Training:
    """Alternating Adam in double precision, with four snapshots, unless told otherwise."""
    base = Training(
        dynamics=part("dynamics", "alternating"),
        optimizer=part("optimizer", "adam"),
        steps=steps,
        dtype=torch.float64,
        snapshots=snapshot_steps(steps, 4, "even"),
        curve_bins=20,
    )
    return replace(base, **changes)


def train_together_and_alone(
    game: Game,
    members: Sequence[Member],
    how: Training,
    alone: Training | None = None,
    *,
    moves: float = 0.0,
    **within: float,
) -> list[Tree]:
    """Train members together and each alone, which must give the same and move every player; the former results.

    Args:
        game: the game.
        members: the members.
        how: their training.
        alone: the training of a single member, if it is another.
        moves: how far a parameter of every player must move at least.
        within: `rtol` and `atol` of the agreement of all snapshots.
    """
    together = train(game, how, members, device=CPU)
    for member, result in zip(members, together, strict=True):
        (single,) = train(game, alone or how, [member], device=CPU)
        assert result["diverged"] is None
        for player in game.players:
            found = result["snapshots"][player]
            assert np.abs(found[-1] - found[0]).max() > moves, f"{player} does not move"
            np.testing.assert_allclose(found, single["snapshots"][player], **{"rtol": 1e-9, "atol": 1e-12} | within)
    return together


def keeps_the_contract(architecture: Any, data: Any, examples: np.ndarray, batch_size: int = 4) -> None:
    """Hold an architecture to its family's contract, and train two runs of it together as alone."""
    assert architecture_fault(architecture, data) is None
    game = gan(examples, data=data, architecture=architecture, batch_size=batch_size)
    members = [Member(seed, len(examples), 0.1) for seed in (0, 1)]
    plain = training(2, optimizer=part("optimizer", "sgd"))  # Adam would blow up the rounding of gradients near 0
    train_together_and_alone(game, members, plain)


def every_step(steps: int, **changes: Any) -> Training:
    """Training that keeps the players at every step; simultaneous gradient descent unless told otherwise."""
    base = {"dynamics": part("dynamics", "simultaneous"), "optimizer": part("optimizer", "sgd")}
    return training(steps, **base | {"snapshots": tuple(range(steps + 1))} | changes)


def refusal(dynamics: str, optimizer: str) -> str | None:
    """Why a method cannot go with an optimizer; None if it can."""
    match = Match(toy(), players(0.1), CPU, torch.float64)
    try:
        part("dynamics", dynamics).init(match, match.init(), part("optimizer", optimizer))
    except GanbenchError as error:
        return str(error)
    return None


def players(*rates: float) -> list[Member]:
    """Members of a game without data, with seeds 0, 1, ..."""
    return [Member(seed, None, rate) for seed, rate in enumerate(rates)]
