"""Blocks of a study's grid: which games are played, with which parts, and how their runs train."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    field_serializer,
    field_validator,
    model_validator,
)

from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.core.registry import CHOICES
from ganbench.study.value_types import (
    ChoiceAxis,
    Count,
    CountAxis,
    Label,
    LearningRateAxis,
    Section,
    SeedAxis,
    as_list,
    distinct,
    refuse_boolean,
)


class Snapshots(Section):
    """When the networks are kept for evaluation; the initial and the last networks always are."""

    count: Annotated[int, BeforeValidator(refuse_boolean), Field(ge=2, le=1_000_000)] = 9
    """How many at most, the initial networks among them: a run has no more of them than steps, and one."""
    spacing: Literal["log", "even"] = "log"
    """Evenly spaced, or denser early in training."""


# The axes that only some games have: the family of parts that a game must be made of to have one, and what stands for
# it where the study does not say.
COMPONENT_AXES = {
    "dataset": ("dataset", None),
    "architecture": ("architecture", None),
    "objective": ("objective", "non_saturating"),
    "regularizer": ("regularizer", "none"),
    "n_train": ("dataset", "all"),
}


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts) or "none"


class Train(Section):
    """How every run of the study trains; a block of the grid may set its own values."""

    steps: Count = 2000
    """Training steps: each one move of the dynamics."""
    batch_size: Annotated[int, BeforeValidator(refuse_boolean), Field(ge=2, le=10_000_000)] = 64
    """Real examples, and as many generated ones, in every loss."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of all training arithmetic."""
    snapshots: Snapshots = Snapshots()
    curve_bins: Count = 200
    """Losses and norms of all steps are kept as min, mean and max in this many bins."""


class Block(Section):
    """A full grid: every combination of its axes is a run. An axis is one value or a list.

    Which axes there are depends on the game: `gan`, two networks on data, has them all; a game of two numbers has no
    data set and no architecture, and perhaps no objective.
    """

    label: Label | None = None
    """What names, tables and figures call the block's runs, in place of the choices that all of them share."""
    game: ChoiceAxis = Field(default=["gan"], validate_default=True)
    """What is played; `gan` is an architecture on a data set."""
    dataset: ChoiceAxis | None = None
    """What to learn."""
    architecture: ChoiceAxis | None = None
    """The pair of networks; a user's own by the path of its file."""
    objective: ChoiceAxis | None = None
    """What the players minimise; non_saturating unless given."""
    regularizer: ChoiceAxis | None = None
    """What steadies the game; none unless given."""
    dynamics: ChoiceAxis = Field(default=["alternating"], validate_default=True)
    """How the players move."""
    optimizer: ChoiceAxis = Field(default=["adam"], validate_default=True)
    """How a gradient becomes a step."""
    n_train: CountAxis | None = None
    """How many training examples a run may see; unless given 'all', as many as the data set has."""
    learning_rate: LearningRateAxis
    """Of both players."""
    seed: SeedAxis
    """Seeds of the runs: a list, or {first: 0, count: 20}."""
    train: dict[str, Any] = Field(default={})
    """Training options of this block alone, over those of the study."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_components(cls, data: Any) -> Any:
        """Fill in the parts that the block's games are made of; refuse those that they are not."""
        if not isinstance(data, dict):
            return data
        data = {key: value for key, value in data.items() if value is not None}
        named = data.get("game", "gan")
        games = [game.get("name") if isinstance(game, dict) else game for game in as_list(named)]
        try:
            components = {game: registry.find("game", game).constants.get("components", ()) for game in games}
        except (GanbenchError, AttributeError):
            return data  # the axis `game` will say what is wrong with it
        if len(set(map(frozenset, components.values()))) != 1:
            if not components:
                return data
            told = "; ".join(f"{game}: {_listed(parts)}" for game, parts in components.items())
            raise ValueError(f"game: the games of a block must be made of the same parts, but are not ({told})")
        for axis, (family, default) in COMPONENT_AXES.items():
            without = next((game for game in games if family not in components[game]), None)
            if axis in data and without is not None:
                raise ValueError(f"{axis}: the game {without!r} has none; its parts: {_listed(components[without])}")
            if axis not in data and without is None:
                if default is None:
                    raise ValueError(
                        f"{axis}: is missing; the parts of the game {games[0]!r}: {_listed(components[games[0]])}"
                    )
                data[axis] = [default]
        return data

    @field_serializer("seed")
    def _serialize_seeds(self, seeds: list[int]) -> list[int] | dict[str, int]:
        whole = len(seeds) > 3 and seeds == list(range(seeds[0], seeds[0] + len(seeds)))
        return {"first": seeds[0], "count": len(seeds)} if whole else seeds

    @field_validator(*CHOICES, "n_train", "learning_rate", "seed")
    @classmethod
    def _check_axis(cls, values: list[Any] | None) -> list[Any] | None:
        if values is None:
            return None
        if not values:
            raise ValueError("is an empty axis: the grid would have no runs; give at least one value")
        return list(distinct(values))
