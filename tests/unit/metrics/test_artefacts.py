"""Checkerboards and repeated textures: known patterns in noise and in photographs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from judging import images
from photographs import pieces

from ganbench.core.evenly_spaced import evenly_spaced
from ganbench.data import DataSpec
from ganbench.metrics._images import brightness
from ganbench.metrics.checkerboard import Checkerboard
from ganbench.metrics.texture import Texture


def score(metric: Checkerboard | Texture, generated: np.ndarray, real: np.ndarray) -> float:
    (value,) = metric.score(images(generated), metric.reference(images(real), images(real))).values()
    return value


def noise(count: int, height: int, width: int, seed: int, spread: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, size=(count, 1, height, width))


# Checkerboard ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(16, 16), (32, 16), (28, 28), (4, 6)])
@pytest.mark.parametrize("amplitude", [0.0, 0.01, 0.05])
def test_a_checkerboard_in_noise_has_its_power(height, width, amplitude):
    """Its one coefficient is amplitude * height * width, among those of noise of variance s^2 height width."""
    rows, columns = np.indices((height, width))
    board = amplitude * np.where((rows + columns) % 2, -1.0, 1.0)
    found = score(Checkerboard(), noise(3000, height, width, 0) + board, noise(3000, height, width, 1))
    expected = 10 * math.log10(1 + height * width * amplitude**2 / 0.1**2)
    assert found == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_checkerboard_of_each_period_is_found(period):
    x = noise(400, 32, 32, 2)
    checkerboard = np.zeros((32, 32))
    checkerboard[::period, :] = 0.1
    plain, real = score(Checkerboard(), x, noise(400, 32, 32, 3)), noise(400, 32, 32, 3)
    assert abs(plain) < 2
    assert score(Checkerboard(), x + checkerboard, real) > 10
    other = np.zeros((32, 32))
    other[::5, :] = 0.1
    assert score(Checkerboard(), x + other, real) < 4, "a period of five pixels is none of a checkerboard of layers"


def test_a_checkerboard_that_real_images_have_is_none_of_the_generator():
    checkerboard = np.zeros((16, 16))
    checkerboard[::4, ::4] = 0.3
    real, generated = noise(500, 16, 16, 4) + checkerboard, noise(500, 16, 16, 5)
    assert abs(score(Checkerboard(), generated + checkerboard, real)) < 2
    assert score(Checkerboard(), generated, real) < 2


def test_fewer_levels_have_fewer_frequencies():
    checkerboard = np.zeros((32, 32))
    checkerboard[::4, :] = 0.1
    checkerboard -= (checkerboard[::2].mean() - checkerboard[1::2].mean()) * np.where(np.arange(32) % 2, -0.5, 0.5)[
        :, None
    ]
    real, generated = noise(400, 32, 32, 6), noise(400, 32, 32, 7) + checkerboard
    assert score(Checkerboard(levels=2), generated, real) > 5 + score(Checkerboard(levels=1), generated, real)


@pytest.mark.parametrize("different", [1, 5, 20])
def test_a_collapse_onto_few_images_is_no_checkerboard_and_hides_none(different):
    """The largest peaks of few images are noise, of up to 12 dB here, at all frequencies alike; no checkerboard is."""
    real = pieces(300, 32, 0)
    reference = Checkerboard().reference(images(real), images(real))
    checkerboard = np.zeros((32, 32))
    checkerboard[::2, ::2] = 0.1

    def excess(added: np.ndarray | float) -> np.ndarray:
        found = []
        for seed in range(1, 21):
            few = np.resize(pieces(different, 32, seed) + added, real.shape) + noise(300, 32, 32, seed, 0.01)
            found += Checkerboard().score(images(few), reference).values()
        return np.array(found)

    plain = excess(0.0)
    assert abs(np.median(plain)) < 1
    assert np.quantile(np.abs(plain), 0.9) < 4, "as the docstring says"
    assert (excess(checkerboard) > 6).mean() >= 0.9


# Texture --------------------------------------------------------------------------------------------------------------


def test_images_of_one_tile_repeat_it_wholly():
    """The correlation at a shift by a tile is 1, and about 0 around it, in a window of n^2 shifts: 1 - 1 / n^2."""
    tiles = np.random.default_rng(0).normal(0, 0.2, size=(60, 1, 10, 10))
    tiled, real = np.tile(tiles, (1, 1, 4, 4))[:, :, :32, :32], noise(60, 32, 32, 1)
    window = 32 // 8 * 2 + 1
    own = Texture().reference(images(tiled), images(tiled))["peak"]
    assert own == pytest.approx(1 - 1 / window**2, abs=0.1)
    floor = Texture().reference(images(real), images(real))["peak"]
    assert floor < 0.3, "the largest of many correlations of noise"
    assert score(Texture(), tiled, real) == pytest.approx(own - floor)


def test_bytes_and_numbers_have_the_same_scores():
    stored = np.random.default_rng(2).integers(256, size=(300, 3, 16, 16), dtype=np.uint8)
    numbers = stored / np.float32(127.5) - np.float32(1)
    for metric in (Checkerboard(), Texture()):
        one, other = (metric.reference(images(each), images(each)) for each in (stored, numbers))
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


# Both -----------------------------------------------------------------------------------------------------------------


def test_each_moves_with_its_artefact_in_photographs_and_not_with_the_other_s():
    """Nor with noise, or with images left out. Tiles are told from a checkerboard less well: their
    spectra are of lines, some of which lie near its frequencies, and those of even sizes have them all."""
    real, fresh = pieces(300, 32, 0), pieces(300, 32, 1)
    checkerboard = np.zeros((32, 32))
    checkerboard[::2, ::2] = 0.025
    sizes = np.resize([9, 11, 13], len(fresh))
    tiles = [np.tile(image[:, :size, :size], (1, 4, 4)) for image, size in zip(fresh, sizes, strict=True)]
    tiled = np.stack([each[:, :32, :32] for each in tiles])
    tampered = {
        "nothing": fresh,
        "a checkerboard": fresh + checkerboard,
        "tiles": np.where(np.arange(300)[:, None, None, None] < 150, tiled, fresh),
        "noise": fresh + noise(300, 32, 32, 2, 0.05),
        "half left out": np.repeat(fresh[:150], 2, axis=0),
    }
    excess = {what: score(Checkerboard(), each, real) for what, each in tampered.items()}
    repetition = {what: score(Texture(), each, real) for what, each in tampered.items()}
    assert excess["a checkerboard"] > 10
    assert all(value < 6 for what, value in excess.items() if what != "a checkerboard"), excess
    assert repetition["tiles"] > 0.3
    assert all(abs(value) < 0.15 for what, value in repetition.items() if what != "tiles"), repetition


def test_images_without_contrast_have_defined_scores():
    flat, real = np.full((20, 1, 16, 16), 0.3), noise(100, 16, 16, 8)
    for metric in (Checkerboard(), Texture()):
        assert score(metric, flat, flat) == 0
        assert abs(score(metric, flat, real)) < 3
        assert score(metric, real, real) == 0


def test_examples_are_thinned_to_a_number_that_does_not_jump():
    for count, most in ((10_000, 10_000), (10_001, 10_000), (19_999, 10_000), (25, 10), (7, 10)):
        rows = evenly_spaced(count, most)
        assert len(rows) == min(count, most)
        assert rows[0] == 0
        assert set(np.diff(rows)) <= {count // len(rows), count // len(rows) + 1}
    (part,) = brightness(noise(101, 4, 4, 0), 100)
    assert len(part) == 100


def test_which_images_they_are_for():
    for metric, shape, bounded, message in (
        (Checkerboard(), (3, 32, 32), True, None),
        (Checkerboard(), (1, 4, 6), True, None),
        (Checkerboard(), (1, 5, 8), True, "even height and width"),
        (Checkerboard(), (1, 2, 8), True, "4 pixels a side or more"),
        (Checkerboard(), (2,), True, "images with values in [-1, 1]"),
        (Texture(), (3, 16, 16), True, None),
        (Texture(), (3, 8, 8), True, "16 pixels a side or more"),
        (Texture(), (3, 16, 16), False, "images with values in [-1, 1]"),
    ):
        reason = metric.unsupported(DataSpec(shape=shape, bounded=bounded, train=64, modes=2))
        assert reason is None if message is None else message in reason
