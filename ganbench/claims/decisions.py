"""Decisions on claims: a study's numbers confirm a claim, refute it or leave it undecided.

Deterministic tests (`closed_form`, `bound`) check every run, and a single run that breaks the condition refutes them.
Statistical tests (`proportion`, `difference`, `ordering`) use a 95 % interval, and decide only where the whole interval
lies on one side of the limit. Infinity counts as a number, because a diverged run is data; only means need finite
numbers. NaN counts as a missing number, and a run without a number never helps to confirm a claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.claims.mean_tests import difference, ordering
from ganbench.claims.quantities import Quantities
from ganbench.claims.run_tests import bound, closed_form, proportion
from ganbench.claims.test_results import RunGroup, TestResult, TestStatistics, Verdict, condition
from ganbench.core.formatting import join_words
from ganbench.study.claim_tests import Bound, ClaimTest, ClosedForm, Difference, Ordering, Proportion
from ganbench.study.claims import Claim


@dataclass(frozen=True)
class Decision:
    """A claim with its verdict and the results of its tests."""

    id: str
    source: str
    statement: str
    note: str
    verdict: Verdict
    tests: tuple[TestResult, ...]


def decide(collected: Collected, claims: Sequence[Claim]) -> list[Decision]:
    """Decide every claim.

    Raises:
        GanbenchError: A claim names an unknown outcome, or the best value of a metric that has no better end.
    """
    quantities = Quantities(collected)
    decisions = []
    for claim in claims:
        results = tuple(_result(quantities, tagged.kind, tagged.test) for tagged in claim.tests)
        verdicts = [result.verdict for result in results]
        decisions.append(Decision(claim.id, claim.source, claim.statement, claim.note, _combine(verdicts), results))
    return decisions


COLUMNS = {
    "claim": "identifier of the claim",
    "verdict": "confirmed if all its tests are, refuted if any is, undecided otherwise",
    "test": "number of the test, from 1",
    "kind": "closed_form, bound, proportion, difference or ordering",
    "test_verdict": "verdict of the test alone",
    "selection": "runs that it tests",
    "quantity": "number that it tests",
    "runs": "number of runs selected",
    "missing": "number of these without a number",
    "value": "worst run's quantity, proportion of runs (empty where it is not known of all of them), or difference of "
    "means (the least one in an ordering)",
    "low": "smallest quantity, or lower bound of the 95% interval",
    "high": "largest quantity, or upper bound of the 95% interval",
    "asked": "what was asked",
    "text": "the same as a sentence",
}


def decisions_table(decisions: Iterable[Decision]) -> pd.DataFrame:
    """Tabulate the decisions: one row per test of every claim, with the columns `COLUMNS`."""
    rows = []
    for decision in decisions:
        for index, result in enumerate(decision.tests, 1):
            row = vars(result) | {"test_verdict": result.verdict, "asked": result.expected}
            rows.append(row | {"claim": decision.id, "verdict": decision.verdict, "test": index})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _combine(verdicts: Sequence[Verdict]) -> Verdict:
    if "refuted" in verdicts:
        return "refuted"
    return "confirmed" if all(verdict == "confirmed" for verdict in verdicts) else "undecided"


def _result(quantities: Quantities, kind: str, test: ClaimTest) -> TestResult:
    groups = []
    for _, selector in test.selectors():
        runs = quantities.selected(selector)
        groups.append(RunGroup(str(selector), runs, quantities.values(test.quantity, runs.index)))
    empty = [f"({group.name})" for group in groups if not len(group.runs)]
    match test:
        case _ if empty:
            missing = sum(int(np.isnan(group.values).sum()) for group in groups)
            statistics = TestStatistics("undecided", f"no run is selected by {join_words(empty)}", missing)
        case ClosedForm():
            statistics = closed_form(quantities, test, groups[0])
        case Bound():
            statistics = bound(quantities, test, groups[0])
        case Proportion():
            statistics = proportion(quantities, test, groups[0])
        case Difference():
            statistics = difference(test, *groups)
        case Ordering():
            statistics = ordering(groups)
    return TestResult(
        kind=kind,
        quantity=test.quantity.text,
        selection=SEPARATORS.get(kind, "").join(group.name for group in groups),
        runs=sum(len(group.runs) for group in groups),
        expected=condition(test),
        **vars(statistics),
    )


SEPARATORS = {"difference": " minus ", "ordering": " < "}
