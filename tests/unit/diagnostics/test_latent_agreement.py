"""Agreement of maps: planted copies are found, rotated ones too, and unrelated smooth maps are not."""

from __future__ import annotations

import numpy as np
import pytest
from playing import part
from scipy import stats

from ganbench.analysis import class_agreement
from ganbench.analysis.class_agreement import agreements, polar_grid, polar_symmetries
from ganbench.diagnostics.latent_agreement import shared_points

GRID, SYMMETRIES, CLASSES = polar_grid(), polar_symmetries(), 10


def smooth_maps(
    random: np.random.Generator, count: int, points: np.ndarray = GRID, biases: np.ndarray | float = 0.0
) -> np.ndarray:
    """Classes (count, N) of unrelated smooth maps: the largest of ten random waves of unit variance, all of the same
    law but for biases, which make some classes large in all maps."""
    maps = []
    for _ in range(count):
        waves, phases = random.normal(size=(points.shape[1], 30)), random.uniform(0, 2 * np.pi, 30)
        fields = np.cos(points @ waves + phases) @ random.normal(size=(30, CLASSES)) / 15**0.5
        maps.append((fields + biases).argmax(axis=1))
    return np.stack(maps)


def rotated(classes: np.ndarray, symmetry: int) -> np.ndarray:
    return classes[SYMMETRIES[symmetry]]


def results(classes: np.ndarray, latent: np.ndarray = GRID) -> list[dict[str, np.ndarray]]:
    """The arrays of runs with these classes, whose features are their classes, one-hot."""
    return [{"latent": latent, "classes": each, "features": np.eye(CLASSES)[each]} for each in classes]


def compare(classes: np.ndarray, latent: np.ndarray = GRID) -> dict[str, np.ndarray]:
    diagnostic = part("diagnostic", "latent_agreement")
    values = diagnostic.compare(results(classes, latent))
    assert list(values) == list(diagnostic.compared(None))
    return values


def test_the_polar_grid_has_equal_shares_of_the_prior_and_its_symmetries_move_points_to_points():
    radius = np.linalg.norm(GRID, axis=1)
    assert stats.rayleigh.cdf(np.unique(radius.round(9))) == pytest.approx((np.arange(8) + 0.5) / 8)
    assert len(np.unique(SYMMETRIES, axis=0)) == 64
    assert np.array_equal(SYMMETRIES[0], np.arange(256))
    for symmetry in SYMMETRIES:
        assert np.array_equal(np.sort(symmetry), np.arange(256))
        matrix, *_ = np.linalg.lstsq(GRID, GRID[symmetry], rcond=None)
        np.testing.assert_allclose(GRID @ matrix, GRID[symmetry], atol=1e-12)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(2), atol=1e-12)
    assert sorted(np.sign([np.linalg.det(np.linalg.lstsq(GRID, GRID[s], rcond=None)[0]) for s in SYMMETRIES])) == [
        *[-1.0] * 32,
        *[1.0] * 32,
    ]


def test_agreements_of_a_few_points_by_hand():
    """Four points on a ring: [0 0 1 1] and [0 1 1 0] agree at two of them, and at all when one is turned."""
    ring = np.stack([(np.arange(4) + shift) % 4 for shift in range(4)])
    found = agreements(np.array([[0, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 1]]), ring, draws=5)
    assert found.pairs[0, 1:].tolist() == [0.5, 0.5]
    assert found.aligned_pairs[0, 1:].tolist() == [1.0, 0.5]
    assert found.mean[0] == 0.5
    assert found.aligned_mean[0] == 0.75
    assert np.array_equal(np.array([0, 1, 1, 0])[ring[found.best[0, 1]]], [0, 0, 1, 1])
    assert found.by_chance.tolist() == [0.5, 0.5, 0.5], "a half times a half, twice, or a half times one"


def test_planted_copies_agree_and_rotated_ones_once_they_are_aligned():
    random = np.random.default_rng(0)
    (first,) = smooth_maps(random, 1)
    noisy = np.stack([np.where(random.random(256) < 0.2, random.integers(0, CLASSES, 256), first) for _ in range(4)])
    copies = compare(noisy)
    assert (copies["agreement"] > 0.6).all()
    assert (copies["agreement_p"] <= 0.01).all()
    assert (copies["all_agreement_p"] <= 0.01).all()
    assert (copies["feature_similarity"] > 0.5).all()
    turned = compare(np.stack([rotated(each, by) for each, by in zip(noisy, (0, 9, 20, 45), strict=True)]))
    np.testing.assert_allclose(turned["aligned_agreement"], copies["aligned_agreement"])
    assert (turned["aligned_p"] <= 0.01).all()
    assert (turned["all_aligned_p"] <= 0.01).all()
    assert (turned["agreement"] < 0.7 * turned["aligned_agreement"]).all()
    assert (turned["aligned_feature_similarity"] > 0.5).all()


