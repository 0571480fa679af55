"""Grey levels of colour images: by hand, by Pillow and by imageio."""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
import pytest
from playing import part

from ganbench.diagnostics.grayscale import colours


def values_of(**options):
    diagnostic = part("diagnostic", "grayscale", **options)
    values = {name: float(value) for name, value in diagnostic.measure(None).values.items()}
    assert list(values) == list(diagnostic.columns(None))
    return values


def test_the_image_has_every_combination_of_levels():
    pixels = np.asarray(colours(3)).reshape(-1, 3)
    assert {*map(tuple, pixels.tolist())} == {*product((0, 128, 255), repeat=3)}
    assert len(pixels) == 27


def test_luma_of_pure_colours_is_that_of_the_recommendation():
    grey = np.asarray(colours(2).convert("F")).ravel()
    by_colour = dict(zip(map(tuple, np.asarray(colours(2)).reshape(-1, 3).tolist()), grey, strict=True))
    for colour, luma in {(255, 0, 0): 76.245, (0, 255, 0): 149.685, (0, 0, 255): 29.07, (255, 255, 255): 255}.items():
        assert by_colour[colour] == pytest.approx(luma, abs=1e-4)


def test_pillow_gives_luma_and_its_bytes_are_rounded():
    values = values_of(levels=32)
    assert values["formula_gap"] < 1e-4
    assert 0.49 < values["bytes_gap"] < 0.502  # to the nearest level, with weights of 16 bits
    assert values["scipy_imread"] == 0


def test_imageio_gives_what_scipy_gave_but_not_by_as_gray():
    values = values_of(levels=8)
    assert values["mode_gap"] == values["legacy_gap"] == 0
    assert values["misspelt_refused"] == 1
    assert np.isnan(values["as_gray_gap"]) == (values["as_gray_accepted"] == 0)


def test_without_imageio_there_are_no_numbers_of_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio.v2", None)
    values = values_of(levels=2)
    missing = {name for name, value in values.items() if np.isnan(value)}
    assert missing == {"as_gray_accepted", "as_gray_gap", "legacy_gap", "mode_gap", "misspelt_refused"}
