"""Kinds of tests that decide a claim, with the quantities and limits that they compare, and the effects expected."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import inf
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, create_model, model_validator

from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.escaping import short_repr
from ganbench.core.formatting import format_number
from ganbench.core.registry import CHOICES
from ganbench.study.expressions import Expression
from ganbench.study.selectors import NUMERIC, Selector, SelectorField, custom_field
from ganbench.study.train_axes import OPTIONS
from ganbench.study.value_types import Fraction, Positive, Section, min_entries, refuse_boolean

# Numbers of a run with plain names, beside its numeric options of training. Measurements have dotted names, and numeric
# options of components are called `<family>_<option>`.
NUMBERS = (*NUMERIC, "steps", "time")
# Prefixes of dotted names that need no experiment: of a run's metrics, of its recorded series, and of its events.
OF_METRICS = ("final", "best", "first", "distinct", "rank_correlation")
OF_CURVES = ("early", "late", "median", "min", "max")
OF_EVENTS = ("events", "lift")
PREFIXES = ("outcome", *OF_METRICS, *OF_CURVES, *OF_EVENTS)


def _parse_expression(value: Any) -> Expression:
    if isinstance(value, Expression):
        return value
    finite = isinstance(value, str) or (isinstance(value, int | float) and abs(value) < inf)
    if isinstance(value, bool) or not finite:
        raise ValueError(f"must be a finite number or an expression, but is {short_repr(value)}")
    try:
        formula = Expression(value if isinstance(value, str) else repr(value))
    except GanbenchError as error:
        raise ValueError(str(error)) from None
    if part := formula.undefined_part:
        raise ValueError(f"expression {formula.text!r}: {part!r} has no finite real value")
    plain = list(dict.fromkeys((*NUMBERS, *OPTIONS)))
    for name in sorted(formula.names):
        if "." not in name and name not in plain and not name.startswith(tuple(f"{f}_" for f in CHOICES)):
            known = ", and <family>_<option>, and measurements as <experiment>.<column>"
            raise ValueError(f"expression {formula.text!r}: {unknown('variable', name, plain)[:-1]}{known}.")
    return formula


def _parse_constant(value: Any) -> Expression:
    formula = _parse_expression(value)
    if formula.names:
        raise ValueError(f"must be a number, since it is compared with a mean over runs, but is {formula.text!r}")
    return formula


def _require_side(expected: float, limit: float, *, larger: bool) -> None:
    """Refuse an expected effect with which the claim would not hold."""
    if expected <= limit if larger else expected >= limit:
        side = "above" if larger else "below"
        raise ValueError(f"expected must be {side} {limit:g} if the claim holds, but is {expected:g}")


def _threshold(test: ThresholdTest | Difference) -> str:
    return f"below {test.below}" if test.above is None else f"above {test.above}"


ExpressionField = Annotated[Expression, *custom_field(_parse_expression, str, "string", "number")]
NumberField = Annotated[Expression, *custom_field(_parse_constant, str, "string", "number")]
Number = Annotated[float, BeforeValidator(refuse_boolean), Field(allow_inf_nan=False)]


class ClaimTest(Section, ABC):
    """The keys that all kinds of tests have. How a kind is decided stands in `ganbench.claims.procedures`."""

    kind: ClassVar[str]  # the key that a study writes the test under, and the kind's name in tables
    words: ClassVar[str]  # what a test of the kind is about
    statistical: ClassVar[bool] = False  # whether it has a p-value; those of a study are adjusted together
    separator: ClassVar[str] = ""  # in words, between the groups of runs that it compares
    relation: ClassVar[str] = ""  # in words, between the quantity and the condition

    where: SelectorField = Selector()
    """The tested runs: axes with their values; all runs unless given; 'study' for measurements of the study itself."""
    quantity: ExpressionField
    """The tested number of each run: `path.growth`, or an expression."""

    def selectors(self) -> Iterator[tuple[str, Selector]]:
        """Iterate over the selectors of the test, each with its location in the test."""
        yield "where", self.where

    @property
    def variables(self) -> set[str]:
        """The names of the variables in the test's expressions; a dotted name is one variable."""
        return {name for _, value in self if isinstance(value, Expression) for name in value.names}

    @property
    def selection(self) -> str:
        """The runs that the test selects, in words."""
        return self.separator.join(str(selector) for _, selector in self.selectors())

    @property
    @abstractmethod
    def condition(self) -> str:
        """What is asked of the quantity, in words."""

    def _exactly_one(self, *keys: str) -> None:
        given = [key for key in keys if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"must have exactly one of {', '.join(keys)}, but has {', '.join(given) or 'none'}")

    def _require_runs(self) -> None:
        if any(selector.study for _, selector in self.selectors()):
            raise ValueError("needs runs: the study's own measurements ('study') are one number each")


