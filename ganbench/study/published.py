"""Numbers that others published, which a study sets its own beside."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from ganbench.study.claim_tests import ExpressionField, Number
from ganbench.study.selectors import Selector, SelectorField
from ganbench.study.value_types import Count, Section, refuse_boolean

Statistic = Literal["mean", "median"]
ErrorKind = Literal["standard deviation", "standard error", "95% interval", "rounding"]


class Published(Section):
    """A published number, and the runs of the study whose number stands beside it."""

    label: str = ""
    """A short name of the number, such as the method in its table; unless given, the selected runs."""
    where: SelectorField = Selector()
    """The runs to set beside it: axes with their values; all runs unless given."""
    quantity: ExpressionField
    """The number of each run that is averaged: `final.modes`, or an expression."""
    value: Number
    """The published value, of all published runs."""
    statistic: Statistic = "mean"
    """What the value is of the published runs; the same is taken of ours."""
    error: Annotated[float, BeforeValidator(refuse_boolean), Field(ge=0, allow_inf_nan=False)] | None = None
    """The published error, in the unit of the value; needs `error_kind`."""
    error_kind: ErrorKind | None = None
    """What the error is: the standard deviation over runs, the standard error of the mean, half of the width of its 95%
    interval (Student's where `runs` is given, else the normal one), or, of a number in which nothing is random, its
    rounding: half a unit of the last digit given."""
    runs: Count | None = None
    """The number of runs that the published value is of; none where it is not said."""
    source: Annotated[str, Field(min_length=1)]
    """The publication, with the number of its table or section."""

    @model_validator(mode="after")
    def _whole(self) -> Published:
        if (self.error is None) != (self.error_kind is None):
            given = "error_kind" if self.error is None else "error"
            raise ValueError(f"must have both error and error_kind, or neither, but has {given} alone")
        if self.where.study:
            raise ValueError("where: needs runs: the study's own measurements ('study') are one number each")
        return self
