"""Blocks of a study's grid: the games, their components, and how their runs train."""

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
from ganbench.study.early_stopping import EarlyStopping
from ganbench.study.value_types import (
    ChoiceAxis,
    Count,
    CountAxis,
    Integer,
    Label,
    LearningRateAxis,
    OwnLearningRateAxis,
    Section,
    SeedAxis,
    as_list,
    check_axis,
    refuse_boolean,
)


class Snapshots(Section):
    """The steps at which the networks are kept for evaluation; the initial and the last networks are always kept."""

    count: Annotated[Integer, Field(ge=2, le=1_000_000)] = 9
    """The largest number of snapshots, including the initial networks; a run has at most one more than its steps."""
    spacing: Literal["log", "even"] = "log"
    """'even' spaces the snapshots evenly; 'log' places them more densely early in training."""
    every: Count | None = None
    """Distance of the snapshots in steps, in place of `count` and `spacing`; a bin of the curves has a twentieth of it.
    Such a run keeps its last training state, as large as three snapshots with Adam, and a study with more steps trains
    the difference only."""


# The axes that only some games have: by axis, the family of components that the game must be made of, and the default
# value of the axis; None where the study must give a value.
COMPONENT_AXES = {
    "dataset": ("dataset", None),
    "architecture": ("architecture", None),
    "objective": ("objective", "non_saturating"),
    "regularizer": ("regularizer", "none"),
    "n_train": ("dataset", "all"),
}


def default_component(family: str) -> str | None:
    """The component of a family that a block has unless it names another; None where it must name one."""
    return COMPONENT_AXES[family][1] if family in COMPONENT_AXES else Block.model_fields[family].default[0]


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts) or "none"


class Train(Section):
    """How every run of the study trains; a block of the grid may set its own values.

    An option may be a list of values: every combination is a run, as with the axes of a block.
    """

    steps: Count = 2000
    """Number of training steps; with `discriminator_steps: k` in the dynamics, a step is k - 1 moves of the
    discriminator and one move of the dynamics. Give `steps`, `epochs` or `images`."""
    epochs: Count | None = None
    """Number of passes over the run's training examples, of ceil(n_train / batch_size) steps each; a step counts as one
    batch, whatever the dynamics."""
    images: Count | None = None
    """Number of real examples, one batch a step, in ceil(images / batch_size) steps; further batches of a step are not
    counted."""
    batch_size: Annotated[Integer, Field(ge=2, le=10_000_000)] = 64
    """Number of real examples, and of generated examples, in every loss."""
    accumulation_steps: Annotated[Integer, Field(ge=1, le=10_000_000)] = 1
    """Number of equal parts of a batch whose gradients are averaged, one part at a time: gradient accumulation, for
    batches that do not fit into memory."""
    subset_seed: Annotated[Integer, Field(ge=0, le=2**31 - 1)] | None = None
    """Seed that chooses the examples of runs with an n_train below all of them, so that runs of all seeds train on the
    same ones; null for each run's own seed. Either way smaller subsets are parts of larger ones."""
    ema_decay: Annotated[float, BeforeValidator(refuse_boolean), Field(ge=0, lt=1)] | None = None
    """Decay of an exponential moving average of the parameters, which is evaluated beside the parameters; null for
    none. It starts at the initial parameters, which after t steps still weigh ema_decay^t: 37% after 1,000 steps of
    0.999."""
    precision: Literal["float64", "float32", "tf32", "bfloat16"] = "float32"
    """Precision of training. tf32 and bfloat16 are float32, but for the factors of products of matrices and
    convolutions, which are rounded; tf32 needs a GPU that has it."""
    snapshots: Snapshots = Snapshots()
    curve_bins: Count = 200
    """Number of bins of steps in which losses and norms are kept as minimum, mean and maximum; `snapshots.every` sets
    another."""
    early_stopping: EarlyStopping | None = None
    """When runs end before their last step; null for never."""


class Block(Section):
    """A full grid: every combination of its axes is a run. An axis is one value or a list.

    The game determines the axes: `gan`, two networks on data, has all of them; a game of two numbers has no data set
    and no architecture, and perhaps no objective.
    """

    label: Label | None = None
    """Label of the block's runs in names, tables and figures, in place of the choices that all of them share."""
    game: ChoiceAxis = Field(default=["gan"], validate_default=True)
    """The game; `gan` is an architecture on a data set."""
    dataset: ChoiceAxis | None = None
    """The data set to learn."""
    architecture: ChoiceAxis | None = None
    """The pair of networks: the name of an architecture, or the path of your own file."""
    objective: ChoiceAxis | None = None
    """The losses that the players minimise; non_saturating unless given."""
    regularizer: ChoiceAxis | None = None
    """The regularizer, such as a penalty or noise; none unless given."""
    dynamics: ChoiceAxis = Field(default=["alternating"], validate_default=True)
    """How the players move in one training step."""
    optimizer: ChoiceAxis = Field(default=["adam"], validate_default=True)
    """How a gradient becomes a step of a player."""
    schedule: ChoiceAxis = Field(default=["constant"], validate_default=True)
    """How learning rates change over training."""
    n_train: CountAxis | None = None
    """Number of training examples that a run may see; 'all', the default, is every training example of the data set."""
    learning_rate: LearningRateAxis
    """Learning rate of the first player, the discriminator, and of the second unless that has its own."""
    generator_learning_rate: OwnLearningRateAxis = Field(default=[None])
    """Learning rate of the second player, the generator; null, the default, is `learning_rate`."""
    seed: SeedAxis
    """Seeds of the runs: a list, or {first: 0, count: 20}."""
    train: dict[str, Any] = Field(default={})
    """Training options of this block, values or lists; they replace those of the study."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_components(cls, data: Any) -> Any:
        """Fill in the default components of the block's games; refuse axes that the games do not have."""
        if not isinstance(data, dict):
            return data
        data = {key: value for key, value in data.items() if value is not None}
        named = data.get("game", "gan")
        games = [game.get("name") if isinstance(game, dict) else game for game in as_list(named)]
        try:
            families = {game: registry.find("game", game).constants["families"] for game in games}
        except (GanbenchError, AttributeError):
            return data  # validation of the axis `game` reports the fault
        if len(set(map(frozenset, families.values()))) != 1:
            if not families:
                return data
            told = "; ".join(f"{game}: {_listed(parts)}" for game, parts in families.items())
            raise ValueError(f"game: the games of a block must be made of the same parts, but are not ({told})")
        for axis, (family, default) in COMPONENT_AXES.items():
            without = next((game for game in games if family not in families[game]), None)
            if axis in data and without is not None:
                raise ValueError(f"{axis}: the game {without!r} has none; its parts: {_listed(families[without])}")
            if axis not in data and without is None:
                if default is None:
                    raise ValueError(
                        f"{axis}: is missing; the parts of the game {games[0]!r}: {_listed(families[games[0]])}"
                    )
                data[axis] = [default]
        return data

    @field_serializer("seed")
    def _serialize_seeds(self, seeds: list[int]) -> list[int] | dict[str, int]:
        whole = len(seeds) > 3 and seeds == list(range(seeds[0], seeds[0] + len(seeds)))
        return {"first": seeds[0], "count": len(seeds)} if whole else seeds

    @field_validator(*CHOICES, "n_train", "learning_rate", "generator_learning_rate", "seed")
    @classmethod
    def _check_axis(cls, values: list[Any] | None) -> list[Any] | None:
        return None if values is None else check_axis(values)
