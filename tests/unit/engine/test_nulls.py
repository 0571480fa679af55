"""Nulls against closed forms, against new draws of the distribution, and on what must not mislead them."""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
from building import part
from scipy import stats

from ganbench.core.metric_info import MetricInfo
from ganbench.engine.null_intervals import std_and_reach
from ganbench.engine.nulls import Null, nulls
from ganbench.engine.real_draws import RealExamples, draws_of, smallest_split
from ganbench.engine.scoring import judged_real
from ganbench.judges import JudgedExamples, concatenated
from ganbench.metrics import Metric

SIZE = 8  # features


def judged(features: np.ndarray, modes: int = 0) -> JudgedExamples:
    mode = np.arange(len(features)) % modes if modes else None
    return JudgedExamples(features, features, mode, None if mode is None else mode >= 0, modes)


def normal(count: int, random: np.random.Generator) -> np.ndarray:
    return random.standard_normal((count, SIZE))


def real(train: int, heldout: int, *, fresh: bool = False) -> RealExamples:
    random = np.random.default_rng(1)
    return RealExamples(
        judged(normal(train, random)), judged(normal(heldout, random)), judged, normal if fresh else None
    )


def null(metric: Metric, known: RealExamples, samples: int) -> dict[str, Null]:
    return nulls([(metric, metric.reference(known.train, known.heldout))], known, samples)


def bias(samples: int, train: int) -> float:
    """The expected Fréchet distance of two samples of N(0, I), to first order: d + d (d + 1) / 4 for each, over n."""
    return (SIZE + SIZE * (SIZE + 1) / 4) * (1 / samples + 1 / train)


@dataclass(frozen=True)
class _Last(Metric):
    """The mean of the last feature, its square root that may be undefined, and the number of calls."""

    best: str = "low"
    calls: ClassVar[list[int]] = []
    columns: ClassVar[dict[str, MetricInfo]] = {}

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", {"last": MetricInfo("Last", "Its mean.", self.best, None, None)})

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> dict:
        return {"mean": float(real.features[:, -1].mean())}

    def score(self, generated: JudgedExamples, reference: dict) -> dict[str, float]:
        self.calls.append(len(generated))
        return {"last": float(abs(generated.features[:, -1].mean() - reference["mean"]))}


# The three ways -------------------------------------------------------------------------------------------------------


def test_new_examples_of_the_distribution_score_what_theory_says():
    known = real(1000, 100, fresh=True)
    found = null(part("metric", "fd"), known, 500)["fd"]
    assert (found.samples, found.examples, found.draws) == (500, None, 20)
    assert abs(found.mean - bias(500, 1000)) < 4 * found.std / math.sqrt(20) + 0.1 * bias(500, 1000)
    assert found.low < found.mean < found.high
    assert "20 times 500 new examples from the true distribution, against the 1,000 training" in found.sampling


def test_the_smallest_parts_that_are_scored_are_half_of_what_the_real_examples_allow():
    assert smallest_split(100, 900, 200) is None, "parts of the held-out ones"
    assert smallest_split(100, 900, 100) is None, "splits of the study's own size"
    assert smallest_split(500, 1437, 360) == (231, 666)
    assert smallest_split(500, 1437, 20) == (20, 540), "the held-out examples are fewer still"
    for samples, train, heldout in ((500, 1437, 360), (230, 150, 40), (50, 60, 20)):
        assert draws_of(real(train, heldout), samples).smallest == smallest_split(samples, train, heldout)


def test_a_perfect_sampler_of_the_ring_has_the_share_of_the_textbook():
    dataset, judge = part("dataset", "ring8"), part("judge", "mixture")
    examples = dataset.load()
    state, metric = judge.fit(examples), part("metric", "mode_coverage")
    train, heldout = judged_real(judge, state, examples)
    known = RealExamples(train, heldout, partial(judge.judge, state), dataset.draw)
    found = nulls([(metric, metric.reference(train, heldout))], known, 2500)
    share = 1 - math.exp(-4.5)  # within three sigma in the plane
    assert abs(found["high_quality"].mean - share) < 3 * found["high_quality"].std / math.sqrt(20)
    assert found["high_quality"].std == pytest.approx(math.sqrt(share * (1 - share) / 2500), rel=0.5)
    assert (found["modes"].low, found["modes"].high) == (8, 8)
    # (K - 1) / 2n for the sample, and as much for the examples that the shares are measured on
    assert found["mode_reverse_kl"].mean == pytest.approx(7 / 2 * (1 / 2500 + 1 / 20_000), rel=0.5)


