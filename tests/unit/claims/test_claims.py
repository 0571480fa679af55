"""Claims: what a study may write, the arithmetic in it, and verdicts that follow by closed reasoning."""

from __future__ import annotations

import json
import math
import pickle
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ganbench.analysis.statistics.rates import exact_interval, rate_test
from ganbench.analysis.statistics.sample_sizes import runs_for_rate
from ganbench.claims.decisions import COLUMNS, decide, decisions_table
from ganbench.claims.mean_tests import MIN_RUNS, _by_ranks
from ganbench.claims.procedures import PROCEDURES
from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import MetricInfo
from ganbench.study.claim_tests import CLAIM_TESTS, ClaimTest, TaggedTest
from ganbench.study.claims import Claim, option_names, run_selectors, unique_ids
from ganbench.study.expressions import FUNCTIONS, Expression
from ganbench.study.selectors import AXES, Selector, matches
from ganbench.study.strict_yaml import describe_errors

# Expressions ----------------------------------------------------------------------------------------------------------

LEAVES = st.one_of(
    st.integers(0, 50).map(str),
    st.floats(0, 1e6, allow_nan=False).map(repr),
    st.sampled_from(["x", "steps", "pi", "e", "path.growth"]),
)
FORMULAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda text: f"(-{text})"),
        st.tuples(st.sampled_from(sorted(set(FUNCTIONS) - {"min", "max"})), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=8,
).filter(lambda text: len(text) <= 500)
PYTHON = {
    **{name: getattr(math, name) for name in ("sqrt", "exp", "log", "sin", "cos", "sinh", "pi", "e")},
    **{"arctan": math.atan, "arccos": math.acos, "abs": abs, "min": min, "max": max},
}


@given(FORMULAS, st.floats(-100, 100))
def test_expressions_agree_with_python(text, x):
    value = Expression(text).value({"x": x, "steps": 3, "path.growth": 2.5})
    names = {**PYTHON, "x": x, "steps": 3.0, "path": SimpleNamespace(growth=2.5)}
    # As Python reads it, but in floats throughout: integer powers may be longer than memory.
    floats = "".join(f"float({part})" if part.isdigit() else part for part in _tokens(text))
    try:
        expected = eval(floats, {"__builtins__": {"float": float}, **names})
    except (ArithmeticError, ValueError, TypeError):  # a TypeError where a complex number came in between
        assert math.isnan(value)
        return
    if isinstance(expected, complex) or not math.isfinite(expected):
        assert math.isnan(value)
    elif not math.isnan(value):  # it is where infinity came in between
        assert value == pytest.approx(expected, rel=1e-9)


def _tokens(text: str) -> list[str]:
    words = text.replace("(", " ( ").replace(")", " ) ").replace(",", " , ").replace("(-", "( - ").split()
    return [part for word in words for part in (["-", word[1:]] if word.startswith("-") and len(word) > 1 else [word])]


@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_refused_with_its_reason(text):
    try:
        formula = Expression(text)
    except GanbenchError as refused:
        formula, reason = None, str(refused)
    assert isinstance(formula.value({}), float) if formula else reason.startswith("expression")


def test_precedence_is_that_of_arithmetic():
    values = {"-2**2": -4, "2**3**2": 512, "2**-1": 0.5, "1 - 2 - 3": -4, "6 / 3 * 2": 4, "-(1 + 2) * 3": -9}
    assert {text: Expression(text).value({}) for text in values} == values


def test_names_are_variables_and_pi_and_e_are_numbers():
    formula = Expression(" pi * path.growth + abs(learning_rate) ")
    assert formula.names == {"path.growth", "learning_rate"}
    assert formula.value({"path.growth": 2, "learning_rate": -1}) == 2 * math.pi + 1
    assert Expression("e").value({"e": 7}) == 7  # a variable wins
    assert formula == Expression("pi * path.growth + abs(learning_rate)") == pickle.loads(pickle.dumps(formula))
    assert len({formula, Expression(formula.text)}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "1 / 0",
        "0 ** -1",
        "log(0)",
        "log(-1)",
        "sqrt(-1)",
        "(-8) ** 0.5",
        "exp(1000)",
        "9**9**9**9",
        "1e200 * 1e200",
        "x",
        "min(1, x)",
        "max(x, 1)",
        "x ** 0",
        "1 ** x",
        "0 * x",
    ],
)
def test_what_has_no_value_is_not_a_number(text):
    assert math.isnan(Expression(text).value({"x": math.nan}))
    assert math.isnan(Expression(text).value({}))


def test_infinity_is_a_number_where_it_comes_in():
    assert Expression("1 / x").value({"x": math.inf}) == 0
    assert Expression("-x").value({"x": math.inf}) == -math.inf
    assert math.isnan(Expression("x - x").value({"x": math.inf}))


