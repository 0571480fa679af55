"""The first section of the report of an unfinished study: what is missing, and why."""

from __future__ import annotations

from collections import Counter

from ganbench.analysis.collected import Collected, Missing
from ganbench.analysis.methods import methods
from ganbench.core.formatting import join_words, plural
from ganbench.report.provenance import LISTED_RUNS


def missing_results(collected: Collected) -> dict | None:
    """What the report says about missing results; None if the study is complete."""
    missing = collected.missing
    if missing is None:
        return None
    runs = missing.runs
    states = list(dict.fromkeys(state for counts in missing.stages.values() for state in counts))
    return {
        "share": collected.share,
        "at": missing.at.replace("T", " ").replace("+00:00", " UTC"),
        "held": missing.held,
        "missing_runs": _missing_runs(missing),
        "states": states,
        "stages": [(stage, [counts[state] for state in states]) for stage, counts in missing.stages.items()],
        "methods": _methods(collected),
        "diagnostics": [(name, lacking, total) for name, (lacking, total) in missing.observations.items() if lacking],
        "ended": missing.ended,
        "runs": list(runs[["run", "pack", "reason"]].head(LISTED_RUNS).itertuples(index=False, name=None)),
        "left": max(0, len(runs) - LISTED_RUNS),
    }


def _missing_runs(missing: Missing) -> str:
    """One sentence on the number and the states of the missing runs."""
    if missing.runs.empty:
        return "All runs are included; results of later stages are missing."
    packs = Counter(missing.runs.drop_duplicates("pack")["state"])
    parts = [f"{count:,} {state}" for state, count in packs.most_common()]
    many = f"{plural(len(missing.runs), 'run')} in {plural(packs.total(), 'pack')}"
    return f"Missing: {many} ({join_words(parts)})."


def _methods(collected: Collected) -> list[tuple[str, int, int, str]]:
    """By method: finished runs, missing runs, and why they are missing."""
    lost = collected.missing.runs
    rows = []
    for name in dict.fromkeys([*methods(collected), *lost["method"]]):
        mine = lost[lost["method"] == name]
        reasons = Counter(f"{stage} {state}" for stage, state in zip(mine["stage"], mine["state"], strict=True))
        why = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common())
        rows.append((name, int((collected.runs["method"] == name).sum()), len(mine), why))
    return rows