def test_enough_held_out_examples_are_drawn_from_without_replacement():
    found = null(part("metric", "fd"), real(1000, 1000), 500)["fd"]
    assert found.examples == 1000
    assert found.mean == pytest.approx(bias(500, 1000), rel=0.25)
    assert "500 of the 1,000 held-out examples, without replacement" in found.sampling


@pytest.mark.parametrize(("samples", "train", "heldout"), [(1200, 900, 225), (600, 900, 400), (300, 900, 225)])
def test_too_few_held_out_examples_are_cross_fitted_to_what_new_ones_score(samples, train, heldout):
    few, metric = real(train, heldout), part("metric", "fd")
    found = null(metric, few, samples)["fd"]
    expected = null(metric, real(train, heldout, fresh=True), samples)["fd"]
    assert expected.mean == pytest.approx(bias(samples, train), rel=0.15)
    assert found.mean == pytest.approx(expected.mean, rel=0.2)
    assert found.std > 0.7 * expected.std, "what is not known makes a null wider, not narrower"
    assert f"{heldout:,} held-out examples are too few for {samples:,} samples" in found.sampling
    rows = np.random.default_rng(0).integers(heldout, size=samples)
    reference = metric.reference(few.train, few.heldout)
    for wrong in (few.heldout, few.heldout.take(rows)):
        if samples > 2 * heldout:
            assert metric.score(wrong, reference)["fd"] > found.high, "repeated examples are no new ones"


def test_a_score_without_bias_is_cross_fitted_without_one():
    found = null(part("metric", "kd"), real(900, 225), 1200)["kd"]
    assert found.low < 0 < found.high
    assert abs(found.mean) < 2 * found.std


def test_what_grows_in_proportion_is_cross_fitted_to_what_new_ones_score():
    @dataclass(frozen=True)
    class Growing(_Last):
        proportional: ClassVar[bool] = True

        def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> dict:
            return {"count": len(real)}

        def score(self, generated: JudgedExamples, reference: dict) -> dict[str, float]:
            noise = 1 + generated.features.mean()  # of a standard deviation of 1 / sqrt(8 n)
            return {"last": float(reference["count"] * noise)}

    for samples in (1200, 150):
        found, expected = (null(Growing(), real(900, 225, fresh=fresh), samples)["last"] for fresh in (False, True))
        assert found.mean == pytest.approx(expected.mean, rel=0.01)
        assert found.std == pytest.approx(expected.std, rel=0.5)
    metric, values = part("metric", "birthday"), []
    for fresh in (False, True):
        values.append(null(metric, real(700, 180, fresh=fresh), 1000)["support_size"])
    assert values[0].low < values[1].mean < values[0].high


# Their promise --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Mean(_Last):
    """The mean of the last feature."""

    def score(self, generated: JudgedExamples, reference: dict) -> dict[str, float]:
        return {"last": float(generated.features[:, -1].mean())}


def plane(count: int, random: np.random.Generator) -> np.ndarray:
    return random.standard_normal((count, 2))


def coverage(metric: Metric, heldout: int, repeats: int, *, fresh: bool = False, samples: int = 50) -> float:
    """How often the values of a perfect generator lie in the null, over data sets with 200 training examples."""
    random, inside = np.random.default_rng(7), []
    for _ in range(repeats):
        draw = (lambda count, _: plane(count, random)) if fresh else None
        known = RealExamples(judged(plane(200, random)), judged(plane(heldout, random)), judged, draw)
        reference = metric.reference(known.train, known.heldout)
        ((name, found),) = nulls([(metric, reference)], known, samples).items()
        values = [metric.score(judged(plane(samples, random)), reference)[name] for _ in range(10)]
        inside += [found.low <= value <= found.high for value in values]
    return float(np.mean(inside))


