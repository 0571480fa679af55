"""Features in units of the real data's spread: distances that read alike across data sets and judges."""

from __future__ import annotations

import numpy as np
import pytest
from building import part

from ganbench.core.pixels import floats
from ganbench.data import Examples
from ganbench.engine.scoring import Scorer
from ganbench.judges import Judge, judge_stored
from ganbench.judges._standard import standardised, unscaled, with_standard


def images(count: int, contrast: float) -> np.ndarray:
    """Bright bars on one of two sides, of some contrast."""
    random = np.random.default_rng(3)
    made = random.normal(0, 0.1, (count, 1, 8, 8))
    made[::2, :, :, :3] += 1
    made[1::2, :, 5:, :] += 1
    return (contrast * made / 3).clip(-1, 1).astype(np.float32)


def labelled(contrast: float = 1.0) -> Examples:
    train, heldout = np.split(images(500, contrast), [400])
    return Examples(train, np.arange(400) % 2, heldout, np.arange(100) % 2)


@pytest.mark.parametrize("name", ["classifier", "random_features"])
def test_each_feature_of_the_training_images_has_mean_0_and_spread_1(name):
    judge, examples = part("judge", name), labelled()
    features = judge_stored(judge, judge.fit(examples), examples.train).features
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-9)
    spread = features.std(axis=0)
    assert np.allclose(spread[spread > 1e-9], 1)
    assert (spread > 1e-9).sum() > features.shape[1] / 2


def test_coordinates_of_points_keep_their_shape():
    """A long and narrow cloud stays one: its mean variance is 1, and not each."""
    random = np.random.default_rng(0)
    train = (random.normal(size=(2000, 2)) * [3.0, 0.5] + [5, -2]).astype(np.float32)
    facts = {"centers": np.array([[5.0, -2.0]]), "sigma": np.array(3.0)}
    modes = np.zeros(2000, np.int64)
    judge = part("judge", "mixture")
    state = judge.fit(Examples(train, modes, train[:50], modes[:50], facts))
    features = judge.judge(state, train).features
    assert features.var(axis=0).mean() == pytest.approx(1)
    assert features.std(axis=0)[0] / features.std(axis=0)[1] == pytest.approx(6, rel=0.1)
    assert judge.judge(state, train).confident.mean() > 0.99, "modes are told in the coordinates themselves"


@pytest.mark.parametrize("metric", ["fd", "kd"])
def test_the_same_failure_scores_the_same_in_units_ten_times_as_large(metric):
    scores = []
    for unit in (1.0, 10.0):
        dataset = part("dataset", "ring8", radius=unit, sigma=0.02 * unit, examples=2000)
        examples, judge = dataset.load(), part("judge", "mixture")
        scorer = Scorer.of(judge, judge.fit(examples), [part("metric", metric)], dataset.spec, examples)
        scores.append(scorer.score(0.5 * examples.heldout))
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)


@pytest.mark.parametrize("constant", [7.0, 0.1, 0.0])  # the sum of many 0.1 is not quite their number times 0.1
def test_a_constant_feature_keeps_its_scale(constant):
    class Plain(Judge):
        def untrained(self, examples):
            raise NotImplementedError

        fit = untrained

        def judge(self, state, examples):
            from ganbench.judges import JudgedExamples

            return JudgedExamples(examples, standardised(state, examples.astype(float)), None, None, 0)

    train = np.stack([np.arange(1437.0), np.full(1437, constant)], axis=1).astype(np.float32)
    state = with_standard(Plain(), unscaled(2), train)
    assert state["scale"].tolist() == [pytest.approx(np.sqrt((1437**2 - 1) / 12)), 1.0]
    assert Plain().judge(state, train).features[:, 1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("judge", ["classifier", "random_features"])
def test_on_digits_real_data_score_about_0_and_noise_scores_far_more(judge):
    dataset = part("dataset", "digits")
    examples = dataset.load()
    quick = {"max_steps": 200, "target_accuracy": 0.9, "min_accuracy": 0.5} if judge == "classifier" else {}
    made = part("judge", judge, **quick)
    scorer = Scorer.of(made, made.fit(examples), [part("metric", "fd"), part("metric", "kd")], dataset.spec, examples)
    heldout = scorer.score(floats(examples.heldout))
    noise = scorer.score(np.random.default_rng(0).uniform(-1, 1, (360, 1, 8, 8)).astype(np.float32))
    assert 0 < heldout["fd"] < 2, "of 32 or 64 features of variance 1"
    assert abs(heldout["kd"]) < 0.1
    assert noise["fd"] > 10 * heldout["fd"]
    assert noise["kd"] > 0.5
