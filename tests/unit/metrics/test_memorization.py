"""Memorisation: copies of training examples are told from examples that are as good as held-out ones."""

from __future__ import annotations

import numpy as np
import pytest
from judging import look, scores

from ganbench.data.digits import Digits
from ganbench.metrics.memorization import Memorization, _mean_ratio


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """The pixels of training and of held-out digits."""
    examples = Digits().load()
    return examples.train.reshape(-1, 64).astype(float), examples.heldout.reshape(-1, 64).astype(float)


def test_the_mean_ratio_by_hand():
    squares = np.square([[1.0, 3.0], [3.0, 1.0], [0.0, 5.0], [0.0, 0.0]])
    for rows, share in (([0], 1 / 4), ([0, 1], 1 / 2), ([0, 2], 1 / 8), ([3], 1 / 2)):
        one, other = squares[rows].T
        assert _mean_ratio(one, other) == pytest.approx(share / (1 - share))
        assert _mean_ratio(other, one) == pytest.approx((1 - share) / share)
    assert _mean_ratio(np.array([4.0]), np.array([0.0])) == np.inf


def test_scores_by_hand():
    """On the line, training at 0, 1 and 3, held-out at 2 and 5; the nearest others of training are 1, 1 and 2 away."""
    metric = Memorization()
    train, holdout = (look(np.array(points)[:, None]) for points in ([0.0, 1.0, 3.0], [2.0, 5.0]))
    reference = metric.reference(train, holdout)
    # Of 2: 1 to training, 3 to the other one held out. Of 5: 2 to training, 3.
    share = (1 / 4 + 2 / 5) / 2
    assert reference["heldout_ratio"] == pytest.approx(share / (1 - share))
    found = metric.score(look(np.array([[-2.0], [3.5]])), reference)  # 2 against 4, 0.5 against 1.5
    mine = (2 / 6 + 0.5 / 2) / 2
    assert found["memorization_ratio"] == pytest.approx(mine / (1 - mine) * (1 - share) / share)
    assert found["authenticity"] == 0.5


@pytest.mark.parametrize("heldout", [100, 500, 1300])
def test_fresh_examples_have_ratio_one_whatever_is_held_out(heldout):
    """Fewer, as many and more than are trained on; anyway 1, since training and held-out are drawn alike."""
    found = []
    for seed in range(30):
        random = np.random.default_rng([heldout, seed])
        train, held, fresh = (random.normal(size=(count, 4)) for count in (500, heldout, 400))
        found.append(scores(Memorization(), fresh, train, held)["memorization_ratio"])
    error = np.std(found) / len(found) ** 0.5
    assert np.mean(found) == pytest.approx(1, abs=max(4 * error, 0.01))
    assert error < 0.02


def test_ten_memorised_digits_are_unmistakable(digits):
    train, heldout = digits
    found = scores(Memorization(), np.repeat(train[:10], 200, axis=0), train, heldout)
    assert found == {"memorization_ratio": 0.0, "authenticity": 0.0}
    held = scores(Memorization(), heldout, train, heldout)
    assert held["memorization_ratio"] == pytest.approx(1, abs=1e-12), "each is left out of the holdout"
    assert 0.4 < held["authenticity"] < 0.7


def test_copies_are_seen_among_others_and_under_noise(digits):
    train, heldout = digits
    random = np.random.default_rng(0)
    noisy = scores(Memorization(), train[:400] + 0.1 * random.normal(size=(400, 64)), train, heldout)
    assert noisy["memorization_ratio"] < 0.5
    assert noisy["authenticity"] < 0.05
    for others in (heldout, 100 * random.uniform(-1, 1, size=(360, 64))):
        half = scores(Memorization(), np.concatenate([train[:360], others]), train, heldout)
        assert half["memorization_ratio"] < 0.5, "far examples count no more than near ones"
    fine = {
        "noise": random.uniform(-1, 1, size=(400, 64)),
        "one image": np.zeros((400, 64)),
        "held-out examples with noise": heldout + 0.1 * random.normal(size=heldout.shape),
        "means of two training examples": (train[:700] + train[700:1400]) / 2,
    }
    for what, generated in fine.items():
        assert scores(Memorization(), generated, train, heldout)["memorization_ratio"] > 0.9, what


def test_equal_examples_and_memorised_held_out_ones_have_defined_ratios():
    same = np.ones((8, 2))
    assert scores(Memorization(), same, same) == {"memorization_ratio": 1, "authenticity": 0}
    train, held = np.array([[0.0], [1.0]]), np.array([[5.0], [5.0], [7.0]])
    assert scores(Memorization(), np.array([[5.0], [5.0]]), train, held)["memorization_ratio"] == np.inf