class ClosedForm(ClaimTest):
    """In every run the quantity equals an expression."""

    kind = "closed_form"
    words = "equals, in every run"
    relation = "= "

    equals: ExpressionField
    """The expected value of the quantity."""
    atol: ExpressionField | None = None
    """The largest allowed distance from the expected value; give either `atol` or `rtol`."""
    rtol: ExpressionField | None = None
    """The largest allowed distance, as a share of the expected value's size."""

    @property
    def condition(self) -> str:
        """The expected value with its tolerance, in words."""
        tolerance = f"{self.rtol} of its size" if self.atol is None else self.atol
        return f"{self.equals} within {tolerance}"

    @model_validator(mode="after")
    def _one_tolerance(self) -> ClosedForm:
        self._exactly_one("atol", "rtol")
        return self


class ThresholdTest(ClaimTest):
    """The keys of tests against a limit."""

    above: ExpressionField | None = None
    """The limit that the quantity must exceed; give either `above` or `below`."""
    below: ExpressionField | None = None
    """The limit that the quantity must stay below."""

    @property
    def condition(self) -> str:
        """The limit with its side, in words."""
        return _threshold(self)

    @model_validator(mode="after")
    def _one_threshold(self) -> ThresholdTest:
        self._exactly_one("above", "below")
        return self


class Bound(ThresholdTest):
    """In every run the quantity lies on one side of a limit."""

    kind = "bound"
    words = "holds in every run"


class Proportion(ThresholdTest):
    """The proportion of runs with the quantity on one side of a limit, by the exact binomial test. Where a seed has
    several runs, these count as the scatter between seeds tells."""

    kind = "proportion"
    words = "share of runs"
    statistical = True

    among: ExpressionField | None = None
    """Count only the runs in which this number is not 0: `outcome.failed` for a proportion of the failed runs."""
    at_least: Fraction | None = None
    """The smallest allowed proportion; give either `at_least` or `at_most`."""
    at_most: Fraction | None = None
    """The largest allowed proportion."""
    expected: Fraction | None = None
    """The proportion if the claim holds as claimed. From it follows how many runs decide the test with 80% power."""

    @property
    def limit(self) -> float:
        """The proportion to compare with."""
        return self.at_most if self.at_least is None else self.at_least

    @property
    def condition(self) -> str:
        """The limit of the quantity and that of the proportion, in words."""
        side = "at least" if self.at_most is None else "at most"
        among = "" if self.among is None else f" of the runs with {self.among} other than 0"
        return f"{super().condition} in a share of {side} {format_number(self.limit)}{among}"

    @model_validator(mode="after")
    def _one_proportion(self) -> Proportion:
        self._exactly_one("at_least", "at_most")
        self._require_runs()
        if self.expected is not None:
            _require_side(self.expected, self.limit, larger=self.at_most is None)
        return self


class NullHypothesis(ClaimTest):
    """A null hypothesis, such as that two things are unrelated, which a small p-value refutes and nothing confirms:
    where no evidence against it is found, it is undecided. The quantity is that p-value; of several runs, the smallest
    one counts, times their number."""

    kind = "null_hypothesis"
    words = "null hypothesis"
    statistical = True

    @property
    def condition(self) -> str:
        """What does not refute it, in words."""
        return "a p-value above 0.05"


