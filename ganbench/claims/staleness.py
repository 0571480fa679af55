"""What a table of a study asks, against the study as it is: a record of other tests is no record of these."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from ganbench.claims import published as published_numbers
from ganbench.claims.test_results import subject
from ganbench.study.claims import Claim
from ganbench.study.published import Published


def other_claims(table: pd.DataFrame, claims: Sequence[Claim]) -> list[str]:
    """How the claims of a table `claims` differ from a study's, in words; empty if they ask the same.

    All that a verdict answers is compared: statement, question and scale, and of every test its kind, runs, quantity,
    condition and the effect that is expected. Sources and notes may change.
    """
    wanted = {}
    for claim in claims:
        about = {name: getattr(claim, name) for name in ("statement", "question", "scale")}
        for number, test in enumerate((each.test for each in claim.tests), 1):
            asked = subject(test)
            asked |= {"asked": asked.pop("condition"), "expected": getattr(test, "expected", None)}
            wanted[f"claim {claim.id}, test {number}"] = about | asked
    found = {f"claim {row['claim']}, test {row['test']}": row for row in table.to_dict("records")}
    return list(_differences(found, wanted))


def other_numbers(table: pd.DataFrame, published: Sequence[Published]) -> list[str]:
    """How the rows of a table `published` differ from what a study sets its own numbers beside, in words."""
    wanted = {f"published number {index}": published_numbers.subject(each) for index, each in enumerate(published, 1)}
    found = {f"published number {row['number']}": row for row in table.to_dict("records")}
    return list(_differences(found, wanted))


def _differences(found: dict[str, dict], wanted: dict[str, dict]) -> Iterable[str]:
    yield from (f"{name} is no longer asked" for name in found if name not in wanted)
    for name, now in wanted.items():
        if name not in found:
            yield f"{name} is new"
            continue
        for column, value in now.items():
            before, after = _text(found[name].get(column)), _text(value)
            if before != after:
                yield f"{name}: {column} is {after!r}, and was {before!r}"


def _text(value: Any) -> str:
    """A value as text, whether it was read from CSV or from a study; empty where there is none."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.12g}" if isinstance(value, int | float) else " ".join(str(value).split())
