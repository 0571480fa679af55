"""Tables, figures, findings and the HTML page, on a made-up study."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import get_args

import collected_example
import numpy as np
import pandas as pd
import pytest
from html_page import HOSTILE, Page
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from repository import PACKAGE, ROOT

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import RUNS
from ganbench.analysis.findings import findings
from ganbench.analysis.forgetting import forgetting
from ganbench.analysis.methods import as_loss, measured_metrics, primary_metric
from ganbench.analysis.settings import settings_table, varying
from ganbench.analysis.statistics.rates import wilson
from ganbench.core import registry, result_files
from ganbench.report import figures, html, run_records, tables
from ganbench.report.captions import captions
from ganbench.report.figure_info import FigureInfo, Scope, figure_infos, read_figure_info
from ganbench.report.figures import failure_rate, outcomes, quality, samples
from ganbench.report.file_names import FIGURE_FORMATS, figure_files, figure_name, table_files
from ganbench.report.file_names import figures as figures_of
from ganbench.report.page import Figures, template
from ganbench.report.plotting import style
from ganbench.report.plotting.setting_panels import settings_of

STUDY_FIGURES, METHOD_FIGURES, EXPERIMENT_FIGURES = (
    [name for name, info in figure_infos().items() if info.scope == scope] for scope in get_args(Scope)
)


def shown_of(collected: Collected) -> list[tuple[str, str | None]]:
    """Every figure of a study without a laboratory."""
    return figures_of(list(dict.fromkeys(collected.runs["method"])), {})


@pytest.fixture(scope="module")
def drawn(collected, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    figures.write(collected, folder, shown_of(collected))
    return folder


@pytest.fixture(scope="module")
def page(collected, drawn, tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("report") / "report.html"
    html.render(collected, collected_example.study(), drawn, shown_of(collected), out)
    return out.read_text(encoding="utf-8")


# Tables


def test_tables_are_the_promised_files_with_every_column_documented(collected, tmp_path):
    tables.write(collected, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(table_files())
    notes = (tmp_path / "COLUMNS.md").read_text()
    for name, columns in tables.documented(collected).items():
        section = notes.split(f"## {name}\n")[1].split("\n## ")[0]
        documented = re.findall(r"^\| `([^`]+)` \| (?=\S)", section, flags=re.MULTILINE)
        read, typed = pd.read_csv(tmp_path / f"{name}.csv"), pd.read_parquet(tmp_path / f"{name}.parquet")
        assert documented == list(read.columns) == list(typed.columns) == list(columns)
        assert len(read) == len(typed)
        assert len(read) > 0 or name in ("measurements", "claims", "published")
        numbers = typed.select_dtypes("number").columns
        pd.testing.assert_frame_equal(read[numbers].astype(float), typed[numbers].astype(float), rtol=1e-12)


def test_undocumented_columns_are_refused(collected, tmp_path):
    odd = dataclasses.replace(collected, runs=collected.runs.assign(mood="good"))
    with pytest.raises(ValueError, match=r"table runs: .*mood"):
        tables.write(odd, tmp_path)


def test_a_changed_table_of_settings_changes_no_other(collected):
    first = settings_table(collected)
    first["runs"] = 0
    assert (settings_table(collected)["runs"] > 0).all()


def test_a_page_says_how_many_runs_it_leaves_out(collected, tmp_path, monkeypatch):
    monkeypatch.setattr(run_records, "MAX_RUNS", 30)
    shown = html._runs(collected, {}, {}, run_records.commands(""), Figures(tmp_path, tmp_path), [])
    page = template("runs.html.j2").render(runs=shown)
    assert f"30 of {len(collected.runs)} runs are listed here" in page
    assert page.count('<tr id="run-') == 30


def test_settings_count_every_run_once(collected):
    table = settings_table(collected)
    assert len(table) == 21
    assert table["runs"].sum() == len(collected.runs)
    outcomes = table.filter(regex="^outcome_")
    assert (outcomes.sum(axis=1) == table["runs"]).all()
    assert (table["failed"] == table["runs"] - table["outcome_converged"]).all()
    assert table["fd_values"].sum() == np.isfinite(collected.runs["fd_final"]).sum() < len(collected.runs)


def test_a_settings_row_does_not_depend_on_the_others(collected):
    few = settings_table(collected_example.only(collected, collected.runs["method"] == "ring8-mlp"))
    every = settings_table(collected)
    pd.testing.assert_frame_equal(few, every[every["method"] == "ring8-mlp"].reset_index(drop=True))


def test_a_setting_is_summed_up_over_its_runs(collected):
    table = settings_table(collected)
    row = table[(table["method"] == "digits-fc") & (table["failed"] > 0)].iloc[0]
    runs = collected.runs
    same = runs[(runs["method"] == "digits-fc") & (runs["n_train"] == row["n_train"])]
    same = same[same["learning_rate"] == row["learning_rate"]]
    count = int((same["outcome"] != "converged").sum())
    rate = wilson(count, len(same))
    assert (row["runs"], row["failed"], row["failure_rate"]) == (len(same), count, count / len(same))
    assert (row["failure_low"], row["failure_high"]) == (rate.lower, rate.upper)
    for name in collected.metrics:
        values = same[f"{name}_final"].dropna().to_numpy()
        assert row[f"{name}_values"] == len(values)
        assert [row[f"{name}_{end}"] for end in ("min", "median", "max")] == [
            values.min(),
            np.median(values),
            values.max(),
        ]


def test_settings_come_by_method_and_then_by_rising_axes(collected):
    table = settings_table(collected)
    assert list(dict.fromkeys(table["method"])) == list(dict.fromkeys(collected.runs["method"]))
    for _, mine in table.groupby("method"):
        axes = list(zip(mine["n_train"], mine["learning_rate"], strict=True))
        assert axes == sorted(axes)
        assert len(mine.index) == mine.index.max() - mine.index.min() + 1, "in one piece"


def test_unknown_outcomes_are_refused(collected):
    odd = dataclasses.replace(collected, runs=collected.runs.assign(outcome="bored"))
    with pytest.raises(ValueError, match=r"bored.*OUTCOMES"):
        settings_table(odd)


# Findings


def tiny(collected: Collected, outcomes: list[str], values: list[float], **columns: object) -> Collected:
    """Four runs of one method at two learning rates with given outcomes and final values."""
    keep = (collected.runs["method"] == "ring8-mlp") & (collected.runs["seed"] < 2)
    few = collected_example.only(collected, keep & (collected.runs["learning_rate"] != 1e-3))
    steps = {"outcome_onset": [100, 200, 300, 400], "failure_onset": [100, 200, 300, 400]}
    runs = few.runs.assign(outcome=outcomes, fd_final=values, **steps, **columns)
    return dataclasses.replace(few, runs=runs)


def texts(collected: Collected, kind: str) -> str:
    return " ".join(each.text for each in findings(collected) if each.kind == kind)


def test_findings_carry_the_numbers_of_the_table(collected):
    few = tiny(collected, ["converged", "converged", "diverged", "collapsed"], [2.0, 4.0, np.nan, 60.0])
    assert (
        "2 of 4 runs failed (50%, 95% interval 15% to 85%): 1 diverged (first failure, of any kind, at step"
        " 300) and 1 collapsed (first failure, of any kind, at step 400)." in texts(few, "failures")
    )
    method = texts(few, "method")
    assert "Best median Fréchet distance (lower is better): 2 and 4 (2 seeds)" in method
    assert "at learning rate 0.0002; worst: no median, since 2 of 2 runs failed, at" in method
    axis = texts(few, "axis")
    assert "Failures by learning rate: 0 of 2 at 0.0002 and 2 of 2 at 0.005." in axis
    assert (
        "These runs do not tell 0.0002 and 0.005 apart: the shares differ by 100 percentage points (95% interval -35"
        " to 100; McNemar's exact test on 2 pairs of runs: p = 0.5, the least that 2 pairs can give). If the shares are"
        " as seen, about 6 such pairs (4 more) would." in axis
    )
    assert "generator" not in axis
    assert "training examples" not in axis
    assert "every seed failed in 1, none failed in 1, and in 0 some failed" in texts(few, "seeds")
    reference = texts(few, "reference")
    assert "would score 0.8 (0.72 to 0.88 in 95% of samples) in Fréchet distance; the best" in reference
    assert "final value of 2 runs not seen to fail is 2 (" in reference
    assert "; none of them is within the interval of real data in Fréchet distance." in reference
    assert "2 seeds each" in texts(few, "caution")


def test_a_setting_does_not_win_by_losing_its_bad_runs(collected):
    few = tiny(collected, ["converged", "converged", "diverged", "converged"], [5.0, 6.0, np.nan, 1.0])
    assert "Best median Fréchet distance (lower is better): 5 and 6 (2 seeds)" in texts(few, "method")


def test_what_a_run_scored_before_it_diverged_is_not_its_result(collected):
    few = tiny(collected, ["converged", "converged", "diverged", "diverged"], [5.0, 6.0, 1.0, 1.0])
    assert "Best median Fréchet distance (lower is better): 5 and 6 (2 seeds)" in texts(few, "method")
    assert "the best final value of 2 runs not seen to fail is 5 (" in texts(few, "reference")


def test_a_setting_does_not_win_by_the_scores_of_failed_runs(collected):
    """A generator that collapsed on good examples may score better than one that has learned them all."""
    few = tiny(collected, ["converged", "converged", "collapsed", "unstable"], [5.0, 6.0, 1.0, 0.8])
    method = texts(few, "method")
    assert "Best median Fréchet distance (lower is better): 5 and 6 (2 seeds), at" in method
    assert "worst: no median, since 2 of 2 runs failed, at" in method
    table = settings_table(few)
    assert list(table["fd_failed_or_missing"]) == [0, 2]
    assert (table["fd_min"][1], table["fd_max"][1]) == (0.8, 1.0), "their scores are shown all the same"
    assert "of 2 runs not seen to fail is 5 (" in texts(few, "reference")
    assert "none of them is within the interval of real data" in texts(few, "reference")


def test_forgetting_is_counted(collected):
    few = tiny(collected, ["converged"] * 4, [1.0] * 4)
    # The third improves by half, which is not yet to have learned, and the fourth never.
    curves = {0: [10.0, 2.0, 3.0], 1: [10.0, 2.0, np.nan], 2: [10.0, 5.0, 10.0], 3: [1.0, 2.0, 3.0]}
    rows = [
        {**few.snapshots[few.snapshots["run"] == run].iloc[0], "step": 10 * i, "fd": value}
        for run, values in zip(few.runs["run"], curves.values(), strict=True)
        for i, value in enumerate(values)
    ]
    text = texts(dataclasses.replace(few, snapshots=pd.DataFrame(rows)), "forgetting")
    assert (
        "1 of 2 runs that had learned by Fréchet distance at some snapshot lost more than 50% of their best"
        " improvement by their last one (50%," in text
    )
    assert "1 of these 1 did not fail" in text
    assert "10 at first, 2 at step 10, no value at the last" in text
    assert "2 more runs had not learned at any snapshot" in text
    strict = dataclasses.replace(few, snapshots=pd.DataFrame(rows), runs=few.runs.assign(outcome_learned_share=0.1))
    assert "None of 4 runs had learned by Fréchet distance at any snapshot" in texts(strict, "forgetting")


def grid(collected: Collected, values: dict[tuple[int, float], list[float]], failed: int = 0) -> Collected:
    """Runs of one method with these final values by number of examples and learning rate; the last ones failed."""
    few = collected_example.only(collected, collected.runs["method"] == "ring8-mlp")
    rows = [
        {**few.runs.iloc[0], "run": f"n{n}-r{rate}-s{seed}", "n_train": n, "learning_rate": rate, "seed": seed}
        | {"fd_final": value, "outcome": "converged"}
        for (n, rate), each in values.items()
        for seed, value in enumerate(each)
    ]
    for row in rows[len(rows) - failed :]:
        row |= {"outcome": "collapsed"}
    return dataclasses.replace(few, runs=pd.DataFrame(rows), snapshots=few.snapshots[:0])


def test_medians_of_settings_are_told_apart_by_both_axes(collected):
    few = grid(collected, {(100, 0.1): [7.0, 8.0, 90.0], (100, 0.2): [3.0] * 3, (400, 0.1): [1.0, 2.0, 50.0]})
    method = texts(few, "method")
    assert "(lower is better): 1, 2 and 50 (3 seeds), at 400 training examples, learning rate 0.1;" in method
    assert "worst: 7, 8 and 90 (3 seeds), at 100 training examples, learning rate 0.1." in method
    # Seeds reach over 83, 0 and 49; medians from 2 to 8.
    reach = texts(few, "seeds")
    assert "over the seeds of one setting differs by 0, 49 and 83 (the most at 100 training examples," in reach
    assert "learning rate 0.1), while the medians of 3 settings reach over 6 (2 to 8)." in reach
    assert "are not in the differences" not in reach


def test_settings_differ_by_the_generator_s_learning_rate(collected):
    """Settings, sentences, panels and the report's tables tell them apart; other studies do not see the axis."""
    few = grid(collected, {(100, 0.1): [7.0, 8.0, 9.0, 1.0, 2.0, 3.0]})
    own = [np.nan] * 3 + [0.05] * 3
    few = dataclasses.replace(few, runs=few.runs.assign(generator_learning_rate=own))
    table = settings_table(few)
    assert list(table["runs"]) == [3, 3]
    assert list(table["fd_median"]) == [8.0, 2.0]
    method = texts(few, "method")
    assert "(lower is better): 1, 2 and 3 (3 seeds), at generator learning rate 0.05;" in method
    words = [words for _, words, mine in settings_of(few.runs) if len(mine)]
    assert words == ["rate 0.1", "rate 0.1 / 0.05"]
    assert varying(table) == ["generator_learning_rate"]
    assert "generator_learning_rate" not in varying(settings_table(collected))
    for figure in (quality, failure_rate, outcomes):
        figure.draw(few)


