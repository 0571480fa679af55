"""Numbers as words: one way to write a value, a share and an interval, for sentences, tables and axes alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol


class Proportion(Protocol):
    """A share of a number of things, with its interval."""

    count: int
    total: int
    value: float
    lower: float
    upper: float


def number(value: float, digits: int = 3) -> str:
    """A number to a few digits, in plain notation where that stays short; "–" where there is none."""
    value = float(value)
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if value == 0 or (value.is_integer() and size < 1e6):
        return str(int(value))
    if 1e-4 <= size < 1e6:
        places = max(0, digits - 1 - math.floor(math.log10(size)))
        text = f"{value:.{places}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def percent(share: float) -> str:
    """A share in [0, 1] as a whole percentage; never 0% or 100% unless it is exactly that."""
    if math.isnan(share):
        return "–"
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 < share < 1:
        return ">99%"
    return f"{100 * share:.0f}%"


def between(low: float, high: float, digits: int = 3) -> str:
    """A range, or the one value it consists of."""
    first, last = number(low, digits), number(high, digits)
    return first if first == last else f"{first} to {last}"


def interval(proportion: Proportion) -> str:
    """The bounds of a proportion's interval."""
    return f"{percent(proportion.lower)} to {percent(proportion.upper)}"


def observed(proportion: Proportion, what: str) -> str:
    """A proportion with everything needed to judge it: "4 of 9 runs failed (44%, 95% interval 19% to 73%)"."""
    share = f"{percent(proportion.value)}, 95% interval {interval(proportion)}"
    return f"{proportion.count} of {proportion.total} {what} ({share})"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listing(parts: Sequence[str]) -> str:
    """Parts of a sentence: "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def duration(seconds: float) -> str:
    """A time span in the unit a person would use."""
    if math.isnan(seconds):
        return "–"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def shortened(text: str, most: int = 200) -> str:
    """The text's beginning, where it is longer than so many characters."""
    return text if len(text) <= most else f"{text[: most - 4].rstrip()} ..."
