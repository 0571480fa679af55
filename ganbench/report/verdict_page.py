"""The page of all verdicts, made from the records of studies and the list of claims alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ganbench.claims.rendering import VERDICTS, capitalize, natural_key
from ganbench.core.formatting import format_number, plural
from ganbench.report.markdown import cell, code, runs_table, table
from ganbench.report.verdict_records import Record
from ganbench.study.claim_list import ClaimList
from ganbench.study.claim_tests import CLAIM_TESTS
from ganbench.study.claims import SCALES

HEAD = ("claim", "statement", "verdict", "scale", "test", "numbers", "study")
MARKS = {"confirmed": "**confirmed**", "refuted": "**refuted**", "undecided": "undecided"}
NOTE = """A study decides a claim by tests, all of which must hold; shown is the test that decides, with 95%
intervals. Each quantity is explained in the study's report and in its `tables/COLUMNS.md`. The **scale** is part of a
verdict. At the *full* scale the tests play what the claim speaks of; at the *real* scale they have the data that it
names, at a smaller size or for fewer steps; at the *small* scale other, smaller data. At the last two they answer the
question that stands below the statement, and no verdict of one scale stands for another. A claim whose number has a
letter is a study's own: what holds beside the claim, or in its place.
"""


@dataclass(frozen=True)
class Verdict:
    """A study's verdict on a claim."""

    claim: str
    study: str
    statement: str
    question: str
    scale: str
    verdict: str
    test: str
    numbers: str


def verdicts(records: Sequence[Record]) -> list[Verdict]:
    """All verdicts of studies, in the order of claims, then from the largest scale to the smallest."""
    found = []
    for record in records:
        for claim, tests in record.table.groupby("claim", sort=False):
            first = tests.iloc[0].dropna()
            texts = {name: str(first.get(name, "")) for name in ("statement", "question", "scale", "verdict")}
            found.append(Verdict(str(claim), record.run.study, **texts, **_deciding(tests)))
    return sorted(found, key=lambda each: (natural_key(each.claim), SCALES.index(each.scale), each.study))


def _deciding(tests: pd.DataFrame) -> dict[str, str]:
    """The test that decides a claim, its result, and the number of its other tests."""
    row = tests[tests["test_verdict"] == tests["verdict"]].iloc[0]
    others = len(tests) - 1
    more = f"; {plural(others, 'more test')}" if others else ""
    kind = CLAIM_TESTS[row["kind"]]
    alone = not kind.statistical and row["runs"] == 1 and not row["missing"]
    numbers = format_number(row["value"], 7) if alone else capitalize(str(row["text"]).split("; asked: ")[0])
    return {"test": f"{row['quantity']} {kind.relation}{row['asked']}", "numbers": numbers + more}


def parent(claim: str) -> str:
    """The claim that a claim with a letter belongs to; the claim itself if it has none."""
    return re.sub(r"(?<=\d)[a-z]+$", "", claim)


def page(records: Sequence[Record], listed: ClaimList) -> str:
    """Write the page of all verdicts as Markdown.

    Args:
        records: The records of the tables `claims` of studies.
        listed: All claims; those that no record decides are open.
    """
    found = verdicts(records)
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
    parts.append(f"## The studies\n\n{runs_table([record.run for record in records]) if records else 'None yet.'}\n")
    parts.append("Written by `ganbench claims` from the records in `docs/claims/`; `make claims` runs the studies.\n")
    return "\n".join(parts)


def _row(each: Verdict) -> tuple[str, ...]:
    statement = cell(each.statement)
    if each.question:
        statement += f"<br>*Asked at this scale:* {cell(each.question)}"
    name = f"↳ {cell(each.claim)}" if parent(each.claim) != each.claim else f"**{cell(each.claim)}**"
    return name, statement, MARKS[each.verdict], each.scale, code(each.test), cell(each.numbers), cell(each.study)


def _open(claim: str, statement: str) -> tuple[str, ...]:
    return f"**{cell(claim)}**", cell(statement), "open", "", "", "No study has decided it yet.", ""


def _counts(found: Sequence[Verdict], listed: ClaimList) -> str:
    """Counts of the listed claims by scale and verdict, and of those that are open."""
    known = {claim.id for claim in listed.claims}
    mine = [each for each in found if each.claim in known]
    counts = Counter((each.scale, each.verdict) for each in mine)
    rows = [(scale, *(str(counts[scale, verdict]) for verdict in VERDICTS)) for scale in SCALES]
    asked = {each.claim for each in mine}
    several = sum(1 for count in Counter(each.claim for each in mine).values() if count > 1)
    text = f"Of {len(known)} claims, studies have asked {len(asked)}, and {len(known) - len(asked)} are open."
    if several:
        were = "was" if several == 1 else "were"
        text += f" {several} of these {were} asked by several studies, and each verdict counts."
    return f"{text}\n\n{table(('scale', *VERDICTS), rows)}\n"