WAYS = pytest.mark.parametrize(
    ("heldout", "fresh"),
    [(100, False), *(pytest.param(n, False, marks=pytest.mark.slow) for n in (250, 1000)), (2, True)],
)


@WAYS
def test_a_perfect_generator_s_mean_lies_in_the_null_19_times_of_20(heldout, fresh):
    assert coverage(_Mean(), heldout, 150, fresh=fresh) == pytest.approx(0.95, abs=0.025)


@WAYS
def test_a_perfect_generator_s_distance_lies_in_the_null_19_times_of_20(heldout, fresh):
    assert coverage(part("metric", "fd"), heldout, 50, fresh=fresh) == pytest.approx(0.95, abs=0.04)


def test_only_draws_that_are_independent_of_one_another_are_compared():
    values = np.array([0.0, 2.0, 101.0, 103.0, 7.0])
    std, reach = std_and_reach(values, 2)  # groups of 2, 2 and 1: two degrees of freedom
    assert std == pytest.approx(math.sqrt(2))
    error = (2 * math.sqrt(2) + 1) / 5
    assert reach == pytest.approx(stats.t.ppf(0.975, 2) * std * math.sqrt(1 + error**2))
    std, reach = std_and_reach(values)
    assert std == pytest.approx(values.std(ddof=1))
    assert reach == pytest.approx(stats.t.ppf(0.975, 4) * std * math.sqrt(1 + 1 / 5))


def test_cross_fitted_nulls_say_how_far_they_keep_the_promise():
    found = null(_Mean(), real(150, 40), 230)["last"]
    # 115 of 190 examples play 230 samples: sqrt((1 + 230 / 190) / (1 - 115 / 190)), and 1 / sqrt(190 / 380)
    assert found.sampling.endswith(
        "; the interval of a mean of samples alone is 2.4 times too narrow and that of a distance up to 1.4 times"
        " too wide"
    )
    of_known_mean = 1.96 / math.sqrt(230) * math.sqrt(1 + 230 / 190)
    assert (found.high - found.low) / 2 == pytest.approx(of_known_mean / 2.4, rel=0.35)


# What must not mislead them -------------------------------------------------------------------------------------------


def biased(shift: float) -> RealExamples:
    """Training examples that the judge knows: their last feature is closer to that of training examples."""
    known = real(900, 225)
    moved = known.heldout.features + np.eye(SIZE)[-1] * shift
    return RealExamples(known.train, judged(moved), judged)


def test_what_a_judge_has_learned_by_heart_is_added():
    known = biased(0.5)
    plain, learned = (null(_Last(), each, 1200)["last"] for each in (real(900, 225), known))
    off = known.heldout.features[:, -1].mean() - known.train.features[:, -1].mean()
    assert learned.low < off < learned.high, "new real examples lie as far off as held-out ones"
    assert plain.high < 0.2 < learned.low


def test_held_out_examples_that_score_better_than_chance_promise_nothing():
    """As those do that are split evenly over classes."""
    known = real(900, 225)
    exact = known.heldout.features.copy()
    exact[:, -1] += known.train.features[:, -1].mean() - exact[:, -1].mean()
    found = null(_Last(), RealExamples(known.train, judged(exact), judged), 1200)["last"]
    assert found.mean > 0.005
    neither = null(_Last(best="none"), biased(0.5), 1200)["last"]
    assert neither.mean < 0.3, "nothing is worse where neither end is better"


def test_the_study_s_own_number_of_held_out_examples_still_varies():
    found = null(part("metric", "fd"), real(900, 225), 225)["fd"]
    assert found.std > 0
    assert found.mean == pytest.approx(bias(225, 900), rel=0.2)


def test_nulls_repeat_and_do_not_depend_on_one_another():
    known, fd, kd = real(300, 60), part("metric", "fd"), part("metric", "kd")
    pairs = [(metric, metric.reference(known.train, known.heldout)) for metric in (fd, kd)]
    together = nulls(pairs, known, 100)
    assert together == nulls(pairs, known, 100)
    assert together["kd"] == nulls(pairs[1:], known, 100)["kd"]


