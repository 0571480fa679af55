"""What the tests of a claim have in common: the runs they look at, what they find, and what was asked of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from ganbench.core.formatting import format_number
from ganbench.study.claims import ClosedForm, Difference, Frequency, OneSided, Ordering, Test

Verdict = Literal["confirmed", "refuted", "undecided"]


@dataclass(frozen=True)
class Group:
    """The runs that one selector selects."""

    name: str
    runs: pd.DataFrame
    values: np.ndarray  # of the test's quantity, shape (runs,)


@dataclass(frozen=True)
class Found:
    """What a test says of its groups; the names are those of Part."""

    verdict: Verdict
    text: str
    missing: int
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    worst: str = ""


def asked(test: Test) -> str:
    """What a test asks, in words."""
    match test:
        case ClosedForm():
            return f"{test.equals} within {test.within}{' of its size' if test.relative else ''}"
        case Frequency():
            share = (
                f"at least {format_number(test.at_least)}"
                if test.at_most is None
                else f"at most {format_number(test.at_most)}"
            )
            return f"{_side(test)} in a share of {share}"
        case Ordering():
            return "rising means"
    return _side(test)


def _side(test: OneSided | Difference) -> str:
    return f"below {test.below}" if test.above is None else f"above {test.above}"
