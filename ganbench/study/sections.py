"""Sections of a study besides its grid and claims: packs, machine, evaluation, outcomes and tracking."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ganbench.core.escaping import short_repr
from ganbench.study.value_types import (
    ChoiceAxis,
    ChoiceField,
    Count,
    Folder,
    Fraction,
    Positive,
    Section,
    distinct,
    refuse_boolean,
    text_matching,
)

PackAxis = Literal[
    "seed",
    "learning_rate",
    "generator_learning_rate",
    "n_train",
    "game",
    "objective",
    "regularizer",
    "dynamics",
    "optimizer",
    "schedule",
]


Duration = Annotated[float, BeforeValidator(refuse_boolean), Field(ge=0, allow_inf_nan=False)]
LEAST_MEMORY_MB = 500  # memory of a process that has only loaded its libraries

HexDigits = text_matching(r"[0-9a-f]{8,64}", "8 to 64 of the digits 0 to 9 and a to f")


class Packing(Section):
    """The runs that train together in one process. Changes only speed."""

    axes: Annotated[list[PackAxis], AfterValidator(distinct)] = Field(
        default=["seed", "learning_rate", "generator_learning_rate", "n_train"]
    )
    """Axes in which the runs of a pack may differ. Runs that differ in more than seed, learning rates and number of
    examples cannot fuse; one process trains them one group after the other, which pays off where runs are short."""
    seeds_per_pack: Count = 16
    """Most seeds of a pack. Seed blocks are aligned at its multiples, so added seeds move no run to another pack."""
    fuse: Literal["auto", "always", "never"] = "auto"
    """Whether members train in the same operations or one after the other; 'auto' decides by size and device."""
    execution: Literal["auto", "eager", "traced", "compiled", "graph"] = "auto"
    """How training steps are executed: 'eager' in Python, 'traced' as the operations of one step, repeated, 'compiled'
    as these operations compiled by PyTorch, 'graph' as a CUDA graph of them; 'auto' decides by the numbers of steps and
    operations and by device. Forms agree to rounding, and on a CPU 'traced' with 'eager' in every bit. What cannot be
    executed as asked is executed in the next simpler form, and says so."""


class Machine(Section):
    """Device, checkpoints and limits of jobs. Changes only speed."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device of training; 'auto' is a GPU where one is available."""
    checkpoint_seconds: Annotated[Duration, Field(le=31_536_000)] = 60.0
    """Seconds between two checkpoints of a pack; more where checkpoints would cost over 1% of its time."""
    longest_minutes: Count | None = None
    """The longest time that a job may ask a cluster for, in minutes; longer work continues in the next job."""
    most_memory_mb: Annotated[Count, Field(ge=LEAST_MEMORY_MB)] | None = None
    """The most main memory that a job may ask a cluster for, in MB; the libraries of a process take 500."""


class Inception(Section):
    """Weights of the FID's Inception network, as pytorch-fid publishes them."""

    folder: Folder = Path("results/weights")
    """Folder of the weights."""
    sha256: HexDigits = "6726825d"
    """SHA-256 of the file of weights, or its first characters."""


class Evaluate(Section):
    """The metrics and examples of every snapshot."""

    metrics: Annotated[list[ChoiceField], Field(min_length=1), AfterValidator(distinct)] = Field(
        default=["fcd", "mode_coverage"], validate_default=True
    )
    """Metrics to compute; the first one leads the figures and findings."""
    judge: Annotated[ChoiceAxis, AfterValidator(distinct)] | None = None
    """Judges in place of the data sets' own, such as {name: classifier, least_accuracy: 0.6}: each data set has the
    first that fits it, by the shape of its examples and by whether it has labels, or else its own."""
    samples: Annotated[int, BeforeValidator(refuse_boolean), Field(ge=16, le=1_000_000)] = 2000
    """Number of generated examples per snapshot."""
    samples_kept: Annotated[int, BeforeValidator(refuse_boolean), Field(ge=1, le=256)] = 32
    """Number of generated examples that are kept and shown, at most `samples`."""
    inception: Inception = Inception()

    @model_validator(mode="before")
    @classmethod
    def _default_shown(cls, data: Any) -> Any:
        if isinstance(data, dict) and "samples_kept" not in data and type(data.get("samples")) is int:
            return {**data, "samples_kept": max(1, min(cls.model_fields["samples_kept"].default, data["samples"]))}
        return data

    @model_validator(mode="after")
    def _shown_at_most_samples(self) -> Evaluate:
        if self.samples_kept > self.samples:
            raise ValueError(f"samples_kept must be at most samples, {self.samples}, but is {self.samples_kept}")
        return self


class Outcome(Section):
    """Thresholds by which a run counts as failed. Shares lie between 0 and 1."""

    norm_growth: Positive = 100.0
    """Diverged: a player's parameter norm ends beyond this multiple of its initial norm."""
    won_real_output: Fraction = 0.99
    """Discriminator won: its mean output on real examples is at least this in the last share of training."""
    won_fake_output: Fraction = 0.01
    """Discriminator won: its mean output on generated examples is at most this in the last share of training."""
    won_last_share: Annotated[Fraction, Field(gt=0)] = 0.25
    """Last share of training, throughout which both mean outputs of a discriminator that won meet their thresholds."""
    collapsed_mode_share: Fraction = 0.5
    """Collapsed: the generated examples fill the equivalent of less than this share of the modes."""


def _without_password(uri: str) -> str:
    if "@" in urlsplit(uri).netloc:
        raise ValueError(
            "must be without a password, which the report and lists of processes would show; set "
            f"MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; but is {short_repr(uri)}"
        )
    return uri


Address = text_matching(
    r"(sqlite:///|https?://).+", "sqlite:///path/to/file.db or the address of a server, http(s)://host"
)


class Track(Section):
    """The destination of the MLflow view of the results."""

    uri: Annotated[Address, AfterValidator(_without_password)] | None = None
    """A SQLite file, or the address of an MLflow server; unless given, mlflow.db in the folder of results. A server's
    user and password are MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment."""
