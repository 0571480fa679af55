"""A study: one YAML file, validated into frozen objects before anything starts.

Every key is documented next to its type and default. `ganbench schema` prints the keys as a JSON schema, with which
editors complete and check study files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator

from ganbench.core.errors import GanbenchError
from ganbench.study.blocks import Block
from ganbench.study.claims import Claim, unique_ids
from ganbench.study.experiments import Experiment
from ganbench.study.published import Published
from ganbench.study.sections import Evaluate, Machine, Outcome, PackSection, Track
from ganbench.study.strict_yaml import bullet_list, data_fault, describe_errors, read_yaml
from ganbench.study.train_axes import OF_BATCHES, TrainAxes
from ganbench.study.value_types import (
    Folder,
    Section,
    Slug,
    distinct,
    limit_grid_size,
    merge_values,
)


def _names_too(schema: dict[str, Any]) -> None:
    """In the JSON schema of a list of sections, the name of a component may stand for a section."""
    schema["items"] = {"anyOf": [{"type": "string"}, schema["items"]]}


class Study(Section):
    """The whole study file."""

    study: Slug
    """Name of the study, of its folder of results and of its MLflow experiment."""
    title: str = ""
    """Title of the report."""
    description: str = ""
    """Opening text of the report."""
    results: Folder = Path("results")
    """Folder that holds the study's folder of results."""
    grid: Annotated[list[Block], Field(min_length=1), BeforeValidator(limit_grid_size)]
    """Blocks of the grid; every combination of a block's axes is a run."""
    diagnose: list[Experiment] = Field(default=[], json_schema_extra=_names_too)
    """Experiments, which measure runs after training; the name of a diagnostic stands for one of all runs."""
    claims: list[Claim] = Field(default=[])
    """Claims, with the tests that decide them."""
    published: list[Published] = Field(default=[])
    """Numbers that others published; the report sets the study's own beside them."""
    compare: Annotated[list[str], AfterValidator(distinct)] = Field(default=[])
    """Other studies with collected results, by name or file; a second report stands the study beside them."""
    protocol: str = ""
    """How the study differs from the published ones, one difference a line; shown beside the numbers."""
    train: TrainAxes = TrainAxes()
    pack: PackSection = PackSection()
    machine: Machine = Machine()
    evaluate: Evaluate = Evaluate()
    outcome: Outcome = Outcome()
    track: Track = Track()

    def block_train(self, block: Block) -> TrainAxes:
        """Merge the training options of a block into those of the study; the block's options take precedence."""
        return self.train.merged(block.train)

    @property
    def tracking_uri(self) -> str:
        """The address of the MLflow view: `track.uri`, or that of an SQLite file beside the studies' results."""
        return self.track.uri or f"sqlite:///{self.results / 'mlflow.db'}"

    def resolved(self) -> dict[str, Any]:
        """Convert the whole study, with every default filled in, to values that JSON can hold."""
        return self.model_dump(mode="json")

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        """A key with nothing below it has its default, as in blocks."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data

    @field_validator("claims")
    @classmethod
    def _unique_ids(cls, claims: list[Claim]) -> list[Claim]:
        return unique_ids(claims)

    @field_validator("diagnose")
    @classmethod
    def _unique_names(cls, experiments: list[Experiment]) -> list[Experiment]:
        names = Counter(experiment.name for experiment in experiments)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} is the name of {names[twice[0]]} experiments; give each a name of its own")
        return experiments

    @model_validator(mode="after")
    def _check_blocks_train(self) -> Study:
        for index, block in enumerate(self.grid):
            try:
                self.block_train(block)
            except ValidationError as error:
                raise ValueError("; ".join(describe_errors(error, f"grid[{index}].train"))) from None
            listed = [name for name in OF_BATCHES if isinstance(block.train.get(name), list)]
            if listed and block.n_train is None:
                raise ValueError(f"grid[{index}].train.{listed[0]}: a game without a data set has no batches to vary")
        return self


def parse(data: Any, *, origin: str) -> Study:
    """Validate a study.

    Args:
        data: the study as read from YAML.
        origin: the name of the study in errors, such as the file's path.

    Raises:
        GanbenchError: the study is not valid; the message has a line per fault: the key, the value received, what would
            be valid.
    """
    if fault := data_fault(data):
        raise GanbenchError(f"{origin}: {fault}.")
    try:
        return Study.model_validate(data)
    except ValidationError as error:
        raise GanbenchError(f"{origin} is not a valid study:\n{bullet_list(describe_errors(error))}") from None


def load(path: Path, *, over: Mapping[str, Any] | None = None) -> Study:
    """Read and validate a study file.

    Args:
        path: the path of the study file.
        over: values that take precedence over those of the file, such as those of a cluster's profile.

    Raises:
        GanbenchError: the file cannot be read or is not a valid study.
    """
    data = read_yaml(path)
    return parse(merge_values(data, over) if over and isinstance(data, dict) else data, origin=str(path))
