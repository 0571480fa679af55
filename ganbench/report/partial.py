"""What the report of a study that is not done says first: what it lacks, and why."""

from __future__ import annotations

from collections import Counter

from ganbench.analysis.collected import Collected, Missing
from ganbench.analysis.methods import methods
from ganbench.core.text import listing, plural
from ganbench.report.provenance import LISTED_RUNS


def partial_shown(collected: Collected) -> dict | None:
    """Everything that the report says about what is missing; None where the study is done."""
    missing = collected.missing
    if missing is None:
        return None
    runs = missing.runs
    states = list(dict.fromkeys(state for counts in missing.stages.values() for state in counts))
    return {
        "share": collected.share,
        "at": missing.at.replace("T", " ").replace("+00:00", " UTC"),
        "held": missing.held,
        "lack": _lack(missing),
        "states": states,
        "stages": [(stage, [counts[state] for state in states]) for stage, counts in missing.stages.items()],
        "methods": _methods(collected),
        "looks": [(name, lacking, total) for name, (lacking, total) in missing.looks.items() if lacking],
        "ended": missing.ended,
        "runs": list(runs[["run", "pack", "why"]].head(LISTED_RUNS).itertuples(index=False, name=None)),
        "left": max(0, len(runs) - LISTED_RUNS),
    }


def _lack(missing: Missing) -> str:
    """What the missing runs wait for, in a sentence's end; and if none are missing, that."""
    if missing.runs.empty:
        return "No run is missing; what is, is what comes after them."
    packs = Counter(missing.runs.drop_duplicates("pack")["state"])
    parts = [f"{count:,} {state}" for state, count in packs.most_common()]
    many = f"{plural(len(missing.runs), 'run')} in {plural(packs.total(), 'pack')}"
    return f"Missing: {many} ({listing(parts)})."


def _methods(collected: Collected) -> list[tuple[str, int, int, str]]:
    """By method: runs that are there, runs that are missing, and why."""
    lost = collected.missing.runs
    rows = []
    for name in dict.fromkeys([*methods(collected), *lost["method"]]):
        mine = lost[lost["method"] == name]
        reasons = Counter(f"{stage} {state}" for stage, state in zip(mine["stage"], mine["state"], strict=True))
        why = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common())
        rows.append((name, int((collected.runs["method"] == name).sum()), len(mine), why))
    return rows