def test_runs_without_a_value_are_named_wherever_seeds_are_summed_up(collected):
    few = grid(collected, {(100, 0.1): [7.0, 8.0, np.nan], (100, 0.2): [3.0, np.nan, np.nan], (100, 0.4): [4.0, 9.0]})
    assert "4 of 8 runs are not in the differences over seeds" in texts(few, "seeds")
    worst = "worst: no median, since 2 of 3 runs failed or have no value, at learning rate 0.2."
    assert worst in texts(few, "method")
    nothing = grid(collected, {(100, 0.1): [7.0, 8.0], (100, 0.2): [np.nan, np.nan]})
    worst = "worst: no median, since 2 of 2 runs failed or have no value, at learning rate 0.2."
    assert worst in texts(nothing, "method")
    half = grid(collected, {(100, 0.1): [7.0, np.nan], (100, 0.2): [3.0, np.nan]})
    assert "In every setting half of the runs or more failed or have no value, so that there is no median" in texts(
        half, "method"
    )
    assert "over the seeds of one setting" not in texts(half, "seeds"), "one value has no reach"


def test_settings_that_tie_have_no_best_one(collected):
    one = texts(grid(collected, {(100, 0.1): [7.0, 8.0, 9.0]}), "method")
    tied = texts(grid(collected, {(100, 0.1): [8.0, 8.0], (100, 0.2): [8.0, 8.0]}), "method")
    assert "Median Fréchet distance (lower is better): 7, 8 and 9 (3 seeds)." in one
    assert "Median Fréchet distance (lower is better): 8 (2 seeds)." in tied
    assert "Best" not in one + tied


