"""A study: one YAML file, validated into frozen objects before anything starts.

Every key is documented here, next to its type and default; `ganbench schema` prints the same as a JSON schema, so that
editors complete and check study files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from ganbench.core.errors import GanbenchError
from ganbench.study.blocks import Block, Train
from ganbench.study.claims import Claim, unique_ids
from ganbench.study.experiments import Experiment
from ganbench.study.sections import Evaluate, Machine, Outcome, Packing, Track
from ganbench.study.strict_yaml import bullet_list, data_fault, describe_errors, read
from ganbench.study.value_types import (
    Folder,
    Section,
    Slug,
    limit_grid_size,
)


class Study(Section):
    """The whole study file."""

    study: Slug
    """Name of the study, of its folder of results and of its MLflow experiment."""
    title: str = ""
    """Title of the report."""
    description: str = ""
    """First paragraph of the report."""
    results: Folder = Path("results")
    """Folder of results; the study's files lie in a folder of its name in it."""
    grid: Annotated[list[Block], Field(min_length=1), BeforeValidator(limit_grid_size)]
    """Blocks of the grid; every combination of a block's axes is a run."""
    diagnose: list[Experiment] = Field(default=[])
    """Experiments: diagnostics that measure runs after training."""
    claims: list[Claim] = Field(default=[])
    """Claims: statements, and the tests that decide them."""
    train: Train = Train()
    pack: Packing = Packing()
    machine: Machine = Machine()
    evaluate: Evaluate = Evaluate()
    outcome: Outcome = Outcome()
    track: Track = Track()

    def block_train(self, block: Block) -> Train:
        """The training options of a block, which replace those of the study."""
        return Train.model_validate(merged(self.train.model_dump(mode="json"), block.train))

    @property
    def tracking_uri(self) -> str:
        """The address of the MLflow store."""
        return self.track.uri or f"sqlite:///{self.results / 'mlflow.db'}"

    def resolved(self) -> dict[str, Any]:
        """The whole study with every default filled in, as JSON-able values."""
        return self.model_dump(mode="json")

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
        return self


def parse(data: Any, *, origin: str) -> Study:
    """Validate a study.

    Args:
        data: the study as read from YAML.
        origin: the study's name in error messages: the path of its file.

    Raises:
        GanbenchError: the study is not valid. The message has one line per fault: the key, the value received, and what
            is valid.
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
        path: the file.
        over: values that replace those of the file, such as those of a cluster's profile.
    """
    data = read(path)
    return parse(merged(data, over) if over and isinstance(data, dict) else data, origin=str(path))


def merged(base: Any, over: Any) -> Any:
    """Data with some values replaced, as Snakemake merges configurations: mappings key by key, others as a whole."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **over, **{key: merged(base[key], value) for key, value in over.items() if key in base}}
