"""Selectors: the runs of a study that a test or an experiment uses, chosen by their values on the grid's axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationError, WithJsonSchema

from ganbench.core.errors import unknown
from ganbench.core.escaping import short_repr
from ganbench.core.registry import CHOICES
from ganbench.core.signatures import without_options
from ganbench.study.blocks import Train
from ganbench.study.choices import canonical_signature, parse_choice, split_label
from ganbench.study.strict_yaml import describe_errors
from ganbench.study.train_axes import COLUMNS, OPTIONS

NUMERIC = ("n_train", "learning_rate", "generator_learning_rate", "seed")
AXES = (*CHOICES, *NUMERIC, "block", "train", "method", *OPTIONS)
Value = str | float | bool | None  # null is the value of a training option that is switched off


@dataclass(frozen=True)
class Selector:
    """A selection of runs: those that have one of the given values on every given axis; all runs if no axis is given.

    With `study`, it selects the measurements that belong to no run.
    """

    axes: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    study: bool = False

    def __str__(self) -> str:
        if self.study:
            return "the study"
        return ", ".join(f"{axis} {' or '.join(map(_shown, values))}" for axis, values in self.axes) or "all runs"

    def intersection(self, other: Selector) -> Selector:
        """Make a selector of the runs that both selectors select; neither may be that of the study."""
        return _in_axis_order(self.axes + other.axes)


def _in_axis_order(axes: Iterable[tuple[str, tuple[Value, ...]]]) -> Selector:
    """Make a selector that does not depend on the order of the keys, which jobs do not preserve."""
    return Selector(tuple(sorted(axes, key=lambda pair: AXES.index(pair[0]))))


def matches(selector: Selector, axes: Mapping[str, Any]) -> bool:
    """Whether a run is selected.

    Args:
        selector: the values to match; the selector of the study matches no run.
        axes: the run's values, as in the table of runs; an axis that the run lacks may be absent, None or NaN.
    """
    return not selector.study and all(
        any(_matches(axis, value, axes.get(COLUMNS.get(axis, axis))) for value in values)
        for axis, values in selector.axes
    )


def _matches(axis: str, wanted: Value, found: Any) -> bool:
    if not isinstance(found, str | Real) or (isinstance(found, float) and math.isnan(found)):
        return wanted is None
    if axis in COLUMNS and not (type(wanted) in (int, float) and isinstance(found, Real)):
        return type(wanted) is type(found) and wanted == found
    if axis in NUMERIC or axis in COLUMNS:
        return isinstance(found, Real) and math.isclose(wanted, found, rel_tol=1e-9)
    if not isinstance(found, str):
        return False
    label, signature = split_label(found)
    if "*" in wanted:
        return any(_matches_pattern(text, wanted) for text in (found, label, signature))
    return wanted in (found, label, signature, without_options(signature))


def _matches_pattern(text: str, pattern: str) -> bool:
    """Whether a text matches a pattern in which each star stands for any characters.

    Patterns may hold brackets, which `fnmatch` would read as sets of characters. A regular expression with many stars
    would try every way to divide the text among them. Here every piece between stars takes its first possible
    position, which finds a match if one exists.
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


def _shown(value: Value) -> str:
    return f"{value:.12g}" if type(value) in (int, float) else str(value)


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


def _parse_value(axis: str, value: Any) -> Value:
    if axis in OPTIONS:
        try:
            return getattr(Train.model_validate({axis: value}), axis)
        except ValidationError as error:
            raise ValueError("; ".join(describe_errors(error))) from None
    if axis not in NUMERIC:
        if isinstance(value, dict) and axis in CHOICES:
            return parse_choice(axis, value).signature
        if not isinstance(value, str):
            raise ValueError(f"{axis} must be a name, a label or a pattern with *, but is {short_repr(value)}")
        return canonical_signature(axis, value) if axis in CHOICES and "*" not in value else value
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)  # accepts strings, since YAML reads 2e-4 as one
        if not math.isfinite(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{axis} must be a finite number, but is {short_repr(value)}") from None
    return int(number) if number.is_integer() else number


def _serialize(selector: Selector) -> Any:
    return "study" if selector.study else {axis: list(values) for axis, values in selector.axes}


def custom_field(read: Any, write: Any, *types: str) -> tuple[Any, ...]:
    """Annotations with which pydantic reads, writes and describes a value of a custom type.

    Args:
        read: the function that validates a value.
        write: the function that serializes a value.
        types: the JSON types that editors accept.
    """
    schema = {"anyOf": [{"type": kind} for kind in types]}
    return PlainValidator(read), PlainSerializer(write), WithJsonSchema(schema)


SelectorField = Annotated[Selector, *custom_field(_parse_selector, _serialize, "object", "string")]
