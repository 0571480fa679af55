"""A study: one YAML file, validated into frozen objects before anything starts.

Every key is documented here, next to its type and default; `ganbench schema` prints the same as a JSON schema, so that
editors complete and check study files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from ganbench.core import registry
from ganbench.core.errors import GanbenchError, unknown

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
LARGEST_GRID = 1_000_000


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"must be a number, but is the truth value {value}")
    return value


# YAML reads 2e-4 as a string (its floats need a dot); the intention is plain, so the string is accepted as the number.
Count = Annotated[int, BeforeValidator(_number), Field(ge=1)]
Rate = Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, BeforeValidator(_number), Field(ge=0, lt=2**31)]
Share = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)]


class Section(BaseModel):
    """A mapping of the study file: no unknown keys, nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"must be a mapping with keys {', '.join(cls.model_fields)}, but is {data!r}")
        for key in data:
            if key not in cls.model_fields:
                raise ValueError(unknown("key", key, cls.model_fields))
        return data


class Choice(BaseModel):
    """A member of a family with its options, written `dcgan` or `{name: dcgan, features: 32}`."""

    model_config = ConfigDict(frozen=True)

    family: str
    name: str  # as written in the study: a member's name or the path of a user's own file
    options: dict[str, Any]  # complete, in the order of the file

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        return {"name": self.name, **self.options}

    @property
    def member(self) -> registry.Member:
        return registry.find(self.family, self.name)

    def build(self) -> Any:
        return self.member.build(self.options)

    @property
    def label(self) -> str:
        """The member's name with those options that differ from their defaults: `dcgan(features=32)`."""
        defaults = self.member.complete({})
        changed = [f"{key}={value}" for key, value in self.options.items() if value != defaults[key]]
        return self.member.name + (f"({', '.join(changed)})" if changed else "")

    def __hash__(self) -> int:
        return hash((self.family, self.name, repr(self.options)))


def _choice(value: Any, info: ValidationInfo) -> Any:
    """Read a choice for the family that the field is named after."""
    family = {"metrics": "metric"}.get(info.field_name, info.field_name)
    given = dict(value) if isinstance(value, dict) else {"name": value}
    name = given.pop("name", None)
    if not isinstance(name, str):
        raise ValueError(f"must be the name of a {family}, or a mapping with a 'name' and options, but is {value!r}")
    try:
        member = registry.find(family, name)
        return Choice(family=family, name=name, options=member.complete(given))
    except GanbenchError as error:
        raise ValueError(str(error)) from None


def _axis(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else [value]


def _seeds(value: Any) -> Any:
    """Seeds may be a list, one number, or `{first: 0, count: 20}`."""
    if isinstance(value, dict):
        if set(value) - {"first", "count"} or "count" not in value:
            raise ValueError(f"must be a list of seeds or a mapping {{first, count}}, but is {value!r}")
        first, count = value.get("first", 0), value["count"]
        if not (isinstance(first, int) and isinstance(count, int) and 1 <= count <= LARGEST_GRID):
            raise ValueError(
                f"first and count must be whole numbers, count from 1 to {LARGEST_GRID}, but are {value!r}"
            )
        return list(range(first, first + count))
    return _axis(value)


AChoice = Annotated[Choice, BeforeValidator(_choice)]


class Snapshots(Section):
    """When the networks are kept for evaluation; the initial and the last networks always are."""

    count: Annotated[int, BeforeValidator(_number), Field(ge=2, le=1000)] = 9
    spacing: Literal["log", "even"] = "log"


class Train(Section):
    """How every run of the study trains; a block of the grid may set its own values."""

    steps: Count = 2000
    batch_size: Annotated[int, BeforeValidator(_number), Field(ge=2)] = 64
    update: AChoice = Field(default="adam", validate_default=True)
    dtype: Literal["float32", "float64"] = "float32"
    snapshots: Snapshots = Snapshots()
    curve_bins: Count = 200  # losses and norms of all steps are kept as min, mean and max in this many bins


class Block(Section):
    """A full grid: every combination of its axes is a run. An axis is one value or a list."""

    dataset: Annotated[list[AChoice], BeforeValidator(_axis)]
    architecture: Annotated[list[AChoice], BeforeValidator(_axis)]
    objective: Annotated[list[AChoice], BeforeValidator(_axis)] = Field(
        default=["non_saturating"], validate_default=True
    )
    regularizer: Annotated[list[AChoice], BeforeValidator(_axis)] = Field(default=["none"], validate_default=True)
    dynamics: Annotated[list[AChoice], BeforeValidator(_axis)] = Field(default=["alternating"], validate_default=True)
    n_train: Annotated[list[Count | Literal["all"]], BeforeValidator(_axis)] = ["all"]
    learning_rate: Annotated[list[Rate], BeforeValidator(_axis)]
    seed: Annotated[list[Seed], BeforeValidator(_seeds)]
    train: dict[str, Any] = {}  # training options of this block alone, over those of the study

    @field_validator(
        "dataset", "architecture", "objective", "regularizer", "dynamics", "n_train", "learning_rate", "seed"
    )
    @classmethod
    def _values(cls, values: list[Any]) -> list[Any]:
        if not values:
            raise ValueError("is an empty axis: the grid would have no runs; give at least one value")
        shown = [value.label if isinstance(value, Choice) else value for value in values]
        twice = sorted({str(value) for value in shown if shown.count(value) > 1})
        if twice:
            raise ValueError(f"has {', '.join(twice)} more than once; every value of an axis must differ")
        return values


PackAxis = Literal["seed", "learning_rate", "n_train"]


class Pack(Section):
    """Which runs train together in one process. Changes nothing but speed."""

    axes: list[PackAxis] = ["seed", "learning_rate", "n_train"]
    seeds_per_pack: Count = 16  # seeds are packed in blocks aligned at its multiples, so adding seeds reshuffles none
    fuse: Literal["auto", "always", "never"] = "auto"


class Machine(Section):
    """Where and how safely training runs. Changes nothing but speed."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_seconds: Annotated[float, BeforeValidator(_number), Field(ge=0)] = 60.0


class Inception(Section):
    """Weights of the FID's Inception network, as pytorch-fid publishes them."""

    folder: Path = Path("results/weights")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] = "6726825d"  # of the file, or its first characters


