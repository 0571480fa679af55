"""Reruns of single claims: only what a claim needs is trained and measured, and set beside the record of its study."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from ganbench.cli import _stage
from ganbench.pipeline import partial_report
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.verdicts import MACHINE, VERSIONS
from ganbench.report.verdict_records import Record
from ganbench.study.schema import load
from ganbench.study.selectors import matches

NUMBERS = ("runs", "missing", "value", "low", "high", "p_value")
ELSEWHERE = 1e-4  # relative difference on another kind of processor, of numbers that no training amplifies (README)


def needed(plan: Plan, claim: str) -> list[str]:
    """The packs that a claim's tests select a run of; empty if a test is of the study itself."""
    (found,) = (each for each in plan.study.claims if each.id == claim)
    selectors = [of for check in found.tests for _, of in check.test.selectors()]
    if any(of.study for of in selectors):
        return []
    return [
        name
        for name, pack in plan.packs.items()
        if any(matches(of, run.point) for of in selectors for run in pack.runs)
    ]


def seconds(plan: Plan, record: Record, claim: str) -> float:
    """The time that the record says a rerun of a claim takes; infinite where it does not say."""
    packs = needed(plan, claim)
    return sum(record.run.pack_seconds.get(name, np.inf) for name in packs) if packs else np.inf


def rerun(study: Path, claim: str, folder: Path) -> Path:
    """Train and measure the packs that a claim needs, and decide it by a partial report.

    Args:
        study: The study's file.
        claim: The claim.
        folder: A new folder for the results.

    Returns:
        The folder of the tables.
    """
    copy = folder / study.name
    copy.write_text(f"{study.read_text()}\nresults: {folder / 'results'}\n")
    plan = Plan(load(copy))
    for pack in needed(plan, claim):
        for stage in ("evaluate", "diagnose"):
            if pack in plan.jobs(stage):
                _stage(stage, copy, pack)
        _stage("train", copy, pack)
    with patch.object(partial_report.figures, "run"), patch.object(partial_report.report, "run"):  # minutes of drawing
        return partial_report.write(plan).parent / "tables"


def faults(record: Record, claim: str, tables: Path) -> list[str]:
    """What differs between a claim's record and its rerun, in words; everything must agree on one kind of processor.

    Elsewhere, the numbers of games without data must agree to `ELSEWHERE`, and of networks no verdict may turn round.
    """
    before = record.table[record.table["claim"] == claim].set_index("test")
    now = pd.read_csv(tables / "claims.csv", dtype={"claim": str})
    now = now[now["claim"] == claim].set_index("test")
    runs = pd.read_parquet(tables / "runs.parquet")
    alike = _made_on(runs) == (record.run.machine, {**record.run.versions, "commit": ""})
    trained = runs["dataset"].notna().any()
    found = [] if list(before.index) == list(now.index) else [f"tests {list(before.index)} against {list(now.index)}"]
    for test in before.index.intersection(now.index):
        for name in NUMBERS:
            was, here = float(before.loc[test, name]), float(now.loc[test, name])
            same = was == here or (np.isnan(was) and np.isnan(here))
            close = same or (not alike and (trained or np.isclose(was, here, rtol=ELSEWHERE, atol=ELSEWHERE)))
            found += [] if close else [f"test {test}: {name} is {here!r}, and {was!r} in the record"]
        # Where other tests of the study are not made, adjusted p-values are larger, and may leave a test undecided.
        verdicts = before.loc[test, "test_verdict"], now.loc[test, "test_verdict"]
        undecided = verdicts[1] == "undecided" and not np.isnan(before.loc[test, "p_value"])
        turned = set(verdicts) == {"confirmed", "refuted"} if trained and not alike else verdicts[0] != verdicts[1]
        found += [f"test {test}: {verdicts[1]}, and {verdicts[0]} in the record"] if turned and not undecided else []
    return found


def _made_on(runs: pd.DataFrame) -> tuple[str, dict[str, str]]:
    """Processor and versions of a table of runs, as records have them; the commit is left out."""
    machine = runs[list(MACHINE)].astype(str).agg(", ".join, axis=1)
    versions = {name: "; ".join(sorted(set(runs[name].dropna().astype(str)))) for name in VERSIONS}
    return "; ".join(sorted(set(machine))), {**versions, "commit": ""}
