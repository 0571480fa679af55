"""Figures in which every method is a curve: they end where the tables do, whatever is missing."""

from __future__ import annotations

import dataclasses
import re
from colorsys import rgb_to_hls
from itertools import combinations, pairwise

import numpy as np
import pytest
from compared_methods import runs, study
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import failed, final_values
from ganbench.analysis.ranking import ranking
from ganbench.analysis.ranking_tests import ranking_tests
from ganbench.report.figure_info import figure_infos
from ganbench.report.figures import draw, losses
from ganbench.report.plotting import style
from ganbench.report.plotting.films import Film
from ganbench.report.plotting.method_lines import COLOURS, DASHES, method_styles


def drawn(collected: Collected, kind: str, of: str | None = None) -> Figure:
    with style.applied():
        figure = draw(collected, kind, of)
        figure.canvas.draw()
    return figure


def curves(axes: Axes) -> list[np.ndarray]:
    """The points of every curve of a panel, shape (points, 2), without marks and the line of real data."""
    lines = [line for line in axes.lines if line.get_linestyle() != "None" and len(line.get_xdata()) > 2]
    return [np.stack([line.get_xdata(), line.get_ydata()], axis=1) for line in lines]


def test_survival_curves_fall_to_the_share_of_runs_that_did_not_fail(collected):
    digits, ring = drawn(collected, "survival").axes
    assert [axes.get_title("left") for axes in (digits, ring)] == ["digits", "ring8"]
    for axes, names in ((digits, ["digits-fc", "digits-dcgan"]), (ring, ["ring8-mlp"])):
        assert len(curves(axes)) == len(names)
        for curve, name in zip(curves(axes), names, strict=True):
            runs = collected.runs[collected.runs["method"] == name]
            assert curve[0].tolist() == [0, 1]
            # Of this study no run was censored before the last step.
            assert curve[-1, 1] == pytest.approx(1 - failed(runs).mean())
            assert (np.diff(curve[:, 1]) <= 0).all()
            texts = [text.get_text() for text in axes.get_legend().get_texts()]
            assert f"{name} ({failed(runs).sum()} of {len(runs)} failed)" in texts
    assert digits.get_title("right").startswith("log-rank test within settings: p = ")
    assert ring.get_title("right") == "", "one method is compared with none"


def test_profiles_end_at_the_share_of_runs_that_did_not_fail(collected):
    digits, ring = drawn(collected, "profiles").axes
    for axes, names in ((digits, ["digits-fc", "digits-dcgan"]), (ring, ["ring8-mlp"])):
        for curve, name in zip(curves(axes), names, strict=True):
            runs = collected.runs[collected.runs["method"] == name]
            assert curve[:, 1].max() == pytest.approx(1 - failed(runs).mean())
            good = runs.loc[~failed(runs), "fd_final"].min()
            assert np.interp(good, curve[:, 0], curve[:, 1]) >= 1 / len(runs) - 1e-9
        low, high = axes.get_xlim()
        assert low > high, "of a distance, the better values lie to the right"


def test_a_score_of_which_more_is_better_rises_to_the_right(collected):
    modes = dataclasses.replace(collected, metrics={"modes": collected.metrics["modes"]})
    (axes, _) = drawn(modes, "profiles").axes
    low, high = axes.get_xlim()
    assert low < high
    curve = curves(axes)[0]
    assert curve[np.argmax(curve[:, 1]), 0] < curve[np.argmin(curve[:, 1]), 0]
    runs = collected.runs[(collected.runs["method"] == "digits-fc") & ~failed(collected.runs)]
    for level in (6, 8, 10):
        share = (runs["modes_final"] >= level).sum() / 27
        at = np.flatnonzero(curve[:, 0] >= level)
        assert curve[at, 1].max() == pytest.approx(share)


def test_what_is_missing_is_said(collected):
    none = collected.runs.assign(**{f"{name}_final": np.nan for name in collected.metrics})
    bare = dataclasses.replace(collected, runs=none, snapshots=collected.snapshots[:0])
    texts = [text.get_text() for axes in drawn(bare, "profiles").axes for text in axes.texts]
    assert texts == ["No run has a value of any metric."] * 2
    lost = dataclasses.replace(collected, runs=collected.runs.assign(outcome="collapsed", failure_onset=0))
    texts = [text.get_text() for axes in drawn(lost, "profiles").axes for text in axes.texts]
    assert texts == ["Every run failed or has no value."] * 2
    assert all(curve[-1, 1] == 0 for axes in drawn(lost, "survival").axes for curve in curves(axes))


