"""A study: one YAML file, validated into frozen objects before anything starts.

Every key is documented here, next to its type and default; `ganbench schema` prints the same as a JSON schema, so that
editors complete and check study files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from ganbench.core import registry
from ganbench.core.claims import NUMBERS, VIEWS, Claim, unique_ids
from ganbench.core.errors import GanbenchError
from ganbench.core.expressions import CONSTANTS
from ganbench.core.fields import (
    AChoice,
    Choice,
    Choices,
    Count,
    Counts,
    Folder,
    Rate,
    Rates,
    Section,
    Seeds,
    Share,
    Slug,
    as_list,
    as_number,
)
from ganbench.core.reading import Loader, sentences
from ganbench.core.registry import CHOICES
from ganbench.core.selectors import ASelector, Selector


class Snapshots(Section):
    """When the networks are kept for evaluation; the initial and the last networks always are."""

    count: Annotated[int, BeforeValidator(as_number), Field(ge=2, le=1_000_000)] = 9
    """How many, the initial networks among them."""
    spacing: Literal["log", "even"] = "log"
    """Evenly spaced, or denser early in training."""


# The axes that only some games have: the family of parts that a game must be made of to have one, and what stands for
# it where the study does not say.
PARTS = {
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
    batch_size: Annotated[int, BeforeValidator(as_number), Field(ge=2)] = 64
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

    game: Choices = Field(default=["gan"], validate_default=True)
    """What is played; `gan` is an architecture on a data set."""
    dataset: Choices | None = None
    """What to learn."""
    architecture: Choices | None = None
    """The pair of networks; a user's own by the path of its file."""
    objective: Choices | None = None
    """What the players minimise; non_saturating unless given."""
    regularizer: Choices | None = None
    """What steadies the game; none unless given."""
    dynamics: Choices = Field(default=["alternating"], validate_default=True)
    """How the players move."""
    update: Choices = Field(default=["adam"], validate_default=True)
    """How a gradient becomes a step."""
    n_train: Counts | None = None
    """How many training examples a run may see; unless given 'all', as many as the data set has."""
    learning_rate: Rates
    """Of both players."""
    seed: Seeds
    """Seeds of the runs: a list, or {first: 0, count: 20}."""
    train: dict[str, Any] = Field(default={})
    """Training options of this block alone, over those of the study."""

    @model_validator(mode="before")
    @classmethod
    def _parts(cls, data: Any) -> Any:
        """Fill in the parts that the block's games are made of; refuse those that they are not."""
        if not isinstance(data, dict):
            return data
        data = {key: value for key, value in data.items() if value is not None}
        named = data.get("game", "gan")
        games = [game.get("name") if isinstance(game, dict) else game for game in as_list(named)]
        try:
            takes = {game: registry.find("game", game).constants.get("takes", ()) for game in games}
        except (GanbenchError, AttributeError):
            return data  # the axis `game` will say what is wrong with it
        if len(set(map(frozenset, takes.values()))) != 1:
            if not takes:
                return data
            told = "; ".join(f"{game}: {_listed(parts)}" for game, parts in takes.items())
            raise ValueError(f"game: the games of a block must be made of the same parts, but are not ({told})")
        for axis, (family, default) in PARTS.items():
            without = next((game for game in games if family not in takes[game]), None)
            if axis in data and without is not None:
                raise ValueError(f"{axis}: the game {without!r} has none; its parts: {_listed(takes[without])}")
            if axis not in data and without is None:
                if default is None:
                    raise ValueError(
                        f"{axis}: is missing; the parts of the game {games[0]!r}: {_listed(takes[games[0]])}"
                    )
                data[axis] = [default]
        return data

    @field_serializer("seed")
    def _short(self, seeds: list[int]) -> list[int] | dict[str, int]:
        whole = len(seeds) > 3 and seeds == list(range(seeds[0], seeds[0] + len(seeds)))
        return {"first": seeds[0], "count": len(seeds)} if whole else seeds

    @field_validator(*CHOICES, "n_train", "learning_rate", "seed")
    @classmethod
    def _values(cls, values: list[Any] | None) -> list[Any] | None:
        if values is None:
            return None
        if not values:
            raise ValueError("is an empty axis: the grid would have no runs; give at least one value")
        counts = Counter(value.label if isinstance(value, Choice) else value for value in values)
        twice = [str(value) for value, count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"has {', '.join(twice)} more than once; every value of an axis must differ")
        return values


PackAxis = Literal["seed", "learning_rate", "n_train", "game", "objective", "regularizer", "dynamics", "update"]


class Pack(Section):
    """Which runs train together in one process. Changes nothing but speed."""

    axes: list[PackAxis] = Field(default=["seed", "learning_rate", "n_train"])
    """Runs that differ in nothing else share a pack. Those that differ in more than seed, learning rate and number of
    examples cannot fuse; one process trains them one group after the other, which pays where runs are short."""
    seeds_per_pack: Count = 16
    """Seeds are packed in blocks aligned at its multiples, so adding seeds reshuffles none."""
    fuse: Literal["auto", "always", "never"] = "auto"
    """Whether members train in the same operations or one after the other; 'auto' goes by a rule of size and device."""


