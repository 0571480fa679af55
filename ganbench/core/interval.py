"""Ranges of numbers, which components declare with the types of their options."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """The valid range of a numeric option: `beta1: Annotated[float, Interval(ge=0, lt=1)] = 0.5`.

    Attributes:
        gt, ge: lower bound, exclusive or inclusive; at most one of the two.
        lt, le: upper bound, exclusive or inclusive; at most one of the two.

    Raises:
        ValueError: two lower bounds, two upper bounds, or an empty range.
    """

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None

    def __post_init__(self) -> None:
        if None not in (self.gt, self.ge) or None not in (self.lt, self.le):
            raise ValueError("a range has one lower bound, gt or ge, and one upper bound, lt or le")
        low, high = self.ge if self.gt is None else self.gt, self.le if self.lt is None else self.lt
        closed = self.gt is None and self.lt is None
        if None not in (low, high) and not (low < high or (closed and low == high)):
            raise ValueError(f"no value lies {self}")

    def __contains__(self, value: float) -> bool:
        """Whether a value lies in the range. NaN lies in no range."""
        return (
            value == value
            and (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )

    def __str__(self) -> str:
        if self.ge is not None and self.le is not None:
            return f"from {self.ge} to {self.le}"
        bounds = {"above": self.gt, "at least": self.ge, "below": self.lt, "at most": self.le}
        return " and ".join(f"{words} {bound}" for words, bound in bounds.items() if bound is not None)