def test_failure_rates_of_an_axis_are_told_apart_where_their_intervals_are(collected):
    apart = texts(grid(collected, {(100, 0.1): [1.0] * 10, (100, 0.2): [1.0] * 10}, failed=10), "axis")
    assert "0 of 10 at 0.1 and 10 of 10 at 0.2." in apart
    assert (
        "More runs fail at 0.2 than at 0.1: by 100 percentage points (95% interval 52 to 100; McNemar's exact test on"
        " 10 pairs of runs: p = 0.002, the least that 10 pairs can give)." in apart
    )
    even = texts(grid(collected, {(100, 0.1): [1.0] * 2, (400, 0.1): [1.0] * 2}), "axis")
    assert even.startswith("Failures by training examples: 0 of 2 at 100 and 0 of 2 at 400.")
    assert even.endswith("400. The share is the same at every level.")


def test_the_most_striking_of_several_levels_is_compared_as_such(collected):
    """Of three levels there are three pairs: six pairs of runs that all differ are too few, seven suffice."""
    for seeds, told in ((6, False), (7, True)):
        values = {(100, rate): [1.0] * seeds for rate in (0.1, 0.2, 0.3)}
        text = texts(grid(collected, values, failed=seeds), "axis")
        assert ("More runs fail at 0.3 than at 0.1" in text) == told
        assert f"for all 3 pairs together; McNemar's exact test on {seeds} pairs of runs: p = " in text
        assert ("If the shares are as seen, about 7 such pairs (1 more) would." in text) != told