REFUSED = {
    "": "near 'its end'",
    "1 +": "not complete arithmetic",
    "a b": "near 'b'",
    "__import__('os')": r"\"'\" is not understood",
    "open(1)": r"unknown function 'open'\. Valid: abs, arccos",
    "sqr(1)": "Did you mean 'sqrt'",
    "sqrt": r"'sqrt' is a function; write sqrt\(\.\.\.\)",
    "sqrt(1, 2)": "sqrt takes one argument, but 'sqrt.1, 2.' has 2",
    "min(1)": "min takes two or more arguments",
    "min(*x)": "min takes two or more",
    "min(1, *x)": r"'\*x' is not understood",
    "abs(x=1)": "'=' is not understood",
    "x.y.z": r"'x\.y\.z' is not understood",
    "(1).real": r"'\(1\)\.real' is not understood",
    "x.y(1)": "is not understood",
    "x[0]": r"'\[' is not understood",
    "x // 2": "'x // 2' is not understood",
    "x if y else z": "is not understood",
    "x and y": "'x and y' is not understood. Valid: numbers, names",
    "1or 2": "not complete arithmetic",
    "lambda: 0": "':' is not understood",
    "1, 2": "'1, 2' is not understood",
    "True": "'True' is not a number",
    "2j": "'2j' is not understood",
    "1e999": "'1e999' is too large for a number",
    "9" * 400: "too large for a number",
    "ｘ + 1": "'ｘ' is not understood",
    "-" * 450 + "1": "nested",
    "(" * 240 + "1" + ")" * 240: "not complete arithmetic|nested",
    "1" + "+1" * 240: "nested more than 100 levels",
    "1" * 501: "has 501 characters; at most 500",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_hostile_and_mistaken_expressions_are_refused(text):
    with pytest.raises(GanbenchError, match=REFUSED[text]):
        Expression(text)


# What a study may write -----------------------------------------------------------------------------------------------

GROWS = {"quantity": "path.growth", "above": 1}
TESTS = {
    "closed_form": {
        "where": {"game": "bilinear", "dynamics": "simultaneous"},
        "quantity": "path.step_ratio",
        "equals": "sqrt(1 + learning_rate**2)",
        "atol": 1e-12,
    },
    "bound": {"where": "study", **GROWS},
    "proportion": {"where": {"seed": [0, 1], "learning_rate": "2e-4"}, **GROWS, "at_most": 0.2},
    "difference": {"where": {"game": "a*"}, "baseline": {}, "quantity": "final.kd - game_samples", "below": 0},
    "ordering": {
        "where": {"game": "b"},
        "quantity": "final.kd",
        "increasing": [{"dynamics": "sgd"}, {"dynamics": "adam"}],
    },
    "null_hypothesis": {"where": "study", "quantity": "path.growth"},
}


def claim(*tests, **over) -> Claim:
    return Claim.model_validate({"id": "A1", "statement": "So it is.", "tests": list(tests), **over})


def kinds(of: type[ClaimTest] = ClaimTest) -> set[type[ClaimTest]]:
    """The classes of tests that no other class derives from."""
    return set().union(*map(kinds, of.__subclasses__())) or {of}


def test_every_kind_of_test_is_complete():
    """A kind is a class in `CLAIM_TESTS` and a procedure; no other place knows of it."""
    assert kinds() == set(CLAIM_TESTS.values()) == set(PROCEDURES)
    assert list(TaggedTest.model_fields) == list(CLAIM_TESTS)
    assert CLAIM_TESTS.keys() == TESTS.keys(), "an example of every kind is tested here"
    assert len({each.words for each in kinds()}) == len(kinds())
    for kind, example in TESTS.items():
        test, procedure = claim({kind: example}).tests[0].test, PROCEDURES[CLAIM_TESTS[kind]]
        assert (test.kind, type(test)) == (kind, CLAIM_TESTS[kind])
        assert test.condition
        assert test.separator or len(list(test.selectors())) == 1
        assert callable(procedure.decide)
        assert callable(procedure.plan) == ("expected" in type(test).model_fields), "an effect is stated to be planned"
        assert test.statistical >= callable(procedure.plan)
        assert TaggedTest.model_fields[kind].description


def test_claims_survive_the_way_to_a_job():
    whole = claim(*({kind: test} for kind, test in TESTS.items()), source="a paper", note="as follows")
    for options_ in ({}, {"exclude_none": True}, {"exclude_defaults": True}):
        text = json.dumps(whole.model_dump(mode="json", **options_), sort_keys=True)
        again = Claim.model_validate(json.loads(text))
        assert again == whole
        assert hash(again) == hash(whole)
        assert again.model_dump_json() == whole.model_dump_json()
    json.dumps(Claim.model_json_schema())


def test_what_a_claim_needs():
    whole = claim(*({kind: test} for kind, test in TESTS.items()))
    names = {name for check in whole.tests for name in check.test.variables if "." in name}
    assert names == {"path.step_ratio", "path.growth", "final.kd"}
    assert option_names(whole) == {"game_samples"}
    assert [(where, str(selector)) for where, selector in run_selectors(whole)] == [
        ("tests[0].closed_form.where", "game bilinear, dynamics simultaneous"),
        ("tests[2].proportion.where", "learning_rate 0.0002, seed 0 or 1"),
        ("tests[3].difference.where", "game a*"),
        ("tests[3].difference.baseline", "all runs"),
        ("tests[4].ordering.increasing[0]", "game b, dynamics sgd"),
        ("tests[4].ordering.increasing[1]", "game b, dynamics adam"),
    ]


def test_ids_are_unique():
    one, other = claim({"bound": GROWS}), claim({"bound": GROWS}, id="A2")
    assert unique_ids([one, other]) == [one, other]
    with pytest.raises(ValueError, match="has A1 more than once"):
        unique_ids([one, other, one])


FAULTS = {
    "no test": ([], "tests: must have 1 entries or more"),
    "unknown kind": ([{"bund": GROWS}], r"tests\[0\]: unknown key 'bund'\. Did you mean 'bound'\?.*closed_form"),
    "two kinds": (
        [{"bound": GROWS, "proportion": TESTS["proportion"]}],
        "exactly one of the keys .*, but has bound, proportion",
    ),
    "no kind": ([{"bound": None}], "exactly one of the keys .*, but has none"),
    "two limits": ([{"bound": {**GROWS, "below": 2}}], "exactly one of above, below, but has above, below"),
    "no share": ([{"proportion": GROWS}], "exactly one of at_least, at_most, but has none"),
    "no quantity": ([{"bound": {"above": 1}}], r"tests\[0\]\.bound\.quantity: is missing"),
    "unknown axis": ([{"bound": {**GROWS, "where": {"gam": "a"}}}], "unknown axis 'gam'. Did you mean 'game'"),
    "no values": ([{"bound": {**GROWS, "where": {"game": []}}}], "game has no values"),
    "word for number": (
        [{"bound": {**GROWS, "where": {"n_train": "all"}}}],
        "n_train must be a finite number, but is 'all'",
    ),
    "truth for number": ([{"bound": {**GROWS, "where": {"seed": True}}}], "seed must be a finite number, but is True"),
    "number for word": ([{"bound": {**GROWS, "where": {"game": 1}}}], "game must be a name.*but is 1"),
    "no selector": ([{"bound": {**GROWS, "where": "all"}}], "a mapping of axes to values, or 'study', but is 'all'"),
    "unknown variable": ([{"bound": {**GROWS, "above": "step"}}], "unknown variable 'step'. Did you mean 'steps'"),
    "bad arithmetic": ([{"bound": {**GROWS, "quantity": "path.a +"}}], "'path.a \\+' is not complete arithmetic"),
    "not a formula": ([{"bound": {**GROWS, "above": [1]}}], r"must be a finite number or an expression, but is \[1\]"),
    "study has no share": ([{"proportion": {**TESTS["proportion"], "where": "study"}}], "proportion: needs runs"),
    "study has no order": ([{"ordering": {**TESTS["ordering"], "increasing": ["study", {}]}}], "ordering: needs runs"),
    "limit of a mean": ([{"difference": {**TESTS["difference"], "below": "seed"}}], "must be a number, since it is"),
    "same groups": ([{"difference": {**TESTS["difference"], "where": {}}}], r"select the same runs \(all runs\)"),
    "group twice": (
        [{"ordering": {**TESTS["ordering"], "increasing": [{}, {}]}}],
        "increasing has the same group twice",
    ),
    "one group": ([{"ordering": {**TESTS["ordering"], "increasing": [{}]}}], "must have 2 entries or more, but has 1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault):
    tests, message = FAULTS[fault]
    with pytest.raises(ValidationError) as caught:
        claim(*tests)
    lines = list(describe_errors(caught.value))
    assert len(lines) == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(lines[0])


# Selecting ------------------------------------------------------------------------------------------------------------

POINT = {"game": "dirac(start=(1.0, 1.0))", "dynamics": "consensus", "dataset": None, "learning_rate": 0.1, "seed": 3}


def selector(of) -> Selector:
    return claim({"bound": {**GROWS, "where": of}}).tests[0].bound.where


@pytest.mark.parametrize(
    ("of", "found"),
    [
        ({}, True),
        (None, True),
        ("study", False),
        ({"game": "dirac"}, True),
        ({"game": "dirac(start=(1.0, 1.0))"}, True),
        ({"game": "dirac*"}, True),
        ({"game": "*1.0))"}, True),
        ({"game": "dirac(start=(2*"}, False),
        ({"game": "dira"}, False),
        ({"game": ["bilinear", "dirac"], "seed": [3, 4]}, True),
        ({"game": "dirac", "seed": 4}, False),
        ({"learning_rate": "1e-1"}, True),
        ({"learning_rate": 0.3 - 0.2}, True),
        ({"learning_rate": 0.1001}, False),
        ({"dataset": "*"}, False),
        ({"n_train": 100}, False),
    ],
)
def test_a_run_is_selected_by_all_its_axes(of, found):
    assert matches(selector(of), POINT) is found
    assert matches(selector(of), {**POINT, "dataset": math.nan, "n_train": np.float64("nan")}) is found


def test_patterns_take_brackets_as_they_are():
    assert matches(selector({"game": "quadratic([1, *])"}), {"game": "quadratic([1, 2])"})
    assert not matches(selector({"game": "[q]*"}), {"game": "quadratic"})


# Verdicts -------------------------------------------------------------------------------------------------------------


def collected(values, *, game="bilinear", **columns) -> SimpleNamespace:
    """Runs of one game, with `path.growth` measured in each; `columns` are of the runs."""
    count = len(values)
    runs = pd.DataFrame({"run": [f"r{index}" for index in range(count)], "game": game, "seed": range(count)})
    runs = runs.assign(**{"learning_rate": 0.1, "n_train": math.nan, "steps": 100, "outcome": "converged", **columns})
    measurements = pd.DataFrame({"run": runs["run"], "quantity": "path.growth", "value": np.array(values, dtype=float)})
    absent = dict.fromkeys(("snapshots", "curves", "missing"))
    return SimpleNamespace(runs=runs, measurements=measurements, metrics={}, **absent)


def part(study, kind, **test):
    (decision,) = decide(study, [claim({kind: {"quantity": "path.growth", **test}})])
    assert decision.verdict == decision.tests[0].verdict
    return decision.tests[0]


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("values", "verdict", "worst", "missing"),
    [
        ([2.0, 3.0], "confirmed", "r0", 0),
        ([2.0, INF], "confirmed", "r0", 0),
        ([2.0, 1.0], "refuted", "r1", 0),
        ([2.0, NAN], "undecided", "r0", 1),
        ([-INF, NAN, 0.0], "refuted", "r0", 1),
        ([NAN, NAN], "undecided", "", 2),
    ],
)
def test_bound(values, verdict, worst, missing):
    above = part(collected(values), "bound", above=1)
    below = part(collected(np.negative(values)), "bound", below=-1)
    for found in (above, below):
        assert (found.verdict, found.worst, found.missing, found.runs) == (verdict, worst, missing, len(values))
    assert (above.condition, below.condition) == ("above 1", "below -1")
    if missing < len(values):
        assert (above.low, above.high) == (np.nanmin(values), np.nanmax(values))


def test_every_in_words():
    found = part(collected([2.0, 0.5, NAN]), "bound", above="10 * learning_rate")
    assert found.text == (
        "1 of 3 runs hold, 1 without a number; farthest off: 0.5 against 1, 0.5 apart, in r1; "
        "asked: above 10 * learning_rate"
    )
    assert part(collected([NAN]), "bound", above=1).text == "none of 1 run has a number; asked: above 1"


@pytest.mark.parametrize(
    ("values", "test", "verdict"),
    [
        ([1.1, 1.1 + 1e-13], {"atol": 1e-12}, "confirmed"),
        ([1.1, 1.2], {"atol": 1e-12}, "refuted"),
        ([1.1, INF], {"atol": 1e-12}, "refuted"),
        ([1.1, NAN], {"atol": 1e-12}, "undecided"),
        ([1.2, NAN], {"atol": 1e-12}, "refuted"),
        ([1.2], {"atol": "learning_rate + 1e-9"}, "confirmed"),
        ([1.2], {"rtol": 0.1}, "confirmed"),
        ([1.2], {"rtol": 0.09}, "refuted"),
        ([1.1], {"atol": "dynamics_gamma"}, "undecided"),
        ([INF], {"atol": 1, "equals": "path.growth"}, "confirmed"),
        ([2.0], {"rtol": 1, "equals": "1 / (path.growth - 2)"}, "undecided"),
    ],
)
def test_closed_form(values, test, verdict):
    assert part(collected(values), "closed_form", **{"equals": "1 + learning_rate", **test}).verdict == verdict


def test_a_finite_number_never_equals_an_infinite_one():
    study = collected([1.0])
    study.measurements.loc[1] = ["r0", "path.limit", INF]
    assert part(study, "closed_form", equals="path.limit", rtol=0.5).verdict == "refuted"


@pytest.mark.parametrize("atol", [0.2, 0.01])  # all hold, or none does
def test_the_worst_run_of_a_closed_form_is_the_farthest_off(atol):
    assert part(collected([1.12, 1.0, 1.15]), "closed_form", equals=1.1, atol=atol).worst == "r1"
    assert part(collected([1.12, 1.08, 1.25]), "closed_form", equals=1.1, atol=atol).worst == "r2"


def test_how_far_off_a_run_is_goes_by_what_it_is_allowed():
    """Off by 0.05 of 0.1, and by 0.2 of 1.1: the first is nearer to failing."""
    found = part(collected([1.05, 11.2]), "closed_form", equals="1 + 10 * seed", rtol=0.1)
    assert (found.verdict, found.worst) == ("confirmed", "r0")


def test_closed_form_in_words():
    found = part(collected([1.1, 1.6]), "closed_form", equals="1 + learning_rate", atol=0.1)
    assert (found.value, found.low, found.high, found.worst) == (1.6, 1.1, 1.6, "r1")
    assert found.condition == "1 + learning_rate within 0.1"
    assert found.text.startswith("1 of 2 runs hold; farthest off: 1.6 against 1.1, 0.5 apart, in r1; asked: 1 + ")


def test_the_study_s_own_measurements():
    study = collected([5.0])
    study.measurements.loc[1] = ["", "spectrum.radius", 0.5]
    found = part(study, "bound", where="study", quantity="spectrum.radius", below=1)
    assert (found.verdict, found.runs, found.value, found.worst, found.selection) == (
        "confirmed",
        1,
        0.5,
        "",
        "the study",
    )
    assert (
        found.text
        == "1 of 1 measurement of the study holds; nearest to failing: 0.5 against 1, 0.5 apart; asked: below 1"
    )
    other = part(study, "bound", where="study", quantity="path.growth", below=1)
    assert (other.verdict, other.text) == ("undecided", "it was not measured; asked: below 1")


@pytest.mark.parametrize(
    ("events", "missing", "total", "share", "verdict"),
    [
        # Exact: 0 of 20 reaches up to 0.168, 20 of 20 down to 0.832, 5 of 20 from 0.087 to 0.491.
        (0, 0, 20, {"at_most": 0.17}, "confirmed"),
        (0, 0, 20, {"at_most": 0.16}, "undecided"),
        (20, 0, 20, {"at_least": 0.83}, "confirmed"),
        (20, 0, 20, {"at_least": 0.84}, "undecided"),
        (5, 0, 20, {"at_most": 0.08}, "refuted"),
        (5, 0, 20, {"at_most": 0.1}, "undecided"),
        (5, 0, 20, {"at_most": 0.2}, "undecided"),
        (5, 0, 20, {"at_least": 0.5}, "refuted"),
        (5, 0, 20, {"at_least": 0.08}, "confirmed"),
        (5, 0, 20, {"at_least": 0.1}, "undecided"),
        # One missing run may count as an event: 1 of 20 reaches up to 0.249; 5 or 6 of 20 up to 0.543.
        (0, 1, 20, {"at_most": 0.17}, "undecided"),
        (0, 1, 20, {"at_most": 0.25}, "confirmed"),
        (5, 1, 20, {"at_least": 0.5}, "undecided"),
        (5, 1, 20, {"at_least": 0.55}, "refuted"),
        (5, 1, 20, {"at_most": 0.08}, "refuted"),
        (0, 20, 20, {"at_most": 1}, "undecided"),
    ],
)
def test_proportion(events, missing, total, share, verdict):
    values = [2.0] * events + [NAN] * missing + [0.0] * (total - events - missing)
    found = part(collected(values), "proportion", above=1, **share)
    assert found.verdict == verdict
    assert (found.runs, found.missing) == (total, missing)
    if missing < total:
        assert (found.low, found.high) == exact_interval(events, total, unknown=missing)
        limit = share.get("at_most", share.get("at_least"))
        assert found.p_value == found.p_value_adjusted == min(rate_test(events, total, limit, unknown=missing))
        outside = not found.low <= limit <= found.high
        assert (verdict != "undecided") == outside, "interval and p-value say the same"


def test_proportion_in_words():
    found = part(collected([0.0] * 15 + [2.0, 3.0, INF, 3.0, 3.0]), "proportion", above=1, at_most=0.1)
    assert found.text == (
        "5 of 20 runs: share 0.25, 95% exact interval 0.0866 to 0.491, p = 0.086; about 53 runs (33 more) would decide"
        " it, if the share is as seen; asked: above 1 in a share of at most 0.1"
    )
    assert found.worst == "r17"
    assert part(collected([0.0, 0.5]), "proportion", above=1, at_least=0.9).worst == "r0"
    assert part(collected([2.0, 2.0]), "proportion", above=1, at_least=0.9).worst == ""
    some = part(collected([0.0, 2.0, NAN]), "proportion", above=1, at_least=0.9)
    assert some.text.startswith("1 of 3 runs: share 0.333 to 0.667, ")
    assert "with 1 without a number counted either way" in some.text


def test_proportion_of_the_runs_that_count():
    # 8 events among the 10 runs that count; 20 others would make it 28 of 30. One run may count or not.
    values, counting = [2.0] * 8 + [0.0] * 2 + [2.0] * 20, [1.0] * 10 + [0.0] * 20
    found = part(collected(values, n_train=counting), "proportion", above=1, at_least=0.3, among="n_train")
    assert (found.value, found.verdict, found.missing) == (0.8, "confirmed", 0)
    assert found.p_value == min(rate_test(8, 10, 0.3))
    assert found.text.startswith("8 of 10 runs of 30 with n_train other than 0: share 0.8,")
    assert found.text.endswith("asked: above 1 in a share of at least 0.3 of the runs with n_train other than 0")

    unsure = part(collected(values, n_train=[NAN, *counting[1:]]), "proportion", above=1, at_least=0.3, among="n_train")
    assert unsure.missing == 1
    assert unsure.p_value == min(rate_test(7, 10, 0.3, unknown=1))
    none = part(collected(values, n_train=0.0), "proportion", above=1, at_least=0.3, among="n_train")
    assert (none.verdict, none.p_value) == ("undecided", 1.0)


def test_a_proportion_says_how_many_of_its_runs_failed_or_had_learned_nothing():
    study = collected([0.0] * 10, outcome=["collapsed"] * 3 + ["not-learned-yet"] * 6 + ["converged"])
    found = part(study, "proportion", above=1, at_least=0.5)
    assert found.text.startswith("0 of 10 runs (3 of them failed; 6 had not learned by their end): share 0, ")
    study.runs["outcome"] = None  # of an unfinished study
    assert part(study, "proportion", above=1, at_least=0.5).text.startswith("0 of 10 runs: share 0, ")


def test_at_exactly_the_limit_it_is_said_that_no_number_of_runs_would_decide():
    half = part(collected([0.0, 2.0] * 5), "proportion", above=1, at_least=0.5)
    assert "; no number of runs would decide it, if the share is as seen: it is the limit; asked: " in half.text
    lost = part(collected([0.0, 2.0, NAN] * 5), "proportion", above=1, at_least=0.5)
    assert "; how many runs would decide it is not known while runs lack a number; asked: " in lost.text
    equal = part(two(UP, DOWN), "difference", **BASELINE, above=0)
    assert "; no number of runs would decide it, if the difference is as seen: it is the limit; asked: " in equal.text


@pytest.mark.parametrize(
    ("values", "verdict", "p_value"),
    [
        ([0.05], "refuted", 0.05),
        ([0.051], "undecided", 0.051),
        ([1.0], "undecided", 1.0),
        ([0.02, 0.9], "refuted", 0.04),
        ([0.03, 0.9], "undecided", 0.06),
        ([0.03, NAN], "undecided", 0.06),
        ([NAN], "undecided", 1.0),
    ],
)
def test_no_p_value_confirms_a_null_hypothesis(values, verdict, p_value):
    found = part(collected(values), "null_hypothesis")
    assert (found.verdict, found.p_value, found.missing) == (verdict, p_value, sum(map(math.isnan, values)))
    if not np.isnan(values).all():
        no_proof = "; that no evidence against it was found does not confirm it; asked: " in found.text
        assert no_proof == (verdict == "undecided")
        assert found.value == np.nanmin(values)


def test_a_null_hypothesis_is_adjusted_with_the_other_tests_and_needs_a_p_value():
    study, claims = many(5, 5)
    study.measurements.loc[len(study.measurements)] = ["r0", "seeds.p", 0.02]
    null = claim({"null_hypothesis": {"where": {"game": "g0", "seed": 0}, "quantity": "seeds.p"}}, id="B")
    *_, alone = decide(study, [null])
    assert (alone.verdict, alone.tests[0].text) == ("refuted", "null hypothesis, p = 0.02; asked: a p-value above 0.05")
    *_, beside = decide(study, [*claims, null])
    assert (beside.verdict, beside.tests[0].p_value_adjusted) == (
        "undecided",
        pytest.approx(0.02 * 3 * (1 + 1 / 2 + 1 / 3)),
    )
    with pytest.raises(GanbenchError, match=r"null_hypothesis: path\.growth is 2 in r1, and must be a p-value"):
        part(collected([0.5, 2.0]), "null_hypothesis")


def two(first, second, *, seeds=None) -> SimpleNamespace:
    """Two games' runs; by default with the same seeds in either."""
    games = ["a"] * len(first) + ["b"] * len(second)
    seeds = seeds or [*range(len(first)), *range(len(second))]
    return collected([*first, *second], game=games, seed=seeds)


BASELINE = {"where": {"game": "a"}, "baseline": {"game": "b"}}


UP, DOWN = np.arange(10.0), np.arange(10.0)[::-1]  # equal in the mean, and paired seeds do not help


@pytest.mark.parametrize("shift", [0, 1])  # paired by seed, or not
@pytest.mark.parametrize(
    ("first", "second", "limit", "verdict"),
    [
        (UP + 9, UP / 2, {"above": 0}, "confirmed"),
        (UP + 9, UP / 2, {"below": 0}, "refuted"),
        (UP + 9, UP / 2, {"below": 30}, "confirmed"),
        (UP / 2, UP + 9, {"above": 0}, "refuted"),
        (UP, DOWN, {"above": 0}, "undecided"),
        (UP, UP, {"below": 0}, "undecided"),
        (UP[:9], UP + 99, {"below": 0}, "undecided"),
        ([*UP[:9], NAN], UP + 99, {"below": 0}, "confirmed"),
        (UP, [*UP[:9] + 99, INF], {"below": 0}, "confirmed"),
        (UP, [*UP[:9] + 99, -INF], {"below": 0}, "confirmed"),
        (UP, [*UP[:5] + 99, *[NAN] * 5], {"below": 0}, "undecided"),
        ([NAN] * 10, [INF] * 10, {"below": 0}, "undecided"),
    ],
)
def test_difference(first, second, limit, verdict, shift):
    seeds = [*range(len(first)), *(seed + shift for seed in range(len(second)))]
    found = part(two(first, second, seeds=seeds), "difference", **BASELINE, **limit)
    assert found.verdict == verdict
    assert found.missing == np.sum(~np.isfinite([*first, *second]))
    if len(first) == MIN_RUNS and not found.missing:
        assert found.value == pytest.approx(np.mean(first) - np.mean(second))
        assert found.low <= found.value <= found.high


def test_equal_seeds_are_paired():
    # What the seed adds is far larger than the difference, and cancels within a pair, whatever the order of the rows.
    noise = np.array([0.0, 50.0, 10.0, 90.0, 30.0, 70.0, 20.0, 60.0, 80.0, 40.0])
    seeds = [*range(10), *range(10)[::-1]]
    paired = part(two(noise + 1, noise[::-1], seeds=seeds), "difference", **BASELINE, above=0)
    assert (paired.verdict, paired.low, paired.value, paired.high) == ("confirmed", 1, 1, 1)
    assert paired.text == (
        "mean (game a) minus mean (game b): 1, 95% interval 1 to 1 (10 pairs of equal seed), p = 0.002; asked: above 0"
    )
    apart = part(two(noise + 1, noise, seeds=[*range(20)]), "difference", **BASELINE, above=0)
    assert apart.verdict == "undecided"
    assert "(10 and 10 runs)" in apart.text


def test_runs_of_one_seed_are_one_value_of_a_mean():
    """Ten seeds at two settings each, of which two are no more evidence than one: what the second adds is the same."""
    values, seeds = np.concatenate([UP + 0.1, UP + 0.3]), [*range(10)] * 2
    study = two(values, DOWN, seeds=[*seeds, *range(10)])
    found, single = (
        part(each, "difference", **BASELINE, above=0) for each in (study, two(UP + 0.2, DOWN, seeds=seeds))
    )
    assert found.text.replace(", of 20 and 10 runs", "") == single.text.replace(" 1 and 0", "")
    assert (found.value, found.low, found.p_value) == pytest.approx((single.value, single.low, single.p_value))
    assert "(10 pairs of equal seed, of 20 and 10 runs)" in found.text
    apart = part(two(values, DOWN, seeds=[*seeds, *range(10, 20)]), "difference", **BASELINE, above=0)
    assert "(10 and 10 seeds, of 20 and 10 runs)" in apart.text
    few = part(two(UP[:8], UP[:8] + 99, seeds=[0, 0, 1, 1, 2, 2, 3, 3] * 2), "difference", **BASELINE, below=0)
    assert (few.verdict, few.p_value) == ("undecided", 1)
    assert "without an interval: 4 seeds of (game a), and an interval needs 10 to keep its promise" in few.text


@pytest.mark.parametrize("shift", [0, 1])  # paired by seed, or not
def test_a_mean_without_a_number_is_decided_by_ranks_if_whatever_the_number_is(shift):
    seeds = [*range(12), *range(shift, 12 + shift)]
    up, far = np.arange(12.0), np.arange(12.0) + 99
    lost = part(two([*up[:11], NAN], far, seeds=seeds), "difference", **BASELINE, below=0)
    whole = part(two([*up[:11], INF], far, seeds=seeds), "difference", **BASELINE, below=0)
    assert (lost.verdict, lost.missing, lost.p_value) == ("confirmed", 1, whole.p_value)
    assert math.isnan(lost.value)
    assert "1 of 12 runs of (game a) without a finite number; compared by " in lost.text
    if not shift:
        assert lost.p_value == min(rate_test(11, 12, 0.5))
    half = part(two([*up[:6], *[NAN] * 6], far, seeds=seeds), "difference", **BASELINE, below=0)
    assert half.verdict == "undecided"
    assert "; how many runs would decide it is not known while runs lack a finite number; asked: " in half.text


@pytest.mark.parametrize("paired", [True, False])
def test_equal_groups_of_which_runs_are_lost_are_told_apart_no_oftener_than_promised(paired):
    generator = np.random.default_rng(0)
    values = generator.normal(size=(2, 1000, 12))
    values[generator.random(values.shape) < 0.05] = NAN
    found = [min(_by_ranks(one, two, 0.0, paired=paired)) for one, two in zip(*values, strict=True)]
    assert np.mean(np.array(found) <= 0.05) <= 0.05
    clear = [_by_ranks(one + 2, two, 0.0, paired=paired)[0] for one, two in zip(*values, strict=True)]
    assert np.mean(np.array(clear) <= 0.05) > 0.6


def test_unpaired_interval_is_the_normal_one_for_many_values():
    generator = np.random.default_rng(1)
    first, second = generator.normal(1, 3, 600), generator.normal(0, 1, 400)
    found = part(two(first, second), "difference", **BASELINE, above=0)
    error = math.sqrt(first.var() / 600 + second.var() / 400)
    assert found.low == pytest.approx(found.value - 1.96 * error, abs=0.2 * error)
    assert found.high == pytest.approx(found.value + 1.96 * error, abs=0.2 * error)
    assert found == part(two(first, second), "difference", **BASELINE, above=0)


def test_why_a_difference_is_undecided():
    few = part(two([1.0, 2.0], UP), "difference", **BASELINE, above=0)
    assert few.text == (
        "mean (game a) minus mean (game b): "
        "-3, without an interval: 2 runs of (game a), and an interval needs 10 to"
        " keep its promise; asked: above 0"
    )
    assert few.value == -3
    assert np.isnan(few.low)
    lost = part(two(UP, [*UP[:8], NAN, INF]), "difference", **BASELINE, above=0)
    assert "2 of 10 runs of (game b) without a finite number; compared by the sign test, these counting" in lost.text


def test_a_difference_says_how_many_of_its_runs_failed_or_had_learned_nothing():
    study = two(UP, DOWN)
    study.runs["outcome"] = ["collapsed"] * 3 + ["converged"] * 17
    failing = part(study, "difference", **BASELINE, above=0)
    assert "(10 pairs of equal seed; 3 and 0 of them failed), p = " in failing.text
    study.runs["outcome"] = ["collapsed"] * 3 + ["not-learned-yet"] * 16 + ["converged"]
    early = part(study, "difference", **BASELINE, above=0)
    assert "(10 pairs of equal seed; 3 and 0 of them failed; 7 and 9 had not learned by their end), p = " in early.text


@pytest.mark.parametrize(
    ("outcomes", "quantity", "decided"),
    [
        (["not-learned-yet"] * 20, "final.fid", False),
        (["discriminator-won, not-learned-yet"] * 10 + ["not-learned-yet"] * 10, "log(final.fid + 1)", False),
        (["not-learned-yet"] * 19 + ["converged"], "final.fid", True),
        (["discriminator-won"] * 20, "final.fid", True),  # of networks that had learned
        (["not-learned-yet"] * 20, "final.labels", True),  # which has no better end
        (["not-learned-yet"] * 20, "path.growth", True),
    ],
)
def test_quality_decides_nothing_where_no_run_of_either_group_had_learned(outcomes, quantity, decided):
    study = two(UP + 9, UP / 2)
    study.runs["outcome"] = [each.partition(", ")[0] for each in outcomes]
    study.runs = study.runs.assign(outcomes=outcomes, outcomes_judged="not-learned-yet, discriminator-won, converged")
    study.runs["fid_final"] = study.runs["labels_final"] = [*UP + 9, *UP / 2]
    study.metrics = {"fid": MetricInfo("FID", "", "low", 0, None), "labels": MetricInfo("Labels", "", "none", 0, None)}
    found = part(study, "difference", **BASELINE, quantity=quantity, above=0)
    assert found.verdict == ("confirmed" if decided else "undecided")
    assert ("no run of either group had learned by its end" in found.text) != decided
    rising = part(study, "ordering", increasing=[{"game": "b"}, {"game": "a"}], quantity=quantity)
    assert rising.verdict == found.verdict


@pytest.mark.cluster
def test_intervals_of_the_fewest_values_cover_as_often_as_they_say():
    generator = np.random.default_rng(2)
    groups = [(generator.normal(0, 1, MIN_RUNS), generator.normal(0, 1, MIN_RUNS)) for _ in range(150)]
    found = [part(two(*pair), "difference", **BASELINE, above=0) for pair in groups]
    # 95% of 150, less three standard errors.
    assert np.mean([each.low <= 0 <= each.high for each in found]) > 0.9


INCREASING = {"increasing": [{"game": "a"}, {"game": "b"}, {"game": "c"}]}


@pytest.mark.parametrize(
    ("groups", "verdict"),
    [
        ((UP, UP * 1.1 + 9, UP + 20), "confirmed"),
        ((UP, UP + 20, UP * 1.1 + 9), "refuted"),
        ((UP, UP * 1.1 + 9, DOWN * 1.1 + 9), "undecided"),
        ((UP, UP * 1.1 + 9, [*UP[:9] + 20, NAN]), "confirmed"),
        ((UP, UP * 1.1 + 9, [*UP[:8] + 20, NAN, NAN]), "undecided"),
        ((UP + 20, UP * 1.1 + 9, [*UP[:9] + 20, NAN]), "refuted"),
        ((UP[:9], UP[:9] + 9, UP[:9] + 20), "undecided"),
    ],
)
def test_ordering(groups, verdict):
    games = [name for name, values in zip("abc", groups, strict=True) for _ in values]
    seeds = [seed for values in groups for seed in range(len(values))]
    study = collected([value for values in groups for value in values], game=games, seed=seeds)
    found = part(study, "ordering", **INCREASING)
    assert (found.verdict, found.selection, found.runs) == (verdict, "game a < game b < game c", len(games))
    assert "mean (game b) minus mean (game a): " in found.text
    if len(games) == 3 * MIN_RUNS:
        steps = np.diff([np.mean(values) for values in groups])
        assert found.value == pytest.approx(np.nanmin(steps))


def test_runs_of_one_seed_are_no_more_seeds_of_a_share():
    """Twelve runs in which the event happened of sixteen, as four seeds of four runs each would have it."""
    values, seeds = [2.0] * 12 + [0.0] * 4, np.arange(16)
    alone = part(collected(values, seed=seeds), "proportion", above=1, at_least=0.2)
    found = part(collected(values, seed=seeds // 4), "proportion", above=1, at_least=0.2)
    assert alone.p_value < 0.001
    assert (found.p_value, found.low, found.high) == pytest.approx((2 * 0.0272, 0.1941, 0.9937), rel=1e-3)  # 3 of 4
    assert found.text.startswith("12 of 16 runs of 4 seeds: share 0.75, 95% interval 0.194 to 0.994, p = 0.054; ")
    assert "; about 8 seeds (4 more) would decide it, if share and scatter are as seen; asked" in found.text
    lost = part(collected([*values[:15], NAN], seed=seeds // 4), "proportion", above=1, at_least=0.2)
    assert lost.low == found.low
    assert lost.high > found.high


@pytest.mark.parametrize("scale", [1e-6, 0.01, 100.0])
@pytest.mark.parametrize(
    ("first", "second", "verdict"), [(UP, UP + 9, "confirmed"), (UP + 9, UP, "refuted"), (UP, DOWN, "undecided")]
)
def test_an_order_has_no_unit(scale, first, second, verdict):
    found = part(two(first * scale, second * scale), "ordering", increasing=INCREASING["increasing"][:2])
    assert found.verdict == verdict
    assert found.value == pytest.approx(scale * (second.mean() - first.mean()), rel=1e-9, abs=1e-15)
    assert found.low <= found.value <= found.high


def test_an_order_is_as_sure_as_its_least_sure_step_and_refuted_by_one():
    def found(*groups):
        games = [name for name, values in zip("abc", groups, strict=True) for _ in values]
        study = collected(np.concatenate(groups), game=games, seed=[*range(10)] * 3)
        return part(study, "ordering", **INCREASING)

    noise = np.random.default_rng(0).normal(size=(3, 10))
    clear, slight = noise[1] + 9, noise[2] + 9.2
    steps = [part(two(*pair), "difference", **BASELINE, above=0) for pair in ((clear, noise[0]), (slight, clear))]
    both = found(noise[0], clear, slight)
    assert both.p_value == max(step.p_value for step in steps) == steps[1].p_value
    assert (both.verdict, steps[0].verdict) == ("undecided", "confirmed")
    down = found(clear, noise[0], slight)
    assert (down.verdict, down.p_value) == ("refuted", 2 * steps[0].p_value)


# Many claims ----------------------------------------------------------------------------------------------------------


def many(*events: int, runs: int = 10):
    """Claims that more than half of ten runs exceed 1: one per game, of which so many do."""
    values = [2.0 if index < count else 0.0 for count in events for index in range(runs)]
    games = [f"g{number}" for number in range(len(events)) for _ in range(runs)]
    claims = [
        claim(
            {"proportion": {"where": {"game": f"g{number}"}, "quantity": "path.growth", "above": 1, "at_least": 0.5}},
            id=f"A{number}",
        )
        for number in range(len(events))
    ]
    return collected(values, game=games, seed=[*range(runs)] * len(events)), claims


def test_many_claims_are_decided_together():
    """One share of 9 of 10 has a p-value of 22/1024; among twenty tests of nothing that happens by chance."""
    (alone,) = decide(*many(9))
    assert (alone.verdict, alone.tests[0].p_value) == ("confirmed", 22 / 1024)
    assert alone.tests[0].p_value_adjusted == alone.tests[0].p_value
    first, *_ = decide(*many(9, *[5] * 19))
    assert (first.verdict, first.tests[0].p_value) == ("undecided", 22 / 1024)
    assert first.tests[0].p_value_adjusted == 1
    assert "p = 0.021, adjusted for 20 tests p = 1; about " in first.tests[0].text
    # Where other claims are clear, the same share decides: among three decisions the share of wrong ones is small.
    study, claims = many(19, 20, 20, 5, runs=20)
    assert [each.verdict for each in decide(study, claims)] == ["confirmed"] * 3 + ["undecided"]


def test_exploratory_claims_change_no_other_verdict_and_a_test_of_two_claims_counts_once():
    """Nine of ten have p = 22/1024: beside three sure ones that were asked since they were seen, it would decide."""
    study, claims = many(5, 9, 10, 10, 10)
    planned, asked = claims[:2], [each.model_copy(update={"exploratory": True}) for each in claims[2:]]
    alone, beside = decide(study, planned), decide(study, [*planned, *asked])
    assert decide(study, claims)[1].verdict == "undecided"
    for before, after in zip(alone, beside, strict=False):
        assert after.tests[0].p_value_adjusted == before.tests[0].p_value_adjusted
        assert after.verdict == before.verdict
    every = [each.tests[0].p_value_adjusted for each in decide(study, claims)]
    assert [each.tests[0].p_value_adjusted for each in beside][2:] == every[2:]
    assert ", adjusted for 5 tests p = " in beside[2].tests[0].text
    again = claims[1].model_copy(update={"id": "B", "exploratory": True})
    twice = decide(study, [*planned, *asked, again])
    assert [each.tests[0].p_value_adjusted for each in twice[2:]] == [*every[2:], every[1]]


def test_where_other_claims_are_decided_fewer_runs_would_decide_one_more():
    """The level of the fourth of four decisions is four times that of the first (Benjamini and Yekutieli)."""
    first, last = [decide(*many(*others, 13, runs=20))[-1] for others in ([10, 10, 10], [20, 20, 20])]
    level = 0.05 / (4 * (1 + 1 / 2 + 1 / 3 + 1 / 4))
    for found, needed in (
        (first, runs_for_rate(0.65, 0.5, level=level)),
        (last, runs_for_rate(0.65, 0.5, level=4 * level)),
    ):
        assert (
            f"; about {needed} runs ({needed - 20} more) would decide it, if the share is as seen"
            in found.tests[0].text
        )


def test_what_checks_every_run_has_no_p_value_and_does_not_count():
    study, (first,) = many(9)
    exact = claim({"bound": {"quantity": "path.growth", "below": 9}}, id="B")
    one, other = decide(study, [first, *[exact]])
    assert one.tests[0].p_value_adjusted == 22 / 1024
    assert math.isnan(other.tests[0].p_value)
    table = decisions_table([one, other])
    assert table["p_value"].tolist()[0] == 22 / 1024
    assert np.isnan(table["p_value_adjusted"].tolist()[1])


def test_a_test_that_cannot_be_made_yet_counts_as_one_that_found_nothing():
    """So that it changes no verdict when it can be made."""
    study, claims = many(10, 10, 10)
    study.measurements.loc[study.measurements["run"].isin([f"r{n}" for n in range(20, 30)]), "value"] = NAN
    before = decide(study, claims)
    after = decide(*many(10, 10, 10))
    assert [each.tests[0].p_value for each in before][2] == 1
    for early, late in zip(before, after, strict=True):
        assert late.tests[0].p_value_adjusted <= early.tests[0].p_value_adjusted
        assert early.verdict in ("undecided", late.verdict)


@pytest.mark.slow
def test_claims_of_nothing_are_rarely_decided():
    """Ten claims on fair coins, a hundred studies: some claim is decided in a twentieth of them at most."""
    generator = np.random.default_rng(0)
    wrong = [
        any(each.verdict != "undecided" for each in decide(*many(*generator.binomial(10, 0.5, 10)))) for _ in range(100)
    ]
    assert np.mean(wrong) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)


def test_how_many_runs_would_decide_a_difference():
    found = part(two(UP + 0.7, DOWN, seeds=[*range(20)]), "difference", **BASELINE, above=0)
    assert found.verdict == "undecided"
    assert re.search(
        r"; about \d+ runs of each \(\d+ more\) would decide it, if means and spreads are as seen; asked", found.text
    )
    paired = part(two(UP + 0.7, DOWN), "difference", **BASELINE, above=0)
    assert re.search(r"; about \d+ pairs \(\d+ more\) would decide it", paired.text)


def test_no_runs_decide_nothing():
    study = collected([1.0])
    for kind, test in {
        "bound": {"above": 0, "where": {"game": "other"}},
        "proportion": {"above": 0, "at_most": 1, "where": {"game": "other"}},
        "closed_form": {"equals": 1, "atol": 1, "where": {"game": "other"}},
        "difference": {"above": 0, "where": {}, "baseline": {"game": "other"}},
        "ordering": {"increasing": [{}, {"game": "other"}]},
        "null_hypothesis": {"where": {"game": "other"}},
    }.items():
        found = part(study, kind, **test)
        assert found.verdict == "undecided"
        assert found.text.startswith("no run is selected by (game other); asked: ")


def test_a_claim_is_confirmed_by_all_its_tests_and_refuted_by_any():
    good, bad = {"bound": {**GROWS, "above": 0}}, {"bound": {**GROWS, "above": 9}}
    open_ = {"bound": {**GROWS, "quantity": "path.nothing"}}
    verdicts = {"confirmed": [good, good], "undecided": [good, open_], "refuted": [open_, bad, good]}
    decisions = decide(collected([1.0]), [claim(*tests, id=name) for name, tests in verdicts.items()])
    assert {decision.id: decision.verdict for decision in decisions} == dict(zip(verdicts, verdicts, strict=True))
    rows = decisions_table(decisions)
    assert list(rows) == list(COLUMNS)
    assert rows["claim"].tolist() == ["confirmed"] * 2 + ["undecided"] * 2 + ["refuted"] * 3
    assert rows["test"].tolist() == [1, 2, 1, 2, 1, 2, 3]
    assert rows["test_verdict"].tolist()[-3:] == ["undecided", "refuted", "confirmed"]
    assert list(decisions_table([])) == list(COLUMNS)


# Numbers that a claim may name ----------------------------------------------------------------------------------------


def trained() -> SimpleNamespace:
    """Three runs with two metrics at four snapshots; in the second all is constant, the third was lost early."""
    study = collected(
        [1.0, 2.0, NAN],
        game="a",
        n_train=100,
        outcome=["converged", "discriminator-won", "diverged"],
        outcomes=["converged", "discriminator-won", "diverged, collapsed"],
        outcomes_judged="diverged, discriminator-won, collapsed, converged",
        regularizer_gamma=["0.5", "auto", None],
        fid_final=[3.0, 7.0, NAN],
    )
    steps, fid = [0, 10, 20, 30], {"r0": [9.0, 4.0, 2.0, 3.0], "r1": [7.0] * 4, "r2": [9.0, NAN, NAN, NAN]}
    modes = {"r0": [1.0, 5.0, 6.0, 2.0], "r1": [0.0, 1.0, 1.0, 2.0], "r2": [3.0, NAN, NAN, NAN]}
    rows = [
        {"run": run, "step": step, "fid": fid[run][index], "modes": modes[run][index]}
        for run in fid
        for index, step in enumerate(steps)
    ]
    study.snapshots = pd.DataFrame(rows[::-1])
    study.curves = pd.DataFrame(
        {
            "run": [run for run in fid for _ in range(4)],
            "series": ["generator_loss"] * 3 + ["real_output"] + ["generator_loss"] * 8,
            "first_step": [1, 11, 21, 1] + [1, 11, 21, 31] * 2,
            "last_step": [10, 20, 30, 30] + [10, 20, 30, 40] * 2,
            "mean": [0.3, 0.1, 0.2, 9.0] + [1.0, 2.0, 3.0, 4.0] * 2,
        }
    )
    study.metrics = {
        "fid": MetricInfo("FID", "distance", "low", 0.0, None),
        "modes": MetricInfo("Modes", "count", "high", 0.0, 10.0),
        "neutral": MetricInfo("Neutral", "a number", "none", None, None),
    }
    return study


@pytest.mark.parametrize(
    ("quantity", "values"),
    [
        ("learning_rate + seed + n_train", [100.1, 101.1, 102.1]),
        ("steps", [100, 100, 100]),
        ("time", [10, 10, 10]),
        ("regularizer_gamma", [0.5, NAN, NAN]),
        ("abs(path.growth - 3)", [2, 1, NAN]),
        ("path.unknown", [NAN, NAN, NAN]),
        ("outcome.converged", [1, 0, 0]),
        ("outcome.discriminator_won", [0, 1, 0]),
        ("outcome.collapsed", [0, 0, 1]),  # though it is not the primary outcome
        ("outcome.memorizing", [NAN, NAN, NAN]),  # was not judged
        ("outcome.failed", [0, 1, 1]),
        ("final.fid", [3, 7, NAN]),
        ("final.kd", [NAN, NAN, NAN]),
        ("best.fid", [2, 7, 9]),
        ("best.modes", [6, 2, 3]),
        ("first.fid", [4, 7, NAN]),
        ("first.kd", [NAN, NAN, NAN]),
        ("distinct.fid", [3, 1, NAN]),
        ("distinct.modes", [3, 2, NAN]),
        ("rank_correlation.fid", [1, NAN, NAN]),  # 4 > 3 > 2 as 0.3 > 0.2 > 0.1
        ("rank_correlation.modes", [-0.5, math.sqrt(0.75), NAN]),
    ],
)
def test_numbers_of_a_run(quantity, values):
    for index, value in enumerate(values):
        found = part(trained(), "bound", quantity=quantity, where={"seed": index}, above=-1e9)
        assert found.value == pytest.approx(value, nan_ok=True)
        assert found.missing == math.isnan(value)


def test_names_that_would_mislead_are_refused():
    with pytest.raises(GanbenchError, match=r"outcome\.divergd: unknown outcome 'divergd'\. Did you mean 'diverged'"):
        part(trained(), "bound", quantity="outcome.divergd", below=1)
    with pytest.raises(GanbenchError, match=r"best\.neutral: Neutral has no better end"):
        part(trained(), "bound", quantity="best.neutral", below=1)


def test_axes_are_those_of_the_tables():
    study = trained()
    study.runs = study.runs.assign(**{axis: "x" for axis in AXES if axis not in study.runs})
    study.runs["method"] = ["ring-mlp", "ring-mlp", "digits-fc"]
    assert part(study, "bound", where={"method": "ring-*"}, above=0).runs == 2
