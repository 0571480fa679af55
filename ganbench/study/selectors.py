"""Selectors of the runs of a test or an experiment, by values on the grid's axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from ganbench.core.errors import unknown
from ganbench.core.escaping import short_repr
from ganbench.core.registry import CHOICES
from ganbench.study.choices import canonical_signature, parse_choice, split_label

NUMERIC = ("n_train", "learning_rate", "seed")
AXES = (*CHOICES, *NUMERIC, "block", "method")


@dataclass(frozen=True)
class Selector:
    """A selection of runs: those that have one of the values on every axis given; without axes, all runs.

    With `study`, it selects the study's own measurements, and no runs.
    """

    axes: tuple[tuple[str, tuple[str | float, ...]], ...] = ()
    study: bool = False

    def __str__(self) -> str:
        if self.study:
            return "the study"
        return ", ".join(f"{axis} {' or '.join(map(_shown, values))}" for axis, values in self.axes) or "all runs"

    def intersection(self, other: Selector) -> Selector:
        """The selector of the runs that both select."""
        return _in_axis_order(self.axes + other.axes)


def _in_axis_order(axes: Iterable[tuple[str, tuple[str | float, ...]]]) -> Selector:
    """The selector of these axes in a fixed order, since a job may get a study's keys in another order."""
    return Selector(tuple(sorted(axes, key=lambda pair: AXES.index(pair[0]))))


def matches(selector: Selector, axes: Mapping[str, Any]) -> bool:
    """Whether a run is selected.

    Args:
        selector: the selector; the one of the study matches no run.
        axes: the run's values, as in the table of runs. An axis that the run does not have may be absent, None or NaN.
    """
    return not selector.study and all(
        any(_matches(axis, value, axes.get(axis)) for value in values) for axis, values in selector.axes
    )


def _matches(axis: str, wanted: str | float, found: Any) -> bool:
    if axis in NUMERIC:
        return isinstance(found, Real) and math.isclose(wanted, found, rel_tol=1e-9)
    if not isinstance(found, str):
        return False
    label, signature = split_label(found)
    if "*" in wanted:
        return any(_matches_pattern(text, wanted) for text in (found, label, signature))
    return wanted in (found, label, signature, signature.partition("(")[0])


def _matches_pattern(text: str, pattern: str) -> bool:
    """Whether a text matches a pattern whose stars stand for any characters.

    `fnmatch` would take brackets for sets of characters, and a regular expression with many stars would try every way
    to divide the text among them. Taking the first position of every piece finds a match if there is one.
    """
    first, *pieces, last = pattern.split("*")
    index, end = len(first), len(text) - len(last)
    if index > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for piece in pieces:
        index = text.find(piece, index, end)
        if index < 0:
            return False
        index += len(piece)
    return True


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.12g}"


def _parse_selector(value: Any) -> Selector:
    if isinstance(value, Selector):
        return value
    if value is None:
        return Selector()
    if value == "study":
        return Selector(study=True)
    if not isinstance(value, dict):
        raise ValueError(f"must be a mapping of axes to values, or 'study', but is {short_repr(value)}")
    axes = []
    for axis, given in value.items():
        if axis not in AXES:
            raise ValueError(unknown("axis", axis, AXES))
        values = list(given) if isinstance(given, list | tuple) else [given]
        if not values:
            raise ValueError(f"{axis} has no values; leave the axis out to select all")
        read = tuple(_parse_value(axis, one) for one in values)
        if len(set(read)) < len(read):
            raise ValueError(f"{axis} has a value more than once: {short_repr(values)}")
        axes.append((axis, read))
    return _in_axis_order(axes)


def _parse_value(axis: str, value: Any) -> str | float:
    if axis not in NUMERIC:
        if isinstance(value, dict) and axis in CHOICES:
            return parse_choice(axis, value).signature
        if not isinstance(value, str):
            raise ValueError(f"{axis} must be a name, a label or a pattern with *, but is {short_repr(value)}")
        return canonical_signature(axis, value) if axis in CHOICES and "*" not in value else value
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)  # YAML reads 2e-4 as a string
        if not math.isfinite(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{axis} must be a finite number, but is {short_repr(value)}") from None
    return int(number) if number.is_integer() else number


def _serialize(selector: Selector) -> Any:
    return "study" if selector.study else {axis: list(values) for axis, values in selector.axes}


def custom_field(read: Any, write: Any, *types: str) -> tuple[Any, ...]:
    """The annotations with which pydantic reads, writes and describes a value of a class of this package.

    Args:
        read: function that returns the value from data.
        write: function that returns data from the value.
        types: JSON schema types of the data.
    """
    schema = {"anyOf": [{"type": kind} for kind in types]}
    return PlainValidator(read), PlainSerializer(write), WithJsonSchema(schema)


SelectorField = Annotated[Selector, *custom_field(_parse_selector, _serialize, "object", "string")]
