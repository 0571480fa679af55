"""The birthday test, against generators whose number of different examples is known."""

from __future__ import annotations

import numpy as np
import pytest
from judging import scores

from ganbench.data.digits import Digits
from ganbench.metrics.birthday import Birthday


@pytest.mark.parametrize("support", [1, 10, 100, 1000])
def test_the_support_of_few_examples_is_their_number(support):
    """In expectation the share of equal pairs is 1 / S; of 2000 draws it is known to a few percent."""
    random = np.random.default_rng(support)
    real, few = random.normal(size=(1000, 8)), random.normal(size=(support, 8))
    jittered = few[random.integers(support, size=2000)] + 1e-3 * random.normal(size=(2000, 8))
    assert scores(Birthday(), jittered, real)["support_size"] == pytest.approx(support, rel=0.1)


def test_half_of_the_batches_of_the_birthday_size_hold_a_pair():
    """Arora and Zhang's own rule: with s = 1.18 sqrt(S) draws, half of the batches hold a pair."""
    random, support = np.random.default_rng(0), 365
    batch = round(np.sqrt(2 * np.log(2) * support))
    assert batch == 22
    draws = random.integers(support, size=(4000, batch))
    pair = np.mean([len(np.unique(each)) < batch for each in draws])
    assert pair == pytest.approx(0.5, abs=0.05)
    found = scores(Birthday(), draws[:100].reshape(-1, 1).astype(float), random.normal(size=(500, 1)) * 1e-3)
    assert found["support_size"] == pytest.approx(support, rel=0.05)


def test_unequal_examples_count_as_fewer():
    """It is the inverse of the sum of squared probabilities: 1 / (0.5^2 + 50 * 0.01^2) for one of half of the draws."""
    random = np.random.default_rng(1)
    points = 100.0 * np.arange(51)[:, None]
    drawn = points[np.where(random.random(3000) < 0.5, 0, random.integers(1, 51, size=3000))]
    expected = 1 / (0.5**2 + 50 * 0.01**2)
    assert scores(Birthday(), drawn, random.normal(size=(400, 1)))["support_size"] == pytest.approx(expected, rel=0.1)


def test_the_threshold_is_set_on_real_pairs():
    """Real digits: about N / share; ten of them: ten; without a near pair: all pairs there are."""
    examples = Digits().load()
    real, heldout = (each.reshape(-1, 64).astype(float) for each in (examples.train, examples.heldout))
    for share in (0.02, 0.1):
        found = scores(Birthday(share), real, real)["support_size"]
        assert 0.5 < found / (len(real) / share) < 1.5, "a pair has two nearest ones, or one"
    assert scores(Birthday(), heldout, real)["support_size"] > 5000
    assert scores(Birthday(), np.repeat(real[:10], 200, axis=0), real)["support_size"] == pytest.approx(10, rel=0.01)
    apart = 1e3 * np.arange(20)[:, None] * np.ones(64)
    assert scores(Birthday(), apart, real)["support_size"] == 20 * 19 / 2


def test_a_real_data_set_with_many_equal_examples_counts_equal_ones():
    real = np.repeat([[1.0], [2.0], [5.0]], 10, axis=0)
    assert scores(Birthday(), np.array([[1.0], [1.0], [2.0], [2.1]]), real)["support_size"] == 6
