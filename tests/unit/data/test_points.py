"""Points of the line and the plane: their mixtures, their metrics, and the small networks that generate them."""

from __future__ import annotations

import re
from itertools import pairwise
from math import erf, pi, sqrt

import numpy as np
import pytest
import torch
from building import part
from scipy.stats import wasserstein_distance
from torch import nn

from ganbench.architectures.mlp import MLP
from ganbench.contracts.data import draw_fault
from ganbench.core.random_streams import stream
from ganbench.data import DataSpec
from ganbench.data.grid16 import Grid16
from ganbench.data.line import Line
from ganbench.data.ring8 import Ring8
from ganbench.judges import JudgedExamples
from ganbench.judges.mixture import MixtureJudge
from ganbench.metrics._mmd import sums, unbiased_mmd2
from ganbench.metrics.kd import KD
from ganbench.metrics.mode_coverage import ModeCoverage
from ganbench.metrics.wasserstein import WassersteinDistance
from ganbench.nn.network import Network


def look(features: np.ndarray) -> JudgedExamples:
    """What a judge of one mode sees in points (n, d)."""
    n = len(features)
    return JudgedExamples(features.astype(np.float32), features, np.zeros(n, np.int64), np.ones(n, bool), 1)


def looked(dataset) -> tuple[JudgedExamples, JudgedExamples]:
    """What the judge of a data set sees in its training and its held-out examples."""
    examples = dataset.load()
    state = MixtureJudge().fit(examples)
    return tuple(MixtureJudge().judge(state, part) for part in (examples.train, examples.heldout))


# Mixtures -------------------------------------------------------------------------------------------------------------


def test_ring8_draws_modes_then_noise_from_its_own_stream():
    """Training examples first, then held-out ones; the order decides every number that runs have seen."""
    examples, random = Ring8(examples=40).load(), stream(0, "ring8")
    angles = 2 * np.pi * np.arange(8) / 8
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for name, count in (("train", 40), ("heldout", 10)):
        modes = random.integers(8, size=count)
        points = (centres[modes] + 0.02 * random.standard_normal((count, 2))).astype(np.float32)
        assert np.array_equal(getattr(examples, name), points)
        assert np.array_equal(getattr(examples, f"{name}_modes"), modes)


@pytest.mark.parametrize(
    ("dataset", "centres"),
    [
        pytest.param(Grid16(), [(x, y) for x in (-1.5, -0.5, 0.5, 1.5) for y in (-1.5, -0.5, 0.5, 1.5)], id="grid16"),
        pytest.param(Grid16(sigma=0.1), None, id="grid16-wide"),
        pytest.param(Line(), [(-2.0,), (2.0,)], id="line"),
        pytest.param(Line(means=(0.0,)), [(0.0,)], id="line-normal"),
        pytest.param(Line(means=(-1.0, 0.0, 3.0), sigma=0.1), [(-1.0,), (0.0,), (3.0,)], id="line-three"),
    ],
)
def test_a_mixture_has_the_means_the_spread_and_the_weights_it_says(dataset, centres):
    spec, examples = dataset.spec, dataset.load()
    assert examples.train.shape == (spec.train, *spec.shape)
    assert examples.train.dtype == examples.heldout.dtype == np.float32
    assert len(examples.heldout) == spec.train // 4
    assert len(examples.facts["centers"]) == spec.modes
    if centres is not None:
        assert np.array_equal(examples.facts["centers"], centres)
    error = 5 * dataset.sigma / sqrt(spec.train / spec.modes)
    for mode, centre in enumerate(examples.facts["centers"]):
        mine = examples.train[examples.train_modes == mode]
        assert len(mine) / spec.train == pytest.approx(1 / spec.modes, abs=5 / sqrt(spec.train * spec.modes))
        np.testing.assert_allclose(mine.mean(axis=0), centre, atol=error)
        np.testing.assert_allclose(mine.std(axis=0), dataset.sigma, atol=error)


def test_two_overlapping_modes_are_told_apart_as_well_as_can_be():
    """Modes at -2 and 2 of sigma 1: the best rule is right on Phi(2) = 97.7%."""
    examples = Line(examples=400_000).load()
    best = (1 + erf(2 / sqrt(2))) / 2
    assert MixtureJudge().fit(examples)["accuracy"] == pytest.approx(best, abs=0.002)


def test_one_mode_has_a_judge_and_scores_too():
    """Within three sigma on the line: erf(3 / sqrt 2) = 99.73%."""
    real, heldout = looked(Line(means=(0.0,), examples=100_000))
    assert heldout.modes == 1
    assert heldout.confident.mean() == pytest.approx(erf(3 / sqrt(2)), abs=0.002)
    score = ModeCoverage().score(heldout, ModeCoverage().reference(real, heldout))
    assert (score["modes"], score["modes_covered"], score["mode_reverse_kl"]) == (1, 1, 0)
    assert (score["dominant_mode"], score["dominant_share"]) == (0, 1)


