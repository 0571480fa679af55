"""Types that all tests of claims share: groups of selected runs, results of tests, and conditions in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ganbench.core.formatting import format_number
from ganbench.study.claim_tests import ClaimTest, ClosedForm, Difference, Ordering, Proportion, ThresholdTest

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

    verdict: Verdict
    text: str  # the numbers in words
    missing: int  # runs without a number
    value: float = math.nan  # worst run's quantity, proportion of runs, or difference of means (least of an ordering)
    low: float = math.nan  # smallest quantity, or lower bound of the interval
    high: float = math.nan  # largest quantity, or upper bound of the interval
    worst: str = ""  # the run farthest from the condition; empty where no run is named


@dataclass(frozen=True, kw_only=True)
class TestResult(TestStatistics):
    """The result of one test of a claim: the runs that it selected, and the numbers that decided it."""

    kind: str
    quantity: str
    selection: str
    runs: int  # number of runs selected; 1 for the study's own measurement
    expected: str  # the condition in words


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
            return f"{_threshold(test)} in a share of {share}"
        case Ordering():
            return "increasing means"
    return _threshold(test)


def _threshold(test: ThresholdTest | Difference) -> str:
    return f"below {test.below}" if test.above is None else f"above {test.above}"
