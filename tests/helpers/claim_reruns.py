"""Reruns of single claims: only what a claim needs is trained and measured, and set beside the record of its study."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from ganbench.cli import _stage
from ganbench.pipeline import partial_report
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.verdicts import MACHINE, VERSIONS
from ganbench.report.verdict_records import Record
from ganbench.study.claim_tests import CLAIM_TESTS
from ganbench.study.schema import load
from ganbench.study.selectors import matches

ASKED = ("statement", "question", "scale", "kind", "selection", "quantity", "asked", "expected")
NUMBERS = ("runs", "missing", "value", "low", "high", "p_value")
# Of a test's largest number: what another kind of processor may change where no training amplifies it, see
# docs/reproducibility.md. Numbers that are nearly 0, as distances from a closed form, differ by rounding.
RTOL, ATOL = 1e-4, 1e-12
TINY = np.finfo(float).tiny


def needed(plan: Plan, claim: str) -> list[str]:
    """The packs that a claim's tests select a run of, and `study` if one is of the study itself.

    A partial report needs a run, so the pack of the fewest steps is added where the tests select none.
    """
    (found,) = (each for each in plan.study.claims if each.id == claim)
    selectors = [of for check in found.tests for _, of in check.test.selectors()]
    of_runs = [of for of in selectors if not of.study]
    packs = plan.grid.packs.items()
    names = [name for name, pack in packs if any(matches(of, run.point) for of in of_runs for run in pack.runs)]
    least = min(plan.grid.packs, key=lambda name: sum(run.train.steps for run in plan.grid.packs[name].runs))
    return (names or [least]) + (["study"] if len(of_runs) < len(selectors) else [])


def seconds(plan: Plan, record: Record, claim: str) -> float:
    """The time that the record says a rerun of a claim takes; infinite where it does not say.

    A pack's name has a digest of all its options, and so is another one as soon as a component gets an option more. The
    record's packs are then found by the rest of their names; of several that are called alike, the slowest counts.
    """
    known: dict[str, float] = {}
    for name, taken in record.run.pack_seconds.items():
        known[_words(name)] = max(taken, known.get(_words(name), 0.0))
    known |= record.run.pack_seconds
    return sum(known.get(name, known.get(_words(name), np.inf)) for name in needed(plan, claim))


def _words(pack: str) -> str:
    """The name of a pack without the digest of its options."""
    return re.sub(r"(^|-)[0-9a-f]{12}(?=-\d+$)", "", pack)


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
        for stage in ("evaluate", "diagnose", "train"):
            if pack in plan.jobs(stage):
                _stage(stage, copy, pack)
    with patch.object(partial_report.figures, "run"), patch.object(partial_report.report, "run"):  # minutes of drawing
        return partial_report.write(plan).parent / "tables"


def faults(record: Record, claim: str, tables: Path) -> list[str]:
    """What differs between a claim's record and its rerun, in words.

    Both must ask the same of as many runs. On one kind of processor all numbers, and the sentences made of them, must
    be the same. Elsewhere, those of games without data must agree to `RTOL`; networks are other runs of the same
    method there, so no verdict may turn round, and 95% intervals of shares and means must overlap.
    """
    before = record.table[record.table["claim"] == claim].set_index("test")
    now = pd.read_csv(tables / "claims.csv", dtype={"claim": str})
    now = now[now["claim"] == claim].set_index("test")
    if before.empty or list(before.index) != list(now.index):
        return [f"{claim}: the record has the tests {list(before.index)}, and the rerun {list(now.index)}"]
    runs = pd.read_parquet(tables / "runs.parquet")
    alike = _made_on(runs) == (record.run.machine, {**record.run.versions, "commit": ""})
    trained = runs["dataset"].notna().any()
    compare = _same if alike else _overlapping if trained else _close
    found = []
    for verdict in {*before["verdict"]} - {combined(list(before["test_verdict"]))}:
        found.append(f"{claim}: the record says {verdict}, and its tests {list(before['test_verdict'])}")
    for (test, was), (_, here) in zip(before.iterrows(), now.iterrows(), strict=True):
        asked = [name for name in ASKED if str(was[name]) != str(here[name])]
        differences = [f"{name} is {here[name]!r}, and {was[name]!r} in the record" for name in asked]
        differences += compare(was, here)
        # Where other tests of the study are not made, adjusted p-values are larger, and may leave a test undecided.
        verdicts = was["test_verdict"], here["test_verdict"]
        undecided = verdicts[1] == "undecided" and not np.isnan(was["p_value"])
        turned = set(verdicts) == {"confirmed", "refuted"} if trained and not alike else verdicts[0] != verdicts[1]
        differences += [f"{verdicts[1]}, and {verdicts[0]} in the record"] if turned and not undecided else []
        found += [f"test {test}: {each}" for each in differences]
    return found


def combined(verdicts: list[str]) -> str:
    """The verdict of a claim whose tests have these."""
    if "refuted" in verdicts:
        return "refuted"
    return "confirmed" if set(verdicts) == {"confirmed"} else "undecided"


def _same(was: pd.Series, here: pd.Series) -> list[str]:
    """Differences of numbers by their last bit, and of the sentence but for adjusted p-values and what follows them."""
    found = _numbers(was, here, NUMBERS, lambda one, other: one == other)
    sentences = [re.split(r", p [<=]|; asked: ", each["text"])[0] for each in (was, here)]
    # Without an interval the sentence may be that of an effort, at the level adjusted.
    stated = not CLAIM_TESTS[was["kind"]].statistical or not np.isnan(was["low"])
    return found + (
        [f"text is {sentences[1]!r}, and {sentences[0]!r} in the record"] if stated and len(set(sentences)) > 1 else []
    )


def _close(was: pd.Series, here: pd.Series) -> list[str]:
    """Differences beyond `RTOL` of a test's largest number, or beyond rounding where all are nearly 0.

    A statistic t that is off by a share e changes ln p, about -t^2 / 2, by the share 2 e; ten times that is granted.
    """
    sizes = np.abs(was[["value", "low", "high"]].to_numpy(float))
    largest = sizes[np.isfinite(sizes)].max(initial=0.0)
    within = max(RTOL * largest, ATOL)
    found = _numbers(was, here, ("runs", "missing"), lambda one, other: one == other)
    found += _numbers(was, here, ("value", "low", "high"), lambda one, other: abs(one - other) <= within)
    logs = {name: each["p_value"] for name, each in (("one", was), ("other", here))}
    if np.isnan(logs["one"]) and np.isnan(logs["other"]):
        return found
    one, other = (np.log(max(each, TINY)) for each in logs.values())
    near = abs(one - other) <= 20 * RTOL * max(1.0, abs(one))  # NaN is not
    return found + ([] if near else [f"p_value is {here['p_value']!r}, and {was['p_value']!r} in the record"])


def _overlapping(was: pd.Series, here: pd.Series) -> list[str]:
    """Another number of runs, and intervals of shares or means that do not overlap; one of both alone is a fault too.

    Two 95% intervals of one number fail to do so once in some 170 cases, if both are equally wide and normal.
    """
    found = _numbers(was, here, ("runs",), lambda one, other: one == other)
    if not CLAIM_TESTS[was["kind"]].statistical or (np.isnan(was["low"]) and np.isnan(here["low"])):
        return found
    meet = was["low"] <= here["high"] and here["low"] <= was["high"]  # never of NaN
    intervals = [f"{each['low']!r} to {each['high']!r}" for each in (here, was)]
    return found + ([] if meet else [f"interval is {intervals[0]}, and {intervals[1]} in the record"])


def _numbers(was: pd.Series, here: pd.Series, names: Iterable[str], same: Callable[[float, float], bool]) -> list[str]:
    pairs = [(name, float(was[name]), float(here[name])) for name in names]
    return [
        f"{name} is {other!r}, and {one!r} in the record"
        for name, one, other in pairs
        if not (one == other or (np.isnan(one) and np.isnan(other)) or same(one, other))
    ]


def _made_on(runs: pd.DataFrame) -> tuple[str, dict[str, str]]:
    """Processor and versions of a table of runs, as records have them; the commit is left out."""
    machine = runs[list(MACHINE)].astype(str).agg(", ".join, axis=1)
    versions = {name: "; ".join(sorted(set(runs[name].dropna().astype(str)))) for name in VERSIONS}
    return "; ".join(sorted(set(machine))), {**versions, "commit": ""}
