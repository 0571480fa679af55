"""Data sets without files: stacked digits, photographs, grids, rings; and the choice of examples to train on."""

from __future__ import annotations

import math

import archives
import numpy as np
import pytest
import torch
from building import CPU, gan, part
from sklearn.datasets import load_sample_image

from ganbench.contracts.data import draw_fault, examples_fault
from ganbench.core import random_streams
from ganbench.core.errors import GanbenchError
from ganbench.data import Examples, _images, _stacking
from ganbench.data._centres import circle, lattice
from ganbench.data._stacking import stack
from ganbench.data.digits import Digits
from ganbench.data.photos import HEIGHT, WIDTH
from ganbench.games import Match, Member
from ganbench.judges import JudgedExamples, judge_stored
from ganbench.judges.classifier import ClassifierJudge
from ganbench.metrics.mode_coverage import ModeCoverage
from ganbench.study.train_axes import TrainAxes, used_options

# Stacked digits -------------------------------------------------------------------------------------------------------


def test_stacked_digits_are_three_digits_in_three_channels():
    dataset = part("dataset", "stacked_digits", examples=20_000)
    examples, digits = dataset.load(), Digits().load()
    assert examples_fault(dataset.spec, examples) is None
    label_of = {image.tobytes(): label for image, label in zip(digits.train[:, 0], digits.train_modes, strict=True)}
    heldout = {image.tobytes() for image in digits.heldout[:, 0]} - set(label_of)
    for image, mode in zip(examples.train[:500], examples.train_modes[:500], strict=True):
        a, b, c = (label_of[channel.tobytes()] for channel in image)
        assert mode == 100 * a + 10 * b + c
    assert sum(channel.tobytes() in heldout for image in examples.heldout[:300] for channel in image) > 800
    counts = np.bincount(examples.train_modes, minlength=1000)
    assert counts.min() > 0
    assert counts.var() == pytest.approx(20, rel=0.3)  # Poisson, with 20 expected of each


def test_stacked_mnist_draws_a_fixed_number_of_triples(tmp_path):
    written = archives.write_mnist(tmp_path)
    dataset = part("dataset", "stacked_mnist", folder=str(tmp_path), examples=20_000)
    examples = dataset.load()
    assert examples_fault(dataset.spec, examples) is None
    assert examples.heldout.shape == (5_000, 3, 28, 28)
    images, labels = written["train"]
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    for image, mode in zip(examples.train[:100], examples.train_modes[:100], strict=True):
        assert mode == int("".join(str(known[channel.tobytes()]) for channel in image))
    again = part("dataset", "stacked_mnist", folder=str(tmp_path), examples=20_000).load()
    assert np.array_equal(again.train, examples.train)


def test_a_perfect_sampler_of_a_thousand_modes_has_the_divergence_of_theory():
    """(modes - 1) / 2n = 0.01921 at 26,000 samples, by a Taylor expansion of the divergence."""
    random, metric = np.random.default_rng(0), ModeCoverage()

    def judged(count: int) -> JudgedExamples:
        mode = random.integers(1000, size=count)
        return JudgedExamples(np.zeros((count, 1)), np.zeros((count, 1)), mode, np.ones(count, bool), 1000)

    reference = {"share": np.full(1000, 1e-3)}
    found = [metric.score(judged(26_000), reference) for _ in range(30)]
    expected = 999 / 52_000
    spread = math.sqrt(999 / 2) / 26_000  # half a chi-squared of 999 degrees of freedom, over n
    for column in ("mode_reverse_kl", "mode_forward_kl"):
        mean = np.mean([scores[column] for scores in found])
        assert abs(mean - expected) < 4 * spread / math.sqrt(30) + 0.02 * expected
    assert round(expected, 4) == 0.0192
    assert all(scores["modes"] == 1000 for scores in found)


