"""Claims of a study: statements that somebody made, each with the tests that decide it from the study's numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import inf
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.escaping import short_repr
from ganbench.core.registry import CHOICES
from ganbench.study.expressions import Expression
from ganbench.study.selectors import NUMERIC, ASelector, Selector, plain
from ganbench.study.value_types import Section, Share, spelled

# Of a run; its measurements have dotted names, and the numeric options of its parts are called `<family>_<option>`.
NUMBERS = (*NUMERIC, "steps", "time")
# Dotted names that need no experiment: views of a run's outcome, its metrics and its losses.
VIEWS = ("outcome", "final", "best", "first", "distinct", "rank_correlation")


def _formula(value: Any) -> Expression:
    if isinstance(value, Expression):
        return value
    finite = isinstance(value, str) or (isinstance(value, int | float) and abs(value) < inf)
    if isinstance(value, bool) or not finite:
        raise ValueError(f"must be a finite number or an expression, but is {short_repr(value)}")
    try:
        formula = Expression(value if isinstance(value, str) else repr(value))
    except GanbenchError as error:
        raise ValueError(str(error)) from None
    if part := formula.undefined:
        raise ValueError(f"expression {formula.text!r}: {part!r} has no finite real value")
    for name in sorted(formula.names):
        if "." not in name and name not in NUMBERS and not name.startswith(tuple(f"{f}_" for f in CHOICES)):
            known = ", and <family>_<option>, and measurements as <experiment>.<column>"
            raise ValueError(f"expression {formula.text!r}: {unknown('variable', name, NUMBERS)[:-1]}{known}.")
    return formula


def _constant(value: Any) -> Expression:
    formula = _formula(value)
    if formula.names:
        raise ValueError(f"must be a number, since it is compared with a mean over runs, but is {formula.text!r}")
    return formula


def _at_least(count: int) -> AfterValidator:
    # Unlike a length in the schema it stays silent where an entry is at fault already.
    def check(entries: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(entries) < count:
            raise ValueError(f"must have {count} entries or more, but has {len(entries)}")
        return entries

    return AfterValidator(check)


Formula = Annotated[Expression, *plain(_formula, str, "string", "number")]
Constant = Annotated[Expression, *plain(_constant, str, "string", "number")]


class Test(Section):
    """What all kinds of tests have."""

    of: ASelector = Selector()
    """The runs it looks at: axes with their values, all runs where there are none; 'study' for its own measurements."""
    quantity: Formula
    """The number looked at in each run: `path.growth`, or an expression."""

    def selections(self) -> Iterator[tuple[str, Selector]]:
        """Every set of runs it needs, with its place in the test."""
        yield "of", self.of

    def _exactly_one(self, *keys: str) -> None:
        given = [key for key in keys if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"must have exactly one of {', '.join(keys)}, but has {', '.join(given) or 'none'}")

    def _over_runs(self) -> None:
        if any(selector.study for _, selector in self.selections()):
            raise ValueError("needs runs: the study's own measurements ('study') are one number each")


class ClosedForm(Test):
    """In every run the quantity equals an expression."""

    equals: Formula
    """What it should be."""
    within: Formula
    """How far from that it may be."""
    relative: bool = False
    """Whether `within` is a share of what it should be."""


class OneSided(Test):
    """What tests against a limit have."""

    above: Formula | None = None
    """Larger than this; or"""
    below: Formula | None = None
    """smaller than this."""

    @model_validator(mode="after")
    def _one_side(self) -> OneSided:
        self._exactly_one("above", "below")
        return self


class Every(OneSided):
    """In every run the quantity lies on one side of a limit."""


class Frequency(OneSided):
    """The share of runs with the quantity on one side of a limit, by its 95 % Wilson interval."""

    at_least: Share | None = None
    """The share is at least this; or"""
    at_most: Share | None = None
    """at most this."""

    @model_validator(mode="after")
    def _one_share(self) -> Frequency:
        self._exactly_one("at_least", "at_most")
        self._over_runs()
        return self


class Difference(Test):
    """The difference of two groups' means lies on one side of a number, by its 95 % bootstrap interval."""

    minus: ASelector
    """The runs whose mean is subtracted."""
    above: Constant | None = None
    """Larger than this; or"""
    below: Constant | None = None
    """smaller than this."""

    def selections(self) -> Iterator[tuple[str, Selector]]:
        yield from (("of", self.of), ("minus", self.minus))

    @model_validator(mode="after")
    def _two_groups(self) -> Difference:
        self._exactly_one("above", "below")
        self._over_runs()
        if self.of == self.minus:
            raise ValueError(f"of and minus select the same runs ({self.of})")
        return self


