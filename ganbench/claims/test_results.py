"""Types that all tests of claims share: groups of selected runs, and results of tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from ganbench.analysis.methods import failed, not_learned, outcome_indicator
from ganbench.analysis.statistics.sample_sizes import MAX_RUNS
from ganbench.claims.quantities import Quantities
from ganbench.core.formatting import format_number
from ganbench.study.claim_tests import ClaimTest
from ganbench.study.expressions import Expression

Verdict = Literal["confirmed", "refuted", "undecided"]


@dataclass(frozen=True)
class RunGroup:
    """The runs that one selector selects, with the values of the tested quantity."""

    name: str
    runs: pd.DataFrame
    values: np.ndarray  # the test's quantity in each run, shape (runs,)
    quantities: Quantities

    def evaluate(self, expression: Expression) -> np.ndarray:
        """Evaluate an expression in every run: values of shape (runs,), NaN where a run has none."""
        return self.quantities.values(expression, self.runs.index)

    @property
    def nothing_learned(self) -> bool:
        """Whether all runs are known not to have learned by their end, be that what became of them or not."""
        return bool((outcome_indicator(self.runs, "not-learned-yet") == 1).all())


def useless(*groups: RunGroup) -> str:
    """Clauses on the runs of each group that failed, whose numbers a test takes as they are where a ranking takes them
    for the worst, and on those that had learned nothing, which hardly differ whatever they were to show.
    """
    clauses = []
    for which, words in ((failed, "of them failed"), (not_learned, "had not learned by their end")):
        counts = [int(which(group.runs).sum()) for group in groups]
        clauses += [f"{' and '.join(map(str, counts))} {words}"] if any(counts) else []
    return "; ".join(clauses)


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
        present: number of runs, of pairs, or of runs of the smallest group.
        unit: what is counted: `runs`, `pairs` or `runs of each`.
        effect: what is expected, in words: a share, or a difference of means.
        expected: the effect stated; None where none is.
        needed: number that finds the effect with 80% power; None where it exceeds 10,000, or where no effect is stated.
        among: the number that must differ from 0 in a run that counts, where only some do: `present` is the most then.
    """

    present: int
    unit: str
    effect: str
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
        needed = f"more than {MAX_RUNS:,}" if self.needed is None else f"{self.needed:,}"
        return f"{needed} {self.unit} for {self.effect} of {format_number(self.expected)}{self._counted}"

    @property
    def _counted(self) -> str:
        return f", of those with {self.among} other than 0; {self.present:,} are selected at most" if self.among else ""


@dataclass(frozen=True, kw_only=True)
class TestResult(TestStatistics):
    """The result of one test of a claim: the runs that it selected, and the numbers that decided it."""

    kind: str
    p_value_adjusted: float  # the p-value adjusted for the tests of its family
    quantity: str
    selection: str
    runs: int  # number of runs selected; 1 for the study's own measurement
    healthy: int | None  # number of these that are healthy; None where none trains on data
    condition: str  # in words
    planned: Effort | None = None  # of a statistical test: the runs that decide it if the claim holds as claimed


def subject(test: ClaimTest) -> dict[str, str]:
    """What a test asks, in words: its kind, the runs that it selects, its quantity and its condition."""
    asked = {"selection": test.selection, "quantity": test.quantity.text, "condition": test.condition}
    return {"kind": test.kind, **asked}