def test_runs_of_which_it_is_not_known_whether_they_failed_do_not_count_as_good(collected):
    unknown = dataclasses.replace(collected, runs=collected.runs.assign(outcome="undetermined"))
    runs = unknown.runs.copy()
    of_ring = runs.index[runs["method"] == "ring8-mlp"]
    runs.loc[of_ring[:2], "outcome"] = "collapsed"
    some = dataclasses.replace(collected, runs=runs)
    for kind in ("survival", "profiles"):
        digits, ring = ([text.get_text() for text in axes.get_legend().get_texts()] for axes in drawn(some, kind).axes)
        count = int((runs["method"] == "digits-fc").sum())
        assert f"digits-fc ({count} of {count} undetermined)" in digits
        rest = len(of_ring) - 2
        assert f"ring8-mlp (2 of {len(of_ring)} seen to fail, {rest} of {len(of_ring)} undetermined)" in ring
        assert not any("of" in text and " failed" in text for text in digits + ring)
    assert drawn(some, "survival").axes[0].get_ylabel() == "not seen to fail"


def test_many_methods_are_told_apart(collected):
    styles = method_styles(30)
    told = {(each["color"], each["linestyle"]) for each in styles}
    assert len(told) == len(COLOURS) * len(DASHES) == 24
    assert all(one["linestyle"] != other["linestyle"] for one, other in pairwise(styles)), "where colours are not seen"
    assert not set(COLOURS) & set(style.OUTCOME_COLOURS.values())
    assert min(map(_contrast, [*COLOURS, *style.OUTCOME_COLOURS.values()])) >= 3, "what the WCAG ask of graphics"
    runs = collected.runs[collected.runs["dataset"] == "digits"]
    runs = runs.assign(method=[f"m{index % 9}" for index in range(len(runs))])
    many = dataclasses.replace(collected, runs=runs)
    for kind in ("survival", "profiles"):
        (axes,) = drawn(many, kind).axes
        assert len(curves(axes)) == 9
        assert not axes.collections, "bands would hide one another"


def test_failures_have_colours_that_their_caption_does_not_give_to_others():
    """Told apart from every other outcome with normal vision and without one kind of cones (Machado et al. 2009)."""
    colours = {name: to_rgb(colour) for name, colour in style.OUTCOME_COLOURS.items()}
    for name, rgb in colours.items():
        hue, _, saturation = rgb_to_hls(*rgb)
        grey, blue = saturation < 0.15 and name != "not-learned-yet", 170 < 360 * hue < 240
        assert (grey or blue) == (name in ("converged", "still-improving", "undetermined")), name
    seen = [{name: _lab(matrix @ _linear(rgb)) for name, rgb in colours.items()} for matrix in VISIONS]
    for one, other in combinations(colours, 2):
        assert min(np.linalg.norm(each[one] - each[other]) for each in seen) > 10, (one, other)


# What is left of linear red, green and blue: all of it, and without the cones of long, medium and short waves.
VISIONS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def _linear(rgb: tuple[float, float, float]) -> np.ndarray:
    rgb = np.array(rgb)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _contrast(colour: str) -> float:
    """Contrast with white, by the Web Content Accessibility Guidelines 2.1."""
    return 1.05 / (_linear(to_rgb(colour)) @ [0.2126, 0.7152, 0.0722] + 0.05)


