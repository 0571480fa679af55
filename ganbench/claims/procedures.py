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
from ganbench.claims.test_results import Effort, TestStatistics, subject
from ganbench.study.claim_tests import (
    Bound,
    ClaimTest,
    ClosedForm,
    Difference,
    NullHypothesis,
    Ordering,
    Proportion,
)
from ganbench.study.claims import Claim

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
            number of its runs and that of the tests it is adjusted for; returns why no result could confirm it, or
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


def question(test: ClaimTest) -> tuple[str, ...]:
    """What a test asks of which runs: two tests with one question are one test, which two claims name."""
    return tuple(subject(test).values())


def families(claims: Sequence[Claim]) -> dict[bool, tuple[tuple[str, ...], ...]]:
    """The statistical tests for whose number p-values are adjusted together.

    Tests of exploratory claims were asked since numbers had been seen, so that most of them are sure to be decided. Had
    they a part in the adjustment of the others, each would raise the level of these: with ten of them among ten
    predictions of nothing, one of the ten comes true in 7% of studies, and in 2% without them. So predictions are
    adjusted among themselves, and exploratory tests for all.

    Returns:
        By whether a claim is exploratory, the questions that its tests are adjusted with, each once.
    """
    asked = [(claim.exploratory, each.test) for claim in claims for each in claim.tests if each.test.statistical]
    planned = (question(test) for exploratory, test in asked if not exploratory)
    return {False: tuple(dict.fromkeys(planned)), True: tuple(dict.fromkeys(question(test) for _, test in asked))}


def efforts(claims: Sequence[Claim], seeds: Seeds) -> list[Effort | None]:
    """Count the runs with which each test of a study's claims would be decided, as the first of its family that is.

    Args:
        claims: all claims of the study.
        seeds: gives the seeds of the runs of every group that a test selects.

    Returns:
        By test, the runs present and needed; None for tests that check every run, which need no number of them, and for
        null hypotheses, of which a study states no effect.
    """
    levels = {flag: level_of_next(len(family), 0) if family else LEVEL for flag, family in families(claims).items()}
    tests = [(levels[claim.exploratory], each.test) for claim in claims for each in claim.tests]
    plans = [(PROCEDURES[type(test)].plan, test, level) for level, test in tests]
    return [plan and plan(test, seeds(test), level) for plan, test, level in plans]
