"""What a measured number means, and whether what a metric or an instrument gives out is what it says of itself.

What a number means drives the tables, the plots and the words of the report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, isnan
from numbers import Real
from typing import Any

from ganbench.core.display import shown

BEST = ("low", "high", "none")
ROUNDING = 1e-6  # how far beyond a bound rounding may carry a number


@dataclass(frozen=True)
class MetricInfo:
    """One column that a metric fills."""

    title: str  # as an axis label: "Fréchet classifier distance"
    what: str  # one sentence: what is measured and how to read it
    best: str  # "low", "high" or "none"
    lower: float | None  # smallest possible value, where there is one
    upper: float | None  # largest possible value, where there is one


def columns_fault(columns: Any) -> str | None:
    """Why these are no columns of a table, as a clause; None where they are.

    Args:
        columns: what should be {name: MetricInfo}.
    """
    if not isinstance(columns, Mapping) or not columns:
        return f"its columns must be {{name: MetricInfo}} with one name at least, but are {shown(columns)}"
    for name, info in columns.items():
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
            return f"column {shown(name)}: a name has 1 to 64 lower-case letters, digits and underscores"
        if not isinstance(info, MetricInfo):
            return f"column {name!r} must be described by a MetricInfo, but is by {shown(info)}"
        if info.best not in BEST:
            return f"column {name!r}: best must be one of {', '.join(BEST)}, but is {shown(info.best)}"
        if not all(isinstance(text, str) and text for text in (info.title, info.what)):
            return f"column {name!r} needs a title and a sentence, but has {shown(info.title)} and {shown(info.what)}"
        bounds = [bound for bound in (info.lower, info.upper) if bound is not None]
        if not all(_is_number(bound) and isfinite(bound) for bound in bounds) or bounds != sorted(bounds):
            return f"column {name!r}: its bounds must be finite numbers, the lower first, or None, but are {bounds}"
    return None


def values_fault(columns: Mapping[str, MetricInfo], values: Any, *, absent: bool = False) -> str | None:
    """Why these values are not those of the columns, as a clause; None where they are.

    Args:
        columns: what is to be given.
        values: what should be {name: number}.
        absent: whether a number that does not exist may be NaN. One that is too large, as a divergence may be, is
            infinite, within its bounds.
    """
    if not isinstance(values, Mapping):
        return f"gives {shown(values)}, which is no mapping of its columns {', '.join(columns)} to numbers"
    if missing := [name for name in columns if name not in values]:
        return f"gives no value for its column {missing[0]!r}"
    if extra := [name for name in values if name not in columns]:
        return f"gives a value for {shown(extra[0])}, which is none of its columns {', '.join(columns)}"
    for name, info in columns.items():
        value = values[name]
        if not _is_number(value):
            return f"gives {shown(value)} for its column {name!r}, which is no real number"
        if isnan(value) and absent:
            continue
        if isnan(value):
            return f"gives NaN for its column {name!r}, though all examples are finite"
        if info.lower is not None and value < info.lower - ROUNDING:
            return f"gives {value:g} for its column {name!r}, below its lower bound {info.lower:g}"
        if info.upper is not None and value > info.upper + ROUNDING:
            return f"gives {value:g} for its column {name!r}, above its upper bound {info.upper:g}"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
