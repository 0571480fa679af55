"""Claims decided by a study's numbers: confirmed, refuted, or left open where the numbers do not tell.

Deterministic tests (`closed_form`, `every`) ask every run, and one run to the contrary refutes them. Statistical tests
(`rate`, `difference`, `ordering`) go by a 95 % interval: it must lie on one side of what was asked as a whole. Infinity
is a number, since a run that ran off is data (only means need finite ones); NaN is none, and a run without a number
never helps a claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.claims.mean_tests import difference, ordering
from ganbench.claims.quantities import Numbers
from ganbench.claims.run_tests import closed_form, every, frequency
from ganbench.claims.test_results import Found, Group, Verdict, asked
from ganbench.core.formatting import join_words
from ganbench.study.claims import Claim, ClosedForm, Difference, Every, Frequency, Ordering, Test


@dataclass(frozen=True)
class Part:
    """One test of a claim, with the numbers that decided it."""

    kind: str
    quantity: str
    selection: str
    verdict: Verdict
    runs: int  # selected; 1 for the study's own measurement
    missing: int  # of these, without a number
    value: float  # worst run's quantity, share of runs, or difference of means (the least one in an ordering)
    low: float  # smallest quantity, or lower bound of the interval
    high: float  # largest quantity, or upper bound of the interval
    expected: str  # what was asked
    text: str  # a sentence with all that
    worst: str  # the run farthest from what was asked; empty where there is none


@dataclass(frozen=True)
class Decision:
    """A claim and what became of it."""

    id: str
    source: str
    says: str
    note: str
    verdict: Verdict
    parts: tuple[Part, ...]


def decide(collected: Collected, claims: Sequence[Claim]) -> list[Decision]:
    """Decide every claim.

    Raises:
        GanbenchError: a claim needs an outcome, or the best value of a metric, that does not exist.
    """
    numbers = Numbers(collected)
    decisions = []
    for claim in claims:
        parts = tuple(_part(numbers, check.kind, check.test) for check in claim.decide)
        verdicts = [part.verdict for part in parts]
        decisions.append(Decision(claim.id, claim.source, claim.says, claim.note, _all(verdicts), parts))
    return decisions


TABLE = {
    "claim": "identifier of the claim",
    "verdict": "confirmed if all its tests are, refuted if any is, undecided otherwise",
    "part": "number of the test, from 1",
    "kind": "closed_form, every, rate, difference or ordering",
    "part_verdict": "verdict of the test alone",
    "selection": "runs it looked at",
    "quantity": "number it looked at",
    "runs": "number of runs selected",
    "missing": "number of these without a number",
    "value": "worst run's quantity, share of runs (empty where it is not known of all of them), or difference of means "
    "(the least one in an ordering)",
    "low": "smallest quantity, or lower bound of the 95% interval",
    "high": "largest quantity, or upper bound of the 95% interval",
    "asked": "what was asked",
    "text": "the same as a sentence",
}


def table(decisions: Iterable[Decision]) -> pd.DataFrame:
    """One row per test of every claim, with the columns of TABLE."""
    rows = []
    for decision in decisions:
        for index, part in enumerate(decision.parts, 1):
            row = {field.name: getattr(part, field.name) for field in fields(part)}
            row |= {"part_verdict": part.verdict, "asked": part.expected}
            rows.append(row | {"claim": decision.id, "verdict": decision.verdict, "part": index})
    return pd.DataFrame(rows, columns=list(TABLE))


def _all(verdicts: Sequence[Verdict]) -> Verdict:
    if "refuted" in verdicts:
        return "refuted"
    return "confirmed" if all(verdict == "confirmed" for verdict in verdicts) else "undecided"


def _part(numbers: Numbers, kind: str, test: Test) -> Part:
    groups = []
    for _, selector in test.selections():
        runs = numbers.selected(selector)
        groups.append(Group(str(selector), runs, numbers.values(test.quantity, runs.index)))
    empty = [f"({group.name})" for group in groups if not len(group.runs)]
    match test:
        case _ if empty:
            missing = sum(int(np.isnan(group.values).sum()) for group in groups)
            found = Found("undecided", f"no run is selected by {join_words(empty)}", missing)
        case ClosedForm():
            found = closed_form(numbers, test, groups[0])
        case Every():
            found = every(numbers, test, groups[0])
        case Frequency():
            found = frequency(numbers, test, groups[0])
        case Difference():
            found = difference(test, *groups)
        case Ordering():
            found = ordering(groups)
    return Part(
        kind=kind,
        quantity=test.quantity.text,
        selection=JOINED.get(kind, "").join(group.name for group in groups),
        runs=sum(len(group.runs) for group in groups),
        expected=asked(test),
        **vars(found),
    )


JOINED = {"difference": " minus ", "ordering": " < "}