def test_runs_without_partners_are_compared_as_independent(collected):
    text = texts(grid(collected, {(100, 0.1): [1.0] * 12, (100, 0.2): [1.0] * 8}, failed=8), "axis")
    assert "Barnard's test: p < 0.001)." in text


def test_settings_in_which_all_runs_fail_hide_no_difference(collected):
    """Half of the runs have 100 examples and fail at either rate; of the others, all that fail do at the higher."""
    values = {(400, 0.1): [1.0] * 7, (100, 0.1): [1.0] * 7, (100, 0.2): [1.0] * 7, (400, 0.2): [1.0] * 7}
    text = texts(grid(collected, values, failed=21), "axis")
    assert "7 of 14 at 0.1 and 14 of 14 at 0.2. More runs fail at 0.2 than at 0.1: by 50 percentage points" in text
    assert "McNemar's exact test on 14 pairs of runs: p = 0.016)" in text


def test_seeds_that_disagree_are_counted_among_settings_with_several(collected):
    """The last failed runs are both of one setting, one of two of the next, and the single one of the last."""
    values = {(100, rate): [1.0] * count for rate, count in ((0.1, 3), (0.2, 2), (0.3, 2), (0.4, 1))}
    text = texts(grid(collected, values, failed=4), "seeds")
    assert "Of 3 settings with more than one seed, every seed failed in 1, none failed in 1, and in 1 some" in text
    assert "seed failed" not in texts(grid(collected, {(100, 0.1): [1.0], (100, 0.2): [1.0]}), "seeds")


def test_few_seeds_are_warned_of_below_ten(collected):
    def caution(*counts: int) -> str:
        return texts(grid(collected, {(100, rate): [1.0] * count for rate, count in enumerate(counts, 1)}), "caution")

    assert "Settings were run with 9 to 12 seeds each" in caution(9, 12)
    assert "Settings were run with 1 seed each" in caution(1, 1)
    assert caution(10, 12) == ""


