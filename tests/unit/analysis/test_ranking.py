"""Methods in order: healthy runs first, then scores; ranks that tests leave open; and how many runs would tell more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from compared_methods import runs, study

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import FAILURES, HEALTHY, OUTCOMES
from ganbench.analysis.methods import healthy_rate, primary_metric
from ganbench.analysis.ranking import COLUMNS, ranking
from ganbench.analysis.ranking_sentences import Answer, answers
from ganbench.analysis.ranking_tests import BY_SEEDS, ranking_tests
from ganbench.analysis.ranking_tests import COLUMNS as TEST_COLUMNS
from ganbench.analysis.statistics.medians import median_interval
from ganbench.analysis.statistics.multiplicity import false_discovery_adjusted
from ganbench.analysis.statistics.rates import wilson
from ganbench.analysis.statistics.sample_sizes import pairs_for_two_rates, runs_for_improvement

ONE = (100, 0.1)


def ranked(made: Collected) -> tuple[pd.DataFrame, pd.DataFrame]:
    tests = ranking_tests(made)
    return ranking(made, tests), tests


def answer(made: Collected) -> Answer:
    (found,) = answers(made, *ranked(made))
    return found


def test_a_healthy_run_has_learned_and_has_not_failed(collected):
    assert set(HEALTHY) == {"converged", "still-improving"}
    assert set(OUTCOMES) - set(HEALTHY) == {*FAILURES, "not-learned-yet", "undetermined"}
    few = study(collected, {"a": {ONE: runs("fffcnu")}}).runs
    rate = healthy_rate(few)
    assert (rate.count, rate.total, rate.unknown) == (3, 6, 1)
    assert (rate.lower, rate.upper) == (wilson(3, 6).lower, wilson(4, 6).upper)


def test_a_method_that_never_learns_does_not_lead_by_not_failing(collected):
    """Not even with better scores: shares of healthy runs come first."""
    table, tests = ranked(
        study(collected, {"idle": {ONE: runs("n" * 12)}, "works": {ONE: runs("f" * 11, "c", value=9.0)}})
    )
    assert list(table) == list(COLUMNS)
    assert list(tests) == list(TEST_COLUMNS)
    assert list(table["method"]) == ["works", "idle"]
    assert list(table["rank"]) == list(table["rank_last"]) == [1, 2]
    assert list(table["not_learned"]) == [0, 12]
    assert list(table["failed"]) == [1, 0]
    (row,) = tests.to_dict("records")
    assert (row["better"], row["decided_by"], row["healthy_p_value"]) == ("works", "healthy runs", 2 * 0.5**11)
    assert row["improvement"] > 0.5, "the scores of the other"
    assert table["next_improvement"][0] == pytest.approx(1 - row["improvement"])
    assert table["next_low"][0] == pytest.approx(1 - row["improvement_high"])


def test_methods_that_are_not_told_apart_share_a_rank(collected):
    made = study(
        collected,
        {
            "bad": {ONE: runs("c" * 12)},
            "good": {ONE: runs("f" * 12)},
            "fine": {ONE: runs("f" * 12, value=2.0)},
        },
    )
    table, tests = ranked(made)
    assert list(table["method"]) == ["good", "fine", "bad"]
    assert list(table["rank"]) == [1, 1, 3]
    assert list(table["rank_last"]) == [2, 2, 3]
    p_values = tests[["healthy_p_value", "improvement_p_value"]].to_numpy().ravel()
    adjusted = tests[["healthy_p_value_adjusted", "improvement_p_value_adjusted"]].to_numpy().ravel()
    np.testing.assert_allclose(adjusted, false_discovery_adjusted(p_values))
    # Of these six, two are the least of 9,999 drawn dealings; the factor is 6 / 2 (1 + 1/2 + ... + 1/6).
    assert adjusted.min() == pytest.approx(1e-4 * 6 / 2 * 2.45)
    assert list(table["next_decided_by"].fillna("")) == ["", "healthy runs", ""]
    assert table["median"][0] == 6.5
    assert (table["median_low"][0], table["median_high"][0]) == median_interval(np.arange(1.0, 13.0))
    assert np.isnan(table["median"][2])


def test_within_a_rank_the_share_of_healthy_runs_comes_before_the_median(collected):
    table, _ = ranked(
        study(
            collected,
            {
                "sharp": {ONE: runs("f" * 10, "cc")},
                "late": {ONE: runs("f" * 12, value=3.5)},
                "safe": {ONE: runs("f" * 12, value=3.0)},
            },
        )
    )
    assert set(table["rank"]) == {1}
    assert list(table["method"]) == ["safe", "late", "sharp"]
    assert table["median"][2] < table["median"][0]
    assert list(table["next"].fillna("")) == ["late", "sharp", ""]


def test_scores_decide_where_healthy_runs_do_not(collected):
    table, tests = ranked(study(collected, {"worse": {ONE: runs("f" * 12, value=20.0)}, "a": {ONE: runs("f" * 12)}}))
    assert list(table["method"]) == ["a", "worse"]
    assert list(table["rank"]) == list(table["rank_last"]) == [1, 2]
    assert list(tests["decided_by"]) == ["score"]
    assert pd.isna(tests["runs_needed"][0])


def test_the_effort_is_that_of_the_test_that_would_tell_first(collected):
    """Ten pairs, two of which differ; of two tests, one more is decided at 0.05 / (2 (1 + 1/2))."""
    level = 0.05 / 3
    _, tests = ranked(study(collected, {"a": {ONE: runs("f" * 10)}, "b": {ONE: runs("f" * 8, "cc")}}))
    (row,) = tests.to_dict("records")
    by_shares, by_scores = (
        pairs_for_two_rates(0.2, 0.0, level=level),
        runs_for_improvement(row["improvement"], 1, level=level),
    )
    assert by_shares < by_scores
    assert (row["runs_needed"], row["runs_needed_by"]) == (by_shares, "healthy runs")
    # Two settings of six runs, half of which a seed's luck at one setting would need at both.
    two = {(100, 0.1): runs("f" * 6), (400, 0.1): runs("f" * 6)}
    better = {(100, 0.1): runs("f" * 6, value=0.5), (400, 0.1): runs("f" * 6, value=0.5)}
    _, tests = ranked(study(collected, {"a": better, "b": two}))
    (row,) = tests.to_dict("records")
    needed = 2 * runs_for_improvement(row["improvement"], 2, level=level)
    assert (row["settings"], row["runs_needed"], row["runs_needed_by"]) == (2, needed, "score")


def test_methods_of_one_learning_rate_each_are_compared_at_their_own(collected):
    own = {"sgd": {(100, 0.1): runs("f" * 12)}, "adam": {(100, 0.001): runs("c" * 12)}}
    table, tests = ranked(study(collected, own))
    (row,) = tests.to_dict("records")
    assert (row["own_rates"], row["settings"], row["pairs"], row["better"]) == (True, 1, 12, "sgd")
    assert list(table["rank"]) == [1, 2]
    assert "sgd and adam were run at one learning rate each" in " ".join(answer(study(collected, own)).cautions)
    several = own | {"adam": {(100, 0.001): runs("c" * 12), (100, 0.002): runs("c" * 12)}}
    made = study(collected, several)
    table, tests = ranked(made)
    assert list(tests["settings"]) == [0]
    assert list(table["rank"]) == [1, 1]
    found = answer(made)
    assert found.text == "No method comes first, since no two of them could be tested against one another."
    assert found.sure == "adam was run at no setting of it."


def test_every_data_set_has_a_ranking_and_an_answer(collected):
    table, tests = ranked(collected)
    assert table.groupby("dataset", sort=False)["place"].apply(list).to_dict() == {"digits": [1, 2], "ring8": [1]}
    assert table["runs"].sum() == len(collected.runs)
    assert (table["healthy"] + table["failed"] + table["not_learned"] + table["undetermined"] == table["runs"]).all()
    assert [each.dataset for each in answers(collected, table, tests)] == ["digits", "ring8"]


def test_of_one_method_is_told_what_its_runs_showed(collected):
    table, tests = ranked(made := study(collected, {"a": {ONE: runs("fc")}}))
    assert (len(table), len(tests)) == (1, 0)
    assert answer(made).text.startswith("a is the only method that was run: 1 of 2 runs (2 seeds) are healthy (50%,")
    assert answer(made).sure == ""


# Sentences


def test_a_method_that_is_shown_to_be_best_is_the_one_to_use(collected):
    found = answer(study(collected, {"a": {ONE: runs("f" * 12)}, "b": {ONE: runs("c" * 12)}}))
    assert found.text == (
        "a is the one to use: 12 of 12 runs (12 seeds) are healthy (100%, 95% interval 76% to 100%), and the median"
        " Fréchet distance is 6.5 (95% interval 3 to 10)."
    )
    assert found.sure == (
        "It is shown to be better than the other method, by healthy runs (adjusted p < 0.001, of 2 tests)."
    )
    assert found.cautions == ()


@pytest.mark.parametrize(("untrained", "ends"), [(0.5, 12), (9.5, 3), (10.5, None)])
def test_runs_that_end_no_better_than_they_began_are_said(collected, untrained, ends):
    """Runs score 1 to 12, the smaller the better."""
    made = study(collected, {"a": {ONE: runs("f" * 12)}})
    alike = collected.snapshots.iloc[[0] * len(made.runs)].reset_index(drop=True)
    start = alike.assign(run=made.runs["run"], dataset=made.runs["dataset"], step=0, fd=untrained)
    said = [each for each in answer(replace(made, snapshots=start)).cautions if "untrained" in each]
    if ends is None:
        assert said == []
        return
    assert said == [
        f"{ends} of 12 runs end no better in Fréchet distance than their untrained generators, whose median is"
        f" {untrained}: scores of these say little of what was learned."
    ]


def test_an_open_order_says_how_many_runs_would_tell(collected):
    made = study(collected, {"a": {ONE: runs("f" * 10)}, "b": {ONE: runs("f" * 8, "cc")}})
    found = answer(made)
    needed = int(ranking_tests(made)["runs_needed"][0])
    assert found.text.startswith("No method is shown to be the best; a comes first: 10 of 10 runs (10 seeds) are")
    assert found.sure == (
        f"b is not told apart from it, and may be the better one. If the shares are as seen, about {needed} runs of"
        f" each ({needed - 10} more), by their healthy runs, would tell it from b."
    )


def test_runs_that_cannot_decide_whatever_they_show_are_said_to_be_too_few(collected):
    """Of three seeds each, 2 of the 20 ways to deal them have the least p-value; of four, 2 of 70."""
    made = study(collected, {"a": {ONE: runs("f" * 3)}, "b": {ONE: runs("c" * 3)}})
    (row,) = ranking_tests(made).to_dict("records")
    assert row["min_p_value"] == row["improvement_p_value"] == pytest.approx(2 / 20)
    assert row["healthy_p_value"] == 2 / 2**3
    found = answer(made)
    assert found.sure.startswith(
        "b is not told apart from it: 3 runs of each cannot tell them apart (least possible p = 0.1), whatever these"
        " show. No run of b is healthy. If the shares are as seen, about"
    )
    assert "may be" not in found.sure
    (row,) = ranking_tests(study(collected, {"a": {ONE: runs("f" * 4)}, "b": {ONE: runs("fccc")}})).to_dict("records")
    assert row["min_p_value"] == pytest.approx(2 / 70)
    assert row["min_p_value"] < 0.05 < row["healthy_p_value"]


def test_without_partners_the_least_possible_p_is_that_of_the_test_that_is_made(collected):
    made = study(collected, {"a": {ONE: runs("f" * 3)}, "b": {ONE: runs("ffc")}})
    made = replace(made, runs=made.runs.assign(seed=range(6)))
    (row,) = ranking_tests(made).to_dict("records")
    assert (row["healthy_test"], row["min_p_value"]) == ("Barnard's test", pytest.approx(2 / 4**3))
    apart = study(collected, {"a": {ONE: runs("f" * 12)}, "b": {ONE: runs("c" * 12)}})
    found = answer(replace(apart, runs=apart.runs.assign(seed=range(24))))
    assert found.sure.endswith("(adjusted p < 0.001, of 2 tests).")


def test_a_method_is_said_to_be_perhaps_better_where_that_is_worth_naming(collected):
    """Of 200 pairs two differ: the interval of the shares holds nothing worth naming in favour of the other."""
    all_good, two_bad = (
        [(float(seed), "collapsed" if bad and seed < 2 else "converged") for seed in range(200)] for bad in (0, 1)
    )
    found = answer(study(collected, {"a": {ONE: all_good}, "b": {ONE: two_bad}}))
    assert found.sure.startswith("b is not told apart from it. If the shares are as seen, ")


def test_a_method_without_a_healthy_run_is_not_said_to_be_perhaps_better(collected):
    found = answer(study(collected, {"a": {ONE: runs("fff", "c" * 9)}, "b": {ONE: runs("c" * 3, "n" * 9)}}))
    assert found.text.startswith("No method is shown to be the best; a comes first")
    assert found.sure.startswith("b is not told apart from it. No run of b is healthy. If the shares are as seen, ")


def test_of_several_settings_a_seed_is_one_observation(collected):
    """Five seeds of each have 252 ways to be dealt anew, however many settings they were run at."""
    settings = [(100, 0.1), (100, 0.2), (100, 0.3)]
    good, bad = (dict.fromkeys(settings, runs(letters)) for letters in ("fffff", "ccccc"))
    made = study(collected, {"a": good, "b": bad})
    (row,) = ranking_tests(made).to_dict("records")
    assert (row["pairs"], row["healthy_test"]) == (15, BY_SEEDS)
    assert row["healthy_p_value"] == row["min_p_value"] == row["improvement_p_value"] == pytest.approx(2 / 252)
    found = answer(made)
    assert found.use == "a is the one to use"
    assert found.shown.startswith("15 of 15 runs (5 seeds at 3 settings) are healthy")
    assert "and the median Fréchet distance over all 3 settings is 3 (95%" in found.shown
    assert found.sure.endswith("by healthy runs (adjusted p = 0.012, of 2 tests).")
    # One seed that is healthy at one setting only.
    (row,) = ranking_tests(study(collected, {"a": good, "b": bad | {settings[0]: runs("fcccc")}})).to_dict("records")
    assert row["healthy_p_value"] == pytest.approx(2 / 252)
    assert row["healthy_difference"] == pytest.approx(14 / 15)


def test_of_few_runs_the_scores_are_given_in_place_of_a_median(collected):
    found = answer(study(collected, {"a": {ONE: runs("ffc")}, "b": {ONE: runs("ccc")}}))
    assert found.shown.endswith(", and the runs that did not fail score 1 and 2 in Fréchet distance")
    found = answer(study(collected, {"a": {ONE: runs("fff")}, "b": {ONE: runs("ccc")}}))
    assert found.shown.endswith(", and the runs score 1, 2 and 3 in Fréchet distance")


def test_methods_are_also_shown_at_the_best_rate_of_each(collected):
    """A method that fails at a rate that nobody would choose loses by that over all rates."""
    fast = {(100, 0.001): runs("f" * 12), (100, 0.1): runs("c" * 12)}
    slow = {(100, 0.001): runs("f" * 11, "c"), (100, 0.1): runs("f" * 12)}
    found = answer(study(collected, {"fast": fast, "slow": slow}))
    assert found.text.startswith("slow is the one to use: 23 of 24 runs (12 seeds at 2 settings) are healthy")
    ends = "slow 12 of 12 at 0.1, an end of its rates; fast 12 of 12 at 0.001, an end of its rates."
    assert f"Healthy at the best rate of each: {ends} These rates were chosen by" in found.cautions[0]


def test_a_method_that_works_at_no_rate_of_the_grid_has_no_best_rate(collected):
    rates = [(100, rate) for rate in (0.001, 0.01, 0.1)]
    works = dict(zip(rates, (runs("cccc"), runs("ffff"), runs("ffff")), strict=True))
    found = answer(study(collected, {"a": works, "b": dict.fromkeys(rates, runs("cccc"))}))
    (caution,) = [each for each in found.cautions if each.startswith("Runs at all learning rates")]
    assert "best rate of each: a 4 of 4 each at 0.01 and 0.1. These" in caution
    assert caution.endswith(
        "Healthy at no rate of the grid: b; what it does at other rates, or after more steps, was not run."
    )


def test_methods_that_differ_in_several_parts_at_once_are_said_to(collected):
    names = {name: {ONE: runs("f" * 12)} for name in ("a", "b", "c", "d")}
    made = study(collected, names)
    table = made.runs.assign(
        objective=made.runs["method"].map({"a": "hinge", "b": "hinge", "c": "wasserstein", "d": "wasserstein"}),
        optimizer=made.runs["method"].map({"a": "adam", "b": "sgd", "c": "sgd", "d": "sgd"}),
    )
    found = [each for each in answer(replace(made, runs=table)).cautions if "at once" in each]
    assert found == [
        "c and d differ from a in objective and optimizer at once: what was seen cannot be put down to one of these."
    ]


def test_where_no_run_is_healthy_none_is_recommended(collected):
    found = answer(study(collected, {"a": {ONE: runs("c" * 12, value=1.0)}, "b": {ONE: runs("c" * 12, value=20.0)}}))
    assert found.text.startswith("No run of any method is healthy; a comes first: 0 of 12 runs (12 seeds) are")
    assert found.text.endswith("and 12 failed, so that there is no median Fréchet distance.")


def test_a_first_method_without_healthy_runs_is_not_said_to_stand_for_all(collected):
    """Twelve runs that have not learned score better than one healthy run and eleven that collapsed."""
    made = {"a": {ONE: runs("n" * 12)}, "b": {ONE: runs("f" + "c" * 11, value=20.0)}}
    start = "No run of a, which comes first, is healthy, so that it is not one to use, while "
    found = answer(study(collected, made))
    assert found.text.startswith(start + "some of b are: 0 of 12 runs (12 seeds) are")
    assert found.sure.startswith("It is shown to be better than the other method, by scores")
    found = answer(study(collected, made | {"b": {ONE: runs("u" + "c" * 11, value=20.0)}}))
    assert found.text.startswith(start + "of some of b that is not known: 0 of 12 runs (12 seeds) are")


def test_runs_that_do_not_differ_are_said_not_to(collected):
    found = answer(study(collected, {"a": {ONE: runs("f" * 10)}, "b": {ONE: runs("f" * 10)}}))
    assert found.sure.endswith("From b these runs show no difference at all.")
    assert "more)" not in found.sure


def test_what_is_not_known_is_said_and_does_not_recommend(collected):
    made = study(collected, {"a": {ONE: runs("u" * 12)}, "b": {ONE: runs("u" * 12, value=20.0)}})
    found = answer(made)
    assert found.text.startswith(
        "No method is shown to be the best; a comes first: 0 of 12 runs (12 seeds) are healthy, and of 12 it is not"
        " known (95% interval 0% to"
    )
    assert "by scores" in found.sure
    assert found.cautions[0].startswith("Of 24 of 24 runs it is not known whether they are healthy")


def test_a_recommendation_names_what_speaks_against_it(collected):
    """More runs of one method are healthy, and the runs of the other that are score better."""
    made = study(
        collected,
        {"safe": {ONE: runs("f" * 40, value=100.0)}, "risky": {ONE: runs("f" * 31, "n" * 9)}},
    )
    found = answer(made)
    assert found.text.startswith("safe is the one to use")
    (caution,) = found.cautions
    assert caution.startswith("A run of risky scores better than one of safe with a probability of 100% (95% interval")
    seldom = answer(study(collected, {"a": {ONE: runs("ffff", "c" * 6)}, "b": {ONE: runs("c" * 10)}}))
    assert "Of no method here half of the runs are healthy" in seldom.cautions[0]


def test_healthy_runs_that_are_hardly_nearer_to_real_data_than_noise_are_said_to_be(collected):
    """Noise scores 12, and real data 1.7; half-way is 6.85. Twelve runs from 1 on have a median of 6.5."""
    nulls = collected.nulls

    def told(value: float, nulls: pd.DataFrame = nulls) -> list[str]:
        made = study(collected, {"a": {ONE: runs("f" * 12, value=value)}, "b": {ONE: runs("c" * 12)}})
        return [each for each in answer(replace(made, nulls=nulls)).cautions if each.startswith("Noise")]

    (caution,) = told(2.0)
    assert "scores 12 in" in caution
    assert "the healthy runs of a, at a median of 7.5" in caution
    assert told(1.0) == []
    assert told(2.0, nulls.assign(noise=2.5)) == [], "three widths beyond real data, which is not told apart"
    assert told(2.0, nulls.assign(noise=np.nan)) == []
    assert told(2.0, nulls.assign(low=np.nan, high=np.nan)) == [caution], "noise needs no null"


@pytest.mark.parametrize(("value", "told"), [(11.0, 1), (14.0, 0)])
def test_so_are_those_of_a_metric_of_which_more_is_better(collected, value, told):
    """Noise scores 12, and real data 25; half-way is 18.5. Twelve runs from 11 on have a median of 16.5."""
    made = study(collected, {"a": {ONE: runs("f" * 12, value=value)}, "b": {ONE: runs("c" * 12)}})
    nulls = collected.nulls.assign(mean=25.0, low=24.9, high=25.1)
    metrics = {"fd": replace(collected.metrics["fd"], best="high")}
    cautions = answer(replace(made, nulls=nulls, metrics=metrics)).cautions
    assert len([each for each in cautions if each.startswith("Noise")]) == told


def test_a_metric_that_cannot_tell_noise_from_the_data_does_not_lead(collected):
    """Real data score 1.53 to 1.87, of which five widths beyond are 3.57, and ten modes without any spread, half of
    which noise must miss. If no metric tells, it is said."""
    made = study(collected, {"a": {ONE: runs("f" * 12)}, "b": {ONE: runs("c" * 12)}})
    made = replace(
        made,
        metrics={name: made.metrics[name] for name in ("fd", "modes")},
        runs=made.runs.assign(modes_final=3.0),
        snapshots=made.snapshots.assign(modes=3.0),
    )
    for noise, primary, blind in (
        ({"fd": 3.6, "modes": 5.0}, "fd", False),
        ({"fd": 3.5, "modes": 5.0}, "modes", False),
        ({"fd": 3.5, "modes": 6.0}, "fd", True),
        ({}, "fd", False),
    ):
        nulls = collected.nulls.assign(noise=collected.nulls["metric"].map(noise))
        nulls[["low", "high"]] = nulls[["low", "high"]].where(nulls["metric"] != "modes", 10.0)
        there = replace(made, nulls=nulls)
        assert primary_metric(there, "a") == primary, noise
        told = [each for each in answer(there).cautions if "does not tell these data" in each]
        assert len(told) == blind, noise
        if blind:
            assert told[0].startswith("Fréchet distance, by which runs are scored and count as having")
            assert told[0].endswith("any other metric of the study: noise scores 3.5, and real data 1.53 to 1.87.")


def test_methods_with_other_shares_of_their_runs_at_the_settings_are_said_to_have_them(collected):
    """Of two methods that always fail at one setting and never at the other, none is the better one."""
    many, few = {ONE: runs("cc"), (400, 0.1): runs("f" * 10)}, {ONE: runs("c" * 10), (400, 0.1): runs("ff")}
    made = study(collected, {"few": few, "many": many})
    (row,) = ranking_tests(made).to_dict("records")
    assert (row["healthy_difference"], row["healthy_p_value"]) == (0, 1)
    assert pd.isna(row["better"])
    found = answer(made)
    assert found.text.startswith("No method is shown to be the best; many comes first")
    told = "many and few have different shares of their runs at the settings of both: "
    assert [each for each in found.cautions if each.startswith(told)]
    even = answer(study(collected, {"few": {each: runs("fc") for each in few}, "many": many | {ONE: runs("c" * 10)}}))
    assert not any("different shares" in each for each in even.cautions)


def test_methods_at_other_settings_are_said_to_be(collected):
    more = {ONE: runs("f" * 12), (400, 0.1): runs("c" * 12)}
    found = answer(study(collected, {"a": {ONE: runs("f" * 12)}, "b": more}))
    assert "a and b were not run at the same settings" in " ".join(found.cautions)
