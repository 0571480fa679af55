"""A study: one YAML file, validated into frozen objects before anything starts.

Every key is documented here, next to its type and default; `ganbench schema` prints the same as a JSON schema, so that
editors complete and check study files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator

from ganbench.core.errors import GanbenchError
from ganbench.core.escaping import short_repr
from ganbench.study.blocks import Block, Train
from ganbench.study.claims import NUMBERS, VIEWS, Claim, unique_ids
from ganbench.study.expressions import CONSTANTS
from ganbench.study.selectors import ASelector, Selector
from ganbench.study.strict_yaml import fault_of, listed, read, sentences
from ganbench.study.value_types import (
    AChoice,
    Count,
    Folder,
    Positive,
    Section,
    Share,
    Slug,
    as_number,
    differ,
    refuse_endless,
    spelled,
)

PackAxis = Literal["seed", "learning_rate", "n_train", "game", "objective", "regularizer", "dynamics", "optimizer"]


Duration = Annotated[float, BeforeValidator(as_number), Field(ge=0, allow_inf_nan=False)]
LEAST_MEMORY_MB = 500  # of a process that has only loaded its libraries

Digits = spelled(r"[0-9a-f]{8,64}", "8 to 64 of the digits 0 to 9 and a to f")


class Pack(Section):
    """Which runs train together in one process. Changes nothing but speed."""

    axes: Annotated[list[PackAxis], AfterValidator(differ)] = Field(default=["seed", "learning_rate", "n_train"])
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
    checkpoint_seconds: Annotated[Duration, Field(le=31_536_000)] = 60.0
    """Seconds between two checkpoints of a pack, or more, where they would cost over 1% of its time."""
    longest_minutes: Count | None = None
    """The most time that a job may ask a cluster for; longer work goes on in the next job."""
    most_memory_mb: Annotated[Count, Field(ge=LEAST_MEMORY_MB)] | None = None
    """The most main memory that a job may ask a cluster for, in MB; the libraries of a process take 500."""


class Inception(Section):
    """Weights of the FID's Inception network, as pytorch-fid publishes them."""

    folder: Folder = Path("results/weights")
    """Where they are kept."""
    sha256: Digits = "6726825d"
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

    metrics: Annotated[list[AChoice], Field(min_length=1), AfterValidator(differ)] = Field(
        default=["fcd", "mode_coverage"], validate_default=True
    )
    """What to compute; the first one leads the figures and findings."""
    samples: Annotated[int, BeforeValidator(as_number), Field(ge=16, le=1_000_000)] = 2000
    """Generated examples per snapshot."""
    shown: Annotated[int, BeforeValidator(as_number), Field(ge=1, le=256)] = 32
    """Of which kept, to be looked at; at most as many as there are samples."""
    inception: Inception = Inception()

    @model_validator(mode="before")
    @classmethod
    def _shown_unless_said(cls, data: Any) -> Any:
        if isinstance(data, dict) and "shown" not in data and type(data.get("samples")) is int:
            return {**data, "shown": max(1, min(cls.model_fields["shown"].default, data["samples"]))}
        return data

    @model_validator(mode="after")
    def _shown_of_samples(self) -> Evaluate:
        if self.shown > self.samples:
            raise ValueError(f"shown must be at most samples, {self.samples}, but is {self.shown}")
        return self


class Outcome(Section):
    """When a run counts as failed. Steps are training steps, shares are of 1."""

    norm_growth: Positive = 100.0
    """Diverged: a player's parameter norm ends beyond this multiple of its initial one."""
    won_real_output: Share = 0.99
    """Discriminator won: mean outputs beyond these two ..."""
    won_fake_output: Share = 0.01
    """... the second one, on generated examples ..."""
    won_share: Annotated[Share, Field(gt=0)] = 0.25
    """... throughout this last share of training."""
    collapsed_modes: Share = 0.5
    """Collapsed: the examples fill the equivalent of less than this share of the modes."""


def _public(uri: str) -> str:
    if "@" in urlsplit(uri).netloc:
        raise ValueError(
            "must be without a password, which the report and lists of processes would show; set "
            f"MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; but is {short_repr(uri)}"
        )
    return uri


Address = spelled(r"(sqlite:///|https?://).+", "sqlite:///path/to/file.db or the address of a server, http(s)://host")


class Track(Section):
    """Where the MLflow view of the results goes."""

    uri: Annotated[Address, AfterValidator(_public)] | None = None
    """A SQLite file, or the address of an MLflow server; unless given, mlflow.db in the folder of results. A server's
    user and password are MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment."""


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
    grid: Annotated[list[Block], Field(min_length=1), BeforeValidator(refuse_endless)]
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

    @property
    def tracking_uri(self) -> str:
        """Where the MLflow view goes."""
        return self.track.uri or f"sqlite:///{self.results / 'mlflow.db'}"

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
    if fault := fault_of(data):
        raise GanbenchError(f"{origin}: {fault}.")
    try:
        return Study.model_validate(data)
    except ValidationError as error:
        raise GanbenchError(f"{origin} is not a valid study:\n{listed(sentences(error))}") from None


def load(path: Path, *, over: Mapping[str, Any] | None = None) -> Study:
    """Read and validate a study file.

    Args:
        path: the file.
        over: values that are laid over those of the file, such as a cluster's profile has.
    """
    data = read(path)
    return parse(laid_over(data, over) if over else data, origin=str(path))


def laid_over(data: Any, over: Mapping[str, Any]) -> Any:
    """A study's data with other values laid over them as Snakemake does it: mappings are merged."""
    if not isinstance(data, dict):
        return data
    deeper = {key: laid_over(data[key], value) for key, value in over.items() if isinstance(data.get(key), dict)}
    return {**data, **over, **deeper}
