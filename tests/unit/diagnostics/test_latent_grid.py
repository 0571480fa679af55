"""Grids of latent points: against the article's walk, closed forms of lines and arcs, and generators known in full."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from playing import look, networks, part, play

from ganbench.data import Examples
from ganbench.diagnostics.latent_grid import arc, plane_moves, steps
from ganbench.judges import JudgedExamples
from ganbench.numerics.run_examples import RunExamples


class Drawn(RunExamples):
    """Examples that are a known function of latent points; their features are themselves, their class is their sign,
    and the judge is certain of it from a distance of 1 from zero on."""

    def __init__(self, size: int, function) -> None:
        self.latent_size, self._function = size, function
        self.real = Examples(np.zeros((2, 1)), None, np.zeros((2, 1)), None)

    def generated(self, run, snapshot, latent, labels=None):
        return self._function(run, latent).astype(np.float32)

    def latent_points(self, run, count):
        return np.random.default_rng(run).standard_normal((count, self.latent_size)).astype(np.float32)

    def judged(self, examples):
        if not np.isfinite(examples).all():
            return None
        first = examples[:, 0].astype(np.float64)
        return JudgedExamples(examples, examples.astype(np.float64), (first > 0).astype(int), np.abs(first) >= 1, 2)

    def seen(self, run):
        return np.arange(2)


def drawn(size: int, function, **options):
    """What the diagnostic reads of two runs whose generators are this function."""
    played = replace(play(networks(), rates=(0.1, 0.1), steps=1), samples=Drawn(size, function))
    return look(played, "latent_grid", **options)


def test_the_plane_is_the_article_s_walk():
    """Its corner is sqrt(40 * 9^2 + 60 * 9^2) / 4 = 22.5 away, and its steps sqrt(40) / 4 and sqrt(60) / 4."""
    moves = plane_moves(100) / 4
    for i, j in ((0, 0), (3, 1), (9, 9)):
        expected = np.repeat([i / 4, -j / 4, i / 4, -j / 4, j / 4], 20)
        assert np.array_equal(moves[i, j], expected)
    assert np.linalg.norm(moves[9, 9]) == pytest.approx(22.5)
    found = drawn(100, lambda run, z: z)
    assert found.values["displacement"] == pytest.approx([2.25] * 2)
    assert found.values["max_step"] == pytest.approx([np.sqrt(60) / 4] * 2, rel=1e-5)
    assert found.values["step_ratio"] == pytest.approx([np.sqrt(60) / (np.sqrt(40) + np.sqrt(60)) * 2] * 2, rel=1e-5)
    shorter = drawn(100, lambda run, z: z, scale=0.1)
    assert shorter.values["displacement"] == pytest.approx([0.225] * 2)
    assert plane_moves(7)[1, 2].tolist() == [1, 1, -2, -2, 1, -2, 2], "blocks as equal as can be"


def test_the_square_has_both_its_edges_and_nothing_in_other_coordinates():
    found = drawn(3, lambda run, z: z, path="square")
    points = found.arrays["pictures"][0]
    assert points[0, 0].tolist() == [-2, 2, 0]
    assert points[-1, -1].tolist() == [2, -2, 0]
    assert found.values["displacement"] == pytest.approx([np.sqrt(8 / 3)] * 2)
    assert found.values["step_ratio"] == pytest.approx([1, 1])
    assert drawn(2, lambda run, z: z, path="square", scale=0.5).arrays["pictures"].max() == 1


def test_lines_and_arcs_join_the_same_points():
    line, arc = (drawn(50, lambda run, z: z, path=path) for path in ("line", "arc"))
    one, other = line.arrays["pictures"][0], arc.arrays["pictures"][0]
    assert one.shape == (10, 10, 50)
    np.testing.assert_allclose(one[:, [0, -1]], other[:, [0, -1]], atol=1e-6)
    norms = np.linalg.norm(other, axis=2)
    ends = norms[:, [0, -1]]
    np.testing.assert_allclose(norms, np.linspace(ends[:, 0], ends[:, 1], 10, axis=1), rtol=1e-5)
    middle = np.linalg.norm((one[:, 4] + one[:, 5]) / 2, axis=1)
    assert (middle < 0.85 * ends.min(axis=1)).all(), "a line does not"
    assert (line.values["min_norm"] < arc.values["min_norm"]).all()


def test_an_arc_turns_evenly_and_is_a_line_where_there_is_no_arc():
    first, last, along = np.array([1.0, 0.0]), np.array([0.0, 3.0]), np.array([[1 / 3]])
    found = arc(first, last, along)[0]
    assert found == pytest.approx((1 + 2 / 3) * np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)]))
    assert arc(first, 2 * first, along)[0] == pytest.approx([4 / 3, 0])
    assert arc(first, -2 * first, along)[0] == pytest.approx([0, 0], abs=1e-12)
    nearly = arc(first, np.array([-1.0, 1e-3]), np.linspace(0, 1, 9)[:, None])
    assert np.linalg.norm(nearly, axis=1).max() < 1.001


def test_a_jump_stands_out_and_classes_count_where_the_judge_is_certain():
    """Columns of a square at x from -2 to 2, those beyond a jump of 100 at x = 0 all at a distance of 1 or more."""
    found = drawn(2, lambda run, z: z[:, :1] + 100 * run * (z[:, :1] > 0), path="square")
    line = np.linspace(-2, 2, 16)
    step = line[1] - line[0]
    # Half of all steps lie along columns, where x does not change: the median is that of 240 zeros and 240 steps.
    assert found.values["median_step"] == pytest.approx([step / 2] * 2, rel=1e-4)
    assert found.values["max_step"] == pytest.approx([step, 100 + step], rel=1e-5)
    assert found.values["classes_found"].tolist() == [2, 2]
    certain = [np.abs(line) >= 1, (line > 0) | (line <= -1)]
    assert found.values["confident_share"] == pytest.approx([each.mean() for each in certain])
    assert found.arrays["classes"][0, 5].tolist() == (line > 0).astype(int).tolist()


def test_what_is_no_number_stays_none_and_a_constant_has_no_ratio():
    found = drawn(2, lambda run, z: z * np.nan if run else 0 * z, path="square")
    assert np.isnan([values[1] for values in found.values.values()]).all()
    assert np.isnan(found.arrays["pictures"][1]).all()
    assert (found.arrays["classes"][1] == -1).all()
    assert found.values["max_step"][0] == 0
    assert np.isnan(found.values["step_ratio"][0])
    assert steps(np.array([[[0.0], [2.0], [5.0], [7.0]]]), both=False)["step_ratio"] == 1.5


def test_it_refuses_what_the_grid_says_nothing_of():
    game = networks()
    assert "path=plane needs 5" in part("diagnostic", "latent_grid").unsupported(game)
    assert part("diagnostic", "latent_grid", path="arc").unsupported(game) is None
