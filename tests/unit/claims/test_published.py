"""Published numbers beside a study's own: intervals, runs without a value, and words."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from ganbench.claims.published import COLUMNS, _predicted, published_table, render_published, summarise
from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import MetricInfo
from ganbench.pipeline.plan import Plan
from ganbench.study.published import Published
from ganbench.study.schema import parse

NAN, INF = math.nan, math.inf
VALUES = [7.0, 8.0, 6.0, 7.0, 8.0, 7.0, 6.0, 7.0, 8.0, 6.0]


def entry(**over) -> Published:
    return Published.model_validate({"quantity": "path.modes", "value": 7.5, "source": "A paper, table 1", **over})


def collected(values, outcome="converged") -> SimpleNamespace:
    runs = pd.DataFrame({"run": [f"r{index}" for index in range(len(values))], "seed": range(len(values))})
    runs = runs.assign(learning_rate=0.1, n_train=NAN, steps=100, outcome=outcome)
    measured = pd.DataFrame({"run": runs["run"], "quantity": "path.modes", "value": np.array(values, dtype=float)})
    absent = dict.fromkeys(("snapshots", "curves", "events", "missing"))
    return SimpleNamespace(runs=runs, measurements=measured, metrics={}, **absent)


def row(values, *, outcome="converged", **over) -> dict:
    table = published_table(collected(values, outcome), [entry(**over)])
    assert list(table) == list(COLUMNS)
    return table.to_dict("records")[0]


def test_a_mean_has_the_interval_of_a_t_test():
    found, reference = summarise(np.array(VALUES)), stats.ttest_1samp(VALUES, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high), rel=1e-12)
    assert found.value == 7.0


def test_runs_without_a_value_count_either_way_in_a_median():
    found = summarise(np.array([*VALUES, NAN, INF]))
    assert found.statistic == "median"
    assert math.isnan(found.value)
    # Of twelve ordered values the third and the tenth: 6 with both lost runs lowest, 8 with both highest.
    assert (found.low, found.high) == (6.0, 8.0)
    many = summarise(np.array([*VALUES[:4], *[NAN] * 8]))
    assert np.isnan((many.low, many.high)).all(), "most runs are lost, and nothing is known of the median"


def test_runs_of_an_unfinished_study_are_selected_and_have_no_value():
    study = collected(VALUES)
    waiting = pd.DataFrame({"run": ["w0", "w1"], "seed": [98, 99], "learning_rate": [0.1, 0.2]})
    study.missing = SimpleNamespace(runs=waiting)
    table = published_table(study, [entry(), entry(where={"seed": 99}), entry(where={"seed": 0})])
    assert table[["runs", "missing", "failed"]].to_numpy().tolist() == [[12, 2, 0], [1, 1, 0], [1, 0, 0]]
    assert (table["statistic"][0], table["low"][0], table["high"][0]) == ("median", 6.0, 8.0)


def test_runs_that_failed_or_had_not_learned_keep_their_values_and_are_counted():
    found = row(VALUES, outcome=["collapsed"] * 3 + ["not-learned-yet"] * 2 + ["converged"] * 4 + ["undetermined"])
    assert (found["failed"], found["not_learned"], found["missing"], found["ours"]) == (3, 2, 0, 7.0)
    assert "10 runs, 3 failed, 2 had not learned) against 7.5 published" in found["text"]
    plain = row(VALUES)
    assert (plain["failed"], plain["not_learned"]) == (0, 0)
    assert "10 runs) against 7.5 published" in plain["text"]


@pytest.mark.parametrize(
    ("value", "runs", "inside", "words"),
    [
        (8.9, 1, True, "within what a run like ours would be, 5.063 to 8.937"),
        (5.0, 1, False, "outside what a run like ours would be, 5.063 to 8.937"),
        (7.8, 10, True, "within what the mean of 10 runs like ours would be, 6.174 to 7.826"),
        (6.1, 10, False, "outside what the mean of 10 runs like ours would be, 6.174 to 7.826"),
        (7.0, None, None, "not compared: neither an error nor a number of runs is published"),
    ],
)
def test_a_published_mean_without_an_error_is_compared_with_that_of_as_many_runs_of_ours(value, runs, inside, words):
    found = row(VALUES, value=value, runs=runs)
    assert (found["comparison"], found["difference"]) == (words, pytest.approx(7.0 - value))
    assert pd.isna(found["in_interval"]) if inside is None else found["in_interval"] == inside
    assert (found["low"], found["high"]) == pytest.approx((6.416, 7.584), abs=1e-3), "the interval of our mean"


@pytest.mark.parametrize(("runs", "published"), [(5, 1), (20, 1), (10, 3)])
def test_a_published_run_like_ours_is_called_so_as_often_as_promised(runs, published):
    generator, held = np.random.default_rng(0), []
    for mine in generator.normal(size=(2000, runs)):
        low, high = _predicted(summarise(mine), runs, entry(runs=published))
        held.append(low <= generator.normal(size=published).mean() <= high)
    assert abs(np.mean(held) - 0.95) < 3 * (0.05 * 0.95 / 2000) ** 0.5


def test_an_interval_of_a_mean_ends_where_the_metric_does():
    study = collected([NAN] * 4)
    study.runs["modes_final"], study.runs["other_final"] = [0.0, 0.0, 1.0, 9.0], [0.0, 0.0, 1.0, 9.0]
    study.metrics = {"modes": MetricInfo("Modes", "count", "high", 0, 10), "other": MetricInfo("", "", "high", None, 3)}
    asked = [entry(quantity=text) for text in ("final.modes", "2 * final.modes", "final.other")]
    whole, doubled, other = published_table(study, asked)[["low", "high"]].to_numpy()
    free = summarise(np.array([0.0, 0.0, 1.0, 9.0]))
    assert free.low < 0
    assert list(whole) == [0.0, free.high]
    assert list(doubled) == pytest.approx([2 * free.low, 2 * free.high])
    assert list(other) == [free.low, 3.0]


@pytest.mark.parametrize(("runs", "quantile"), [(None, 1.959964), (3, 4.302653), (10, 2.262157)])
def test_a_published_95_percent_interval_is_student_s_where_its_runs_are_known(runs, quantile):
    found = row(VALUES, value=8.0, error=0.5, error_kind="95% interval", runs=runs)
    ours = np.std(VALUES, ddof=1) / 10**0.5
    assert found["t_statistic"] == pytest.approx(-1 / math.hypot(ours, 0.5 / quantile), rel=1e-6)


def test_a_difference_in_words_and_in_standard_errors():
    found = row(VALUES, value=8.0, error=0.3, error_kind="standard deviation", runs=9)
    assert found["comparison"] == "outside our interval; differs: 3.61 standard errors apart, 2.19 allowed"
    words = f"against 8 (standard deviation 0.3) published: {found['comparison']}; 1 less (12%)"
    assert found["text"].endswith(words)
    ours = np.std(VALUES, ddof=1) / 10**0.5
    assert found["t_statistic"] == pytest.approx(-1 / math.hypot(ours, 0.1))
    assert math.isnan(row(VALUES, error=0.3, error_kind="standard deviation")["t_statistic"])
    assert row([7.0])["text"] == "7 (1 run) against 7.5 published: no interval of ours; 0.5 less (7%)"


@pytest.mark.parametrize("values", [[3.097], [3.097] * 4])
@pytest.mark.parametrize(("value", "error", "equal"), [(3.1, 0.05, True), (3.10, 0.005, True), (3.098, 5e-4, False)])
def test_a_number_in_which_nothing_is_random_is_compared_by_its_digits(values, value, error, equal):
    found = row(values, value=value, error=error, error_kind="rounding")
    said = "equal to the digits published" if equal else "differs by more than rounding"
    assert (found["within_rounding"], found["comparison"]) == (equal, said)
    assert math.isnan(found["t_statistic"]), "a rounding is no standard error"


def test_a_rounding_is_no_error_of_runs_that_vary():
    found = row(VALUES, value=7.5, error=0.05, error_kind="rounding")
    assert pd.isna(found["within_rounding"])
    assert found["comparison"] == "our interval holds it"
    assert pd.isna(row([NAN], value=7.5, error=0.05, error_kind="rounding")["within_rounding"])


def test_means_agree_within_the_errors_of_both():
    """Ours lies 1 below, with an error of 0.258; beside one of 0.5, that is 1.78 standard errors."""
    found = row(VALUES, value=8.0, error=0.5, error_kind="standard error")
    assert (found["in_interval"], found["comparison"]) == (
        False,
        "outside our interval; agrees: 1.78 standard errors apart, 1.97 allowed",
    )


@pytest.mark.parametrize(("deviation", "runs"), [(0.001, 50), (0.5, 3), (2.0, 2)])
@pytest.mark.parametrize("beyond", [0.999, 1.001])
def test_means_agree_where_welch_s_test_does_not_reject(beyond, deviation, runs):
    ours = np.std(VALUES[:4], ddof=1)
    error = math.hypot(ours / 2, deviation / runs**0.5)
    allowed = row(VALUES[:4], error=deviation, error_kind="standard deviation", runs=runs)["t_critical"]
    value = 7.0 + beyond * allowed * error
    found = row(VALUES[:4], value=value, error=deviation, error_kind="standard deviation", runs=runs)
    test = stats.ttest_ind_from_stats(7.0, ours, 4, value, deviation, runs, equal_var=False)
    assert found["t_statistic"] == pytest.approx(test.statistic)
    assert ("agrees" in found["comparison"], test.pvalue > 0.05) == ((True, True) if beyond < 1 else (False, False))


def test_of_an_exact_published_mean_as_much_is_allowed_as_our_interval_holds():
    found = row([1.0, 1.1, 1.2], value=1.25, error=1e-9, error_kind="standard error")
    assert found["t_critical"] == pytest.approx(stats.t.ppf(0.975, 2))
    assert found["comparison"] == "our interval holds it; agrees: 2.6 standard errors apart, 4.3 allowed"


def test_runs_of_one_value_have_no_interval():
    found = row([8.0] * 10, value=7.9, error=0.2, error_kind="standard error")
    assert pd.isna(found["in_interval"])
    assert np.isnan((found["low"], found["high"])).all()
    assert found["comparison"] == "all 10 runs have 8; agrees: 0.5 standard errors apart, 1.96 allowed"
    assert row([8.0] * 10, value=7.9)["comparison"] == "all 10 runs have 8"
    assert (
        row([8.0] * 3, value=8, error=0.0, error_kind="standard error")["comparison"]
        == "all 3 runs have 8, as published"
    )


def test_a_mean_is_not_compared_with_a_median():
    lost = row([*VALUES, NAN], value=7.0)
    assert pd.isna(lost["in_interval"])
    assert lost["comparison"] == "not compared: ours is a median, theirs a mean"
    found = row([*VALUES, NAN], value=7.0, statistic="median")
    assert (found["in_interval"], found["comparison"]) == (True, "our interval holds it")
    skewed = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 100.0]
    found = row(skewed, value=6.0, statistic="median", error=1.0, error_kind="standard error")
    assert (found["statistic"], found["ours"], found["low"], found["high"]) == ("median", 5.5, 2.0, 9.0)
    assert math.isnan(found["t_statistic"]), "the error of a mean is none of a median"


FAULTS = {
    "error alone": ({"error": 0.1}, "must have both error and error_kind, or neither, but has error alone"),
    "kind of error": (
        {"error": 0.1, "error_kind": "sd"},
        "'standard deviation', 'standard error', '95% interval' or 'rounding'",
    ),
    "study": ({"where": "study"}, "needs runs"),
    "no source": ({"source": ""}, "source"),
    "misspelt": ({"valeu": 1}, "unknown key 'valeu'. Did you mean 'value'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault):
    over, message = FAULTS[fault]
    with pytest.raises(ValidationError, match=message):
        entry(**over)


def plan(**over) -> Plan:
    block = {"game": "bilinear", "learning_rate": 0.1, "seed": 0}
    one = {"quantity": "path.growth", "value": 1, "source": "a paper", **over}
    return Plan(parse({"study": "tiny", "grid": [block], "diagnose": ["path"], "published": [one]}, origin="study"))


def test_a_number_without_runs_or_measurements_is_refused_before_work():
    plan()
    with pytest.raises(
        GanbenchError,
        match=r"published\[0\]\.where: no run of the grid matches game dirac\. No run has game dirac; the runs have ",
    ):
        plan(where={"game": "dirac"})
    with pytest.raises(GanbenchError, match=r"published\[0\]: unknown experiment 'paht'\. Did you mean 'path'"):
        plan(quantity="paht.growth")
    with pytest.raises(GanbenchError, match=r"published\[0\]: unknown option 'game_sample'"):
        plan(quantity="path.growth + game_sample")


def test_the_report_shows_the_protocol_line_by_line():
    study = {"published": [entry().model_dump(mode="json")], "protocol": "- Fewer steps.\n\n  Other nets.\n"}
    found = render_published(collected([NAN] * 3), study)
    assert found["protocol"] == ["Fewer steps.", "Other nets."]
    assert (found["rows"][0]["ours"], found["rows"][0]["useless"]) == ("a median", "3 without a value")
    assert render_published(collected(VALUES), {"published": [], "protocol": "x"}) is None
