"""Components of the families, and games made of them, from their names in a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ganbench.core import registry
from ganbench.games import Game, TrainingExamples


def build_component(family: str, name: str, options: Mapping[str, Any]) -> Any:
    """A component.

    Args:
        family: key of the family, such as "dynamics".
        name: the component, or the path of a file of one's own.
        options: values of options; the others have their defaults.

    Raises:
        GanbenchError: an unknown component or option, or a value out of its range.
    """
    component = registry.find(family, name)
    return component.build(component.complete(dict(options)))


def game_families(name: str) -> tuple[str, ...]:
    """The families of a game's components, such as ("dataset", "architecture", "objective", "regularizer")."""
    return registry.find("game", name).constants["families"]


def build_game(
    name: str,
    options: Mapping[str, Any],
    components: Mapping[str, Any],
    *,
    examples: TrainingExamples | None = None,
    labels: Tensor | None = None,
    batch_size: int | None = None,
    accumulation_steps: int = 1,
    subset_seed: int | None = None,
) -> Game:
    """A game made of its components.

    Args:
        name: the game, or the path of a file of one's own.
        options: values of options; the others have their defaults.
        components: components by family, at least those of `game_families(name)`; others are not used.
        examples: training examples, of a game with a data set.
        labels: their labels, (n,) of int64, for conditional architectures.
        batch_size: number of examples of which a gradient is made, of a game with a data set.
        accumulation_steps: number of equal parts of them whose gradients are accumulated.
        subset_seed: seed by which examples are chosen for runs with fewer than all; None for each run's own.

    Raises:
        GanbenchError: an unknown game or option, or a value out of its range.
    """
    parts = {family: components[family] for family in game_families(name)}
    if "dataset" in parts:
        parts |= {"data": parts.pop("dataset").spec, "examples": examples}
        parts |= {"batch_size": batch_size // accumulation_steps, "accumulation_steps": accumulation_steps}
        parts |= {} if subset_seed is None else {"subset_seed": subset_seed}
        parts |= {"labels": labels} if parts["architecture"].conditional else {}
    component = registry.find("game", name)
    return component.build(component.complete(dict(options)), **parts)
