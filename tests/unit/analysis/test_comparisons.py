"""Methods compared at the settings that both were run at: pairs, failed runs, and p-values of the whole table."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from compared_methods import runs, study

from ganbench.analysis.comparison_sentences import compared
from ganbench.analysis.comparisons import COLUMNS, comparisons
from ganbench.analysis.failures import by_axis, over_seeds
from ganbench.analysis.methods import failed
from ganbench.analysis.pairing import compare_failures, keys
from ganbench.analysis.ranking_tests import ranking_tests
from ganbench.analysis.settings import settings_table
from ganbench.analysis.statistics.improvement import probability_of_improvement
from ganbench.analysis.statistics.multiplicity import false_discovery_adjusted
from ganbench.analysis.statistics.rate_differences import (
    independent_difference,
    paired_difference,
    stratified_difference,
)
from ganbench.analysis.statistics.sample_sizes import pairs_for_two_rates, runs_for_two_rates
from ganbench.analysis.statistics.survival import log_rank


def test_only_settings_of_both_count_and_runs_are_paired(collected):
    table = comparisons(
        study(
            collected,
            {
                "a": {(100, 0.1): runs("fff"), (400, 0.1): runs("ffc"), (900, 0.1): runs("ccc")},
                "b": {(100, 0.1): runs("ccc"), (400, 0.1): runs("ccc")},
            },
        )
    )
    (row,) = table.to_dict("records")
    assert list(table) == list(COLUMNS)
    assert (row["settings"], row["first_runs"], row["first_failed"], row["second_failed"]) == (2, 6, 1, 6)
    expected = paired_difference(0, 5, 6)
    assert (row["pairs"], row["failure_difference"], row["failure_p_value"]) == (6, expected.value, expected.p_value)
    assert (row["failure_low"], row["failure_high"]) == (expected.low, expected.high)
    # Failed runs are worse than any score, and equal among themselves: 9 of 9, and 6 + 3 / 2 of 9.
    assert row["improvement"] == pytest.approx((1 + 7.5 / 9) / 2)
    steps = np.array([2000, 2000, 2000, 2000, 2000, 300, 100, 200, 300, 100, 200, 300])
    failed = np.array([0, 0, 0, 0, 0, 1] + [1] * 6, dtype=bool)
    strata = np.repeat([0, 1, 0, 1], 3)
    assert row["log_rank_p_value"] == pytest.approx(log_rank(steps, failed, np.repeat([0, 1], 6), strata))
    p_values = [row[f"{test}_p_value"] for test in ("failure", "log_rank", "improvement")]
    adjusted = [row[f"{test}_p_value_adjusted"] for test in ("failure", "log_rank", "improvement")]
    assert adjusted == pytest.approx(false_discovery_adjusted(p_values).tolist())


def test_runs_without_partners_are_independent(collected):
    few = study(collected, {"a": {(100, 0.1): runs("ffff")}, "b": {(100, 0.1): runs("cc")}})
    (row,) = comparisons(few).to_dict("records")
    expected = independent_difference((0, 4), (2, 2))
    assert (row["pairs"], row["failure_difference"], row["failure_p_value"]) == (0, -1, expected.p_value)


HARD, EASY = (100, 0.1), (1000, 0.1)  # settings at which all runs fail, and none


def test_runs_without_partners_are_compared_within_settings_of_which_methods_have_other_shares(collected):
    """Two equal methods, one of which has most of its runs at the hard setting."""
    few = study(
        collected, {"a": {HARD: runs("cc"), EASY: runs("f" * 10)}, "b": {HARD: runs("c" * 10), EASY: runs("ff")}}
    )
    (row,) = comparisons(few).to_dict("records")
    assert independent_difference((2, 12), (10, 12)).p_value < 0.002
    assert (row["pairs"], row["failure_difference"], row["failure_test"]) == (0, 0, "Mantel and Haenszel's exact test")
    assert row["failure_p_value"] == pytest.approx(1)
    assert pd.isna(row["failure_needed"])
    sentence = next(compared(few))
    assert "2 of 12 and 10 of 12 runs failed, a difference of 0 percentage points within settings (95%" in sentence
    assert "; Mantel and Haenszel's exact test: p = 1, adjusted p = 1, of 3 tests)" in sentence


def test_what_would_tell_shares_apart_within_settings_is_counted_from_the_weighted_ones(collected):
    few = study(
        collected,
        {"a": {HARD: runs("cf"), EASY: runs("f" * 10)}, "b": {HARD: runs("c" * 9, "f"), EASY: runs("c", "f")}},
    )
    (row,) = comparisons(few).to_dict("records")
    expected = stratified_difference([((1, 2), (9, 10)), ((0, 10), (1, 2))])
    assert (row["failure_difference"], row["failure_p_value"]) == (expected.value, expected.p_value)
    assert expected.value == pytest.approx(-(0.4 + 0.5) / 2)
    p_values = [row[f"{test}_p_value"] for test in ("failure", "log_rank", "improvement")]
    decided = int((false_discovery_adjusted(p_values) <= 0.05).sum())
    level = 0.05 * (decided + 1) / (3 * (1 + 1 / 2 + 1 / 3))
    assert row["failure_needed"] == runs_for_two_rates(*expected.rates, level=level)


def test_runs_of_one_mixture_of_settings_are_compared_together(collected):
    mixture = {"a": {HARD: runs("cccc"), EASY: runs("cfff")}, "b": {HARD: runs("cf"), EASY: runs("ff")}}
    (row,) = comparisons(study(collected, mixture)).to_dict("records")
    expected = independent_difference((5, 8), (1, 4))
    assert (row["failure_test"], row["failure_p_value"]) == ("Barnard's test", expected.p_value)


def test_the_levels_of_an_axis_are_compared_at_equal_values_of_the_others(collected):
    def told(levels: dict[tuple[int, float], str]) -> str:
        made = study(collected, {"a": {setting: runs(outcomes) for setting, outcomes in levels.items()}})
        return next(text for text in by_axis(made.runs) if text.startswith("Failures by learning rate"))

    uneven = {(100, 0.1): "c" * 2, (400, 0.1): "f" * 10, (100, 0.2): "c" * 10, (400, 0.2): "f" * 2}
    assert " differ by 0 percentage points within settings (95% interval" in told(uneven)
    assert told(uneven).endswith("; Mantel and Haenszel's exact test: p = 1).")
    # More of all runs fail at 0.2, and fewer of those with equal numbers of examples.
    turned = {(100, 0.1): "c" * 10, (400, 0.1): "c" * 20 + "f" * 40, (100, 0.2): "c" * 48 + "f" * 12}
    text = told(turned | {(400, 0.2): "f" * 10})
    assert "30 of 70 at 0.1 and 48 of 70 at 0.2. More runs fail at 0.1 than at 0.2: by 27 percentage points" in text
    text = told({(100, 0.1): "c" * 6, (400, 0.1): "f" * 6, (100, 0.2): "c" * 6})
    assert "differ by 0 percentage points" in text
    assert text.endswith(", of the 12 of 18 runs at values of other axes that both have.")
    apart = told({(100, 0.1): "f" * 6, (400, 0.2): "c" * 6})
    assert apart.endswith(" 0.1 and 0.2 are not compared: other axes differ between them.")


def test_what_is_not_known_is_not_compared(collected):
    few = study(collected, {"a": {(100, 0.1): runs("ffu")}, "b": {(100, 0.1): runs("ccf")}})
    (row,) = comparisons(few).to_dict("records")
    assert (row["undetermined"], row["first_failed"], row["second_failed"]) == (1, 0, 2)
    assert np.isnan(row["failure_p_value"])
    assert pd.isna(row["pairs"])
    (sentence, *_) = compared(few)
    assert "0 of 3 and 2 of 3 runs were seen to fail, and of 1 it is not known" in sentence


def test_methods_without_a_setting_in_common_are_not_compared(collected):
    few = study(collected, {"a": {(100, 0.1): runs("fff")}, "b": {(400, 0.1): runs("fff")}})
    (row,) = comparisons(few).to_dict("records")
    assert row["settings"] == 0
    assert np.isnan(row["improvement"])
    assert list(compared(few)) == []
    one = comparisons(study(collected, {"a": {(100, 0.1): runs("fff")}}))
    assert one.empty
    assert list(one) == list(COLUMNS)


def test_a_pair_begins_with_the_verdict_of_the_ranking_and_counts_what_had_not_learned(collected):
    """Twelve runs that never learn fail less often than one that works, and are no better for it."""
    few = study(collected, {"idle": {(100, 0.1): runs("n" * 12)}, "works": {(100, 0.1): runs("f" * 9, "ccc")}})
    pair, time = compared(few)
    (row,) = comparisons(few).to_dict("records")
    assert (row["first_failed"], row["first_not_learned"], row["second_not_learned"]) == (0, 12, 0)
    assert pair.startswith(
        "digits: idle against works, at 1 setting of both: by the ranking, works is the better one, by healthy runs"
        " (adjusted p = 0.012, of 2 tests); 0 of 12 and 3 of 12 runs failed, and 12 and 0 more had not learned, a"
        " difference of -25 percentage points"
    )
    assert "runs that did not fail, 12 of which had not learned either, being censored" in time
    (text,) = over_seeds(settings_table(few))
    assert text.endswith(
        "none failed in 1, and in 1 some failed while others did not. In 1 no run had learned, nor failed."
    )
    slow = study(collected, {"a": {(100, 0.1): runs("ffff"), (100, 0.2): runs("nnnc")}})
    assert next(by_axis(slow.runs)).startswith(
        "Failures by learning rate: 0 of 4 at 0.1 and 1 of 4 at 0.2 (3 more had not learned)."
    )


def test_two_methods_in_words(collected):
    few = study(collected, {"a": {(100, 0.1): runs("ffffffffcf")}, "b": {(100, 0.1): runs("ffcccfffff", value=3)}})
    first, time = compared(few)
    expected = paired_difference(1, 3, 10)
    low, high = (round(100 * bound) for bound in (expected.low, expected.high))
    needed = pairs_for_two_rates(0.1, 0.3, level=0.05 / (3 * (1 + 1 / 2 + 1 / 3)))
    assert first.startswith(
        "digits: a against b, at 1 setting of both: the ranking does not tell them apart; 1 of 10 and 3 of 10 runs"
        f" failed, a difference of -20 percentage points (95% interval {low} to {high}; McNemar's exact test on 10"
        " pairs: p = 0.62, adjusted p = 1, of 3 tests); a run of the first has a better Fréchet distance"
        " than one of the second, failed runs being the worst, with a probability of "
    )
    assert first.endswith(
        f" Failures alone do not tell them apart. If the shares are as seen, about {needed} such pairs"
        f" ({needed - 10} more) would."
    )
    assert time.startswith("digits: the time to failure is not seen to differ between the 2 methods (log-rank test")


def test_times_to_failure_are_adjusted_over_the_data_sets_of_a_report(collected):
    """One data set of many in which methods differ by chance is no discovery."""
    good, worse = runs("f" * 8 + "cc"), runs("f" * 4 + "c" * 6)
    one = study(collected, {"a": {(100, 0.1): good}, "b": {(100, 0.1): worse}})
    chance = study(collected, {"a": {(100, 0.1): good}, "b": {(100, 0.1): good}})
    (row,) = comparisons(one).to_dict("records")
    assert 0.01 < row["log_rank_p_value"] < 0.05
    (*_, alone) = compared(one)
    assert "differs between the 2 methods" in alone
    tables = [one.runs] + [
        chance.runs.assign(dataset=f"other{index}", method=chance.runs["method"] + f"-{index}") for index in range(5)
    ]
    many = dataclasses.replace(one, runs=pd.concat(tables, ignore_index=True))
    times = [text for text in compared(many) if "time to failure" in text]
    assert len(times) == 6
    assert all("is not seen to differ" in text and ", adjusted p = " in text for text in times)


def test_undetermined_runs_are_said_to_count_by_their_value(collected):
    few = study(collected, {"a": {(100, 0.1): runs("ffuuc")}, "b": {(100, 0.1): runs("ccfcc")}})
    sentence, time = compared(few)
    assert "failed runs being the worst and undetermined ones counting by their value, with" in sentence
    assert "runs that did not fail, and those of which it is not known, being censored" in time


def test_of_many_methods_only_neighbours_in_the_ranking_have_a_sentence(collected):
    """The question is which of two near ones to use; that all runs of one and none of another fail is seen at once."""
    shares = {"a": "f" * 20, "b": "f" * 19 + "c", "c": "c" * 20, "d": "f" * 18 + "cc"}
    few = study(collected, {name: {(100, 0.1): runs(mine)} for name, mine in shares.items()})
    *pairs, rest, time = compared(few)
    assert [text.split(",")[0] for text in pairs] == [
        f"digits: {pair}" for pair in ("a against b", "b against d", "c against d")
    ]
    told = int(ranking_tests(few)["better"].notna().sum())
    assert told == 3, "c is worse than each of the others"
    assert rest.startswith(
        "digits: these are the 3 of 6 pairs of methods that stand nearest to each other in the ranking,"
    )
    assert ", which tells 3 of 6 apart." in rest
    assert "differs between the 4 methods" in time


def test_keys_are_equal_where_cells_are_empty():
    one = pd.DataFrame({"rate": [0.1, np.nan], "seed": [1, 2], "outcome": ["converged", "collapsed"]})
    two = pd.DataFrame({"rate": [0.1, None], "seed": [1, 2], "outcome": ["collapsed", "collapsed"]}, dtype=object)
    assert keys(one, ["rate", "seed"]) == keys(two, ["rate", "seed"]) == [(0.1, 1), (None, 2)]
    assert compare_failures(one, two, ["rate"]) == paired_difference(0, 1, 2)


def test_improvement_is_that_of_the_losses_by_setting(collected):
    table = comparisons(collected)
    (row,) = table.to_dict("records")
    runs = collected.runs
    losses = [
        [
            np.where(failed(mine), np.inf, mine["fd_final"]).astype(float)
            for _, mine in runs[runs["method"] == name].groupby(["n_train", "learning_rate"])
        ]
        for name in ("digits-fc", "digits-dcgan")
    ]
    expected = probability_of_improvement(*losses)
    assert (row["improvement"], row["improvement_low"]) == pytest.approx((expected.value, expected.low))