P_VALUES = ("p_value", "aligned_p_value", "all_p_value", "all_aligned_p_value")


def false_alarms(runs: int, studies: int, spread: float) -> dict[str, float]:
    """Shares of studies of unrelated maps with p-values up to 0.05; classes have biases of this standard deviation."""
    random = np.random.default_rng(1)
    found = []
    for _ in range(studies):
        biases = spread * random.normal(size=CLASSES)
        found.append(agreements(smooth_maps(random, runs, biases=biases), SYMMETRIES, draws=59))
    return {name: np.mean([np.atleast_1d(getattr(each, name))[0] <= 0.05 for each in found]) for name in P_VALUES}


@pytest.mark.parametrize(("runs", "studies", "spread"), [(2, 60, 0.0), (2, 60, 0.7), (12, 15, 0.0), (12, 15, 0.7)])
def test_unrelated_smooth_maps_are_rarely_called_related(runs, studies, spread):
    """Of an exact test, more alarms than this bound are seen once in 1,000 times."""
    bound = stats.binom.isf(1e-3, studies, 0.05) / studies
    assert max(false_alarms(runs, studies, spread).values()) <= bound


def test_names_that_are_drawn_without_regard_to_size_call_nearly_all_related(monkeypatch):
    """Where classes are unequal, a rotation turns the large region of one map onto that of another."""
    monkeypatch.setattr(class_agreement, "preferences", lambda sizes: np.zeros(sizes.shape[1]))
    assert false_alarms(12, 8, 0.7)["all_aligned_p_value"] >= 0.75


def test_turned_copies_of_which_half_is_noise_are_found_though_classes_are_unequal():
    random, found = np.random.default_rng(3), []
    for _ in range(10):
        (one,) = smooth_maps(random, 1, biases=0.7 * random.normal(size=CLASSES))
        turned = [rotated(one, by) for by in random.integers(64, size=4)]
        noisy = [np.where(random.random(256) < 0.5, random.integers(0, CLASSES, 256), each) for each in turned]
        found.append(agreements(np.stack(noisy), SYMMETRIES, draws=59).all_aligned_p_value)
    assert np.mean(np.array(found) <= 0.05) >= 0.8


def test_classes_of_unequal_frequency_are_no_agreement():
    """Maps that all draw the first class at most points agree there by chance, and no more."""
    random = np.random.default_rng(2)
    values = []
    for _ in range(60):
        maps = smooth_maps(random, 2)
        maps = np.where(maps < 5, 0, maps)
        found = agreements(maps, SYMMETRIES, draws=99)
        assert found.by_chance[0] == pytest.approx(
            sum((maps[0] == each).mean() * (maps[1] == each).mean() for each in range(CLASSES))
        )
        values.append(found.p_value[0])
    assert (np.array(values) <= 0.2).mean() < 0.4


def test_points_of_many_coordinates_are_shared_and_not_aligned():
    latent = shared_points(20)
    assert np.array_equal(latent, shared_points(20))
    assert latent.shape == (256, 20)
    values = compare(np.repeat(smooth_maps(np.random.default_rng(0), 1), 3, axis=0), latent)
    assert (values["agreement"] == 1).all()
    assert all(np.isnan(value).all() for name, value in values.items() if name.startswith("aligned"))


def test_a_run_without_examples_is_compared_with_none_and_a_judge_without_classes_compares_features():
    maps = results(smooth_maps(np.random.default_rng(0), 3))
    maps[1]["features"] = np.full((256, CLASSES), np.nan)
    diagnostic = part("diagnostic", "latent_agreement")
    values = diagnostic.compare(maps)
    assert np.isfinite([value[[0, 2]] for value in values.values()]).all()
    assert np.isnan([value[1] for value in values.values()]).all()
    assert np.isnan([*diagnostic.compare(maps[:2]).values()]).all(), "one run left"
    for each in maps:
        each["classes"] = np.full(256, -1)
    values = diagnostic.compare(maps)
    assert np.isfinite(values["feature_similarity"][[0, 2]]).all()
    assert np.isnan(values["agreement"]).all()
    assert np.isnan(values["aligned_feature_similarity"]).all()


def test_maps_that_agree_with_one_another_make_no_stranger_related():
    """Three copies of one map agree, and so do all together; an unrelated fourth is called related no more often than
    its p-value says, which relabelling every map by itself would not hold."""
    random, values = np.random.default_rng(4), []
    for _ in range(30):
        one, stranger = smooth_maps(random, 2)
        found = agreements(np.stack([stranger, *[one] * 3]), SYMMETRIES, draws=99)
        values.append(found.p_value[0])
    assert (found.p_value[1:] <= 0.05).all()
    assert found.all_p_value <= 0.05
    assert (np.array(values) <= 0.1).mean() < 0.2