def bars(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 8, 8) of three classes, told by the place of a bar."""
    labels = np.arange(count) % 3
    images = random.integers(0, 60, (count, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[1 + 2 * label : 3 + 2 * label] = 250
    return images, labels


@pytest.fixture(scope="module")
def stacked() -> tuple[ClassifierJudge, dict, Examples]:
    """A judge of single channels, fitted to stacks of two channels of three classes: nine modes."""
    random = np.random.default_rng(0)
    parts = {}
    for name, count in (("train", 300), ("heldout", 90)):
        images, labels = bars(random, count)
        chosen = random.integers(count, size=(2 * count, 2))
        parts[name], parts[f"{name}_modes"] = images[chosen], labels[chosen] @ np.array([3, 1])
    examples = Examples(**parts)
    judge = ClassifierJudge(features=8, max_steps=100, per_channel=True)
    return judge, judge.fit(examples), examples


def test_a_stack_is_judged_channel_by_channel(stacked):
    judge, state, examples = stacked
    judged = judge_stored(judge, state, examples.heldout)
    assert (judged.modes, judged.features.shape) == (9, (180, 16))
    assert state["accuracy"] == np.mean(judged.mode == examples.heldout_modes) > 0.95
    # The features of a channel are those of the same channel of another stack, and so is its part of the mode.
    swapped = judge_stored(judge, state, examples.heldout[:, ::-1])
    raw, back = (each.features * state["scale"] + state["mean"] for each in (judged, swapped))
    np.testing.assert_allclose(raw[:, :8], back[:, 8:], atol=1e-5)
    assert np.array_equal(swapped.mode, judged.mode % 3 * 3 + judged.mode // 3)
    # A stack is of high quality where both of its channels are, as a stack of one image twice tells.
    twice = [judge_stored(judge, state, examples.heldout[:, [k, k]]).confident for k in (0, 1)]
    assert np.array_equal(judged.confident, twice[0] & twice[1])
    assert 0 < judged.confident.mean() < twice[0].mean() < 1


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_a_stack_of_many_images_is_filled_in_blocks_into_a_file(kind, monkeypatch):
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 255, (30, 4, 5)).astype(kind), np.arange(30) % 10
    chosen = random_streams.stream(0, "any-train").integers(30, size=(50, 3))
    for large, block in ((2**30, 10_000), (50 * 60 * images.itemsize - 1, 7)):
        monkeypatch.setattr(_images, "LARGE", large)
        monkeypatch.setattr(_stacking, "BLOCK", block)
        stacked, modes = _stacking.stack("any", "train", images, labels, 50)
        assert np.array_equal(stacked, images[chosen])
        assert np.array_equal(modes, labels[chosen] @ np.array([100, 10, 1]))
        assert stacked.dtype == kind
        assert isinstance(stacked, np.memmap) == (block == 7)


def test_a_judge_of_channels_refuses_modes_that_are_no_stack(stacked):
    judge, _, examples = stacked
    wrong = Examples(examples.train, examples.train_modes % 7, examples.heldout, examples.heldout_modes % 7)
    with pytest.raises(GanbenchError, match=r"7 is no power 2 of a number of classes"):
        judge.untrained(wrong)


def test_a_stack_has_the_classes_in_the_order_of_channels():
    images, labels = np.arange(30, dtype=np.uint8).reshape(30, 1, 1), np.arange(30) % 10
    stacked, modes = stack("any", "train", images, labels, 50)
    assert np.array_equal(modes, labels[stacked[:, :, 0, 0]] @ np.array([100, 10, 1]))


# Photographs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "most"), [(4, 100_000), (32, 100_000), (96, 100_000)])
def test_there_are_as_many_places_as_the_options_allow(side, most):
    dataset = part("dataset", "photos", image_size=side, examples=most)
    assert len(dataset._places("train")) >= most / 2
    assert len(dataset._places("heldout")) >= 500


@pytest.mark.parametrize("side", [4, 32, 96])
def test_patches_are_of_the_photographs_and_held_out_ones_share_no_pixel(side):
    dataset = part("dataset", "photos", image_size=side, examples=400)
    examples = dataset.load()
    assert examples_fault(dataset.spec, examples) is None
    assert np.bincount(examples.train_modes).tolist() == [200, 200]
    touched = {}  # columns that a patch of each part may have a pixel of
    for which in ("train", "heldout"):
        places = dataset._places(which)
        assert len(np.unique(places, axis=0)) == len(places)
        lefts = np.unique(places[:, 1])
        touched[which] = {left + k for left in lefts for k in range(side)}
        assert touched[which] <= set(range(WIDTH))
        assert places[:, 0].max() == HEIGHT - side
    assert not touched["train"] & touched["heldout"]
    assert len(touched["train"]) > len(touched["heldout"]) > 0.25 * WIDTH
    photograph = load_sample_image("flower.jpg").transpose(2, 0, 1)
    patch = examples.heldout[examples.heldout_modes == 1][0]
    windows = np.lib.stride_tricks.sliding_window_view(photograph, (side, side), (1, 2))
    rows, lefts = np.nonzero((windows[:, :, :, 0, 0] == patch[:, 0, 0][:, None, None]).all(axis=0))
    assert any(np.array_equal(windows[:, row, left], patch) for row, left in zip(rows, lefts, strict=True))


# Grids and rings ------------------------------------------------------------------------------------------------------


def test_centres_by_hand():
    assert lattice(5, 2.0)[[0, 1, 5, 24]].tolist() == [[-4, -4], [-4, -2], [-2, -4], [4, 4]]
    assert lattice(4, 1.0)[:4, 1].tolist() == [-1.5, -0.5, 0.5, 1.5]
    np.testing.assert_allclose(circle(4, 2.0), [[2, 0], [0, 2], [-2, 0], [0, -2]], atol=1e-15)
    assert lattice(1, 3.0).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("name", "options", "modes", "spread"),
    [
        ("grid", {}, 25, 0.05),
        ("grid", {"modes_per_side": 3, "sigma": 0.2}, 9, 0.2),
        ("ring", {}, 8, 0.01),
        ("ring", {"modes": 25, "radius": 3.0}, 25, 0.01),
    ],
)
def test_mixtures_have_their_modes_and_widths_and_draw_new_points(name, options, modes, spread):
    dataset = part("dataset", name, examples=5_000, **options)
    examples = dataset.load()
    assert examples_fault(dataset.spec, examples) is None
    assert draw_fault(dataset) is None
    assert dataset.spec.modes == len(examples.facts["centers"]) == modes
    from_centre = examples.train - examples.facts["centers"][examples.train_modes]
    assert from_centre.std() == pytest.approx(spread, rel=0.03)
    drawn = dataset.draw(3_000, np.random.default_rng(5))
    assert np.isin(drawn, examples.train).mean() < 0.01
    nearest = np.linalg.norm(drawn[:, None] - examples.facts["centers"], axis=2).min(axis=1)
    assert (nearest < 3 * spread).mean() == pytest.approx(1 - math.exp(-4.5), abs=0.01)


# Which examples a run trains on ---------------------------------------------------------------------------------------


def seen_by(seed: int, n_train: int, subset_seed: int | None) -> list[int]:
    """The examples in the order of a run's first steps: 8 a batch."""
    numbers = torch.arange(200, dtype=torch.float64).reshape(200, 1).expand(200, 2).contiguous()
    spec = part("dataset", "ring8").spec
    game = gan(numbers, data=spec, architecture=part("architecture", "mlp", width=4), subset_seed=subset_seed)
    match = Match(game, [Member(seed, n_train, 0.1)], CPU, torch.float64)
    steps = [match.game.real({}, match.draw(step, 1)[0]).points[0, :, 0] for step in range(n_train // 8)]
    return torch.cat(steps).int().tolist()


def test_subsets_may_be_those_of_a_seed_of_their_own():
    of_two = [seen_by(seed, 24, subset_seed=5) for seed in (0, 1)]
    assert set(of_two[0]) == set(of_two[1])
    assert of_two[0] != of_two[1]  # in an order of the run's own
    assert set(of_two[0]) < set(seen_by(3, 64, subset_seed=5))
    assert set(of_two[0]) != set(seen_by(0, 24, subset_seed=6))
    assert set(seen_by(0, 24, None)) != set(seen_by(1, 24, None))
    assert seen_by(4, 24, None) == seen_by(4, 24, subset_seed=4)


def test_the_seed_of_subsets_is_an_option_of_training_and_an_axis():
    (plain,) = TrainAxes().combinations(batches=True)
    assert "subset_seed" not in used_options(plain, batches=True)  # earlier results keep their digests
    both = TrainAxes.model_validate({"subset_seed": [0, 1]}).combinations(batches=True)
    assert [used_options(each, batches=True)["subset_seed"] for each in both] == [0, 1]
    assert len(TrainAxes.model_validate({"subset_seed": [0, 1]}).combinations(batches=False)) == 1
