"""The page of all verdicts, made from the records of studies, from the studies as they are, and the list of claims."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ganbench.claims.rendering import VERDICTS, capitalize, natural_key
from ganbench.claims.staleness import other_claims
from ganbench.core.formatting import format_number, join_words, plural
from ganbench.report.markdown import cell, code, runs_section, table
from ganbench.report.verdict_records import Record
from ganbench.study.claim_list import ClaimList
from ganbench.study.claim_tests import CLAIM_TESTS
from ganbench.study.claims import SCALES, Claim

HEAD = ("claim", "statement", "verdict", "scale", "tests", "numbers", "study")
MARKS = {"confirmed": "**confirmed**", "refuted": "**refuted**", "undecided": "undecided"}
NOTE = """A study decides a claim by tests, all of which must hold; the numbers are those of the tests that decide,
with 95% intervals. A verdict is *decided by no healthy run*, as far as that is recorded, if none of its runs had
learned by its end without failing: it says little of trained networks. What it is to fail and to have learned,
[outcomes.md](outcomes.md) says, and what a metric is, [metrics.md](metrics.md). Each quantity is explained in the
study's report and in its `tables/COLUMNS.md`. Notes are those of the study as it is now, the record being older or
not. An **exploratory** claim was asked after numbers of these runs had been seen: its verdict is no prediction that
came true. The **scale** is part of a verdict. At the *full* scale the tests play what the claim speaks of; at the
*real* scale they have the data that it names, at a smaller size or for fewer steps; at the *small* scale other,
smaller data. At the last two they answer the question that stands below the statement, and no verdict of one scale
stands for another. A claim whose number has a letter is a study's own: what holds beside the claim, or in its place.
"""


@dataclass(frozen=True)
class Verdict:
    """A study's verdict on a claim, as recorded, with what the study says of the claim now.

    Attributes:
        tests: what each test asks, and its verdict.
        numbers: the results of the tests that decide.
        healthy: number of healthy runs of these tests, the most of any; NaN where that is not recorded, as of games.
        note: the study's note on the claim.
        exploratory: whether the claim was asked after numbers of its runs had been seen.
        outdated: whether the study now asks otherwise, so that the verdict answers nothing that is asked.
    """

    claim: str
    study: str
    statement: str
    question: str
    scale: str
    verdict: str
    tests: tuple[tuple[str, str], ...]
    numbers: tuple[str, ...]
    healthy: float
    note: str
    exploratory: bool
    outdated: bool

    @property
    def mark(self) -> str:
        """The verdict as the page shows it: bold if it answers what is asked, by a prediction."""
        if self.outdated:
            return f"{self.verdict} by other tests than the study has now"
        return f"{self.verdict} (exploratory)" if self.exploratory else MARKS[self.verdict]


def verdicts(records: Sequence[Record], studies: Mapping[str, Sequence[Claim]]) -> list[Verdict]:
    """All verdicts of studies, in the order of claims, then from the largest scale to the smallest.

    Args:
        records: the records of the tables `claims` of studies.
        studies: the claims of the studies as they are, by the paths of their files.
    """
    found = []
    for record in records:
        asked = {claim.id: claim for claim in studies.get(record.run.file, ())}
        for name, tests in record.table.groupby("claim", sort=False):
            first, now = tests.iloc[0].dropna(), asked.get(str(name))
            texts = {name: str(first.get(name, "")) for name in ("statement", "question", "scale", "verdict")}
            about = {"note": now.note if now else "", "exploratory": now is not None and now.exploratory}
            outdated = bool(other_claims(tests, [now] if now else []))
            found.append(Verdict(str(name), record.run.study, **texts, **_tests(tests), **about, outdated=outdated))
    return sorted(found, key=lambda each: (natural_key(each.claim), SCALES.index(each.scale), each.study))


def _tests(tests: pd.DataFrame) -> dict[str, object]:
    """What the tests of a claim ask, with their verdicts, and the results of those that decide it."""
    relation = tests["kind"].map(lambda kind: CLAIM_TESTS[kind].relation)
    asked = zip(tests["quantity"] + " " + relation + tests["asked"], tests["test_verdict"], strict=True)
    deciding = tests[tests["test_verdict"] == tests["verdict"]].to_dict("records")
    which = [f"Test {row['test']}: " if len(tests) > 1 else "" for row in deciding]
    numbers = tuple(f"{name}{_numbers(row)}" for name, row in zip(which, deciding, strict=True))
    healthy = max((float(row["healthy"]) for row in deciding if pd.notna(row.get("healthy"))), default=math.nan)
    return {"tests": tuple(asked), "numbers": numbers, "healthy": healthy}


def _numbers(row: Mapping[str, Any]) -> str:
    """The result of a test, and how many runs its study planned for."""
    if not CLAIM_TESTS[row["kind"]].statistical and row["runs"] == 1 and not row["missing"]:
        return format_number(row["value"], 7)
    text = capitalize(str(row["text"]).split("; asked: ")[0])
    if pd.notna(row.get("runs_needed")):
        text += f"; to find an expected {format_number(row['expected'])} with 80% power takes {row['runs_needed']:.0f}"
    return text


def parent(claim: str) -> str:
    """The claim that a claim with a letter belongs to; the claim itself if it has none."""
    return re.sub(r"(?<=\d)[a-z]+$", "", claim)


def page(records: Sequence[Record], listed: ClaimList, studies: Mapping[str, Sequence[Claim]]) -> str:
    """Write the page of all verdicts as Markdown.

    Args:
        records: the records of the tables `claims` of studies.
        listed: all claims; those that no record decides are open.
        studies: the claims of the studies as they are, by the paths of their files: notes are theirs, verdicts on what
            they no longer ask count for nothing, and those without a record wait.
    """
    found = verdicts(records, studies)
    known = {claim.id for claim in listed.claims}
    parts = ["# Claims and their verdicts\n", _counts(found, listed), NOTE]
    for letter, title in listed.groups.items():
        claims = [claim for claim in listed.claims if claim.id[0] == letter]
        rows = []
        for claim in claims:
            mine = [each for each in found if parent(each.claim) == claim.id]
            rows += [_row(each) for each in mine if each.claim == claim.id] or [_open(claim.id, claim.statement)]
            rows += [_row(each) for each in mine if each.claim != claim.id]
        sources = ", ".join(dict.fromkeys(claim.source for claim in claims))
        parts.append(f"## {letter}: {title}\n\nSource: {sources}.\n\n{table(HEAD, rows)}\n")
    others = [each for each in found if parent(each.claim) not in known]
    if others:
        parts.append(f"## Other claims of these studies\n\n{table(HEAD, [_row(each) for each in others])}\n")
    parts.append(f"## The studies\n\n{runs_section([record.run for record in records])}\n")
    recorded = {record.run.file for record in records}
    waiting = {file: [each.id for each in asked if parent(each.id) in known] for file, asked in sorted(studies.items())}
    lines = [f"- {code(file)}: {', '.join(ids)}" for file, ids in waiting.items() if ids and file not in recorded]
    if lines:
        parts.append("\n".join(("Studies without a record, and which claims they ask:\n", *lines, "")))
    parts.append("Written by `ganbench claims` from the records in `docs/claims/`; `make claims` runs the studies.\n")
    return "\n".join(parts)


def _row(each: Verdict) -> tuple[str, ...]:
    statement = cell(each.statement)
    for title, text in (("Asked at this scale", each.question), ("Note", each.note)):
        statement += f"<br>*{title}:* {cell(text)}" if text else ""
    tests = [code(asked) + (f" {verdict}" if len(each.tests) > 1 else "") for asked, verdict in each.tests]
    numbers = "<br>".join(map(cell, each.numbers))
    name = f"↳ {cell(each.claim)}" if parent(each.claim) != each.claim else f"**{cell(each.claim)}**"
    return name, statement, each.mark, each.scale, "<br>".join(tests), numbers, cell(each.study)


def _open(claim: str, statement: str) -> tuple[str, ...]:
    return f"**{cell(claim)}**", cell(statement), "open", "", "", "No study has decided it yet.", ""


def _counts(found: Sequence[Verdict], listed: ClaimList) -> str:
    """Counts of the listed claims: by scale and verdict, of those that are decided at any scale, undecided at all or
    open, and of those that lack the full scale; and what counts for nothing."""
    known = {claim.id for claim in listed.claims}
    mine = [each for each in found if each.claim in known]
    valid = [each for each in mine if not each.outdated]
    counts = Counter((each.scale, each.verdict) for each in valid)
    unhealthy = Counter(each.scale for each in valid if each.verdict != "undecided" and each.healthy == 0)
    rows = [(scale, *(str(counts[scale, verdict]) for verdict in VERDICTS), str(unhealthy[scale])) for scale in SCALES]
    asked = {each.claim for each in mine}
    several = sum(1 for count in Counter(each.claim for each in mine).values() if count > 1)
    smaller = asked - {each.claim for each in mine if each.scale == "full"}
    decided = {each.claim for each in valid if each.verdict != "undecided"}
    text = f"Of {len(known)} claims, {len(decided)} are confirmed or refuted at one scale or more,"
    text += f" {len(asked - decided)} are undecided wherever they were asked, and {len(known - asked)} are open."
    text += f" {plural(len(smaller), 'claim')} {'was' if len(smaller) == 1 else 'were'} asked at a smaller scale only."
    if several:
        were = "was" if several == 1 else "were"
        text += f" {several} {were} asked by several studies, and each verdict counts."
    outdated = [f"{each.claim} ({each.study})" for each in found if each.outdated]
    if outdated:
        text += f" The tests of {join_words(outdated)} have changed since: these verdicts count for nothing, until the"
        text += " studies are run again."
    return f"{text}\n\n{table(('scale', *VERDICTS, 'decided by no healthy run'), rows)}\n"