def _lab(linear: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* for the white of daylight."""
    shares = TO_XYZ @ linear.clip(0, 1) / TO_XYZ.sum(axis=1)
    root = np.where(shares > (6 / 29) ** 3, np.cbrt(shares), shares / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


LABEL = "grey blobs of two sizes and many colours"  # as long as a label may be
LABELLED = f"{LABEL} = image_folder(folder=data/blobs, image_size=16, channels=1)"
BARE = "image_folder(folder=data/a_long_name_of_a_folder, image_size=16, channels=1)"


@pytest.mark.parametrize(
    ("kind", "dataset", "title"),
    [
        *((kind, LABELLED, LABEL) for kind in ("survival", "interactions", "profiles", "pairs", "final_scores")),
        ("working_regions", BARE, "image_folder(folder=data/a_long_name ..."),
    ],
)
def test_the_title_of_a_data_set_is_its_label_and_overlaps_nothing(collected, kind, dataset, title):
    methods = {"a": {(n, rate): runs("ffffcc") for n in (100, 400) for rate in (0.1, 0.2, 0.4)}}
    methods["b"] = {setting: runs("cccccc") for setting in methods["a"]}
    made = study(collected, methods)
    figure = drawn(dataclasses.replace(made, runs=made.runs.assign(dataset=dataset)), kind)
    titled = [axes for axes in figure.axes if axes.get_title("left")]
    assert titled
    for axes in titled:
        assert axes.get_title("left").strip() == title
        texts = {each.get_text(): each for each in axes.get_children() if isinstance(each, Text)}
        left, right = (texts[axes.get_title(side)] for side in ("left", "right"))
        box, beside = left.get_window_extent(), right.get_window_extent()
        assert box.x1 <= figure.bbox.x1
        if right.get_text():
            last = box.y0 if "\n" not in left.get_text() else (box.y0 + box.y1) / 2  # the second line is blank
            assert box.x1 < beside.x0 or last >= beside.y1 - 2


@pytest.mark.parametrize("width", [3.0, 4.1, 8.3, 10.8])
def test_a_legend_lies_within_its_figure(width):
    """That of a figure of one panel was cut off at the right."""
    outcomes = ["still-improving", "not-learned-yet", "collapsed", "undetermined"]
    with style.applied():
        figure = Figure(figsize=(width, 3), layout="constrained")
        figure.subplots()
        style.outcome_legend(figure, outcomes, lines=True)
        figure.canvas.draw()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(map(style.outcome_label, outcomes))
    assert legend.get_window_extent().x1 <= figure.bbox.x1


def test_losses_of_a_setting_have_a_scale_of_their_own(collected):
    """With one for all, those of one learning rate would be flat lines beside those of another."""
    curves, rates = collected.curves.copy(), collected.runs.set_index("run")["learning_rate"]
    high = curves["run"].map(rates).to_numpy() == collected.runs["learning_rate"].max()
    curves.loc[high, ["min", "mean", "max"]] *= 50
    figure = draw(dataclasses.replace(collected, curves=curves), "losses", "ring8-mlp")
    low, *_, tall = (axes.get_ylim()[1] for axes in figure.axes)
    assert tall > 20 * low


def test_methods_of_a_data_set_have_one_scale_of_a_metric_which_says_if_it_is_logarithmic(collected):
    """They are read one below the other; on a scale of each, a fall to a half looked like one to a tenth."""
    fc = collected.snapshots["method"] == "digits-fc"
    table = collected.snapshots.assign(fd=collected.snapshots["fd"].mask(fc, 5.0))
    made = dataclasses.replace(collected, snapshots=table)
    panels = [draw(made, "progress", name).axes[0] for name in ("digits-fc", "digits-dcgan")]
    assert [axes.get_yscale() for axes in panels] == ["log", "log"]
    assert panels[0].get_ylim() == panels[1].get_ylim()
    assert "Fréchet distance (lower is better, log scale)" in [text.get_text() for text in panels[0].texts]
    metrics = {"modes": collected.metrics["modes"]}
    axes = draw(dataclasses.replace(collected, metrics=metrics), "progress", "digits-fc").axes[0]
    assert "Modes covered (higher is better)" in [text.get_text() for text in axes.texts]


def test_failures_at_near_steps_share_a_mark_with_their_number_or_stand_one_below_the_other(collected):
    """Each would hide the others: nine of one kind at one step looked like four."""
    made = study(collected, {"a": {(100, 0.1): runs("c" * 12 + "f")}})
    table = made.runs.assign(failure_onset=[500.0] * 9 + [501.0, 501.0, 788.0, None])
    table.loc[table.index[10], "outcome"] = "diverged"
    found = list(losses._failures(table, 40.0))
    assert found == [(500, "collapsed", 10, 0), (501, "diverged", 1, 1), (788, "collapsed", 1, 0)]
    curves = collected.curves[collected.curves["run"] == collected.runs["run"].iloc[0]].assign(run=table["run"].iloc[0])
    (axes,) = drawn(dataclasses.replace(made, runs=table, curves=curves), "losses", "a").axes
    marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "v"]
    assert marks == [(500, 1), (501, 1 - losses.HIGH), (788, 1)]
    assert [text.get_text() for text in axes.texts] == ["10"]


def test_runs_without_a_value_keep_the_mark_of_their_outcome(collected):
    made = study(collected, {"a": {(100, 0.1): runs("fff"), (100, 0.2): runs("fcc")}})
    lost = made.runs["outcome"] == "collapsed"
    table = made.runs.assign(outcome=made.runs["outcome"].mask(lost, "diverged"))
    table[[f"{name}_final" for name in made.metrics]] = table.filter(regex="_final$").where(~lost)
    axes = draw(dataclasses.replace(made, runs=table), "quality").axes[0]
    assert "2 n/a" in [text.get_text() for text in axes.texts]
    marks = [line for line in axes.lines if line.get_marker() == style.OUTCOME_MARKERS["diverged"]]
    assert [line.get_xdata()[0] for line in marks] == [1]


def test_a_setting_without_a_median_says_why(collected):
    made = study(collected, {"a": {(100, 0.1): runs("ccccccccff"), (100, 0.2): runs("cfff")}})
    figure = draw(made, "quality")
    (text,) = (text for text in figure.axes[0].texts if "median" in text.get_text())
    assert (" ".join(text.get_text().split()), text.get_position()[0]) == ("no median: 8 of 10 failed", 0)
    assert "median Fréchet distance: none (8 of 10 failed) at rate 0.1, " in figure.get_label()
    gone = dataclasses.replace(made, runs=made.runs.assign(fd_final=made.runs["fd_final"].where(made.runs["seed"] > 3)))
    texts = [" ".join(text.get_text().split()) for text in draw(gone, "quality").axes[0].texts]
    assert "no median: 4 of 4 failed or n/a" in texts, "a setting without any value"
    assert "median, failed runs being the worst" in [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("kind", ["losses", "progress"])
def test_titles_of_settings_do_not_lie_under_their_counts(collected, kind):
    idle = (collected.runs["outcome"] == "converged") & (collected.runs["seed"] > 0)
    table = collected.runs.assign(outcome=collected.runs["outcome"].mask(idle, "not-learned-yet"))
    figure = drawn(dataclasses.replace(collected, runs=table), kind, "digits-fc")
    both = [axes for axes in figure.axes if axes.get_title("right")]
    assert len({axes.get_title("left").count("\n") for axes in both}) == 2, "some have room, and others have not"
    for axes in both:
        texts = {each.get_text(): each for each in axes.get_children() if isinstance(each, Text)}
        left, right = (texts[axes.get_title(side)].get_window_extent() for side in ("left", "right"))
        assert left.x1 < right.x0 or "\n" in axes.get_title("left")


def test_curves_of_equal_shares_do_not_hide_one_another(collected):
    """Of a method without failures nothing was seen where another had none."""
    made = study(collected, {name: {(100, 0.1): runs("fff")} for name in "abcdef"})
    (axes,) = drawn(made, "survival").axes
    steps = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    heights = [line.get_transform().transform(line.get_xydata())[0, 1] for line in steps]
    assert np.diff(heights).max() < -1, "of dots, which are smaller than points"
    assert abs(heights[0] - heights[-1]) < 0.05 * axes.bbox.height
    assert all(set(line.get_ydata()) == {1} for line in steps)


def test_lines_of_equal_shares_do_not_hide_one_another(collected):
    grid = {(100, rate): runs("ccc") for rate in (0.1, 0.2, 0.4)}
    (axes,) = draw(study(collected, {"a": grid, "b": grid}), "working_regions").axes
    heights = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert len(heights) == len(set(heights)) == 2


def test_an_event_study_says_of_which_spikes_runs_and_method_it_is(collected):
    """The mean of all spikes was that of one method, which had most of them."""
    panel = drawn(collected, "events").axes[1]
    spikes = collected.events[collected.events["kind"] == "spike"]
    most = spikes["run"].map(collected.runs.set_index("run")["method"]).value_counts()
    text = " ".join(panel.get_title("left").split())
    found = re.fullmatch(r"(\d+) of (\d+) spikes, in (\d+) runs, p = [\d.]+ (\d+) of the (\d+) in (.+)", text)
    assert [*map(int, found.groups()[1::3]), found[6]] == [len(spikes), len(spikes), most.index[0]]
    assert (int(found[1]) <= len(spikes), int(found[3]) <= spikes["run"].nunique()) == (True, True)
    assert int(found[4]) == most.iloc[0]


def test_final_scores_lie_in_the_order_of_the_ranking_beside_what_they_are_measured_against(collected):
    """Every run is a mark, hollow if it failed, or is counted."""
    table = ranking(collected, ranking_tests(collected))
    groups = table.groupby("dataset", sort=False)
    for axes, (dataset, rows) in zip(drawn(collected, "final_scores").axes, groups, strict=True):
        assert [label.get_text() for label in axes.get_yticklabels()] == list(rows["method"])
        first, null = (table[table["dataset"] == dataset] for table in (collected.snapshots, collected.nulls))
        null = null[null["metric"] == "fd"].iloc[0]
        upright = {line.get_xdata()[0] for line in axes.lines if list(line.get_ydata()) == [0, 1]}
        assert upright == {first.loc[first["step"] == 0, "fd"].median(), null["mean"], null["noise"]}
        for y, row in enumerate(rows.to_dict("records")):
            runs = collected.runs[collected.runs["method"] == row["method"]]
            marks = {
                line.get_fillstyle() == "none": line.get_xdata()
                for line in axes.lines
                if line.get_marker() == "o" and (np.round(line.get_ydata()) == y).all()
            }
            assert set(marks) == {False, True}
            for hollow, values in marks.items():
                expected = final_values(runs[failed(runs) == hollow], "fd")
                np.testing.assert_array_equal(np.sort(values), np.sort(expected))
            lost = int(np.isnan(final_values(runs, "fd")).sum())
            texts = [text.get_text() for text in axes.texts]
            assert f"{row['healthy']} of {len(runs)} healthy\n{lost} without a value" in texts


def test_a_median_that_failed_runs_leave_open_has_an_arrow_or_no_line(collected):
    methods = {"a": runs("fffffff"), "b": runs("ffffccn"), "c": runs("cccccff"), "d": runs("ccccccc")}
    (axes,) = drawn(study(collected, {name: {(100, 0.1): mine} for name, mine in methods.items()}), "final_scores").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(methods)
    medians = [lines.get_segments()[0][0].tolist() for lines in axes.collections]
    assert medians == [[4, -0.4], [4, 0.6]], "of c and d, half of the runs or more failed"
    boxes = [(box.get_x(), box.get_x() + box.get_width()) for box in axes.patches if box.get_height() < 1]
    end = axes.get_xlim()[1]
    assert boxes == [(1, 7), (1, end), (6, end)], "that of d lies beyond all values"
    assert [line.get_ydata()[0] for line in axes.lines if line.get_marker() == ">"] == [1, 2]


def test_names_of_what_scores_are_measured_against_do_not_overlap(collected):
    """Noise and untrained generators score nearly the same; the names of both stand one above the other."""
    nulls = collected.nulls.assign(noise=collected.snapshots.query("step == 0")["fd"].median() * 1.01)
    figure = drawn(dataclasses.replace(collected, nulls=nulls), "final_scores")
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text()[0] in "ru"]
        boxes += [text.get_window_extent() for text in axes.texts if text.get_text().startswith("noise")]
        assert len(boxes) == 3
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("kind", [name for name, info in figure_infos().items() if info.scope != "experiment"])
def test_every_figure_says_in_words_what_is_seen(collected, kind):
    """With numbers, which no caption has, and no word of the caption."""
    of = "digits-dcgan" if figure_infos()[kind].scope == "method" else None
    with style.applied():
        figure = draw(collected, kind, of)
    seen = (figure.still if isinstance(figure, Film) else figure).get_label()
    assert len(seen) > 20
    assert any(letter.isdigit() for letter in seen)
    assert figure_infos()[kind].caption[:30] not in seen
