"""Scales of claims, and the number of runs that decide a test if the effect is as stated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from ganbench.claims.procedures import PROCEDURES, efforts
from ganbench.study.claims import Claim
from ganbench.study.strict_yaml import describe_errors

A, B, C = ({"dynamics": name} for name in ("simultaneous", "alternating", "extragradient"))
SHARE = {"quantity": "path.growth", "above": 1, "at_least": 0.5}
DIFFERENCE = {"quantity": "path.growth", "above": 0.5, "where": A, "baseline": B}
ORDERING = {"quantity": "path.growth", "increasing": [A, B, C]}


def claim(kind: str, test: dict, **over) -> Claim:
    return Claim.model_validate({"id": "D2", "statement": "So it is.", "tests": [{kind: test}], **over})


def test_of(kind: str, **test):
    given = {"proportion": SHARE, "difference": DIFFERENCE, "ordering": ORDERING}[kind]
    return claim(kind, given | test).tests[0].test


test_of.__test__ = False


def claims_of(*tests: tuple[str, dict]) -> list[Claim]:
    """A claim for each test, of the same kind as `test_of` makes it."""
    given = {"proportion": SHARE, "null_hypothesis": {"quantity": "seeds.p"}}
    return [claim(kind, given[kind] | test, id=f"A{index}") for index, (kind, test) in enumerate(tests)]


def effort(kind: str, *seeds, level: float = 0.05, **test):
    asked = test_of(kind, **test)
    return PROCEDURES[type(asked)].plan(asked, [pd.Series(each) for each in seeds], level)


def planned(kind: str, *seeds, **test):
    found = effort(kind, *seeds, **test)
    return found.present, found.unit, found.needed


FAULTS = {
    "no question": ({"scale": "small"}, {}, r"question: is missing; tests of the scale 'small' answer another"),
    "question": ({"question": "Why?"}, {}, r"question: tests of the scale 'full' answer the claim itself; .*real or"),
    "no scale": ({"scale": "tiny"}, {}, r"scale: must be one of .*but is 'tiny'|scale: .*'full', 'real' or 'small'"),
    "share beyond": ({}, {"expected": 1.2}, r"expected: .*1"),
    "wrong side": ({}, {"expected": 0.5}, r"expected must be above 0\.5 if the claim holds, but is 0\.5"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault):
    over, test, message = FAULTS[fault]
    with pytest.raises(ValidationError) as caught:
        claim("proportion", SHARE | test, **over)
    (line,) = describe_errors(caught.value)
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(line)


@pytest.mark.parametrize(
    ("kind", "test", "message"),
    [
        (
            "difference",
            {"expected": 1.0},
            r"must have both expected and expected_std, or neither, but has expected alone",
        ),
        ("ordering", {"expected_std": 1.0}, r"but has expected_std alone"),
        ("difference", {"expected": 0.5, "expected_std": 1.0}, r"expected must be above 0\.5"),
        ("ordering", {"expected": -1.0, "expected_std": 1.0}, r"expected must be above 0"),
    ],
)
def test_an_effect_of_means_has_a_spread_and_the_right_side(kind, test, message):
    with pytest.raises(ValidationError, match=message):
        test_of(kind, **test)


def test_a_share_is_found_by_as_many_runs_as_the_exact_test_needs():
    """All runs of ten: 2 / 2^n is at most 0.05 from 6 on, and at most 0.001 from 11 on."""
    assert planned("proportion", range(10), expected=1.0) == (10, "runs", 6)
    assert planned("proportion", range(10), expected=1.0, level=0.001) == (10, "runs", 11)
    assert planned("proportion", range(10)) == (10, "runs", None)
    _, _, runs = planned("proportion", range(10), expected=0.8)
    least = stats.binom.isf(0.025, runs, 0.5) + 1
    assert stats.binom.sf(least - 1, runs, 0.8) >= 0.8


def test_a_difference_is_found_with_the_power_that_simulation_finds():
    _, unit, pairs = planned("difference", range(10), range(10), expected=1.5, expected_std=1.2)
    assert unit == "pairs"
    noise = np.random.default_rng(0).normal(1.5, 1.2, (4000, pairs))
    rejected = stats.ttest_1samp(noise, 0.5, axis=1).pvalue <= 0.05
    assert 0.77 < rejected.mean() < 0.88
    assert planned("difference", range(10), range(5, 15), expected=1.5, expected_std=1.2)[1] == "runs of each"


def test_where_a_seed_has_several_runs_seeds_are_counted():
    assert planned("proportion", [*range(10)] * 3, expected=1.0) == (10, "seeds", 6)
    steps = {"expected": 1.5, "expected_std": 1.2}
    assert planned("difference", [*range(10)] * 3, range(10), **steps)[:2] == (10, "pairs")
    assert planned("difference", [*range(10)] * 3, range(5, 15), **steps)[:2] == (10, "seeds of each")


def test_an_effect_that_is_plain_still_needs_the_runs_of_an_interval():
    assert planned("difference", range(4), range(4), expected=99.0, expected_std=1.0) == (4, "pairs", 10)


def test_an_ordering_needs_more_than_one_of_its_steps():
    steps = {"expected": 1.0, "expected_std": 1.0}
    _, _, one = planned("difference", range(20), range(20), above=0, **steps)
    _, _, both = planned("ordering", range(20), range(20), range(20), **steps)
    assert both > one


def test_the_level_is_that_of_the_first_rejection_among_all_statistical_tests():
    tests = claims_of(*(("proportion", {"expected": 1.0, "above": limit}) for limit in range(4)))
    found = efforts(tests, lambda test: [pd.Series(range(20))])
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    assert [each.needed for each in found] == [int(np.ceil(np.log2(2 * 4 * harmonic / 0.05)))] * 4


def test_a_null_hypothesis_states_no_effect_and_counts_among_the_statistical_tests():
    share, null = claims_of(("proportion", {"expected": 1.0}), ("null_hypothesis", {}))
    alone, beside = (efforts(tests, lambda test: [pd.Series(range(20))]) for tests in ([share], [share, null]))
    assert beside[1] is None
    assert beside[0].needed > alone[0].needed


def test_of_a_share_of_some_runs_it_is_said_that_their_number_is_not_known():
    some = effort("proportion", range(9), expected=0.9, among="outcome.failed")
    assert some.runs == "at most 9 runs"
    assert str(some).endswith(
        " runs for a share of 0.9, of those with outcome.failed other than 0; 9 are selected at most"
    )
    whole = effort("proportion", range(9), expected=0.9)
    assert (whole.runs, whole.needed) == ("9 runs", some.needed)


def test_words():
    shares = claims_of(("proportion", {"expected": 0.9}), ("proportion", {}))
    found = efforts(shares, lambda test: [pd.Series(range(9))])
    assert [str(each).partition(" ")[2] for each in found] == ["runs for a share of 0.9", "effect is stated"]
    tiny = effort("difference", range(9), range(9), expected=0.501, expected_std=9.0)
    assert str(tiny) == "more than 10,000 pairs for a difference of 0.501"
