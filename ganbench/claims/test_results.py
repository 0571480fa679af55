"""Types that all tests of claims share: groups of selected runs, results of tests, and conditions in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from ganbench.analysis.statistics.sample_sizes import MOST
from ganbench.core.formatting import format_number
from ganbench.study.claim_tests import (
    ClaimTest,
    ClosedForm,
    Difference,
    Ordering,
    Proportion,
    TaggedTest,
    ThresholdTest,
)

Verdict = Literal["confirmed", "refuted", "undecided"]


@dataclass(frozen=True)
class RunGroup:
    """The runs that one selector selects, with the values of the tested quantity."""

    name: str
    runs: pd.DataFrame
    values: np.ndarray  # the test's quantity in each run, shape (runs,)


@dataclass(frozen=True)
class TestStatistics:
    """The verdict of a test, and the numbers that decide it."""

    verdict: Verdict  # of a statistical test, what it says if its p-value is small enough
    text: str  # the numbers in words
    missing: int  # runs without a number
    p_value: float = math.nan  # of a statistical test, in both directions; NaN for tests that check every run
    value: float = math.nan  # worst run's quantity, proportion of runs, or difference of means (least of an ordering)
    low: float = math.nan  # smallest quantity, or lower bound of the interval
    high: float = math.nan  # largest quantity, or upper bound of the interval
    worst: str = ""  # the run farthest from the condition; empty where no run is named
    # By the level of the test, how many runs would decide it, in words; empty where that is not known.
    effort: Callable[[float], str] = field(default=lambda level: "", compare=False, repr=False)


@dataclass(frozen=True)
class Effort:
    """The runs that a statistical test has, and those with which it would be decided.

    Attributes:
        present: Number of runs, of pairs, or of runs of the smallest group.
        unit: What is counted: `runs`, `pairs` or `runs of each`.
        expected: The effect stated: a share, or a difference of means; None where none is.
        needed: Number that finds the effect with 80% power; None where it exceeds 10,000, or where no effect is stated.
        among: The number that must differ from 0 in a run that counts, where only some do: `present` is the most then.
    """

    present: int
    unit: str
    expected: float | None = None
    needed: int | None = None
    among: str = ""

    @property
    def runs(self) -> str:
        """The runs present, in words; how many of them count is not known before they are made, if only some do."""
        return f"at most {self.present:,} {self.unit}" if self.among else f"{self.present:,} {self.unit}"

    def __str__(self) -> str:
        if self.expected is None:
            return f"no effect is stated{self._counted}"
        needed = f"more than {MOST:,}" if self.needed is None else f"{self.needed:,}"
        what = "a share" if self.unit == "runs" else "a difference"
        return f"{needed} {self.unit} for {what} of {format_number(self.expected)}{self._counted}"

    @property
    def _counted(self) -> str:
        return f", of those with {self.among} other than 0; {self.present:,} are selected at most" if self.among else ""


@dataclass(frozen=True, kw_only=True)
class TestResult(TestStatistics):
    """The result of one test of a claim: the runs that it selected, and the numbers that decided it."""

    kind: str
    adjusted_p: float  # the p-value adjusted for all statistical tests of the study
    quantity: str
    selection: str
    runs: int  # number of runs selected; 1 for the study's own measurement
    condition: str  # in words
    planned: Effort | None = None  # of a statistical test: the runs that decide it if the claim holds as claimed


SEPARATORS = {"difference": " minus ", "ordering": " < "}


def subject(tagged: TaggedTest) -> dict[str, str]:
    """What a test asks, in words: its kind, the runs that it selects, its quantity and its condition."""
    selection = SEPARATORS.get(tagged.kind, "").join(str(selector) for _, selector in tagged.test.selectors())
    quantity = tagged.test.quantity.text
    return {"kind": tagged.kind, "selection": selection, "quantity": quantity, "condition": condition(tagged.test)}


def condition(test: ClaimTest) -> str:
    """Put the condition of a test into words."""
    match test:
        case ClosedForm():
            return f"{test.equals} within {test.within}{' of its size' if test.relative else ''}"
        case Proportion():
            share = (
                f"at least {format_number(test.at_least)}"
                if test.at_most is None
                else f"at most {format_number(test.at_most)}"
            )
            among = "" if test.among is None else f" of the runs with {test.among} other than 0"
            return f"{_threshold(test)} in a share of {share}{among}"
        case Ordering():
            return "increasing means"
    return _threshold(test)


def _threshold(test: ThresholdTest | Difference) -> str:
    return f"below {test.below}" if test.above is None else f"above {test.above}"
