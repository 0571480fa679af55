"""The claims of a study as the report shows them: counts of verdicts, and one row per claim with its tests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ganbench.analysis.collected import Collected
from ganbench.claims.decisions import Decision, decide
from ganbench.claims.test_results import TestResult
from ganbench.core.formatting import format_number, format_p_value, format_range, plural
from ganbench.study.claim_tests import CLAIM_TESTS
from ganbench.study.claims import SCALES, Claim

VERDICTS = ("confirmed", "refuted", "undecided")


def render_claims(collected: Collected, study: dict) -> dict | None:
    """Render the claims of a study for the report.

    Args:
        collected: the collected results of the study.
        study: the resolved configuration of the study.

    Returns:
        The number of claims, the counts of verdicts by scale and a row per claim; None if the study has no claims.
    """
    claims = [Claim.model_validate(claim) for claim in study.get("claims") or ()]
    if not claims:
        return None
    decisions = sorted(decide(collected, claims), key=lambda decision: natural_key(decision.id))
    counts = Counter((decision.scale, decision.verdict) for decision in decisions)
    scales = [scale for scale in SCALES if any(decision.scale == scale for decision in decisions)]
    return {
        "total": plural(len(decisions), "claim"),
        "counts": [(scale, [(verdict, counts[scale, verdict]) for verdict in VERDICTS]) for scale in scales],
        "verdicts": VERDICTS,
        "scaled": scales != ["full"],
        "rows": [_row(decision) for decision in decisions],
    }


def natural_key(text: str) -> list[tuple[int, int | str]]:
    """Make a sort key that puts A2 before A10."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", text) if part]


def _row(decision: Decision) -> dict:
    deciding = deciding_test(decision.tests, decision.verdict)
    others = len(decision.tests) - 1
    return {
        "id": decision.id,
        "statement": decision.statement,
        "verdict": decision.verdict,
        "scale": decision.scale,
        "question": decision.question,
        "source": decision.source,
        "note": decision.note,
        "exploratory": decision.exploratory,
        "deciding": capitalize(deciding.text.split("; asked: ")[0]),
        "others": f"{plural(others, 'more test')} below" if others else "",
        "tests": [_test(test) for test in decision.tests],
    }


def deciding_test(tests: Sequence[TestResult], verdict: str) -> TestResult:
    """Find the test that decides a claim: the first test whose verdict is that of the claim."""
    return next(test for test in tests if test.verdict == verdict)


def _test(test: TestResult) -> dict:
    limits = "" if np.isnan(test.low) else format_range(test.low, test.high, 5)
    kind = CLAIM_TESTS[test.kind]
    return {
        "verdict": test.verdict,
        "kind": kind.words,
        "quantity": test.quantity,
        "selection": test.selection,
        "asked": test.condition,
        "planned": f"to decide: {test.planned}" if test.planned else "",
        "found": capitalize(test.text.split("; asked: ")[0]),
        "runs": format_number(test.runs) + (f", {test.missing} without a number" if test.missing else ""),
        "value": format_number(test.value, 7),
        "limits": limits and (f"95% interval {limits}" if kind.statistical else f"over all runs {limits}"),
        "p_value": format_p_value(test.p_value) if kind.statistical else "–",
        "adjusted": f"adjusted {format_p_value(test.p_value_adjusted)}" if kind.statistical else "",
    }


def capitalize(text: str) -> str:
    """Capitalize the first character of a text and leave the others unchanged."""
    return text[:1].upper() + text[1:]
