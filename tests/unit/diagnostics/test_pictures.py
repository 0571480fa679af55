"""Diagnostics that see examples: nearest neighbours, pooling indices, and what metrics see of missing classes."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from building import CPU, gan, training
from judging import look
from playing import make_game, part
from scipy.stats import kstest

from ganbench.data import DataSpec, Examples
from ganbench.diagnostics import missing_modes, nearest_neighbors, pooling_indices
from ganbench.engine.diagnose import trajectories_of
from ganbench.engine.train import train
from ganbench.games import Member
from ganbench.metrics.memorization import Memorization
from ganbench.numerics.run_examples import RunExamples
from ganbench.numerics.trajectories import Trajectories


@pytest.fixture
def random():
    """Numbers that do not depend on which other tests run."""
    return np.random.default_rng(0)


class Planted(RunExamples):
    """Examples of runs whose generators draw from a list: the features of a point are its coordinates.

    Args:
        real: the data set.
        drawn: by run, the examples that the generator draws from, one after the other.
        shown: by run, the indices of the training examples that it saw.
    """

    latent_size = 2

    def __init__(self, real: Examples, drawn: list[np.ndarray], shown: list[np.ndarray]) -> None:
        self.real, self._drawn, self._shown, self.judgements = real, drawn, shown, 0

    def generated(self, run, snapshot, latent, labels=None):
        return np.resize(self._drawn[run], (len(latent), *self._drawn[run].shape[1:])).astype(np.float32)

    def latent_points(self, run, count):
        return np.zeros((count, 2), np.float32)

    def judged(self, examples):
        self.judgements += 1
        return look(examples.reshape(len(examples), -1), examples) if np.isfinite(examples).all() else None

    def seen(self, run):
        return self._shown[run]


def diagnosed(name: str, shown: Planted, runs: int = 1, modes: int = 0, **options):
    """The result of a diagnostic of planted examples."""
    game = SimpleNamespace(components=("dataset", "architecture"), data=SimpleNamespace(modes=modes))
    match = SimpleNamespace(members=[None] * runs, game=game)
    runs = Trajectories(match, None, None, {}, np.array([0]), {}, samples=shown)
    return part("diagnostic", name, **options).measure(runs)


# Nearest neighbours ---------------------------------------------------------------------------------------------------

TRAIN, HELDOUT = np.random.default_rng(0).normal(size=(2, 60, 4)).astype(np.float32)


def test_copies_of_three_examples_are_covered_by_three_and_a_perfect_generator_by_as_many_as_held_out_ones():
    seen = np.arange(60)
    samples = Planted(
        Examples(TRAIN, None, HELDOUT, None), [TRAIN[[7, 11, 13]], HELDOUT, TRAIN * np.nan], [seen, seen[::-1], seen]
    )
    found = diagnosed("nearest_neighbors", samples, runs=3, samples=120)
    for space in ("features", "pixels"):
        copies, real, diverged = found.values[f"covering_{space}"]
        assert copies == 3
        assert real == found.values[f"heldout_covering_{space}"][1] > 10
        assert found.values[f"memorization_ratio_{space}"][0] == 0
        assert found.values[f"authenticity_{space}"][0] == 0
        assert found.values[f"memorization_ratio_{space}"][1] > 0.5
        assert np.isnan(diverged)
    np.testing.assert_allclose(found.arrays["covered"][0, :4], [1 / 3, 2 / 3, 1, 1])
    assert samples.judgements == 3 + 2, "runs that saw the same examples share the judged real ones"


def test_a_run_is_compared_with_the_examples_that_it_could_see():
    """Copies of examples that only the other run saw are no copies."""
    samples = Planted(Examples(TRAIN, None, HELDOUT, None), [TRAIN[30:33]] * 2, [np.arange(30, 60), np.arange(30)])
    found = diagnosed("nearest_neighbors", samples, runs=2, samples=30)
    assert found.values["memorization_ratio_features"][0] == 0 < found.values["memorization_ratio_features"][1]
    np.testing.assert_array_equal(found.arrays["training"][0, :3, 0], TRAIN[30:33])
    assert not (found.arrays["training"][1, :3, 0] == TRAIN[30:33]).all(axis=1).any()


def test_pictures_are_the_samples_with_their_neighbours_nearest_first():
    samples = Planted(Examples(TRAIN, None, HELDOUT, None), [HELDOUT], [np.arange(60)])
    found = diagnosed("nearest_neighbors", samples, samples=60, neighbors=4)
    apart = np.linalg.norm(found.arrays["training"][0] - HELDOUT[:8, None], axis=2)
    every = np.sort(np.linalg.norm(TRAIN[None] - HELDOUT[:8, None], axis=2), axis=1)
    np.testing.assert_allclose(apart, every[:, :4], rtol=1e-5)
    np.testing.assert_array_equal(found.arrays["generated"][0], HELDOUT[:8])
    np.testing.assert_array_equal(found.arrays["heldout"][0], HELDOUT[:8])


def test_the_ratio_is_that_of_the_metric():
    """Of a run that saw everything, in features."""
    drawn = (TRAIN[:40] + HELDOUT[:40]) / 2
    samples = Planted(Examples(TRAIN, None, HELDOUT, None), [drawn], [np.arange(60)])
    found = diagnosed("nearest_neighbors", samples, samples=40)
    metric = Memorization()
    expected = metric.score(look(drawn), metric.reference(look(TRAIN), look(HELDOUT)))
    for name, value in expected.items():
        assert found.values[f"{name}_features"][0] == pytest.approx(value, rel=1e-6)


def test_fewer_examples_than_pictures_want_leave_rows_without_numbers():
    samples = Planted(Examples(TRAIN, None, HELDOUT, None), [HELDOUT] * 2, [np.array([4, 9]), np.array([4])])
    found = diagnosed("nearest_neighbors", samples, runs=2, samples=20)
    assert found.values["covering_features"][0] <= 2
    assert np.isfinite(found.arrays["training"][0, :, :2]).all()
    assert np.isnan(found.arrays["training"][0, :, 2]).all()
    assert np.isnan(found.values["covering_features"][1]), "a single example has no neighbour among its own"


def test_large_images_are_averaged(random):
    image = random.uniform(-1, 1, (2, 3, 64, 128)).astype(np.float32)
    small = nearest_neighbors.small(image, 32)
    assert small.shape == (2, 3, 32, 32)
    np.testing.assert_allclose(small[0, 0, 0, 0], image[0, 0, :2, :4].mean(), rtol=1e-5)
    stored = np.array([[[[0, 255]]]], np.uint8)
    np.testing.assert_array_equal(nearest_neighbors.small(stored, 32), [[[[-1, 1]]]])


# Missing modes --------------------------------------------------------------------------------------------------------


def labelled(modes: int = 6, count: int = 600) -> Examples:
    """Gaussians on a circle, and labels."""
    random = np.random.default_rng(0)
    angles = np.arange(modes) * 2 * np.pi / modes
    centres = 10 * np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def drawn() -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % modes
        return (centres[labels] + random.normal(size=(count, 2))).astype(np.float32), labels

    return Examples(*drawn(), *drawn())


def test_deleted_classes_are_seen_the_more_the_more_are_deleted():
    samples = Planted(labelled(), [], [])
    found = diagnosed("missing_modes", samples, runs=2, modes=6, draws=6)
    values, arrays = ({name: each[0] for name, each in part.items()} for part in (found.values, found.arrays))
    assert all(np.array_equal(*each, equal_nan=True) for each in found.values.values()), "the same for every run"
    np.testing.assert_array_equal(arrays["deleted"], [0, 1, 2, 3])
    # A ball of the 5 nearest of 24 others holds none of m new examples of its class if the 5 nearest of all are old.
    left = 6 - arrays["deleted"]
    missed = np.prod([(24 - i) / (24 + 150 / left - i) for i in range(5)], axis=0)
    np.testing.assert_allclose(arrays["coverage"], left / 6 * (1 - missed), atol=0.05)
    for name in ("fd", "recall", "coverage"):
        assert arrays[f"{name}_response"][0] == 0
        assert (np.diff(arrays[f"{name}_response"]) > 0).all()
        assert values[f"{name}_seen_from"] == 1
        assert values[f"{name}_response_one"] == pytest.approx(arrays[f"{name}_response"][1])
        assert missing_modes.SEEN < values[f"{name}_response_one_certain"] == values[f"{name}_response_one_low"]
    for name in ("recall", "coverage"):
        difference = values[f"{name}_response_one"] - values["fd_response_one"]
        assert values[f"{name}_less_fd"] == pytest.approx(difference)
        assert values[f"{name}_less_fd_low"] < difference < values[f"{name}_less_fd_high"]


def test_labels_without_meaning_are_not_missed(random):
    real = labelled()
    shuffled = Examples(real.train, real.train_modes, real.heldout, random.permutation(real.heldout_modes))
    found = diagnosed("missing_modes", Planted(shuffled, [], []), modes=6, draws=10)
    for name in ("fd", "recall", "coverage"):
        assert abs(found.values[f"{name}_response_one"][0]) < 1.5
        assert np.isnan(found.values[f"{name}_seen_from"][0])
        assert found.values[f"{name}_response_one_certain"][0] < missing_modes.SEEN
    for name in ("recall", "coverage"):
        assert np.isnan(found.values[f"{name}_less_fd_certain"][0]), "neither shows what is not missing"


def test_every_class_goes_first_once_in_as_many_repetitions():
    orders = part("diagnostic", "missing_modes", draws=9)._orders(4)
    for begin in (0, 4):
        np.testing.assert_array_equal(np.sort(orders[begin : begin + 4, 0]), np.arange(4))
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(4), (9, 1)))


def test_the_spread_is_that_of_parts_without_a_common_example():
    scores = {name: np.zeros((3, 2, 2)) for name in missing_modes.WORSE}
    scores["fd"][:, 0] = [[1, 3], [2, 2], [4, 0]]  # variances of the pairs: 2, 0 and 8
    scores["fd"][:, 1, 0] = 7
    values, arrays = missing_modes.responses(scores, [0, 1], [0, 1, 2])
    assert arrays["fd_deviation"][0] == pytest.approx(np.sqrt(10 / 3))
    assert values["fd_response_one"] == pytest.approx((7 - 2) / np.sqrt(10 / 3))
    assert np.isnan(values["recall_response_one"]), "a score without spread has no response"
    assert np.isnan(values["recall_less_fd_certain"])


def test_intervals_are_students_over_classes_each_of_which_counts_once():
    scores = {name: np.zeros((3, 2, 2)) for name in missing_modes.WORSE}
    for each in scores.values():
        each[:, 0] = [-0.5, 0.5]  # of the standard deviation sqrt(1/2)
    scores["fd"][:, 1, 0] = [0, 4, 3]  # by class: 2 and 3
    scores["recall"][:, 1, 0] = [-5, -7, -9]  # 6 and 9
    values, _ = missing_modes.responses(scores, [0, 1], [7, 7, 2])
    unit, reach = (
        math.sqrt(2),
        12.706204736 * 1 / 2,
    )  # of classes apart by one: t(0.975, 1) s / sqrt(2), s = 1 / sqrt(2)
    assert values["fd_response_one"] == pytest.approx(2.5 * unit)
    assert values["fd_response_one_low"] == pytest.approx((2.5 - reach) * unit)
    assert values["fd_response_one_high"] == pytest.approx((2.5 + reach) * unit)
    assert np.isnan(values["fd_response_one_certain"])
    assert values["recall_less_fd"] == pytest.approx(5 * unit)  # 4 and 6
    assert values["recall_less_fd_low"] == pytest.approx((5 - 2 * reach) * unit)


@pytest.mark.parametrize(("first", "certain"), [([3, 4, 5], "low"), ([-3, -4, -5], "high"), ([-1, 0, 1], None)])
def test_what_an_interval_decides_is_its_bound_nearer_to_the_limit(first, certain):
    found = missing_modes.interval("x", np.array(first, float), np.zeros(3), 0.0)
    assert np.isnan(found["x_certain"]) if certain is None else found["x_certain"] == found[f"x_{certain}"]


def test_too_few_examples_have_no_numbers():
    found = diagnosed("missing_modes", Planted(labelled(count=10), [], []), modes=6)
    assert all(np.isnan(value).all() for value in found.values.values())


def test_data_without_labels_are_refused():
    diagnostic = part("diagnostic", "missing_modes")
    game = SimpleNamespace(families=("dataset",), data=SimpleNamespace(modes=0))
    assert "labelled data set" in diagnostic.unsupported(game)
    assert "labelled data set" in diagnostic.unsupported(make_game("bilinear"))


# Pooling indices ------------------------------------------------------------------------------------------------------


def test_a_two_way_table_is_taken_apart(random):
    latent, indices = random.normal(size=(5, 1, 3)), random.normal(size=(1, 7, 3))
    alone = pooling_indices.variance_shares(latent + 0 * indices)
    assert alone["latent_share"] == pytest.approx(1)
    assert alone["indices_share"] == pytest.approx(0, abs=1e-12)
    both = pooling_indices.variance_shares(latent + indices)
    assert both["joint_share"] == pytest.approx(0, abs=1e-12)
    ratio = indices.var(axis=1).sum() / latent.var(axis=0).sum()
    assert both["indices_share"] / both["latent_share"] == pytest.approx(ratio)
    product = (latent - latent.mean(axis=0)) * (indices - indices.mean(axis=1, keepdims=True))
    assert pooling_indices.variance_shares(product)["joint_share"] == pytest.approx(1)
    assert np.isnan(pooling_indices.variance_shares(np.ones((2, 2, 1)))["joint_share"])


def nearness(made: np.ndarray, images: np.ndarray, permutations: int = 199) -> dict[str, float]:
    diagnostic = part("diagnostic", "pooling_indices", permutations=permutations)
    return diagnostic._nearness(pooling_indices.distances(made, images))


def test_examples_that_carry_their_image_along_are_found_and_others_are_not(random):
    images = random.normal(size=(20, 1, 4, 4))
    noise = random.normal(size=(8, 20, 1, 4, 4))
    found = nearness(noise + 0.5 * images, images)
    assert found["source_p_value"] == 1 / 200
    assert found["source_distance"] < 0.95
    assert found["source_nearest"] > 0.2
    assert found["source_effect"] == pytest.approx(1 - 19 / (20 / found["source_distance"] - 1), rel=1e-9)
    # Indices that make examples brighter, and images near to all of them, say nothing of the pairs.
    p_values = []
    for _ in range(30):
        brightness = random.normal(size=(1, 20, 1, 1, 1))
        p_values.append(nearness(random.normal(size=noise.shape) + brightness, images)["source_p_value"])
    assert kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize("correlation", [0.0, 0.04, 0.5, 1.0])
def test_the_effect_is_that_of_the_correlation_with_the_own_image(random, correlation):
    images = random.normal(size=(16, 1, 40, 40))
    noise = random.normal(size=(8, 16, 1, 40, 40))
    found = nearness(correlation * images + np.sqrt(1 - correlation**2) * noise, images)
    assert found["source_effect"] == pytest.approx(1 - np.sqrt(1 - correlation), abs=0.005)


IMAGES = np.random.default_rng(1).uniform(-1, 1, (24, 1, 16, 16)).astype(np.float32)
ARMS = {  # indices, and how networks see the images: as they are, or standardised
    "real": {},
    "fixed": {"mean": 0.2, "std": 0.4},
}


@pytest.fixture(scope="module", params=ARMS)
def trained(request):
    """Trained runs of an unpooling GAN."""
    spec = DataSpec(shape=(1, 16, 16), bounded=not ARMS[request.param], train=24, modes=0, **ARMS[request.param])
    options = {"base_channels": 3, "hidden_sizes": (8,), "discriminator_hidden_sizes": (8,), "latent_size": 4}
    architecture = part("architecture", "unpool", indices=request.param, **options)
    game = gan(IMAGES, data=spec, architecture=architecture, dtype=torch.float32)
    how, members = training(4, dtype=torch.float32), [Member(0, 16, 1e-3), Member(1, 24, 1e-3)]
    trees = train(game, how, members, device=CPU)
    kept = [tree["snapshots"] | {"buffers": tree["buffers"]} for tree in trees]
    where = {"device": CPU, "dtype": torch.float32, "real": Examples(IMAGES, None, IMAGES, None)}
    return trajectories_of(game, how.dynamics, how.optimizer, members, kept, how.snapshots, **where)


def test_examples_are_those_of_the_generator_with_the_indices_of_the_images(trained):
    """The same as the module's own, with its buffers filled by the discriminator's module."""
    game, run, latent = trained.match.game, 1, trained.samples.latent_points(1, 3)
    made = pooling_indices.crossed(trained, run, IMAGES[:9], latent)
    modules = {player: getattr(game.architecture, player)(game.data) for player in ("generator", "discriminator")}
    for player, module in modules.items():
        torch.nn.utils.vector_to_parameters(trained.at(-1)[player][run].clone(), module.parameters())
        module.eval()
    with torch.no_grad():
        numbers = ((torch.from_numpy(IMAGES[:9]) + 1) / 2 - game.data.mean) / game.data.std
        outputs = modules["discriminator"](numbers)
        for j in range(9):
            for name in game.architecture.passed_to_generator:
                modules["generator"].register_buffer(name, outputs[name][j : j + 1])
            alone = modules["generator"](torch.from_numpy(latent))
            alone = 2 * (game.data.mean + game.data.std * alone) - 1
            np.testing.assert_allclose(made[:, j], alone, atol=1e-5)
    assert np.abs(np.diff(made, axis=1)).max() > 1e-3, "else the indices would do nothing"


def test_runs_are_measured_with_images_that_they_saw(trained):
    diagnostic = part("diagnostic", "pooling_indices", latents=8, sources=16, permutations=99)
    found = diagnostic.measure(trained)
    shares = [found.values[name] for name in ("indices_share", "latent_share", "joint_share")]
    np.testing.assert_allclose(np.sum(shares, axis=0), 1)
    assert (found.values["indices_share"] > 0).all()
    known = IMAGES[np.sort(trained.samples.seen(0))]
    np.testing.assert_array_equal(found.arrays["images"][0], known[:8])
    made = pooling_indices.crossed(trained, 0, known, trained.samples.latent_points(0, 8))
    np.testing.assert_array_equal(found.arrays["examples"][0], made[:, :8])


def test_a_generator_without_indices_is_refused():
    assert "unpool" in part("diagnostic", "pooling_indices").unsupported(make_game("bilinear"))
