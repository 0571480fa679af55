"""Numbers, proportions and intervals as text, in the same form in sentences, tables and plots."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

FEW = 4  # values: fewer have no typical one, and are given themselves where a median would stand


class Proportion(Protocol):
    """A proportion: count of total, with the bounds of its interval."""

    count: int
    total: int
    value: float
    lower: float
    upper: float


def format_number(value: float, digits: int = 3) -> str:
    """A number with a few significant digits, in plain notation for moderate sizes; "–" for NaN.

    Args:
        value: the number.
        digits: number of significant digits. Integers below a million are written in full.
    """
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


def format_median(median: float, values: Sequence[float], write: Callable[[float], str] = format_number) -> str:
    """A median, or where it is one of fewer than four values these themselves: "2 and 8", or "8" for equal ones.

    Args:
        median: the median; NaN where there is none, which is written as such.
        values: the values that it stands for.
        write: how a value is written.
    """
    if math.isnan(median) or len(values) >= FEW:
        return write(median)
    texts = [write(value) for value in sorted(values)]
    return texts[0] if len(set(texts)) == 1 else join_words(texts)


def format_percent(share: float) -> str:
    """A share in [0, 1] as a whole percentage; "–" for NaN. Only exactly 0 and 1 become 0% and 100%."""
    if math.isnan(share):
        return "–"
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 < share < 1:
        return ">99%"
    return f"{100 * share:.0f}%"


def format_points(difference: float) -> str:
    """A difference of shares in percentage points, without their unit: "-12"; "–" for NaN. Less than half a point has
    a digit more, "-0.2": an interval from -110 to -0.2 must not read as one with 0 in it."""
    if math.isnan(difference):
        return "–"
    return f"{100 * difference:.1f}" if 0.0005 < abs(difference) <= 0.005 else f"{round(100 * difference):d}"


def format_p_value(value: float, *, least: float = 0.0, of: str = "") -> str:
    """A p-value with its sign: "p = 0.031", and "p < 0.001" where it is smaller; "no p-value" for NaN.

    Args:
        value: the p-value.
        least: the least one that the data could have given.
        of: what they are, such as "5 seeds": "p = 0.062, the least that 5 seeds can give".
    """
    if math.isnan(value):
        return "no p-value"
    if value < 0.001:
        return "p < 0.001"
    return f"p = {format_number(value, 2)}{f', the least that {of} can give' if value <= least * (1 + 1e-9) else ''}"


def format_range(low: float, high: float, digits: int = 3) -> str:
    """A range of numbers as "1 to 2"; a single number if both ends have the same text."""
    first, last = format_number(low, digits), format_number(high, digits)
    return first if first == last else f"{first} to {last}"


def format_interval(proportion: Proportion) -> str:
    """The bounds of a proportion's interval: "19% to 73%"."""
    return f"{format_percent(proportion.lower)} to {format_percent(proportion.upper)}"


def format_proportion(proportion: Proportion, what: str) -> str:
    """A proportion with its counts and its interval: "4 of 9 runs failed (44%, 95% interval 19% to 73%)"."""
    share, bounds = format_percent(proportion.value), format_interval(proportion)
    return f"{proportion.count} of {proportion.total} {what} ({share}, 95% interval {bounds})"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: "1 run", "2 runs".

    Args:
        count: the count.
        one: the noun in the singular.
        many: the noun in the plural; None for the singular with "s".
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def join_words(parts: Sequence[str]) -> str:
    """An enumeration of words: "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def format_duration(seconds: float) -> str:
    """A time span in seconds, minutes, hours or days, depending on its length; "–" for NaN."""
    if math.isnan(seconds):
        return "–"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def truncate(text: str, most: int = 200) -> str:
    """A text, shortened to at most `most` characters."""
    return text if len(text) <= most else f"{text[: most - 4].rstrip()} ..."
