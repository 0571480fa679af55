"""The film of training: frames of snapshots in their order, a loop with a pause, a still for who wants no motion."""

from __future__ import annotations

import base64
import dataclasses
import re

import collected_example
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageSequence

from ganbench.analysis.collected import Collected
from ganbench.report import figures, html
from ganbench.report.figures.film import MAX_FRAMES, MIN_IMAGES, PIXELS, frames_of
from ganbench.report.plotting import style
from ganbench.report.plotting.films import FRAME_MS, LAST_MS, Film
from ganbench.report.plotting.run_samples import RunSamples


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> Collected:
    return collected_example.build(tmp_path_factory.mktemp("collected"))


COLOURS = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.2, 0.4, 0.8)]


def plain(index: int) -> Figure:
    figure = Figure(figsize=(2, 1), facecolor="white")
    figure.add_axes((0, 0.2, 1, 0.5), facecolor=COLOURS[index]).set(xticks=[], yticks=[])
    return figure


def saved(folder, name="film"):
    with style.applied():
        film = Film(3, plain)
        style.title(film, "A title")
        style.save(film, folder, name)
    return folder / f"{name}.png", folder / f"{name}.svg"


def test_a_film_loops_in_order_pauses_at_the_end_and_begins_its_file_with_that(tmp_path):
    path, still = saved(tmp_path)
    with Image.open(path) as film:
        assert film.n_frames == 3
        assert film.info["loop"] == 0
        frames = [(frame.info["duration"], np.asarray(frame.convert("RGB"))) for frame in ImageSequence.Iterator(film)]
    assert [duration for duration, _ in frames] == [LAST_MS, FRAME_MS, FRAME_MS]
    frames = [*frames[1:], frames[0]]
    bars = []
    for (_, picture), colour in zip(frames, COLOURS, strict=True):
        middle = picture[picture.shape[0] // 2, picture.shape[1] // 2]
        np.testing.assert_allclose(middle / 255, colour, atol=0.02)
        assert (picture[-20, 100] == 255).all(), "paper is white"
        bars.append((picture[-2] < 200).all(axis=1).sum())
    assert bars[0] * 2 == pytest.approx(bars[1], abs=3)
    assert bars[0] * 3 == pytest.approx(bars[2], abs=3)
    assert "#3366cc" in still.read_text(), "the last frame"
    assert "#00ff00" not in still.read_text()


def test_films_are_the_same_bytes_every_time(tmp_path):
    one, other = (saved(tmp_path, name)[0].read_bytes() for name in ("one", "other"))
    assert one == other


@pytest.mark.parametrize("method", ["digits-fc", "ring8-mlp"])
def test_a_method_s_film_shows_two_runs_snapshot_by_snapshot(collected, method):
    with style.applied():
        film = figures.draw(collected, "film", method)
        first, last = film.frame(0), film.still
    steps = sorted(collected.snapshots[collected.snapshots["run"].str.startswith(method)]["step"].unique())
    assert film.count == len(steps)
    assert film.title == f"{method}: film of training"
    for figure, step in ((first, steps[0]), (last, steps[-1])):
        assert len(figure.axes) == 2
        assert all(axes.get_title("left").split("\n")[-1].startswith(f"step {step}") for axes in figure.axes)


def test_a_run_that_ended_keeps_its_last_examples_and_says_so(collected):
    name = collected.runs[(collected.runs["method"] == "ring8-mlp") & (collected.runs["outcome"] != "converged")]["run"]

    class Shortened(Collected):
        def samples(self, run):
            steps, samples = super().samples(run)
            return (steps[:2], samples[:2]) if run in set(name) else (steps, samples)

    short = Shortened(**{each.name: getattr(collected, each.name) for each in dataclasses.fields(collected)})
    with style.applied():
        film = figures.draw(short, "film", "ring8-mlp")
        ends = [film.frame(index).axes[1].get_title("left").split("\n")[-1] for index in (1, 2, film.count - 1)]
    assert "ended" not in ends[0]
    assert ends[1:] == [f"{ends[0]}, where it ended"] * 2


def test_a_film_of_large_images_has_fewer_of_them_and_no_more_pixels_than_it_may():
    for side, snapshots in ((8, 13), (64, 13), (64, 100), (256, 13), (512, 60)):
        run = RunSamples((), np.arange(snapshots), np.empty(0))
        steps, count = frames_of([run, run], (3, side, side))
        assert {0, snapshots - 1} <= set(steps.tolist())
        assert len(steps) <= MAX_FRAMES
        assert count >= MIN_IMAGES
        assert len(steps) == 2 or 2 * count * len(steps) * side**2 <= PIXELS


@pytest.mark.cluster
def test_the_report_moves_unless_the_reader_prefers_less(collected, tmp_path):
    path, _ = saved(tmp_path, "film-digits-fc")
    html.render(collected, collected_example.study(), tmp_path, [("film", "digits-fc")], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    film = base64.b64encode(path.read_bytes()).decode()
    still = r'<source media="\(prefers-reduced-motion: reduce\), print" srcset="data:image/webp;base64,[^"]+">'
    assert re.search(rf'<picture>{still}<img decoding="async" src="data:image/png;base64,{re.escape(film)}"', page)