class MeanTest(ClaimTest):
    """The keys of tests that compare the means of groups of runs."""

    statistical = True

    expected: Number | None = None
    """The difference of means if the claim holds as claimed, of every step of an ordering; needs `expected_std`. From
    both follows how many runs decide the test with 80% power."""
    expected_std: Positive | None = None
    """The standard deviation that is expected of the difference of two runs, or of a pair of equal seed."""

    def _check_expected(self, limit: float, *, larger: bool) -> None:
        if (self.expected is None) != (self.expected_std is None):
            given = "expected_std" if self.expected is None else "expected"
            raise ValueError(f"must have both expected and expected_std, or neither, but has {given} alone")
        if self.expected is not None:
            _require_side(self.expected, limit, larger=larger)


class Difference(MeanTest):
    """The difference of two groups' means lies on one side of a number, by a t test, of pairs where seeds are equal.
    The runs of a seed are one value, their mean; where one is not finite, ranks are compared."""

    kind = "difference"
    words = "difference of means"
    separator = " minus "

    baseline: SelectorField
    """The runs whose mean is subtracted."""
    above: NumberField | None = None
    """The number that the difference must exceed; give either `above` or `below`."""
    below: NumberField | None = None
    """The number that the difference must stay below."""

    def selectors(self) -> Iterator[tuple[str, Selector]]:
        """Iterate over the selectors of both groups, each with its location in the test."""
        yield from (("where", self.where), ("baseline", self.baseline))

    @property
    def limit(self) -> float:
        """The number to compare the difference with."""
        return (self.above if self.below is None else self.below).value({})

    @property
    def condition(self) -> str:
        """The number with its side, in words."""
        return _threshold(self)

    @model_validator(mode="after")
    def _different_groups(self) -> Difference:
        self._exactly_one("above", "below")
        self._require_runs()
        self._check_expected(self.limit, larger=self.below is None)
        if self.where == self.baseline:
            raise ValueError(f"where and baseline select the same runs ({self.where})")
        return self


class Ordering(MeanTest):
    """The groups' means increase in the order given, every step by a t test."""

    kind = "ordering"
    words = "order of means"
    separator = " < "
    limit: ClassVar[float] = 0.0  # the number to compare the difference of every step with

    increasing: Annotated[tuple[SelectorField, ...], min_entries(2)]
    """The groups, the smallest expected mean first; each group is selected among the runs of `where`."""

    def selectors(self) -> Iterator[tuple[str, Selector]]:
        """Iterate over the selectors of the groups, each with its location in the test."""
        for index, group in enumerate(self.increasing):
            yield f"increasing[{index}]", self.where.intersection(group)

    @property
    def condition(self) -> str:
        """The order that is asked, in words."""
        return "increasing means"

    @model_validator(mode="after")
    def _groups(self) -> Ordering:
        if self.where.study or any(group.study for group in self.increasing):
            raise ValueError("needs runs: the study's own measurements ('study') are one number each")
        if len(set(self.increasing)) < len(self.increasing):
            raise ValueError("increasing has the same group twice")
        self._check_expected(self.limit, larger=True)
        return self


CLAIM_TESTS = {test.kind: test for test in (ClosedForm, Bound, Proportion, NullHypothesis, Difference, Ordering)}


class _OneKey(Section):
    """One test, under the key of its kind."""

    @model_validator(mode="after")
    def _one(self) -> _OneKey:
        given = [kind for kind, test in self if test is not None]
        if len(given) != 1:
            valid = ", ".join(CLAIM_TESTS)
            raise ValueError(f"must have exactly one of the keys {valid}, but has {', '.join(given) or 'none'}")
        return self

    @property
    def test(self) -> ClaimTest:
        """The test under its key."""
        return next(test for _, test in self if test is not None)


TaggedTest = create_model(
    "TaggedTest",
    __base__=_OneKey,
    __doc__=_OneKey.__doc__,
    __module__=__name__,
    **{kind: (test | None, Field(None, description=test.__doc__)) for kind, test in CLAIM_TESTS.items()},
)
