"""The option `train.early_stopping`: for which outcomes runs end before their last step, and when they are checked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ganbench.study.value_types import Count, Fraction, Section, distinct

Stoppable = Literal["unstable", "discriminator-won"]  # the outcomes that recorded series show without any metric

# By outcome, the thresholds by which they do. A run depends on these alone: a change of another trains no run again.
THRESHOLDS = {
    "unstable": (
        *("early_share", "late_share", "loss_growth"),
        *("spike_deviations", "spike_gap", "spike_size", "spike_count"),
    ),
    "discriminator-won": ("early_share", "late_share", "starved_gradient"),
}


# Of the valid entries: a length that pydantic checks counts without those that it refuses, and adds a second error.
SOME = Field(json_schema_extra={"minItems": 1})


def _some(outcomes: tuple[str, ...]) -> tuple[str, ...]:
    if not outcomes:
        raise ValueError(f"must name {' or '.join(map(repr, THRESHOLDS))}, but is empty")
    return outcomes


class EarlyStopping(Section):
    """When a run ends before its last step: once its recorded series show it to fail at several checks in a row. It is
    judged by what was recorded until then, and has no final value. Games without data train to their end."""

    outcomes: Annotated[tuple[Stoppable, ...], AfterValidator(_some), AfterValidator(distinct), SOME]
    """The outcomes for which a run is stopped; the others need metrics, which are computed after training. For
    discriminator-won the generator must be without gradients: a discriminator that is merely sure may know few examples
    by heart, while the generator learns."""
    start_from: Annotated[Fraction, Field(gt=0, lt=1)] = 0.25
    """The share of the steps after which a run is checked first."""
    check_interval: Annotated[Fraction, Field(ge=0.001)] = 0.1
    """The share of the steps between two checks."""
    patience: Count = 2
    """The number of checks in a row at which an outcome must hold, so that no transient ends a run."""