class Evaluate(Section):
    """What is measured at every snapshot."""

    metrics: list[AChoice] = Field(default=["fcd", "mode_coverage"], validate_default=True)
    samples: Annotated[int, BeforeValidator(_number), Field(ge=16)] = 2000  # generated examples per snapshot
    shown: Annotated[int, BeforeValidator(_number), Field(ge=1, le=256)] = 32  # of which kept, to be looked at
    inception: Inception = Inception()


class Outcome(Section):
    """When a run counts as failed. Steps are training steps, shares are of 1."""

    norm_growth: Rate = 100.0  # diverged: a player's parameter norm ends beyond this multiple of its initial one
    won_real_output: Share = 0.99  # discriminator won: mean outputs beyond these two ...
    won_fake_output: Share = 0.01
    won_share: Share = 0.25  # ... throughout the last share of training
    collapsed_modes: Share = 0.5  # collapsed: the examples fill the equivalent of less than this share of the modes


class Track(Section):
    """Where the MLflow view of the results goes."""

    uri: str = "sqlite:///results/mlflow.db"


class Study(Section):
    """The whole study file."""

    study: Slug
    title: str = ""
    description: str = ""
    results: Path = Path("results")  # the study's files lie in a folder of its name in here
    grid: Annotated[list[Block], Field(min_length=1)]
    train: Train = Train()
    pack: Pack = Pack()
    machine: Machine = Machine()
    evaluate: Evaluate = Evaluate()
    outcome: Outcome = Outcome()
    track: Track = Track()

    def block_train(self, block: Block) -> Train:
        """The training options of a block: the study's, with those of the block over them."""
        return Train.model_validate(_merge(_given(self.train), block.train))

    def resolved(self) -> dict[str, Any]:
        """The whole study with every default filled in, as JSON-able values."""
        return self.model_dump(mode="json")

    @model_validator(mode="after")
    def _blocks_train(self) -> Study:
        for index, block in enumerate(self.grid):
            try:
                self.block_train(block)
            except ValidationError as error:
                raise ValueError("; ".join(_sentences(error, f"grid[{index}].train"))) from None
        return self


def _given(train: Train) -> dict[str, Any]:
    return train.model_dump(mode="json")


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
        lines = list(_sentences(error))
        raise GanbenchError(f"{origin} is not a valid study:\n" + "\n".join(f"  - {line}" for line in lines)) from None


def load(path: Path) -> Study:
    """Read and validate a study file."""
    try:
        data = yaml.load(path.read_text(), _Loader)
    except OSError as error:
        raise GanbenchError(f"cannot read the study file {path}: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GanbenchError(f"{path} is not valid YAML: {error}.") from None
    return parse(data, origin=str(path))


def _sentences(error: ValidationError, prefix: str = "") -> Iterator[str]:
    for fault in error.errors():
        key = prefix
        for part in fault["loc"]:
            if isinstance(part, int):
                key += f"[{part}]"
            elif part not in ("constrained-int", "function-before[_number(), int]", "literal['all']"):
                key += f".{part}" if key else str(part)
        if fault["type"] == "missing":
            yield f"{key}: is missing; it has no default"
        else:
            message = fault["msg"].removeprefix("Value error, ")
            shown = f" (received {fault['input']!r})" if fault["type"] != "value_error" else ""
            yield f"{key or 'the file'}: {message}{shown}"


class _Loader(yaml.SafeLoader):
    """YAML without the two things that hide mistakes or blow up: repeated keys and aliases."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()
            raise yaml.YAMLError(f"line {event.start_mark.line + 1}: aliases (*{event.anchor}) are not accepted")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"line {node.start_mark.line + 1}: key {key!r} stands twice in one mapping")
        return super().construct_mapping(node, deep=deep)