# Modes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "mode", "share"),
    [((2, 7, 1), 1, 0.7), ((5, 5, 0), -1, 0.5), ((4, 3, 3), -1, 0.4), ((0, 0, 10), 2, 1.0)],
)
def test_the_dominant_mode_holds_more_than_half_whatever_the_quality(counts, mode, share):
    modes = np.repeat(np.arange(3), counts)
    judged = JudgedExamples(np.zeros((10, 1)), np.zeros((10, 1)), modes, np.zeros(10, bool), 3)
    score = ModeCoverage().score(judged, {"share": np.full(3, 1 / 3)})
    assert (score["dominant_mode"], score["dominant_share"]) == (mode, share)


def test_every_column_has_a_number_within_its_bounds():
    real, heldout = looked(Grid16())
    score = ModeCoverage().score(heldout, ModeCoverage().reference(real, heldout))
    assert set(score) == set(ModeCoverage.columns)
    for column, info in ModeCoverage.columns.items():
        assert info.lower <= score[column]
        assert info.upper is None or score[column] <= info.upper
    assert (score["modes"], score["dominant_mode"]) == (16, -1)
    assert score["dominant_share"] == pytest.approx(1 / 16, abs=0.02)


# Kernel distance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 5])
def test_kid_is_the_double_sum_over_pairs(size):
    random = np.random.default_rng(size)
    x, y = 2 * random.normal(size=(9, size)), random.normal(size=(7, size)) + 0.5

    def kernel(a, b):
        return (a @ b / size + 1) ** 3

    def within(a):
        pairs = [kernel(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j]
        return sum(pairs) / (len(a) * (len(a) - 1))

    across = sum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))
    expected = within(x) + within(y) - 2 * across
    assert KD().score(look(x), KD().reference(look(y), look(y)))["kd"] == pytest.approx(expected, rel=1e-12)


def _mean_and_standard_error(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values) / sqrt(len(values)))


@pytest.mark.cluster
def test_kid_of_one_distribution_is_zero_on_average_and_so_at_times_negative():
    """However small the sample; the sum with the pairs (i, i) would average 2 (8 - 4) / n = 0.4 here."""
    random = np.random.default_rng(0)
    signs = random.choice([-1.0, 1.0], size=(4000, 2, 20, 1))
    values = [unbiased_mmd2(one, sums(other))[0] for one, other in signs]
    mean, standard_error = _mean_and_standard_error(values)
    assert standard_error < 0.02
    assert abs(mean) < 4 * standard_error
    assert 0.3 < np.mean(np.array(values) < 0) < 0.9


@pytest.mark.cluster
def test_kid_of_shifted_normals_has_the_known_mean():
    """On the line the kernel compares moments: 3 (dE[x])^2 + 3 (dE[x^2])^2 + (dE[x^3])^2, here 3m^2 + 3m^4 +
    (m^3 + 3m)^2 for N(0, 1) and N(m, 1)."""
    random, m = np.random.default_rng(1), 0.5
    values = [unbiased_mmd2(random.normal(size=(50, 1)), sums(random.normal(m, size=(80, 1))))[0] for _ in range(3000)]
    mean, standard_error = _mean_and_standard_error(values)
    expected = 3 * m**2 + 3 * m**4 + (m**3 + 3 * m) ** 2
    assert standard_error < 0.05 * expected
    assert mean == pytest.approx(expected, abs=4 * standard_error)


def test_kid_overlooks_what_moments_up_to_the_third_do_not_show():
    """Every other mode of the ring, or a round blob as wide: both have the ring's moments. Two neighbours do not."""
    examples = Ring8().load()
    state = MixtureJudge().fit(examples)
    reference = KD().reference(*(MixtureJudge().judge(state, part) for part in (examples.train, examples.heldout)))

    def score(points: np.ndarray) -> float:
        return KD().score(MixtureJudge().judge(state, points), reference)["kd"]

    assert abs(score(examples.heldout[np.isin(examples.heldout_modes, (0, 2, 4, 6))])) < 0.01
    assert abs(score(sqrt(0.5) * np.random.default_rng(3).normal(size=(5000, 2)))) < 0.01
    assert score(examples.heldout[np.isin(examples.heldout_modes, (0, 1))]) > 1


# Wasserstein distance -------------------------------------------------------------------------------------------------


def wasserstein(generated: np.ndarray, real: np.ndarray) -> float:
    metric = WassersteinDistance()
    return metric.score(look(generated[:, None]), metric.reference(*[look(real[:, None])] * 2))["wasserstein"]


def test_wasserstein_distance_by_hand():
    assert (
        WassersteinDistance.columns["wasserstein"].lower == wasserstein(np.array([2.0, 1.0]), np.array([1.0, 2.0])) == 0
    )
    assert wasserstein(np.array([0.0, 1.0]), np.array([5.0, 2.0])) == 3.0  # 0 to 2 and 1 to 5
    assert wasserstein(np.array([0.0]), np.array([-1.0, 1.0, 4.0])) == pytest.approx(2.0)


