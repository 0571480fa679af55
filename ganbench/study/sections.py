"""Sections of a study beside its grid and claims: packs, machine, evaluation, outcomes and tracking."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ganbench.core.escaping import short_repr
from ganbench.study.value_types import (
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

PackAxis = Literal["seed", "learning_rate", "n_train", "game", "objective", "regularizer", "dynamics", "optimizer"]


Duration = Annotated[float, BeforeValidator(refuse_boolean), Field(ge=0, allow_inf_nan=False)]
LEAST_MEMORY_MB = 500  # memory of a process that has only loaded its libraries

HexDigits = text_matching(r"[0-9a-f]{8,64}", "8 to 64 of the digits 0 to 9 and a to f")


class Packing(Section):
    """Which runs train together in one process. Changes nothing but speed."""

    axes: Annotated[list[PackAxis], AfterValidator(distinct)] = Field(default=["seed", "learning_rate", "n_train"])
    """Runs that differ in nothing else share a pack. Those that differ in more than seed, learning rate and number of
    examples cannot fuse; one process trains them one group after the other, which pays where runs are short."""
    seeds_per_pack: Count = 16
    """Seeds are packed in blocks aligned at its multiples, so adding seeds reshuffles none."""
    fuse: Literal["auto", "always", "never"] = "auto"
    """Whether members train in the same operations or one after the other; 'auto' decides by size and device."""


class Machine(Section):
    """Device, checkpoints and limits of jobs. Changes nothing but speed."""

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
    """Folder of the weights."""
    sha256: HexDigits = "6726825d"
    """SHA-256 of the file, or its first characters."""


class Evaluate(Section):
    """What is measured at every snapshot."""

    metrics: Annotated[list[ChoiceField], Field(min_length=1), AfterValidator(distinct)] = Field(
        default=["fcd", "mode_coverage"], validate_default=True
    )
    """Metrics to compute; the first one leads the figures and findings."""
    samples: Annotated[int, BeforeValidator(refuse_boolean), Field(ge=16, le=1_000_000)] = 2000
    """Generated examples per snapshot."""
    samples_kept: Annotated[int, BeforeValidator(refuse_boolean), Field(ge=1, le=256)] = 32
    """Of which kept and shown; at most as many as there are samples."""
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
    """When a run counts as failed. Steps are training steps, shares are of 1."""

    norm_growth: Positive = 100.0
    """Diverged: a player's parameter norm ends beyond this multiple of its initial one."""
    won_real_output: Fraction = 0.99
    """Discriminator won: mean outputs beyond these two ..."""
    won_fake_output: Fraction = 0.01
    """... the second one, on generated examples ..."""
    won_last_share: Annotated[Fraction, Field(gt=0)] = 0.25
    """... throughout this last share of training."""
    collapsed_mode_share: Fraction = 0.5
    """Collapsed: the examples fill the equivalent of less than this share of the modes."""


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
    """Where the MLflow view of the results goes."""

    uri: Annotated[Address, AfterValidator(_without_password)] | None = None
    """A SQLite file, or the address of an MLflow server; unless given, mlflow.db in the folder of results. A server's
    user and password are MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment."""
