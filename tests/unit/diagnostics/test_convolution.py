"""Output-size calculators, and the diagnostic that puts rules of thumb about them to torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from playing import part

from ganbench.core.errors import GanbenchError
from ganbench.diagnostics.convolution import convolution_size, transposed_size, uncovered_edge

SIDE, KERNEL, STRIDE, PADDING = (st.integers(*ends) for ends in ((1, 64), (1, 7), (1, 4), (0, 3)))
DILATION = st.integers(1, 3)


@pytest.fixture(scope="module")
def values():
    diagnostic = part("diagnostic", "convolution", max_image_size=32)
    reading = diagnostic.measure(None)
    assert list(reading.values) == list(diagnostic.columns(None))
    for name, info in diagnostic.columns(None).items():
        assert reading.values[name].shape == ()
        assert info.lower is None or reading.values[name] >= info.lower
        assert info.upper is None or reading.values[name] <= info.upper
    return {name: float(value) for name, value in reading.values.items()}


@given(SIDE, KERNEL, STRIDE, PADDING, DILATION)
def test_the_size_of_a_convolution_is_torchs(n, kernel, stride, padding, dilation):
    layer = torch.nn.Conv2d(1, 1, kernel, stride, padding, dilation, device="meta")
    try:
        size = layer(torch.empty(1, n, n, device="meta")).shape[-1]
    except RuntimeError:
        with pytest.raises(GanbenchError, match="smaller kernel"):
            convolution_size(n, kernel, stride, padding, dilation)
    else:
        assert convolution_size(n, kernel, stride, padding, dilation) == size


@given(SIDE, KERNEL, STRIDE, PADDING, DILATION, st.integers(0, 3))
def test_the_size_of_a_transposed_convolution_is_torchs(n, kernel, stride, padding, dilation, output_padding):
    layer = torch.nn.ConvTranspose2d(
        1, 1, kernel, stride, padding, output_padding=output_padding, dilation=dilation, device="meta"
    )
    try:
        size = layer(torch.empty(1, n, n, device="meta")).shape[-1]
    except RuntimeError:
        with pytest.raises(GanbenchError, match=r"output_padding is|nothing is left"):
            transposed_size(n, kernel, stride, padding, dilation, output_padding)
    else:
        assert transposed_size(n, kernel, stride, padding, dilation, output_padding) == size


@given(SIDE, KERNEL, STRIDE, PADDING, DILATION)
def test_a_transposed_convolution_gives_back_what_the_remainder_says(n, kernel, stride, padding, dilation):
    remainder = (n + 2 * padding - dilation * (kernel - 1) - 1) % stride
    assume(n + 2 * padding > dilation * (kernel - 1))
    size = convolution_size(n, kernel, stride, padding, dilation)
    assert transposed_size(size, kernel, stride, padding, dilation, output_padding=remainder) == n


@pytest.mark.parametrize(
    ("size", "setting", "words"),
    [
        (convolution_size, {"n": 0, "kernel": 3}, "n must be a whole number of at least 1, but is 0"),
        (convolution_size, {"n": 8, "kernel": 2.5}, "kernel must be .* but is 2.5"),
        (convolution_size, {"n": 8, "kernel": 3, "padding": -1}, "padding must be .* at least 0, but is -1"),
        (convolution_size, {"n": 2, "kernel": 5}, "padding from 2 on"),
        (transposed_size, {"n": 2, "kernel": 2, "stride": 2, "output_padding": 2}, "0 to 1"),
        (transposed_size, {"n": 1, "kernel": 3, "padding": 2}, "0 to 1 here"),
        (transposed_size, {"n": 1, "kernel": 3, "stride": True}, "stride must be"),
    ],
)
def test_settings_that_cannot_be_say_what_could(size, setting, words):
    with pytest.raises(GanbenchError, match=words):
        size(**setting)


def test_the_padding_named_as_remedy_is_the_least_that_works():
    assert convolution_size(2, 5, padding=2) == 2
    with pytest.raises(GanbenchError):
        convolution_size(2, 5, padding=1)


def test_an_uncovered_edge_is_counted_by_hand():
    assert uncovered_edge(5, 2, 2) == 1  # positions 0-1, 2-3; pixel 4 is left over
    assert uncovered_edge(6, 2, 2, 1) == 0
    assert uncovered_edge(7, 4, 4) == 3
    assert uncovered_edge(7, 4, 4, 1) == 0  # 9 wide, 4 + 4 covered: the rest is padding
    assert uncovered_edge(6, 4, 4, 1) == 0  # 8 wide, no rest
    assert uncovered_edge(9, 4, 4, 1) == 2  # 11 wide, 8 covered, the last of the rest is padding


def test_the_worked_examples_have_the_sizes_of_their_source(values):
    assert [values[f"example_{i}"] for i in (1, 2, 4, 5, 6, 7)] == [5, 3, 2, 6, 6, 4]
    assert (values["example_3"], values["example_3_printed"]) == (4, 5)


def test_rules_of_thumb_are_decided(values):
    assert values["formula_mismatches"] == values["inverted_mismatches"] == values["corrected_mismatches"] == 0
    assert values["inverted_share_padded"] == 1
    # A remainder of 0 is as likely as any other: the mean over strides 1 to 4 is (1 + 1/2 + 1/3 + 1/4) / 4.
    assert values["inverted_share"] == pytest.approx(np.mean([1 / s for s in (1, 2, 3, 4)]), abs=0.02)
    assert values["uncovered_mismatches"] > 0
    assert values["max_uncovered"] == 3 / 7  # n = 7, k = s = 4: 3 of 7
    assert values["max_uncovered_photo"] == 3 / 28
    assert 0 < values["mean_uncovered"] < values["max_uncovered_photo"]


def test_a_sweep_may_be_small_but_not_empty():
    values = part("diagnostic", "convolution", max_image_size=1).measure(None).values
    assert values["formula_mismatches"] == 0
    assert np.isnan(values["max_uncovered_photo"])
    with pytest.raises(GanbenchError, match="'max_image_size' must be an integer from 1 to 1024, but is 0"):
        part("diagnostic", "convolution", max_image_size=0)
