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
    Integer,
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
MIN_MEMORY_MB = 500  # memory of a process that has only loaded its libraries

HexDigits = text_matching(r"[0-9a-f]{8,64}", "8 to 64 of the digits 0 to 9 and a to f")


class PackSection(Section):
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
    """Device, checkpoints and limits of jobs. No digest has them, so nothing that is done runs again; the numbers of
    another device differ by rounding, and after long training by more."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device of training; 'auto' is a GPU where one is available."""
    checkpoint_seconds: Annotated[Duration, Field(le=31_536_000)] = 60.0
    """Seconds between two checkpoints of a pack; more where checkpoints would cost over 1% of its time."""
    max_runtime: Count | None = None
    """Maximum run time that a job may request from a cluster, in minutes; longer work continues in the next job."""
    max_mem_mb: Annotated[Count, Field(ge=MIN_MEMORY_MB)] | None = None
    """Maximum main memory that a job may request from a cluster, in MB; the libraries of a process take 500."""


class Inception(Section):
    """Weights of the FID's Inception network, as pytorch-fid publishes them."""

    folder: Folder = Path("results/weights")
    """Folder of the weights."""
    sha256: HexDigits = "6726825d"
    """SHA-256 of the file of weights, or its first characters."""


class Evaluate(Section):
    """The metrics and examples of every snapshot."""

    metrics: Annotated[list[ChoiceField], Field(min_length=1), AfterValidator(distinct)] = Field(
        default=["fd", "mode_coverage", "diversity"], validate_default=True
    )
    """Metrics to compute; the first one that tells noise from real data leads the figures and findings."""
    judge: Annotated[ChoiceAxis, AfterValidator(distinct)] | None = None
    """Judges in place of the data sets' own, such as {name: classifier, min_accuracy: 0.6}: each data set has the
    first that fits it, by the shape of its examples and by whether it has labels, or else its own."""
    samples: Annotated[Integer, Field(ge=16, le=1_000_000)] = 2000
    """Number of generated examples per snapshot."""
    samples_kept: Annotated[Integer, Field(ge=1, le=256)] = 32
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
    """Thresholds by which the outcome of a run is decided. Shares lie between 0 and 1. Every threshold is relative to
    the run itself (its first steps, its untrained generator, its best snapshot) or to real data, so that it does not
    measure the learning rate or the scale of a loss; docs/outcomes.md argues each."""

    needs_all: bool = False
    """Undetermined: whether a run without a failure is undetermined if any failure that it may have had was not
    measured; otherwise only if that is a collapse."""
    late_share: Annotated[Fraction, Field(gt=0)] = 0.25
    """Last share of training, throughout which what decides an outcome must hold."""
    early_share: Annotated[Fraction, Field(gt=0)] = 0.1
    """First share of training, whose median loss and gradient are those that later ones are compared with."""
    loss_growth: Annotated[float, BeforeValidator(refuse_boolean), Field(gt=1, allow_inf_nan=False)] = 100.0
    """Unstable: in the last share of training a loss has a median of at least this multiple of its early one."""
    norm_growth: Annotated[float, BeforeValidator(refuse_boolean), Field(gt=1, allow_inf_nan=False)] = 100.0
    """Unstable, of games of a few numbers: the norm of all parameters ends beyond this multiple of the initial one."""
    spike_deviations: Positive = 6.0
    """Spikes: the least deviation of a loss from its recent past, in robust standard deviations."""
    spike_gap: Count = 50
    """Spikes: the largest number of steps between two parts of one spike."""
    spike_size: Annotated[float, BeforeValidator(refuse_boolean), Field(gt=1, allow_inf_nan=False)] = 10.0
    """Unstable: the least size of a spike that counts, in multiples of the usual loss before it."""
    spike_count: Count = 3
    """Unstable: so many spikes count even if the loss recovered from each."""
    won_real_output: Fraction = 0.99
    """Discriminator won: its mean output on real examples is at least this."""
    won_fake_output: Fraction = 0.01
    """Discriminator won: its mean output on generated examples is at most this."""
    starved_gradient: Annotated[Fraction, Field(gt=0)] = 1e-3
    """Discriminator won: the generator's gradient is at most this share of its early norm."""
    won_output_gap: Annotated[Fraction, Field(gt=0)] = 0.02
    """Generator won: the mean outputs on real and generated examples differ by at most this; of a critic, by this share
    of the largest difference."""
    learned_share: Annotated[Fraction, Field(gt=0, lt=1)] = 0.25
    """Learned: the distance from real data is at most this share of the untrained generator's, and at most that of
    noise with the data's means and variances, if the metric tells noise from real data."""
    improving_ratio: Annotated[Fraction, Field(gt=0, lt=1)] = 0.8
    """Still improving: the last distance from real data is at most this multiple of the best until half of training."""
    relapsed_ratio: Annotated[float, BeforeValidator(refuse_boolean), Field(gt=1, allow_inf_nan=False)] = 2.0
    """Forgetting: a distance from real data is at least this multiple of the best before."""
    relapsed_share: Annotated[Fraction, Field(gt=0)] = 0.05
    """Forgetting: and it is worse than the best by at least this share of the untrained generator's distance, or by the
    largest distance that counts as learned where that is less."""
    recovered_ratio: Annotated[float, BeforeValidator(refuse_boolean), Field(ge=1, allow_inf_nan=False)] = 1.2
    """Relapsing: a relapse ends at this multiple of the best before."""
    collapsed_mode_share: Annotated[Fraction, Field(gt=0)] = 0.3
    """Collapsed: the examples fill the equivalent of at most this share of the modes."""
    partial_mode_share: Annotated[Fraction, Field(gt=0)] = 0.7
    """Partly collapsed: the examples fill the equivalent of at most this share of the modes, and no more than
    before."""
    concentrated_ratio: Annotated[Fraction, Field(gt=0, lt=1)] = 0.67
    """Collapsed without having learned: the examples fill at most this multiple of the modes that those of the
    untrained generator fill, or vary by at most this multiple, throughout the second half of training."""
    alike_diversity: Annotated[Fraction, Field(gt=0)] = 0.05
    """Collapsed, cycling: examples are all alike if their total variance is at most this share of that of real
    ones."""
    hops: Count = 3
    """Cycling: the mode that holds most examples changes at least so often."""
    memorized_ratio: Annotated[Fraction, Field(gt=0)] = 0.7
    """Memorising: the distance to the nearest training example is at most this multiple of that to the nearest of as
    many held-out examples."""
    checkerboard_decibels: Positive = 3.0
    """Checkerboard artefacts: power at the frequencies of a checkerboard beyond that of real images, in decibels."""
    settled_gradient: Annotated[Fraction, Field(gt=0, lt=1)] = 0.01
    """Converged, of games of a few numbers: the norm of the gradients in the last quarter, as a share of the first."""

    @model_validator(mode="after")
    def _ordered(self) -> Outcome:
        for low, high in (
            ("collapsed_mode_share", "partial_mode_share"),
            ("recovered_ratio", "relapsed_ratio"),
            ("won_fake_output", "won_real_output"),
        ):
            if getattr(self, low) >= getattr(self, high):
                raise ValueError(
                    f"{low} must be less than {high}, {getattr(self, high):g}, but is {getattr(self, low):g}"
                )
        return self


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
    models: tuple[Literal["best", "median", "worst"], ...] = ("best", "median", "worst")
    """Runs of each method whose generator is logged as a model, by their final value of the primary metric."""
    pictures: Annotated[Integer, Field(ge=0)] = 200
    """Most runs whose samples are drawn. Of more, as many of each method are, evenly spread from the best to the
    worst."""
