"""Games and trainings put together from the registry, as a study puts them together, for the tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.core.recorder import snapshot_steps
from ganbench.engine.components import build_component, build_game, game_components
from ganbench.engine.train import Training
from ganbench.games import Game, Match, Member
from ganbench.games.gan import GAN
from ganbench.nn.examples import TrainingExamples

CPU = torch.device("cpu")


def part(family: str, name: str, **options: Any) -> Any:
    """A component with these options, the others at their defaults."""
    return build_component(family, name, options)


def names(family: str) -> list[str]:
    return sorted(registry.components(family))


def components(name: str) -> tuple[str, ...]:
    """The families of components that a game is made of."""
    return game_components(name)


def toys() -> list[str]:
    """The games without data."""
    return [name for name in names("game") if "dataset" not in components(name)]


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