def test_what_a_run_gave_back_counts_from_its_first_value_to_its_last(collected):
    few = tiny(collected, ["converged"] * 4, [1.0] * 4)
    few = dataclasses.replace(few, metrics={"modes": few.metrics["modes"]}, runs=few.runs.assign(modes_final=1.0))
    curves = {0: [np.nan, 2.0, 8.0, 5.0], 1: [4.0, 4.0, 9.0, 3.0], 2: [np.nan] * 3 + [7.0], 3: [6.0, 5.0, 4.0, 3.0]}
    rows = [
        {**few.snapshots[few.snapshots["run"] == run].iloc[0], "step": 10 * i, "modes": value}
        for run, values in zip(few.runs["run"], curves.values(), strict=True)
        for i, value in enumerate(values)
    ]
    table = forgetting(dataclasses.replace(few, snapshots=pd.DataFrame(rows[::-1]))).set_index("run")
    runs = few.runs["run"].tolist()
    assert set(table.index) == {runs[0], runs[1], runs[3]}, "one value is neither first nor last"
    assert table.loc[runs[0], ["first", "best", "best_step", "last", "improvement_lost"]].tolist() == [2, 8, 20, 5, 0.5]
    assert table.loc[runs[1], ["first", "best", "best_step", "last", "improvement_lost"]].tolist() == [4, 9, 20, 3, 1.2]
    assert np.isnan(table.loc[runs[3], "improvement_lost"]), "of more modes the better, the first was the best"


def test_a_study_that_forgot_nothing_says_so_and_names_no_run(collected):
    few = tiny(collected, ["converged"] * 4, [1.0] * 4)
    rows = [
        {**few.snapshots[few.snapshots["run"] == run].iloc[0], "step": 10 * i, "fd": value}
        for run in few.runs["run"]
        for i, value in enumerate([np.nan, 10.0, 2.0, 6.0])  # from the first value on; half given back is not more
    ]
    text = texts(dataclasses.replace(few, snapshots=pd.DataFrame(rows)), "forgetting")
    assert "0 of 4 runs that had learned by Fréchet distance at some snapshot lost more than 50%" in text
    assert "did not fail" not in text
    assert "The most in" not in text
    assert "had not learned" not in text


def test_an_empty_study_says_that_it_is(collected):
    (only,) = findings(collected_example.only(collected, collected.runs["seed"] < 0))
    assert (only.text, only.warning) == ("The study has no runs.", True)


def test_mixed_machines_and_edited_sources_are_warned_of(collected):
    different = {
        "device": ["cpu", "cpu", "gpu", "cpu"],
        "blas": ["openblas Haswell", "openblas Haswell", "openblas SkylakeX", "openblas Haswell"],
        "evaluated_on": ["cpu, AVX2", "cpu, AVX2", None, "cpu, AVX512"],  # a game is not scored
    }
    few = tiny(collected, ["converged"] * 4, [1.0] * 4, **different, commit="abc+")
    warnings = [each.text for each in findings(few) if each.warning]
    assert "The runs mix 2 values of device: cpu (3 runs) and gpu (1 run)." in warnings
    assert "The runs mix 2 values of blas: openblas Haswell (3 runs) and openblas SkylakeX (1 run)." in warnings
    assert "The runs mix 2 values of evaluated_on: cpu, AVX2 (2 runs) and cpu, AVX512 (1 run)." in warnings
    assert "4 of 4 runs were trained from sources that differed from their commit." in warnings
    assert not any("torch" in text for text in warnings)
    some = tiny(collected, ["converged"] * 4, [1.0] * 4, commit=["abc+", "abc", "abc+", None])
    assert "2 of 4 runs were trained from sources that differed" in texts(some, "caution")
    clean = tiny(collected, ["converged"] * 4, [1.0] * 4, commit="abc")
    assert "differed" not in texts(clean, "caution")


def test_names_of_modes_have_no_medians(collected):
    """Between the modes 0 and 4 there is no mode 2 that any run is on."""
    named = {name: dataclasses.replace(collected.metrics["modes"], best="none") for name in ("dominant_mode", "share")}
    few = dataclasses.replace(
        collected,
        metrics=collected.metrics | named,
        runs=collected.runs.assign(dominant_mode_final=3.0, share_final=0.5),
        snapshots=collected.snapshots.assign(dominant_mode=3.0, share=0.5),
    )
    assert measured_metrics(few, "digits-fc") == [*collected.metrics, "share"]
    columns = settings_table(few).columns
    assert "share_median" in columns
    assert not [name for name in columns if name.startswith("dominant_mode")]


def test_no_value_counts_as_worse_than_any(collected):
    high, low = collected.metrics["modes"], collected.metrics["fd"]
    assert as_loss(np.array([9.0, 1.0, np.nan]), high).tolist() == [-9, -1, np.inf]
    assert as_loss(np.array([9.0, 1.0, np.inf]), low).tolist() == [9, 1, np.inf]
    assert primary_metric(collected, "digits-fc") == "fd"
    unfit = dataclasses.replace(collected, metrics={**collected.metrics, "fd": dataclasses.replace(low, best="none")})
    assert primary_metric(unfit, "digits-fc") == "modes"
    assert measured_metrics(unfit, "digits-fc")[0] == "fd"