class Machine(Section):
    """Where and how safely training runs. Changes nothing but speed."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """'auto' is a GPU where there is one."""
    checkpoint_seconds: Annotated[float, BeforeValidator(as_number), Field(ge=0)] = 60.0
    """Seconds between two checkpoints of a pack in training."""


class Inception(Section):
    """Weights of the FID's Inception network, as pytorch-fid publishes them."""

    folder: Folder = Path("results/weights")
    """Where they are kept."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] = "6726825d"
    """Of the file, or its first characters."""


def _sayable(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) or iskeyword(name) or name in (*VIEWS, *NUMBERS, *CONSTANTS):
        raise ValueError(
            f"must be a name that claims can say, of lower-case letters, digits and underscores, and none of "
            f"{', '.join((*VIEWS, *NUMBERS, *CONSTANTS))}; but is {name!r}"
        )
    return name


ExperimentName = Annotated[str, AfterValidator(_sayable)]


class Experiment(Section):
    """An instrument, and the runs it looks at."""

    name: ExperimentName
    """Of the experiment: claims call what it measures `<name>.<column>`."""
    diagnostic: AChoice
    """The instrument."""
    of: ASelector = Selector()
    """The runs: values of axes, such as {game: bilinear}; all runs whose game it supports, unless given."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        """An experiment is called after its instrument, unless it has a name of its own."""
        if isinstance(data, str):
            data = {"diagnostic": data}
        if isinstance(data, dict) and "name" not in data and "diagnostic" in data:
            given = data["diagnostic"]
            named = given.get("name") if isinstance(given, dict) else given
            data = {**data, "name": Path(named).stem.lower() if isinstance(named, str) else named}
        return data


class Evaluate(Section):
    """What is measured at every snapshot."""

    metrics: Annotated[list[AChoice], Field(min_length=1)] = Field(
        default=["fcd", "mode_coverage"], validate_default=True
    )
    """What to compute; the first one leads the figures and findings."""
    samples: Annotated[int, BeforeValidator(as_number), Field(ge=16)] = 2000
    """Generated examples per snapshot."""
    shown: Annotated[int, BeforeValidator(as_number), Field(ge=1, le=256)] = 32
    """Of which kept, to be looked at."""
    inception: Inception = Inception()


class Outcome(Section):
    """When a run counts as failed. Steps are training steps, shares are of 1."""

    norm_growth: Rate = 100.0
    """Diverged: a player's parameter norm ends beyond this multiple of its initial one."""
    won_real_output: Share = 0.99
    """Discriminator won: mean outputs beyond these two ..."""
    won_fake_output: Share = 0.01
    """... the second one, on generated examples ..."""
    won_share: Annotated[Share, Field(gt=0)] = 0.25
    """... throughout this last share of training."""
    collapsed_modes: Share = 0.5
    """Collapsed: the examples fill the equivalent of less than this share of the modes."""


class Track(Section):
    """Where the MLflow view of the results goes."""

    uri: Annotated[str, Field(pattern=r"^(sqlite:///|https?://).+")] = "sqlite:///results/mlflow.db"
    """A SQLite file, or the address of an MLflow server."""


class Study(Section):
    """The whole study file."""

    study: Slug
    """Its name: of its folder of results and of its MLflow experiment."""
    title: str = ""
    """Heads the report."""
    description: str = ""
    """Opens the report."""
    results: Folder = Path("results")
    """The study's files lie in a folder of its name in here."""
    grid: Annotated[list[Block], Field(min_length=1)]
    diagnose: list[Experiment] = Field(default=[])
    """What instruments look at, after training."""
    claims: list[Claim] = Field(default=[])
    """What is said, and the tests that decide it."""
    train: Train = Train()
    pack: Pack = Pack()
    machine: Machine = Machine()
    evaluate: Evaluate = Evaluate()
    outcome: Outcome = Outcome()
    track: Track = Track()

    def block_train(self, block: Block) -> Train:
        """The training options of a block: the study's, with those of the block over them."""
        return Train.model_validate(_merge(self.train.model_dump(mode="json"), block.train))

    def resolved(self) -> dict[str, Any]:
        """The whole study with every default filled in, as JSON-able values."""
        return self.model_dump(mode="json")

    @field_validator("claims")
    @classmethod
    def _ids_differ(cls, claims: list[Claim]) -> list[Claim]:
        return unique_ids(claims)

    @field_validator("diagnose")
    @classmethod
    def _names_differ(cls, experiments: list[Experiment]) -> list[Experiment]:
        names = Counter(experiment.name for experiment in experiments)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} is the name of {names[twice[0]]} experiments; give each a name of its own")
        return experiments

    @model_validator(mode="after")
    def _blocks_train(self) -> Study:
        for index, block in enumerate(self.grid):
            try:
                self.block_train(block)
            except ValidationError as error:
                raise ValueError("; ".join(sentences(error, f"grid[{index}].train"))) from None
        return self


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        deeper = key == "snapshots" and isinstance(value, dict)
        merged[key] = {**base[key], **value} if deeper else value
    return merged


def parse(data: Any, *, origin: str) -> Study:
    """Validate a study.

    Args:
        data: the study as read from YAML.
        origin: what to call it in errors: the file's path.

    Raises:
        GanbenchError: with one line per fault: the key, the value received, what would be valid.
    """
    try:
        return Study.model_validate(data)
    except ValidationError as error:
        lines = list(sentences(error))
        raise GanbenchError(f"{origin} is not a valid study:\n" + "\n".join(f"  - {line}" for line in lines)) from None


def load(path: Path) -> Study:
    """Read and validate a study file."""
    try:
        data = yaml.load(path.read_text(), Loader)
    except OSError as error:
        raise GanbenchError(f"cannot read the study file {path}: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GanbenchError(f"{path} is not valid YAML: {error}.") from None
    return parse(data, origin=str(path))