def test_wasserstein_distance_is_scipy_s():
    random = np.random.default_rng(0)
    for m, n in ((50, 70), (1, 9), (40, 40)):
        x, y = random.integers(9, size=m) / 4, random.normal(size=n).astype(np.float32)
        assert wasserstein(x, y) == pytest.approx(wasserstein_distance(x, y), rel=1e-12)


def test_wasserstein_distance_of_normals():
    """A shift moves every point by as much; a scale s moves x by |s - 1| |x|, whose mean is |s - 1| sqrt(2 / pi)."""
    x = np.random.default_rng(2).normal(size=20_000)
    assert wasserstein(x + 0.75, x) == pytest.approx(0.75, rel=1e-5)
    assert wasserstein(1.5 * x, x) == pytest.approx(0.5 * sqrt(2 / pi), rel=0.02)
    assert wasserstein(x[::2], x[1::2]) < 0.05


def test_wasserstein_distance_says_what_it_cannot_do():
    metric = WassersteinDistance()
    assert metric.unsupported(Line().spec) is None
    for shape in ((2,), (1, 8, 8)):
        assert "on the line only" in metric.unsupported(DataSpec(shape=shape, bounded=False, train=64, modes=2))


# Networks -------------------------------------------------------------------------------------------------------------

PLANE, LINE = Ring8().spec, Line().spec


def initial(architecture: MLP, player: str, spec: DataSpec) -> nn.Module:
    torch.manual_seed(0)
    return getattr(architecture, player)(spec)


@pytest.mark.parametrize(
    ("player", "sizes"), [("generator", [16, 64, 64, 2]), ("discriminator", [2, 64, 64, 1])], ids=str
)
def test_defaults_of_mlp_are_two_hidden_layers_of_64_rectified_units(player, sizes):
    module = initial(MLP(), player, PLANE)
    torch.manual_seed(0)
    layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    expected = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    x = torch.randn(5, sizes[0])
    assert torch.equal(module(x).reshape(5, -1), expected(x))


def test_mlp_without_hidden_layers_generates_an_affine_function():
    generator = initial(MLP(latent_size=1, generator_depth=0), "generator", LINE)
    weight, bias = (value.item() for value in generator.parameters())
    z = torch.randn(6, 1)
    torch.testing.assert_close(generator(z), weight * z + bias)


@pytest.mark.parametrize("spec", [PLANE, LINE], ids=["plane", "line"])
@pytest.mark.parametrize(
    ("options", "units"),
    [
        ({"width": 8, "discriminator_width": 24}, ([8, 8], [24, 24])),
        ({"width": 8, "generator_depth": 0}, ([], [8, 8])),
        ({"width": 8, "generator_depth": 3, "activation": "tanh"}, ([8, 8, 8], [8, 8])),
        ({"depth": 0}, ([], [])),
    ],
    ids=str,
)
def test_options_of_mlp(options, units, spec):
    architecture = MLP(latent_size=3, **options)
    assert architecture.unsupported(spec) is None
    for player, hidden, x, shape in (
        ("generator", units[0], torch.randn(5, 3), (5, *spec.shape)),
        ("discriminator", units[1], torch.randn(5, *spec.shape), (5,)),
    ):
        module = initial(architecture, player, spec)
        assert [layer.out_features for layer in module if isinstance(layer, nn.Linear)][:-1] == hidden
        kind = nn.Tanh if options.get("activation") == "tanh" else nn.ReLU
        assert sum(isinstance(layer, kind) for layer in module) == len(hidden)
        assert module(x).shape == shape
        torch.testing.assert_close(Network(module)(Network.vector(module)[None], x[None])[0], module(x))


# New examples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drawn", "told"),
    [
        (lambda count, random: random.normal(size=(count, 2)), r"its draw\(\): examples are float64, not float32"),
        (lambda count, random: np.zeros((count - 1, 2), np.float32), "gives 4 examples, not the 5 asked for"),
        (lambda count, random: np.full((count, 2), np.nan, np.float32), "values that are not finite"),
        (lambda count, random: np.random.default_rng().normal(size=(count, 2)).astype(np.float32), "something else"),
    ],
)
def test_draws_of_another_kind_than_the_examples_are_refused(drawn, told):
    class Wrong(type(part("dataset", "ring8"))):
        def draw(self, count, random):
            return drawn(count, random)

    assert re.search(told, draw_fault(Wrong()))


@pytest.mark.parametrize("name", ["ring8", "grid16", "line"])
def test_draws_are_new_examples_of_the_same_distribution(name):
    dataset = part("dataset", name, examples=4000)
    train, drawn = dataset.load().train, dataset.draw(4000, np.random.default_rng(1))
    assert draw_fault(dataset) is None
    assert np.isin(drawn, train).mean() < 0.01
    np.testing.assert_allclose(drawn.mean(axis=0), train.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(drawn.std(axis=0), train.std(axis=0), rtol=0.05)
