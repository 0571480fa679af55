"""Claims of a study: statements that somebody made, each with the tests that decide it from the study's numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from ganbench.study.claim_tests import NUMBERS, TaggedTest
from ganbench.study.expressions import Expression
from ganbench.study.selectors import Selector
from ganbench.study.value_types import Section, min_entries, text_matching

Id = text_matching(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}",
    "1 to 32 letters, digits, dots, dashes and underscores that begin with a letter or digit",
)


class Claim(Section):
    """A statement, and what would have to be measured for it to hold."""

    id: Id
    """Short and unique in the study: A1."""
    source: str = ""
    """Where it was said."""
    statement: Annotated[str, Field(min_length=1)]
    """The statement."""
    note: str = ""
    """How the study decides it, or what is true instead."""
    tests: Annotated[tuple[TaggedTest, ...], min_entries(1)]
    """Tests; all must hold."""


def unique_ids(claims: Sequence[Claim]) -> Sequence[Claim]:
    """The claims, if no two share an id.

    Raises:
        ValueError: names the ids that stand there more than once.
    """
    twice = [name for name, count in Counter(claim.id for claim in claims).items() if count > 1]
    if twice:
        raise ValueError(f"has {', '.join(twice)} more than once; every claim's id must differ")
    return claims


def run_selectors(claim: Claim) -> Iterator[tuple[str, Selector]]:
    """Every selector that must match a run, with its place in the claim: ("tests[0].proportion.where", selector)."""
    for index, check in enumerate(claim.tests):
        for key, selector in check.test.selectors():
            if not selector.study:
                yield f"tests[{index}].{check.kind}.{key}", selector


def measurement_names(claim: Claim) -> set[str]:
    """Dotted names of all measurements that the claim needs."""
    return {name for check in claim.tests for name in variables(check) if "." in name}


def option_names(claim: Claim) -> set[str]:
    """Names of all options of a run's parts, `<family>_<option>`, that the claim needs."""
    return {name for check in claim.tests for name in variables(check) if "." not in name and name not in NUMBERS}


def variables(check: TaggedTest) -> Iterator[str]:
    """Every variable that a test reckons with, dotted ones as one name."""
    for _, value in check.test:
        if isinstance(value, Expression):
            yield from value.names
