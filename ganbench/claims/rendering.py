"""The claims of a study as the report shows them: counts, one row per claim, and how each was decided."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ganbench.analysis.collected import Collected
from ganbench.claims.decisions import Decision, Part, decide
from ganbench.core.formatting import format_number, format_range, plural
from ganbench.study.claims import Claim

VERDICTS = ("confirmed", "refuted", "undecided")
KINDS = {
    "closed_form": "equals, in every run",
    "every": "holds in every run",
    "rate": "share of runs",
    "difference": "difference of means",
    "ordering": "order of means",
}


def claims_shown(collected: Collected, study: dict) -> dict | None:
    """Everything that the report says about the claims of a resolved configuration; None where it has none."""
    claims = [Claim.model_validate(claim) for claim in study.get("claims") or ()]
    if not claims:
        return None
    decisions = sorted(decide(collected, claims), key=lambda decision: natural(decision.id))
    counts = Counter(decision.verdict for decision in decisions)
    return {
        "total": plural(len(decisions), "claim"),
        "counts": [(verdict, counts[verdict]) for verdict in VERDICTS],
        "rows": [_row(decision) for decision in decisions],
    }


def natural(text: str) -> list[tuple[int, int | str]]:
    """A key that sorts A2 before A10."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", text) if part]


def _row(decision: Decision) -> dict:
    deciding = deciding_part(decision.parts, decision.verdict)
    others = len(decision.parts) - 1
    return {
        "id": decision.id,
        "says": decision.says,
        "verdict": decision.verdict,
        "source": decision.source,
        "note": decision.note,
        "deciding": upper(deciding.text.split("; asked: ")[0]),
        "others": f"{plural(others, 'more test')} below" if others else "",
        "parts": [_part(part) for part in decision.parts],
    }


def deciding_part(parts: Sequence[Part], verdict: str) -> Part:
    """The test that a verdict hangs on: the first that has it, of a confirmed claim the first of all."""
    return next(part for part in parts if part.verdict == verdict)


def _part(part: Part) -> dict:
    limits = "" if np.isnan(part.low) else format_range(part.low, part.high, 5)
    statistical = part.kind in ("rate", "difference", "ordering")
    return {
        "verdict": part.verdict,
        "kind": KINDS[part.kind],
        "quantity": part.quantity,
        "selection": part.selection,
        "asked": part.expected,
        "found": upper(part.text.split("; asked: ")[0]),
        "runs": format_number(part.runs) + (f", {part.missing} without a number" if part.missing else ""),
        "value": format_number(part.value, 7),
        "limits": limits and (f"95% interval {limits}" if statistical else f"over all runs {limits}"),
    }


def upper(text: str) -> str:
    """A sentence's start as a sentence starts, unless that is a name or a number."""
    return text[:1].upper() + text[1:]