class Ordering(Test):
    """The groups' means rise in the order given, every step by its 95 % bootstrap interval."""

    rising: Annotated[tuple[ASelector, ...], _at_least(2)]
    """The groups, that with the smallest mean first; each is selected among the runs of `of`."""

    def selections(self) -> Iterator[tuple[str, Selector]]:
        for index, group in enumerate(self.rising):
            yield f"rising[{index}]", self.of.joined(group)

    @model_validator(mode="after")
    def _groups(self) -> Ordering:
        if self.of.study or any(group.study for group in self.rising):
            raise ValueError("needs runs: the study's own measurements ('study') are one number each")
        if len(set(self.rising)) < len(self.rising):
            raise ValueError("rising has the same group twice")
        return self


class Check(Section):
    """One test, under the key of its kind."""

    closed_form: ClosedForm | None = None
    """The quantity equals an expression in every run."""
    every: Every | None = None
    """The quantity lies on one side of a limit in every run."""
    rate: Frequency | None = None
    """The share of runs with the quantity on one side of a limit."""
    difference: Difference | None = None
    """The difference of two groups' means."""
    ordering: Ordering | None = None
    """The order of several groups' means."""

    @model_validator(mode="after")
    def _one(self) -> Check:
        given = [key for key in type(self).model_fields if getattr(self, key) is not None]
        if len(given) != 1:
            valid = ", ".join(type(self).model_fields)
            raise ValueError(f"must have exactly one of the keys {valid}, but has {', '.join(given) or 'none'}")
        return self

    @property
    def kind(self) -> str:
        return next(key for key in type(self).model_fields if getattr(self, key) is not None)

    @property
    def test(self) -> Test:
        return getattr(self, self.kind)


Id = spelled(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}",
    "1 to 32 letters, digits, dots, dashes and underscores that begin with a letter or digit",
)


class Claim(Section):
    """A statement, and what would have to be measured for it to hold."""

    id: Id
    """Short and unique in the study: A1."""
    source: str = ""
    """Where it was said."""
    says: Annotated[str, Field(min_length=1)]
    """The statement."""
    note: str = ""
    """How the study decides it, or what is true instead."""
    decide: Annotated[tuple[Check, ...], _at_least(1)]
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


def selectors(claim: Claim) -> Iterator[tuple[str, Selector]]:
    """Every selector that must match a run, with its place in the claim: ("decide[0].rate.of", selector)."""
    for index, check in enumerate(claim.decide):
        for key, selector in check.test.selections():
            if not selector.study:
                yield f"decide[{index}].{check.kind}.{key}", selector


def quantities(claim: Claim) -> set[str]:
    """Dotted names of all measurements that the claim needs."""
    return {name for check in claim.decide for name in names(check) if "." in name}


def options(claim: Claim) -> set[str]:
    """Names of all options of a run's parts, `<family>_<option>`, that the claim needs."""
    return {name for check in claim.decide for name in names(check) if "." not in name and name not in NUMBERS}


def names(check: Check) -> Iterator[str]:
    """Every variable that a test reckons with, dotted ones as one name."""
    for _, value in check.test:
        if isinstance(value, Expression):
            yield from value.names
