"""Decisions on claims: a study's numbers confirm a claim, refute it or leave it undecided.

Deterministic tests check every run, and a single run that breaks the condition refutes them: they say what these runs
did, and have no p-value. Statistical tests speak of runs that were not made. Each has a p-value, and decides where its
p-value, adjusted for the tests of its family, is at most 5 %: see `families`. A null hypothesis has a p-value that was
measured, which refutes it or leaves it undecided: evidence that was not found confirms nothing. Infinity counts as a
number, because a diverged run is data; only means need finite numbers, and without them ranks are compared. NaN counts
as a missing number, and a run without a number never helps to confirm a claim. Nor does a test that cannot be made yet
help others: it counts with a p-value of 1, so that the missing runs of an unfinished study change no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import healthy
from ganbench.analysis.statistics.multiplicity import LEVEL, false_discovery_adjusted, level_of_next
from ganbench.claims.procedures import PROCEDURES, efforts, families, question
from ganbench.claims.quantities import Quantities
from ganbench.claims.test_results import RunGroup, TestResult, TestStatistics, Verdict, subject
from ganbench.core.formatting import format_p_value, join_words
from ganbench.study.claim_tests import CLAIM_TESTS, ClaimTest
from ganbench.study.claims import Claim, Scale


@dataclass(frozen=True)
class Decision:
    """A claim with its verdict and the results of its tests."""

    id: str
    source: str
    statement: str
    scale: Scale
    question: str
    note: str
    exploratory: bool
    verdict: Verdict
    tests: tuple[TestResult, ...]


def decide(collected: Collected, claims: Sequence[Claim]) -> list[Decision]:
    """Decide every claim.

    Raises:
        GanbenchError: a claim names an unknown outcome, or the best value of a metric that has no better end.
    """
    quantities = Quantities(collected)
    tests = [[_result(quantities, tagged.test) for tagged in claim.tests] for claim in claims]
    settled = _settle(claims, [result for results in tests for result in results])

    def seeds(test: ClaimTest) -> list[pd.Series]:
        return [quantities.selected(selector)["seed"] for _, selector in test.selectors()]

    planned = efforts(claims, seeds)
    done = iter([replace(result, planned=plan) for result, plan in zip(settled, planned, strict=True)])
    decisions = []
    for claim in claims:
        results = tuple(next(done) for _ in claim.tests)
        verdict = _combine([result.verdict for result in results])
        about = {name: getattr(claim, name) for name in type(claim).model_fields if name != "tests"}
        decisions.append(Decision(**about, verdict=verdict, tests=results))
    return decisions


def _settle(claims: Sequence[Claim], results: Sequence[TestResult]) -> list[TestResult]:
    """Decide the statistical tests of each family together, by p-values adjusted for their number."""
    asked = [(claim.exploratory, question(tagged.test)) for claim in claims for tagged in claim.tests]
    found = {test: result.p_value for (_, test), result in zip(asked, results, strict=True)}
    adjusted = {
        exploratory: dict(zip(family, false_discovery_adjusted([found[test] for test in family]), strict=True))
        for exploratory, family in families(claims).items()
    }
    settled = []
    for (exploratory, test), result in zip(asked, results, strict=True):
        text, family = result.text, adjusted[exploratory]
        p_value = family.get(test, math.nan)
        if not math.isnan(p_value):
            tests, rejected = len(family), sum(each <= LEVEL for each in family.values())
            if result.p_value < 1 or not math.isnan(result.low):  # a comparison was made
                text += f", {format_p_value(result.p_value)}"
                text += f", adjusted for {tests} tests {format_p_value(p_value)}" if tests > 1 else ""
            if p_value > LEVEL:
                effort = result.effort(level_of_next(tests, rejected))
                text += f"; {effort}" if effort else ""
                result = replace(result, verdict="undecided")
        settled.append(replace(result, p_value_adjusted=float(p_value), text=f"{text}; asked: {result.condition}"))
    return settled


*_FIRST, _LAST = CLAIM_TESTS
_CHECKED = [kind for kind, test in CLAIM_TESTS.items() if not test.statistical]
COLUMNS = {
    "claim": "identifier of the claim",
    "verdict": "confirmed if all its tests are, refuted if any is, undecided otherwise",
    "scale": "scale of its tests: full (what the claim speaks of), real (its data set, at a smaller size or for fewer"
    " steps) or small (other, smaller data)",
    "source": "source of the statement",
    "statement": "the statement",
    "question": "the question that the tests answer; empty at the scale full, where it is the claim's own",
    "note": "how the study decides the claim, what is true instead, or what a reader of the verdict has to know",
    "exploratory": "whether the claim was asked after numbers of the runs that decide it had been seen",
    "test": "number of the test, from 1",
    "kind": f"{', '.join(_FIRST)} or {_LAST}",
    "test_verdict": "verdict of the test alone",
    "selection": "runs that it tests",
    "quantity": "number that it tests",
    "runs": "number of runs selected",
    "healthy": "number of these that had learned by their end and not failed; empty for games of a few numbers, and for"
    " measurements of the study",
    "missing": "number of these without a number",
    "expected": "effect that a statistical test was planned for: the share, or the difference of means, if the claim"
    " holds as claimed; empty where none is stated",
    "runs_needed": "number of runs, of pairs or of runs of each group, or of seeds where one has several runs, with"
    " which the test finds that effect with a probability of 80%, at the level of the first to be decided of the tests"
    " that it is adjusted for; where only some runs count, of these; empty where it exceeds 10,000, or where no effect"
    " is stated",
    "value": "worst run's quantity (of a null hypothesis, the smallest p-value), proportion of runs (empty where it is"
    " not known of all of them), or difference of means (the least one in an ordering; empty where a run has no finite"
    " number, so that ranks are compared)",
    "low": "smallest quantity, or lower bound of the 95% interval, which is not adjusted",
    "high": "largest quantity, or upper bound of the 95% interval, which is not adjusted",
    "p_value": "p-value of a statistical test, in both directions, 1 where it could not be made; empty for"
    f" {join_words(_CHECKED)}, which check every run and have none",
    "p_value_adjusted": "the same, adjusted for the statistical tests of claims that are not exploratory, or of an"
    " exploratory claim for those of all claims (false discovery rate, Benjamini and Yekutieli): the test decides where"
    " it is at most 0.05",
    "asked": "what was asked",
    "text": "the same as a sentence",
}


def decisions_table(decisions: Iterable[Decision]) -> pd.DataFrame:
    """Tabulate the decisions: one row per test of every claim, with the columns `COLUMNS`."""
    rows = []
    for decision in decisions:
        for index, result in enumerate(decision.tests, 1):
            plan = result.planned
            row = vars(result) | {"test_verdict": result.verdict, "asked": result.condition}
            row |= {"expected": plan and plan.expected, "runs_needed": plan and plan.needed}
            rows.append(row | vars(decision) | {"claim": decision.id, "test": index})
    kinds = {"healthy": "Int64", "expected": float, "runs_needed": "Int64"}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)


def _combine(verdicts: Sequence[Verdict]) -> Verdict:
    if "refuted" in verdicts:
        return "refuted"
    return "confirmed" if all(verdict == "confirmed" for verdict in verdicts) else "undecided"


def _result(quantities: Quantities, test: ClaimTest) -> TestResult:
    groups = []
    for _, selector in test.selectors():
        runs = quantities.selected(selector)
        groups.append(RunGroup(str(selector), runs, quantities.values(test.quantity, runs.index), quantities))
    if empty := [f"({group.name})" for group in groups if not len(group.runs)]:
        missing = sum(int(np.isnan(group.values).sum()) for group in groups)
        p_value = 1.0 if test.statistical else math.nan
        statistics = TestStatistics("undecided", f"no run is selected by {join_words(empty)}", missing, p_value)
    else:
        statistics = PROCEDURES[type(test)].decide(test, *groups)
    return TestResult(
        runs=sum(len(group.runs) for group in groups),
        healthy=_healthy(groups),
        p_value_adjusted=math.nan,
        **subject(test),
        **vars(statistics),
    )


def _healthy(groups: Sequence[RunGroup]) -> int | None:
    trained = [group.runs[group.runs["dataset"].notna()] for group in groups if "dataset" in group.runs]
    return sum(int(healthy(runs).sum()) for runs in trained) if any(map(len, trained)) else None
