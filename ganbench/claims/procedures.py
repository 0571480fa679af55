"""How tests of each kind are decided, and how many runs decide a statistical one if the claim holds as claimed.

The runs are planned before they are made, from stated effects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from ganbench.analysis.statistics.multiplicity import LEVEL, level_of_next
from ganbench.claims.mean_tests import difference, ordering, plan_means
from ganbench.claims.run_tests import (
    bound,
    closed_form,
    null_hypothesis,
    plan_proportion,
    proportion,
    unconfirmable_proportion,
)
from ganbench.claims.test_results import Effort, TestStatistics
from ganbench.study.claim_tests import (
    Bound,
    ClaimTest,
    ClosedForm,
    Difference,
    NullHypothesis,
    Ordering,
    Proportion,
)

Seeds = Callable[[ClaimTest], list[pd.Series]]  # the seeds of the runs of every group that a test selects


@dataclass(frozen=True)
class Procedure:
    """What is done with tests of one kind.

    Attributes:
        decide: takes a test and the groups of runs that it selects, one or more runs each; returns its statistics.
        plan: of a statistical kind whose tests state an effect: takes a test, the seeds of the runs of every group, and
            the level of the test in both directions; returns the runs present, and those with which it would be
            decided, with 80% power, if the effect is as stated.
        unconfirmable: of a kind that too few runs may keep from being confirmed whatever they show: takes a test, the
            number of its runs and that of the study's statistical tests; returns why no result could confirm it, or
            None.
    """

    decide: Callable[..., TestStatistics]
    plan: Callable[..., Effort] | None = None
    unconfirmable: Callable[..., str | None] | None = None


PROCEDURES: dict[type[ClaimTest], Procedure] = {
    ClosedForm: Procedure(closed_form),
    Bound: Procedure(bound),
    Proportion: Procedure(proportion, plan_proportion, unconfirmable_proportion),
    NullHypothesis: Procedure(null_hypothesis),
    Difference: Procedure(difference, plan_means),
    Ordering: Procedure(ordering, plan_means),
}


def efforts(tests: Sequence[ClaimTest], seeds: Seeds) -> list[Effort | None]:
    """Count the runs with which each of a study's tests would be decided, as the first of all that are.

    Args:
        tests: all tests of the study.
        seeds: gives the seeds of the runs of every group that a test selects.

    Returns:
        By test, the runs present and needed; None for tests that check every run, which need no number of them, and for
        null hypotheses, of which a study states no effect.
    """
    statistical = sum(test.statistical for test in tests)
    level = level_of_next(statistical, 0) if statistical else LEVEL
    plans = [(test, PROCEDURES[type(test)].plan) for test in tests]
    return [plan and plan(test, seeds(test), level) for test, plan in plans]
