"""Numbers, proportions, durations and enumerations as words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganbench.analysis.statistics.rates import wilson
from ganbench.core.formatting import (
    format_duration,
    format_number,
    format_p_value,
    format_percent,
    format_points,
    format_proportion,
    format_range,
    join_words,
    plural,
    truncate,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0002, "0.0002"),
        (5e-5, "5e-5"),
        (1400, "1400"),
        (2.9, "2.9"),
        (0.9449, "0.945"),
        (234.56, "235"),
        (12345.6, "12346"),
        (1.5e7, "1.5e7"),
        (-0.25, "-0.25"),
        (0, "0"),
        (np.nan, "–"),
        (np.inf, "∞"),
        (-np.inf, "-∞"),
        (1e6, "1e6"),
        (1e-4, "0.0001"),
        (9.99e-5, "9.99e-5"),
    ],
)
def test_numbers_as_words(value, text):
    assert format_number(value) == text


def test_numbers_take_more_digits_where_asked():
    assert [format_number(value, 6) for value in (1.00498756, 2.0, 1.5e-7, 0.1)] == ["1.00499", "2", "1.5e-7", "0.1"]
    assert format_range(1.0, 1.0001, 5) == "1 to 1.0001"


def test_sentence_parts():
    assert format_proportion(wilson(4, 9), "runs failed") == "4 of 9 runs failed (44%, 95% interval 19% to 73%)"
    assert [format_percent(share) for share in (0, 0.001, 0.5, 0.999, 1)] == ["0%", "<1%", "50%", ">99%", "100%"]
    assert format_range(1.0, 1.0001) == "1"
    assert format_range(0.1234, 0.1236) == "0.123 to 0.124"
    assert format_percent(math.nan) == "–"
    assert [join_words(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [plural(count, "run") for count in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert plural(2, "run holds", "runs hold") == "2 runs hold"


def test_durations_are_in_the_largest_unit_of_which_there_are_two():
    assert [format_duration(seconds) for seconds in (5, 150, 9000, 200000)] == ["5.0 s", "2.5 min", "2.5 h", "2.3 d"]
    for size, unit, below in ((60, "min", "119.0 s"), (3600, "h", "120.0 min"), (86400, "d", "48.0 h")):
        assert format_duration(2 * size) == f"2.0 {unit}"
        assert format_duration(2 * size - 1) == below
    assert format_duration(math.nan) == "–"


@given(st.text("ab ", max_size=300), st.integers(10, 200))
def test_a_shortened_text_is_its_beginning_and_no_longer_than_asked(text, most):
    found = truncate(text, most)
    assert len(found) <= most
    assert found == text if len(text) <= most else text.startswith(found.removesuffix(" ..."))
    assert len(truncate("a" * 201)) == 200
    assert truncate("a" * 200) == "a" * 200


def test_p_values_and_percentage_points():
    values = (1, 0.5, 0.0499, 0.00123, 0.001, 0.00099, 0, math.nan)
    texts = ["p = 1", "p = 0.5", "p = 0.05", "p = 0.0012", "p = 0.001", "p < 0.001", "p < 0.001", "no p-value"]
    assert [format_p_value(value) for value in values] == texts
    values = (1, -0.126, 0.004, -0.0016, 0.0, -1e-17, math.nan)
    assert [format_points(value) for value in values] == ["100", "-13", "0.4", "-0.2", "0", "0", "–"]