def test_a_metric_of_many_examples_has_no_null_where_there_are_few():
    @dataclass(frozen=True)
    class Greedy(_Last):
        @property
        def fewest(self) -> int:
            return 50

    found = null(Greedy(), real(60, 20), 90)["last"]
    assert all(math.isnan(value) for value in (found.mean, found.std, found.low, found.high))


def test_a_distance_has_no_null_of_splits_that_lack_rank_where_the_study_does_not():
    known, metric = real(12, 8), part("metric", "fd")  # splits of 8 against 10, and of half as many
    found = null(metric, known, 11)["fd"]
    assert all(math.isnan(value) for value in (found.mean, found.std, found.low, found.high))
    assert found.draws == 0
    assert found.caution.startswith("no null, since in smaller splits 4 samples are too few for 8 features")
    assert math.isfinite(null(_Last(), known, 11)["last"].mean)
    whole = null(metric, real(30, 12), 8)["fd"]
    assert math.isfinite(whole.mean), "splits of the study's size are as good as the study"
    assert whole.caution.startswith("8 samples are too few")


def test_an_infinite_value_leaves_no_null():
    @dataclass(frozen=True)
    class Endless(_Last):
        def score(self, generated: JudgedExamples, reference: dict) -> dict[str, float]:
            return {"last": math.inf}

    for known in (real(60, 20), real(60, 200), real(60, 20, fresh=True)):
        assert math.isnan(null(Endless(), known, 50)["last"].mean)


def test_bounds_of_a_metric_bound_its_null():
    @dataclass(frozen=True)
    class Share(_Last):
        def __post_init__(self) -> None:
            object.__setattr__(self, "columns", {"last": MetricInfo("Share", "A share.", "high", 0.0, 1.0)})

        def score(self, generated: JudgedExamples, reference: dict) -> dict[str, float]:
            return {"last": float((generated.features[:, -1] > -2).mean())}

    found = null(Share(), real(900, 100), 30)["last"]
    assert found.high == 1.0 > found.mean > found.low > 0.8


# Memory and embeddings ------------------------------------------------------------------------------------------------


def test_real_examples_are_embedded_once_and_one_split_of_them_is_in_memory():
    calls, alive = [], []

    def embed(stored: np.ndarray) -> np.ndarray:
        calls.append(len(stored))
        return stored

    @dataclass(frozen=True)
    class Embedded(_Last):
        def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> dict:
            return {"mean": float(real.embedded("net", embed)[:, -1].mean())}

        def score(self, generated: JudgedExamples, reference: dict) -> dict[str, float]:
            alive.append(weakref.ref(generated))
            assert all(any(ref() is one for one in (None, generated, known.heldout)) for ref in alive)
            np.testing.assert_array_equal(generated.embedded("net", embed), generated.stored)
            return {"last": abs(float(generated.features[:, -1].mean()) - reference["mean"])}

    known = real(60, 20)
    assert null(Embedded(), known, 50)["last"].mean > 0
    assert calls == [60, 20, 50], "training and held-out examples, and noise"


def test_parts_of_examples_share_what_a_network_made_of_the_whole():
    calls = []

    def embed(stored: np.ndarray) -> np.ndarray:
        calls.append(len(stored))
        return stored[:, :2] * 2

    whole = judged(normal(50, np.random.default_rng(0)))
    rows = np.array([7, 3, 3])
    some = whole.take(rows)
    np.testing.assert_array_equal(some.embedded("double", embed), whole.stored[rows, :2] * 2)
    np.testing.assert_array_equal(some.take(np.array([1])).embedded("double", embed), whole.stored[[3], :2] * 2)
    whole.embedded("double", embed)
    assert calls == [50]
    both = concatenated([whole, some], np.concatenate([whole.stored, some.stored]))
    np.testing.assert_array_equal(both.take(np.array([51, 2])).embedded("double", embed), whole.stored[[3, 2], :2] * 2)
    assert calls == [50], "all parts know their features"
    assert len(some) == 3
    assert some.mode is None
    assert judged(np.zeros((6, 2)), modes=3).take(np.array([4])).mode.tolist() == [1]
