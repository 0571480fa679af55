"""Descriptions of the columns of metrics and diagnostics, and checks of the values that they return.

Tables, plots and the text of the report are made from these descriptions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite, isnan
from numbers import Real
from typing import Any

from ganbench.core.escaping import short_repr

BEST = ("low", "high", "none")
ATOL = 1e-6  # tolerance for values beyond a bound


@dataclass(frozen=True)
class MetricInfo:
    """The description of one column of a metric or diagnostic.

    Attributes:
        title: label of axes, such as "Fréchet distance".
        what: one sentence about the measured quantity and the meaning of its values.
        best: which values are best: "low", "high" or "none".
        lower: smallest possible value; None if values have no lower bound.
        upper: largest possible value; None if values have no upper bound.
        unit: unit of the values, such as "dB"; empty for a number without one.
        source: where the quantity is defined, such as "Heusel et al. 2017"; empty if its name says it all.
    """

    title: str
    what: str
    best: str
    lower: float | None
    upper: float | None
    unit: str = ""
    source: str = ""


def of_averages(columns: Mapping[str, MetricInfo]) -> dict[str, MetricInfo]:
    """The columns of the same metrics for the moving averages of the parameters.

    Args:
        columns: the columns for the parameters, by name.
    """
    return {
        averaged(name): replace(
            info,
            title=f"{info.title}, averaged",
            what=f"{info.what.rstrip('.')}; of the generator whose parameters are the moving average over training",
        )
        for name, info in columns.items()
    }


def averaged(name: str) -> str:
    """The name of a metric's column for the moving averages of the parameters."""
    return f"{name}_ema"


def base_of(name: str) -> str:
    """The name of the column of which a column is that for moving averages; any other name as it is."""
    return name.removesuffix("_ema")


def columns_fault(columns: Any) -> str | None:
    """The fault of columns, as a clause; None for valid columns.

    Args:
        columns: the columns of a metric or diagnostic, which should be {name: MetricInfo}.
    """
    if not isinstance(columns, Mapping) or not columns:
        return f"its columns must be {{name: MetricInfo}} with one name at least, but are {short_repr(columns)}"
    for name, info in columns.items():
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
            return f"column {short_repr(name)}: a name has 1 to 64 lower-case letters, digits and underscores"
        if not isinstance(info, MetricInfo):
            return f"column {name!r} must be described by a MetricInfo, but is by {short_repr(info)}"
        if info.best not in BEST:
            return f"column {name!r}: best must be one of {', '.join(BEST)}, but is {short_repr(info.best)}"
        if not all(isinstance(text, str) and text for text in (info.title, info.what)):
            received = f"{short_repr(info.title)} and {short_repr(info.what)}"
            return f"column {name!r} needs a title and a sentence, but has {received}"
        if not all(isinstance(text, str) for text in (info.unit, info.source)):
            received = f"{short_repr(info.unit)} and {short_repr(info.source)}"
            return f"column {name!r}: its unit and its source must be text, but are {received}"
        bounds = [bound for bound in (info.lower, info.upper) if bound is not None]
        if not all(_is_number(bound) and isfinite(bound) for bound in bounds) or bounds != sorted(bounds):
            return f"column {name!r}: its bounds must be finite numbers, the lower first, or None, but are {bounds}"
    return None


def values_fault(columns: Mapping[str, MetricInfo], values: Any, *, absent: bool = False) -> str | None:
    """The fault of values that do not match their columns, as a clause; None if they match.

    Infinity stands for a value too large for a float, as after a divergence. It is valid within the bounds.

    Args:
        columns: the columns by name.
        values: the values, which should be {name: number}.
        absent: whether NaN is valid, which stands for an undefined value.
    """
    if not isinstance(values, Mapping):
        return f"gives {short_repr(values)}, which is no mapping of its columns {', '.join(columns)} to numbers"
    if missing := [name for name in columns if name not in values]:
        return f"gives no value for its column {missing[0]!r}"
    if extra := [name for name in values if name not in columns]:
        return f"gives a value for {short_repr(extra[0])}, which is none of its columns {', '.join(columns)}"
    for name, info in columns.items():
        value = values[name]
        if not _is_number(value):
            return f"gives {short_repr(value)} for its column {name!r}, which is no real number"
        if isnan(value) and absent:
            continue
        if isnan(value):
            return f"gives NaN for its column {name!r}, though all examples are finite"
        if info.lower is not None and value < info.lower - ATOL:
            return f"gives {value:g} for its column {name!r}, below its lower bound {info.lower:g}"
        if info.upper is not None and value > info.upper + ATOL:
            return f"gives {value:g} for its column {name!r}, above its upper bound {info.upper:g}"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