# Figures


@pytest.mark.slow
def test_every_promised_figure_is_drawn(collected, drawn):
    names = ["digits-fc", "digits-dcgan", "ring8-mlp"]
    assert sorted(path.name for path in drawn.iterdir()) == sorted(figure_files(figures_of(names, {})))
    assert "losses-ring8-mlp.svg" in figure_files(figures_of(names, {}))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*STUDY_FIGURES, *METHOD_FIGURES])
def test_figures_are_the_same_bytes_every_time(collected, drawn, kind, tmp_path):
    method = "ring8-mlp" if kind in METHOD_FIGURES else None
    name = figure_name(kind, method)
    with style.applied():
        style.save(figures.draw(collected, kind, method), tmp_path, name)
    for format in ("svg", "png"):
        assert (tmp_path / f"{name}.{format}").read_bytes() == (drawn / f"{name}.{format}").read_bytes()


def test_every_figure_has_a_record_that_is_read_without_importing_its_file():
    assert STUDY_FIGURES[0] == "outcomes", "what became of the runs comes first"
    assert {"losses", "samples"} <= set(METHOD_FIGURES)
    assert {"spectrum", "path"} <= set(EXPERIMENT_FIGURES)
    for name, info in figure_infos().items():
        module = import_module(f"ganbench.report.figures.{name}")
        assert info == module.FIGURE
        assert callable(module.draw)
        assert len(info.caption) > 80
    for info in figure_infos().values():
        assert info.diagnostic is None or info.diagnostic in registry.components("diagnostic")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("draw = None", "must assign FigureInfo"),
        ("FIGURE = 3", "must be FigureInfo"),
        ("FIGURE = FigureInfo(title='A', caption='b', scope=NAME)", "literal values"),
        (
            "FIGURE = FigureInfo(title='A', caption='b', scope='page')",
            "one of study, method, experiment, but is 'page'",
        ),
        ("FIGURE = FigureInfo(title='A', caption='b', scope='experiment')", "if and only if"),
        ("FIGURE = FigureInfo(title='A', caption='b', scope='study', diagnostic='path')", "if and only if"),
    ],
)
def test_a_figure_without_a_valid_record_is_refused(tmp_path, text, told):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ValueError, match=told):
        read_figure_info(tmp_path / "mine.py")


def test_titles_of_methods_and_experiments_carry_their_names():
    info = FigureInfo(title="Where runs fail", caption="", scope="study")
    assert info.title_of(None) == "Where runs fail"
    assert info.title_of("digits-fc") == "digits-fc: where runs fail"


@pytest.mark.parametrize("name", figure_infos())
def test_captions_of_the_workflow_are_those_of_the_figures(name):
    written = (ROOT / "workflow/report" / f"{name}.rst").read_text()
    hint = "write them anew: python -m ganbench.report.captions workflow/report"
    assert written == captions()[f"{name}.rst"], hint
    assert " ".join(written.split()) == figure_infos()[name].caption, hint


def test_the_workflow_has_no_captions_of_other_figures():
    others = {"report.rst", "settings.rst"}
    assert {path.name for path in (ROOT / "workflow/report").iterdir()} == set(captions()) | others


