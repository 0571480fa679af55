"""Hit and false-alarm rates of all detectors on made-up runs, and the tables of docs/outcomes.md that state them."""

from __future__ import annotations

import re
from functools import cache

import pytest
from made_up_runs import BENIGN, GRADED, KINDS, graded, make
from repository import ROOT

from ganbench.analysis.columns import FAILURES
from ganbench.analysis.outcome import RunOutcomes, classify_run
from ganbench.analysis.outcome_catalogue import catalogue

DRAWS, GRADED_DRAWS = 20, 10
PAGE = (ROOT / "docs/outcomes.md").read_text()


@cache
def outcomes_of(kind: str) -> tuple[RunOutcomes, ...]:
    return tuple(classify_run(make(kind, seed)) for seed in range(DRAWS))


def holds(outcomes: RunOutcomes, outcome: str) -> bool:
    return outcome in {finding.outcome for finding in outcomes.findings}


def rates(kind: str) -> tuple[int, int, int]:
    """In how many runs of a kind the right outcome holds, is primary, and in how many another failure holds."""
    truth, found = KINDS[kind][1], outcomes_of(kind)
    others = [{each.outcome for each in one.findings} & FAILURES.keys() - {truth} for one in found]
    return (
        sum(holds(one, truth) for one in found),
        sum(one.primary.outcome == truth for one in found),
        sum(map(bool, others)),
    )


def table(heading: str) -> list[list[str]]:
    """The rows of the table below a heading of the page."""
    text = PAGE.partition(f"\n{heading}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_outcome_is_found(kind):
    held, primary, _ = rates(kind)
    assert held >= 0.9 * DRAWS
    assert primary >= 0.9 * DRAWS


@pytest.mark.parametrize("kind", BENIGN)
def test_benign_runs_raise_no_alarm(kind):
    failed = [one.primary for one in outcomes_of(kind) if one.primary.outcome in FAILURES]
    assert len(failed) <= 0.04 * DRAWS, failed


def test_the_page_states_the_measured_rates():
    stated = {row[0]: row[1:] for row in table("### Made-up runs")}
    assert stated.keys() == KINDS.keys()
    for kind, (outcome, *counts) in stated.items():
        assert outcome == KINDS[kind][1]
        assert [int(count) for count in counts] == pytest.approx(list(rates(kind)), abs=1), kind


@pytest.mark.parametrize("effect", GRADED)
def test_an_effect_raises_an_alarm_beyond_its_threshold_alone(effect):
    _, outcome, (weakest, *_, strongest) = GRADED[effect]
    for seed in range(2):
        assert not holds(classify_run(graded(effect, weakest, seed)), outcome)
        assert holds(classify_run(graded(effect, strongest, seed)), outcome)


@pytest.mark.slow
def test_the_page_states_the_rates_by_strength():
    """And an effect well below the threshold raises no alarm, one well beyond it always does."""
    stated = {row[0]: row[1:] for row in table("### By strength")}
    assert stated.keys() == GRADED.keys()
    for effect, (_, outcome, strengths) in GRADED.items():
        counts = [
            sum(holds(classify_run(graded(effect, strength, seed)), outcome) for seed in range(GRADED_DRAWS))
            for strength in strengths
        ]
        words = [cell.split(": ") for cell in stated[effect][1:]]
        assert stated[effect][0] == outcome
        assert [float(strength) for strength, _ in words] == list(strengths)
        assert [int(count) for _, count in words] == pytest.approx(counts, abs=1), effect
        assert counts[0] == 0
        assert counts[-1] == GRADED_DRAWS


def test_the_page_lists_the_outcomes_in_the_order_of_severity():
    rows = table("## The order")
    assert [row[0].strip("`") for row in rows] == list(catalogue())
    for name, kind, *_ in rows:
        assert kind == catalogue()[name.strip("`")].kind
