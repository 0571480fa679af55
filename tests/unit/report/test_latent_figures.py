"""Figures of latent studies: grids of examples and agreement between seeds say what their arrays hold."""

from __future__ import annotations

import laboratory_example
import numpy as np
import pytest
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.report.figures import draw
from ganbench.report.figures.latent_grid import borders
from ganbench.report.plotting import style
from ganbench.report.plotting.image_strips import tiles


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> Collected:
    return laboratory_example.build(tmp_path_factory.mktemp("collected"), gans=False)


def drawn(collected: Collected, kind: str) -> Figure:
    with style.applied():
        figure = draw(collected, kind, kind)
        figure.canvas.draw()
    return figure


def test_tiles_lie_in_their_rows_and_columns():
    images = np.linspace(-1, 1, 6).reshape(2, 3, 1, 1, 1) * np.ones((1, 1, 1, 2, 2))
    picture = tiles(images, 1)
    assert picture.shape == (6, 9, 3)
    np.testing.assert_allclose(picture[::3, ::3, 0], np.linspace(0, 1, 6).reshape(2, 3))
    assert (picture[2::3] == 1).all()
    assert (picture[:, 2::3] == 1).all()


def test_borders_lie_between_different_classes_alone():
    """A single cell of another class in the middle of nine has four edges."""
    classes = np.zeros((3, 3), int)
    classes[1, 1] = 4
    assert sorted(borders(classes)) == [((1, 1), (1, 2)), ((1, 1), (2, 1)), ((1, 2), (2, 2)), ((2, 1), (2, 2))]
    assert borders(np.zeros((3, 3), int)) == []


def test_a_grid_is_one_picture_per_run_with_its_numbers(collected):
    figure = drawn(collected, "latent_grid")
    assert len(figure.axes) == 6
    assert all(len(axes.images) == 1 for axes in figure.axes)
    title = figure.axes[0].get_title("left").replace("\n", " ")
    assert "largest step / median 1.1, classes 3" in title
    legend = figure.legends[0].get_title().get_text()
    assert "6 of 24 runs are shown" in legend.replace("\n", " ")


def test_seeds_whose_classes_are_turned_agree_fully_once_they_are_aligned(collected):
    figure = drawn(collected, "latent_agreement")
    panels = [axes for axes in figure.axes if axes.get_xlabel() == "seed"]
    assert len(panels) == 12
    for axes in panels:
        matrix = np.ma.filled(axes.images[0].get_array(), np.nan)
        assert np.isnan(np.diag(matrix)).all()
        assert matrix[1, 0] == pytest.approx(1, abs=0.05), "aligned, below the diagonal"
        assert matrix[0, 1] < 0.7
        assert "aligned 100%" in axes.get_title("left").replace("\n", " ")
