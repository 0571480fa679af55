"""The pictures of a page fit its budget, share it fairly, and are what their files show."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from ganbench.report import pictures
from ganbench.report.page import Figures, template
from ganbench.report.pictures import FILM, Form, embed, full_file, seen_in, size_on_page
from ganbench.report.plotting import style
from ganbench.report.plotting.films import Film


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Figures: plain, noisy, one whose vector drawing is too large, and a film of three frames."""
    folder, noise = tmp_path_factory.mktemp("figures"), np.random.default_rng(0)
    for name, side, vector in (("plain", 30, 900), ("noisy", 120, 90_000), ("large", 30, pictures.MAX_SVG + 1)):
        values = noise.integers(0, 256, (side, 2 * side, 3)) if name == "noisy" else np.full((side, 2 * side, 3), 200)
        Image.fromarray(values.astype(np.uint8)).save(folder / f"{name}.png", dpi=(150, 150))
        (folder / f"{name}.svg").write_bytes(b"<svg/>".ljust(vector))
    frames = [Image.new("RGB", (40, 20), colour) for colour in ("red", "green", "blue")]
    frames[0].save(folder / "film.png", save_all=True, append_images=frames[1:], dpi=(150, 150))
    (folder / "film.svg").write_bytes(b"<svg/>".ljust(2000))
    return folder


def shown(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.partition("base64,")[2])))


def test_figures_have_their_best_form_where_there_is_room(folder):
    plain, large, film = embed([folder / name for name in ("plain", "large", "film")], 1_000_000)
    assert plain == Form(pictures.address((folder / "plain.svg").read_bytes(), "svg"))
    assert large.source.startswith("data:image/webp")
    assert film.source == pictures.address((folder / "film.png").read_bytes(), "png")
    assert film.counts == FILM
    assert shown(film.still).convert("RGB").getpixel((20, 10)) == pytest.approx((0, 0, 255), abs=3)


def test_a_picture_without_loss_has_the_pixels_of_the_file(folder):
    (large,) = embed([folder / "large"], 1_000_000)
    assert np.array_equal(np.asarray(shown(large.source).convert("RGB")), np.asarray(Image.open(folder / "large.png")))


def test_no_figure_goes_and_each_ends_in_its_smallest_form_where_nothing_fits(folder):
    names = ("plain", "noisy", "large", "film")
    forms = embed([folder / name for name in names], 0)
    assert all(form.source.startswith("data:image/webp") and not form.still for form in forms)
    assert shown(forms[1].source).size == (108, 54)  # 240 x 120 at 0.45


def ladders(monkeypatch, sizes: dict[str, list[int]], films: tuple[str, ...] = ()) -> None:
    """Make figures of these names have forms of these sizes."""

    def forms(figure):
        for place, size in enumerate(sizes[figure]):
            film = figure in films and place == 0
            yield Form("x" * (size - film), "s" * film, FILM if film else 1)

    monkeypatch.setattr(pictures, "_forms", forms)


def sizes_at(budget: int, *names: str) -> list[int]:
    return [form.size for form in embed(names, budget)]


def test_the_largest_gives_way_first_and_small_ones_lose_nothing(monkeypatch):
    ladders(monkeypatch, {"small": [10, 5], "middle": [60, 30, 10], "large": [100, 50, 20]})
    names = ("small", "middle", "large")
    assert sizes_at(170, *names) == [10, 60, 100]
    assert sizes_at(169, *names) == [10, 60, 50]
    assert sizes_at(119, *names) == [10, 30, 50]
    assert sizes_at(89, *names) == [10, 30, 20]
    assert sizes_at(1, *names) == [5, 10, 20]


def test_a_form_that_is_no_smaller_is_passed_over(monkeypatch):
    ladders(monkeypatch, {"a": [40, 70, 40, 30]})
    assert sizes_at(39, "a") == [30]


def test_a_film_counts_as_four_pictures_and_films_go_together(monkeypatch):
    ladders(monkeypatch, {"f": [80, 10], "g": [40, 10], "a": [21, 12], "b": [19, 12]}, films=("f", "g"))
    assert sizes_at(160, *"fgab") == [80, 40, 21, 19]
    assert sizes_at(159, *"fgab") == [80, 40, 12, 19], "a takes 21 bytes, a film of 80 as many as 20"
    assert sizes_at(150, *"fgab") == [10, 10, 12, 19], "both films, though one would do"


def test_files_and_sizes_are_those_of_the_drawing(folder):
    assert [full_file(folder / name) for name in ("plain", "large", "film")] == ["plain.svg", "large.png", "film.png"]
    assert size_on_page(folder / "noisy") == (154, 77)  # 240 x 120 pixels at 150 per inch, 96 of CSS


def test_a_name_that_ends_in_a_number_keeps_it(folder):
    for suffix in ("png", "svg"):
        (folder / f"r1-gamma-0.5.{suffix}").write_bytes((folder / f"plain.{suffix}").read_bytes())
    figure = folder / "r1-gamma-0.5"
    assert full_file(figure) == "r1-gamma-0.5.svg"
    assert embed([figure], 0) == embed([folder / "plain"], 0)
    assert pictures.seen_in(figure) == pictures.seen_in(folder / "plain")
    assert size_on_page(figure) == size_on_page(folder / "plain")


def test_a_figure_of_nothing_is_the_reason_in_words(tmp_path):
    reason = "No <two> methods & no “pairs”."
    with style.applied():
        style.save(style.nothing(reason), tmp_path, "pairs")
        style.save(Figure(), tmp_path, "quality")
    figures = Figures(tmp_path, tmp_path)
    empty, drawn = (figures.add(name, name.title(), "How to read it.") for name in ("pairs", "quality"))
    assert empty == {"title": "Pairs", "nothing": reason}
    assert figures.items == [drawn], "what has nothing in it needs no bytes of the page"
    macro = template("macros.html.j2").module.figure
    said = '<p class="note"><b>Pairs.</b> No &lt;two&gt; methods &amp; no “pairs”.</p>'
    assert str(macro(empty)).strip() == said
    assert "How to read it." in macro(drawn)


def test_a_page_says_what_is_seen_and_not_how_to_read_it(tmp_path):
    with style.applied():
        for name, parts in {
            "short": ["a: 2 of 5 “failed”", "b: 0 of 5"],
            "long": [f"m{i}: {i}" * 20 for i in range(99)],
        }.items():
            figure = Figure()
            style.describe(figure, parts)
            style.save(figure, tmp_path, name)
    short, long = (Figures(tmp_path, tmp_path).add(name, name.title(), "In words.") for name in ("short", "long"))
    macro = template("macros.html.j2").module.figure
    assert 'alt="Short: a: 2 of 5 “failed”; b: 0 of 5"' in macro(short)
    assert '<h3 id="figure-short">Short</h3>' in macro(short)
    assert len(long["seen"]) < style.MAX_SAID + 20
    assert long["seen"].endswith(" more")


def test_a_film_says_what_is_seen_in_its_last_frame(tmp_path):
    def frame(index: int) -> Figure:
        figure = Figure(figsize=(1, 1))
        style.describe(figure, [f"frame {index}"])
        return figure

    with style.applied():
        style.save(Film(3, frame), tmp_path, "film")
    assert seen_in(tmp_path / "film") == ("frame 2", False)