def test_modes_are_shown_of_runs_that_forgot_least_and_most(collected):
    with style.applied():
        figure = figures.draw(collected, "modes", "digits-dcgan")
    *maps, ends, _ = figure.axes  # the last one is the bar of colours
    forgot = collected.runs[collected.runs["method"] == "digits-dcgan"]["mode_forgetting"].dropna().sort_values()
    ranked = list(forgot)
    words = [f"forgot {value:.2f}" for value in (ranked[0], ranked[len(ranked) // 2], ranked[-1])]
    assert [axes.get_title(loc="left").rpartition(", ")[2] for axes in maps] == words
    assert ends.get_title(loc="left").startswith(f"all {len(ranked)} runs")
    last = collected.modes.merge(collected.runs[["run", "method", "steps"]], on="run")
    last = last[(last["method"] == "digits-dcgan") & (last["step"] == last["steps"])]["forgetting"].dropna()
    marks = [line.get_xdata() for line in ends.lines if line.get_marker() not in ("", "None", None)]
    assert sorted(np.concatenate(marks)) == sorted(last)
    runs, table = collected.runs.assign(mode_forgetting=np.nan), collected.modes.copy()
    unknown = runs.loc[(runs["method"] == "digits-dcgan") & runs["run"].isin(table["run"]), "run"].tolist()
    table.loc[table["mode"] == 0, ["real_share", "confident_share"]] = 0.0, 0.3
    with style.applied():
        *maps, _ = figures.draw(dataclasses.replace(collected, runs=runs, modes=table), "modes", "digits-dcgan").axes
    settings = runs.set_index("run").loc[[unknown[0], unknown[round((len(unknown) - 1) / 2)], unknown[-1]]]
    for axes, (_, run) in zip(maps, settings.iterrows(), strict=True):
        assert f"seed {run['seed']}" in axes.get_title(loc="left")
        drawn = np.ma.getmaskarray(axes.images[0].get_array())
        assert drawn[0].all(), "0.3 of no fair share"
        assert not drawn[1:].all()
    unmoded = dataclasses.replace(collected, modes=collected.modes.iloc[:0])
    (panel,) = figures.draw(unmoded, "modes", "digits-dcgan").axes
    assert "tells no modes apart" in panel.texts[0].get_text()


def test_samples_show_a_good_and_a_failed_run(collected):
    for method in ("digits-fc", "digits-dcgan", "ring8-mlp"):
        (role, best), (other, worst) = samples.choose(collected, method)
        runs = collected.runs[collected.runs["method"] == method]
        assert (role, other) == ("Best converged run", "A failed run")
        assert best["fd_final"] == runs.loc[runs["outcome"] == "converged", "fd_final"].min()
        assert worst["outcome"] != "converged"


def test_a_figure_is_laid_out_once_for_all_formats(tmp_path):
    laid_out = []

    class Counted(ConstrainedLayoutEngine):
        def execute(self, figure: Figure) -> object:
            laid_out.append(figure)
            return super().execute(figure)

    figure = Figure(layout=Counted())
    figure.add_subplot()
    style.save(figure, tmp_path, "figure")
    assert len(laid_out) == 1
    assert {path.suffix for path in tmp_path.iterdir()} == {f".{format}" for format in FIGURE_FORMATS}


def test_settings_outside_figures_are_left_alone(collected):
    before = dict(style.mpl.rcParams)
    with style.applied():
        figures.draw(collected, "outcomes")
    assert dict(style.mpl.rcParams) == before


# The page


@pytest.mark.slow
def test_page_loads_nothing(collected, page):
    parsed = Page(page)
    assert not parsed.open
    assert parsed.addresses
    assert parsed.foreign == []
    assert len(parsed.scripts) == 2
    assert not re.search(r"@import|url\(", page)
    assert parsed.tags.count("img") == len(shown_of(collected))
    assert len(page) < 3_000_000


@pytest.mark.slow
def test_page_says_what_the_tables_say(collected, page):
    words = " ".join(" ".join(Page(page).words).split())
    for each in findings(collected):
        assert each.text in words
    for kind in STUDY_FIGURES + METHOD_FIGURES:
        assert figure_infos()[kind].caption in words
    for digest in collected.runs["digest"]:
        assert digest in words
    order = ["ranking", "figure-final-scores", "findings", "overview", "figure-outcomes", "making"]
    assert [name for name in Page(page).ids if name in order] == order
    assert "batch_size: 64" in words


@pytest.mark.slow
def test_links_of_the_page_lead_somewhere(page):
    parsed = Page(page)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {address[1:] for address in parsed.addresses if address.startswith("#")} <= set(parsed.ids)


@pytest.mark.slow
def test_page_is_the_same_bytes_every_time(collected, drawn, page, tmp_path):
    html.render(collected, collected_example.study(), drawn, shown_of(collected), tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


@pytest.mark.slow
def test_hostile_words_stay_words(collected, tmp_path):
    few = collected_example.only(collected, collected.runs["method"] == "ring8-mlp")
    info = dataclasses.replace(few.metrics["fd"], title=HOSTILE, what=HOSTILE)
    runs = few.runs.assign(outcome_evidence=HOSTILE, device=HOSTILE, commit=HOSTILE)
    references = few.references.assign(sampling=HOSTILE)
    few = dataclasses.replace(few, runs=runs, references=references, metrics={**few.metrics, "fd": info})
    study = {"study": HOSTILE, "title": HOSTILE, "description": HOSTILE, HOSTILE: [HOSTILE]}
    page = whole_report(few, study, tmp_path)
    assert "{{ 7*7 }}" in page
    parsed = Page(page)
    assert parsed.foreign == []
    assert len(parsed.scripts) == 2
    assert not parsed.open
    assert HOSTILE in " ".join(parsed.words)
    tables.write(few, tmp_path / "tables")
    assert "<script" not in (tmp_path / "tables" / "COLUMNS.md").read_text()


# Studies that are not like the example


def whole_report(collected: Collected, study: dict, folder: Path) -> str:
    shown = shown_of(collected)
    figures.write(collected, folder / "figures", shown)
    tables.write(collected, folder / "tables")
    html.render(collected, study, folder / "figures", shown, folder / "report.html")
    assert sorted(path.name for path in (folder / "figures").iterdir()) == sorted(figure_files(shown))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert not Page(page).open
    return page


@pytest.mark.slow
def test_a_study_in_which_everything_diverged(collected, tmp_path):
    few = collected_example.only(collected, collected.runs["outcome"] == "diverged")
    names = list(few.metrics)
    lost = {f"{name}_final": np.nan for name in names}
    few = dataclasses.replace(
        few, runs=few.runs.assign(**lost), snapshots=few.snapshots.assign(**dict.fromkeys(names, np.nan))
    )
    page = whole_report(few, collected_example.study(), tmp_path)
    assert f"{len(few.runs)} of {len(few.runs)} runs failed (100%" in page
    assert "No run has a value of any metric." in page


@pytest.mark.slow
def test_a_study_that_left_nothing_but_its_runs(collected, tmp_path):
    few = collected_example.only(collected, collected.runs["method"] == "digits-fc")
    few = dataclasses.replace(
        few,
        folder=tmp_path,
        snapshots=few.snapshots[:0],
        curves=few.curves[:0],
        events=few.events[:0],  # which are found in curves
        references=few.references[:0],
    )
    few = dataclasses.replace(few, runs=few.runs.assign(fd_final=np.nan, outcome="diverged", failure_onset=np.nan))
    with result_files.create_file(tmp_path / "samples.h5", "samples") as file:
        none = {"step": np.zeros(0, dtype=np.int64), "samples": np.zeros((0, 8, 1, 8, 8), dtype=np.float32)}
        real = {"digits": np.zeros((3, 1, 8, 8), dtype=np.float32)}
        result_files.write_tree(file, {"real": real, "runs": dict.fromkeys(few.runs["run"], none)})
    page = whole_report(few, collected_example.study(), tmp_path)
    assert "No value was measured on real data." in page


@pytest.mark.slow
def test_a_study_of_one_seed(collected, tmp_path):
    few = collected_example.only(collected, (collected.runs["seed"] == 0) & (collected.runs["method"] == "digits-fc"))
    page = whole_report(few, collected_example.study(), tmp_path)
    assert "1 seed each" in page


@pytest.mark.slow
def test_a_study_of_one_setting_and_one_run(collected, tmp_path):
    one = (collected.runs["method"] == "digits-fc") & (collected.runs["n_train"] == 400)
    one &= collected.runs["learning_rate"] == 2e-4
    page = whole_report(collected_example.only(collected, one), collected_example.study(), tmp_path / "setting")
    assert "None" not in page
    whole_report(
        collected_example.only(collected, one & (collected.runs["seed"] == 0)),
        collected_example.study() | {"title": "", "description": ""},
        tmp_path / "run",
    )


@pytest.mark.slow
def test_losses_beyond_any_number_are_drawn(collected, tmp_path):
    few = collected_example.only(collected, collected.runs["method"] == "ring8-mlp")
    curves = few.curves.copy()
    wild = curves.index % 7
    curves.loc[wild == 0, ["mean", "max"]] = np.inf
    curves.loc[wild == 1, ["min", "mean"]] = -1e300
    with style.applied():
        style.save(figures.draw(dataclasses.replace(few, curves=curves), "losses", "ring8-mlp"), tmp_path, "losses")


# Layers


def test_names_of_outputs_need_nothing_but_the_standard_library():
    code = (
        "import sys; from ganbench.report.file_names import figure_files, figures, table_files;"
        "figure_files(figures(['a'], {'b': 'path'}));"
        "print(sorted({'numpy', 'pandas', 'matplotlib', 'seaborn', 'torch', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def imports(path: Path, modules: dict[str, Path]) -> set[str]:
    """The modules among these that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & modules.keys() or {node.module}
    return found & modules.keys()


@pytest.mark.parametrize("package", ["report", "lab"])
def test_modules_of_a_package_import_one_another_one_way(package):
    """Imports within functions and for type checkers included."""
    paths = (PACKAGE / package).rglob("*.py")
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}
    graph = {name: imports(path, modules) - {name} for name, path in modules.items()}
    assert sum(map(len, graph.values())) > 10
    assert list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_figures_import_no_other_figure():
    for path in (PACKAGE / "report/figures").glob("*.py"):
        assert "ganbench.report.figures" not in path.read_text(), path


@pytest.mark.parametrize("package", ["analysis", "report"])
def test_readers_of_files_never_import_torch(package):
    for path in (PACKAGE / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] in ("torch", "torchvision") for name in names), path


def test_the_example_keeps_to_the_contract(collected):
    assert list(collected.runs.columns) == [
        *RUNS,
        *collected_example.SETTINGS,
        *(f"{name}_final" for name in collected.metrics),
    ]
    assert set(collected.runs["outcome"]) == {"converged", "diverged", "collapsed", "discriminator-won"}
