"""Claims of a study: statements, each with the tests that decide it from the study's numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from ganbench.study.claim_tests import NUMBERS, TaggedTest
from ganbench.study.selectors import Selector
from ganbench.study.value_types import Section, min_entries, text_matching

Id = text_matching(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}",
    "1 to 32 letters, digits, dots, dashes and underscores that begin with a letter or digit",
)


Scale = Literal["full", "real", "small"]
SCALES: tuple[Scale, ...] = get_args(Scale)


class Claim(Section):
    """A statement, with the tests that decide it."""

    id: Id
    """Short identifier, unique in the study, such as A1."""
    source: str = ""
    """The source of the statement, such as a publication."""
    statement: Annotated[str, Field(min_length=1)]
    """The statement in words."""
    scale: Scale = "full"
    """The scale of the tests: 'full' plays what the claim speaks of; 'real' has its data set, at a smaller size or for
    fewer steps; 'small' has other, smaller data."""
    question: str = ""
    """The question that the tests answer, in words, where it is not that of the claim: required unless the scale is
    'full', and refused there."""
    note: str = ""
    """How the study decides the claim, what is true instead, or what a reader of the verdict has to know."""
    exploratory: bool = False
    """Whether the claim was asked after numbers of the runs that decide it had been seen. Such a verdict is no
    prediction that came true: other runs have to show the same. Its tests are adjusted for the number of all tests, and
    those of other claims among themselves."""
    tests: Annotated[tuple[TaggedTest, ...], min_entries(1)]
    """The tests that decide the claim; all of them must hold."""

    @model_validator(mode="after")
    def _question_of_the_scale(self) -> Claim:
        if self.scale != "full" and not self.question:
            raise ValueError(
                f"question: is missing; tests of the scale {self.scale!r} answer another question than the claim's, "
                "which must be said"
            )
        if self.scale == "full" and self.question:
            raise ValueError(
                f"question: tests of the scale 'full' answer the claim itself; name their scale, "
                f"{' or '.join(SCALES[1:])}, or leave the question out"
            )
        return self


def unique_ids(claims: Sequence[Any]) -> Sequence[Any]:
    """Return the claims if all of their ids differ.

    Raises:
        ValueError: several claims share an id; the message names it.
    """
    twice = [name for name, count in Counter(claim.id for claim in claims).items() if count > 1]
    if twice:
        raise ValueError(f"has {', '.join(twice)} more than once; every claim's id must differ")
    return claims


def run_selectors(claim: Claim) -> Iterator[tuple[str, Selector]]:
    """Iterate over the selectors that must match a run: pairs such as ("tests[0].proportion.where", selector)."""
    for index, test in enumerate(each.test for each in claim.tests):
        for key, selector in test.selectors():
            if not selector.study:
                yield f"tests[{index}].{test.kind}.{key}", selector


def option_names(claim: Claim) -> set[str]:
    """Collect the names of the options that a claim needs: `<family>_<option>`, and `<option>` of training."""
    return plain_names(name for each in claim.tests for name in each.test.variables)


def plain_names(names: Iterable[str]) -> set[str]:
    """Of the variables of expressions, those that are options."""
    return {name for name in names if "." not in name and name not in NUMBERS}
