"""Claims of a study: statements, each with the tests that decide it from the study's numbers."""

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
    """A statement, and the tests that decide it."""

    id: Id
    """Short and unique in the study: A1."""
    source: str = ""
    """Where the statement was made."""
    statement: Annotated[str, Field(min_length=1)]
    """The statement."""
    note: str = ""
    """How the study decides the claim, or what is true instead."""
    tests: Annotated[tuple[TaggedTest, ...], min_entries(1)]
    """Tests; all must hold."""


def unique_ids(claims: Sequence[Claim]) -> Sequence[Claim]:
    """The claims, if no two share an id.

    Raises:
        ValueError: an id occurs more than once. The message names it.
    """
    twice = [name for name, count in Counter(claim.id for claim in claims).items() if count > 1]
    if twice:
        raise ValueError(f"has {', '.join(twice)} more than once; every claim's id must differ")
    return claims


def run_selectors(claim: Claim) -> Iterator[tuple[str, Selector]]:
    """Every selector that must match a run, with its key in the claim: ("tests[0].proportion.where", selector)."""
    for index, check in enumerate(claim.tests):
        for key, selector in check.test.selectors():
            if not selector.study:
                yield f"tests[{index}].{check.kind}.{key}", selector


def measurement_names(claim: Claim) -> set[str]:
    """Dotted names of all measurements that the claim needs."""
    return {name for check in claim.tests for name in variables(check) if "." in name}


def option_names(claim: Claim) -> set[str]:
    """Names of all options of components, `<family>_<option>`, that the claim needs."""
    return {name for check in claim.tests for name in variables(check) if "." not in name and name not in NUMBERS}


def variables(check: TaggedTest) -> Iterator[str]:
    """Every variable in the expressions of a test. A dotted name is one variable."""
    for _, value in check.test:
        if isinstance(value, Expression):
            yield from value.names
