"""What sentences, tables and figures say of a study: the same everywhere, and of what was not measured, no zero."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import collected_example
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import (
    AXES,
    CURVES,
    EVENTS,
    FAILURES,
    MEASUREMENTS,
    MODES,
    NULLS,
    OPEN,
    OUTCOMES,
    REFERENCES,
    RUN_OUTCOMES,
    RUNS,
    SNAPSHOTS,
)
from ganbench.analysis.findings import findings, setting_words
from ganbench.analysis.settings import settings_table
from ganbench.claims.decisions import decide
from ganbench.core.formatting import format_median
from ganbench.core.metric_info import MetricInfo
from ganbench.report import tables
from ganbench.report.figures import draw
from ganbench.report.html import render
from ganbench.report.method_tables import value_rows
from ganbench.report.plotting import style
from ganbench.report.provenance import environment_facts
from ganbench.study.claims import Claim
from ganbench.tracking.records import records

UNMEASURED = {"collapsed": "the metric mode_coverage was not evaluated"}
TITLE = "Distance"

# Small studies -------------------------------------------------------------------------------------------------------

value = st.one_of(st.sampled_from([np.nan, np.inf, 1.0, 2.0, 3.0]), st.floats(-1e6, 1e6).map(lambda x: round(x, 3)))
run = st.tuples(value, st.sampled_from(list(OUTCOMES)))
seeds = st.lists(run, min_size=1, max_size=5)
grid = st.lists(st.lists(seeds, min_size=1, max_size=3), min_size=1, max_size=2)


@st.composite
def studies(draw) -> Collected:
    """One method at up to six settings of one to five seeds: any outcomes, ties, and runs without a value."""
    return study(draw(grid), draw(st.sampled_from(["low", "high"])))


def study(grid: list[list[list[tuple[float, str]]]], best: str) -> Collected:
    """A study with these final values and outcomes, by number of examples, learning rate and seed."""
    rows = []
    for n_train, rates in enumerate(grid):
        for rate, members in enumerate(rates):
            for seed, (final, outcome) in enumerate(members):
                axes = dict.fromkeys(AXES, "some") | {"n_train": 100 * (n_train + 1), "seed": seed}
                axes["generator_learning_rate"] = None
                axes |= {"learning_rate": 0.001 * (rate + 1), "dataset": "points"}
                judged = [name for name in OUTCOMES if outcome != "undetermined" or name not in UNMEASURED]
                why = [] if outcome != "undetermined" else [f"{name}: {why}" for name, why in UNMEASURED.items()]
                told = {"outcomes_judged": ", ".join(judged), "failures_not_judged": "; ".join(why)}
                told |= dict.fromkeys(("stopped_step", "stopped_for"))
                name = {"run": f"r{n_train}{rate}{seed}", "method": "networks", "outcome": outcome, "outcomes": ""}
                rows.append(dict.fromkeys(RUNS, "") | axes | name | told)
                rows[-1] |= {"outcome_onset": 9, "failure_onset": 9 if outcome in FAILURES else None, "d_final": final}
    empty = {name: pd.DataFrame(columns=list(columns)) for name, columns in TABLES.items()}
    infos = {"d": MetricInfo(TITLE, "How far off.", best, None, None)}
    return Collected(Path("none"), pd.DataFrame(rows), **empty, metrics=infos, quantities={})


TABLES = {
    "snapshots": [*SNAPSHOTS, "d"],
    "curves": CURVES,
    "references": REFERENCES,
    "nulls": NULLS,
    "measurements": MEASUREMENTS,
    "run_outcomes": RUN_OUTCOMES,
    "events": EVENTS,
    "modes": MODES,
}


def said(collected: Collected, kind: str) -> str:
    return " ".join(each.text for each in findings(collected) if each.kind == kind)


def middle(collected: Collected, row: pd.Series) -> str:
    """The median of a setting as text, or fewer than four values of runs that did not fail."""
    runs = collected.runs[
        (collected.runs[["n_train", "learning_rate"]] == row[["n_train", "learning_rate"]]).all(axis=1)
    ]
    values = [value for value, how in zip(runs["d_final"], runs["outcome"], strict=True) if how not in FAILURES]
    values = sorted(value for value in values if np.isfinite(value))
    return format_median(row["d_median"], values)


def order(medians: pd.Series, best: str) -> tuple[pd.Series, pd.Series]:
    """Which of the printed medians are the best ones and the worst ones; none at all is worse than any."""
    signed = medians.fillna(-np.inf if best == "high" else np.inf)
    first, last = (signed.max(), signed.min()) if best == "high" else (signed.min(), signed.max())
    return signed == first, signed == last


# Text, table and figures ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(studies())
@settings(max_examples=60)
def test_the_best_setting_in_words_is_the_best_in_the_table(collected):
    table, info = settings_table(collected), collected.metrics["d"]
    text, medians = said(collected, "method"), table["d_median"]
    best, worst = order(medians, info.best)
    middles = table.apply(lambda row: middle(collected, row), axis=1)
    if not np.isfinite(collected.runs["d_final"]).any():
        assert "No run has a value of any metric." in text
    elif medians.isna().all():
        assert re.search(r"In every setting half of the runs or more failed( or have no value)?, so that there", text)
    elif best.all():
        assert f" Median {TITLE} ({info.best}er is better): {middles.iloc[0]} (" in text
    else:
        several = "" if medians.isna().sum() < 2 else f" none in {medians.isna().sum()} of {len(table)} settings:"
        found = re.search(
            rf"Best median .*?: ([^(]+) \(.*?\), at (.+);(?:{several} half of their .*$"
            r"| worst: (no median|[^(]+) ?[(,].*, at (.+)\.$)",
            text,
        )
        words = table.apply(lambda row: setting_words(row, table), axis=1)
        assert found[1] in set(middles[best])
        assert found[2] in set(words[best])
        if not several:
            assert found[3].strip() in ({"no median"} if np.isnan(medians[worst].iloc[0]) else set(middles[worst]))
            assert found[4] in set(words[worst])
    marked = pd.Series([row["cells"][0]["best"] for row in value_rows(table, ["d"], collected)])
    assert list(marked) == list(best & (not best.all())), "what the report prints in bold"


@pytest.mark.slow
@given(studies())
@settings(max_examples=60)
def test_counts_in_words_are_the_counts_of_the_table(collected):
    table, text = settings_table(collected), said(collected, "failures")
    total, unknown = int(table["runs"].sum()), int(table["outcome_undetermined"].sum())
    failed = int(table["failed"].sum())
    assert failed == sum(int(table[f"outcome_{name}"].sum()) for name in FAILURES)
    ended_well = sum(int(table[f"outcome_{name}"].sum()) for name in ("converged", *OPEN))
    assert failed + ended_well + unknown == total
    if unknown == total:
        assert text.startswith(("None of", "1 run")), text
        assert "not known" in text
    elif unknown:
        assert text.startswith(f"{failed} of {total} runs were seen to fail, and of {unknown} it is not known")
    else:
        assert text.startswith(f"{failed} of {total} runs failed")
    for name in FAILURES:
        count = int(table[f"outcome_{name}"].sum())
        assert (f"{count} {name} (first failure, of any kind, at step" in text) == (count > 0)
    assert (table["failure_rate"].isna() == (table["outcome_undetermined"] > 0)).all()


@pytest.mark.cluster
@given(studies())
@settings(max_examples=8)
def test_figures_show_the_numbers_of_the_table(collected):
    table = settings_table(collected)
    with style.applied():
        quality, rates, bars = (draw(collected, kind) for kind in ("quality", "failure_rate", "outcomes"))
    if np.isfinite(collected.runs["d_final"]).any():
        lines = [each for each in quality.axes[0].collections if isinstance(each, LineCollection)]
        drawn = sorted((segment[:, 0].mean(), segment[0, 1]) for line in lines for segment in line.get_segments())
        assert [y for _, y in drawn] == [median for median in table["d_median"] if not np.isnan(median)]
    shown = [_rate(row) for _, row in table.iterrows()] if collected.runs["n_train"].nunique() > 1 else []
    assert sorted(words(rates, r"([≥?\d]*/\d+)(\n\d+ not learned)?")) == sorted(shown)
    counts = [table[f"outcome_{name}"].dropna() for name in OUTCOMES]
    assert sorted(words(bars, r"\d+")) == sorted(str(count) for each in counts for count in each if count)


def words(figure: Figure, pattern: str) -> list[str]:
    """The texts within the first panel that are wholly of a pattern."""
    return [text.get_text() for text in figure.axes[0].texts if re.fullmatch(pattern, text.get_text())]


def _rate(row: pd.Series) -> str:
    idle = row["outcome_not-learned-yet"]
    below = "" if pd.isna(idle) or not idle else f"\n{idle} not learned"
    if not row["outcome_undetermined"]:
        return f"{row['failed']}/{row['runs']}{below}"
    return (f"?/{row['runs']}" if pd.isna(row["failed"]) else f"≥{row['failed']}/{row['runs']}") + below


def test_with_two_seeds_the_better_median_is_the_best():
    # The upper middle values are 3 and 4, the medians 2.5 and 2; two values are given in place of each.
    collected = study([[[(2.0, "converged"), (3.0, "converged")], [(0.0, "converged"), (4.0, "converged")]]], "low")
    assert (
        "Best median Distance (lower is better): 0 and 4 (2 seeds), at learning rate 0.002; worst: 2 and 3 (2 seeds)"
        in said(collected, "method")
    )


def test_fewer_than_four_values_are_given_in_place_of_their_median():
    """A failed run counts as worse than any, whatever it scored, and is none of the values."""
    good, bad = "converged", "collapsed"
    three = [(8.0, good), (2.0, good), (1.0, bad)]
    four = [(8.0, good), (2.0, good), (3.0, good), (4.0, good)]
    lost = [(8.0, good), (1.0, bad), (1.0, bad)]
    collected = study([[three, four, lost]], "low")
    rows = [row["cells"][0] for row in value_rows(settings_table(collected), ["d"], collected)]
    assert [(cell["median"], cell["range"]) for cell in rows] == [
        ("2 and 8", "1 to 8"),
        ("3.5", "2 to 8"),
        ("–", "1 to 8"),
    ]
    alike = study([[[(8.0, good), (2.0, good)], [(5.0, good), (5.0, good), (5.0, good)]]], "high")
    rows = [row["cells"][0] for row in value_rows(settings_table(alike), ["d"], alike)]
    assert [(cell["median"], cell["range"]) for cell in rows] == [("2 and 8", ""), ("5", "")]


# What was not measured ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unmeasured(tmp_path_factory) -> Collected:
    """The made-up study without the metric by which a collapse is seen."""
    collected = collected_example.build(tmp_path_factory.mktemp("unmeasured"))
    runs = collected.runs.copy()
    runs["outcome"] = runs["outcome"].replace({"converged": "undetermined", "collapsed": "undetermined"})
    runs["outcomes"] = runs["outcome"].replace({"undetermined": ""})
    runs["outcomes_judged"] = "diverged, discriminator-won"
    runs["failures_not_judged"] = "; ".join(f"{name}: {why}" for name, why in UNMEASURED.items())
    return dataclasses.replace(collected, runs=runs)


@pytest.mark.cluster
def test_a_failure_that_was_not_measured_is_not_said_to_be_absent(unmeasured):
    text, total = said(unmeasured, "failures"), len(unmeasured.runs)
    unknown = int((unmeasured.runs["outcome"] == "undetermined").sum())
    assert f"were seen to fail, and of {unknown} it is not known whether they failed" in text
    assert f"Not judged in any of {total} runs: collapsed (the metric mode_coverage was not evaluated)." in text
    assert "0 collapsed" not in text


def test_tables_leave_what_was_not_measured_empty(unmeasured, tmp_path):
    tables.write(unmeasured, tmp_path)
    table = pd.read_csv(tmp_path / "settings.csv")
    unknown = table["outcome_undetermined"] > 0
    assert table.loc[unknown, ["outcome_collapsed", "failure_rate"]].isna().all(axis=None)
    won = table["outcome_diverged"] + table["outcome_discriminator-won"] == table["runs"]
    assert table.loc[~won, "outcome_collapsed"].isna().all(), "only a failure that is more severe rules a collapse out"
    assert (table.loc[won, "outcome_collapsed"] == 0).all()
    assert (table["outcome_diverged"].notna() & (table["outcome_discriminator-won"].notna())).all()
    assert unknown.sum() > 10
    assert "not known of all of them" in (tmp_path / "COLUMNS.md").read_text().split("`outcome_collapsed`")[1]


@pytest.mark.cluster
def test_the_report_shows_dashes_and_says_why(unmeasured, tmp_path):
    render(unmeasured, collected_example.study(), tmp_path, [], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("A dash means that a failure was not judged, of which the") == 3
    assert page.count("collapsed (the metric mode_coverage was not evaluated)") == 1, "once, not for every method"
    rows = re.findall(r"<tr><th scope=\"row\" class=\"n axis\">.*?</tr>", page)
    assert any('<td class="n quiet">–</td>' in row for row in rows)


@pytest.mark.parametrize("quantity", ["outcome.collapsed", "outcome.failed", "outcome.converged"])
def test_claims_on_what_was_not_measured_stay_open(unmeasured, quantity):
    test = {"quantity": quantity, "below" if quantity != "outcome.converged" else "above": 0.5}
    few = collected_example.only(unmeasured, unmeasured.runs["outcome"] == "undetermined")
    claims = [{"id": "A", "statement": "None does.", "tests": [{"bound": test}]}]
    (decision,) = decide(few, [Claim.model_validate(claim) for claim in claims])
    assert decision.verdict == "undecided"
    assert f"none of {len(few.runs)} runs has a number" in decision.tests[0].text


def test_claims_on_what_was_seen_are_decided_without_the_rest(unmeasured):
    test = {"quantity": "outcome.diverged", "below": 0.5}
    claim = Claim.model_validate({"id": "A", "statement": "None diverges.", "tests": [{"bound": test}]})
    (decision,) = decide(unmeasured, [claim])
    assert decision.verdict == "refuted"
    assert decision.tests[0].missing == 0


def test_what_a_perfect_generator_scores_is_not_known_where_it_was_not_measured(unmeasured):
    bare = dataclasses.replace(unmeasured, nulls=unmeasured.nulls.iloc[:0])
    text = said(bare, "reference")
    assert "digits: what a perfect generator would score in Fréchet distance was not measured" in text
    assert "; the best final value of" in text


def test_forgetting_is_not_known_where_no_metric_was_measured(unmeasured):
    bare = dataclasses.replace(
        unmeasured,
        snapshots=unmeasured.snapshots.iloc[:0],
        runs=unmeasured.runs.assign(**dict.fromkeys((f"{name}_final" for name in unmeasured.metrics), np.nan)),
    )
    assert "Forgetting was not measured" in said(bare, "forgetting")


def test_a_critic_is_not_said_to_have_won_or_not():
    collected = study([[[(3.0, "converged"), (9.0, "collapsed")]]], "low")
    lost = {"outcomes_judged": "diverged, collapsed", "failures_not_judged": "discriminator-won: a score"}
    collected = dataclasses.replace(collected, runs=collected.runs.assign(**lost))
    text = said(collected, "failures")
    assert text.startswith("1 of 2 runs failed (50%")
    assert text.endswith("Not judged in any of 2 runs: discriminator-won (a score).")
    (row,) = settings_table(collected).to_dict("records")
    assert pd.isna(row["outcome_discriminator-won"])
    assert (row["outcome_collapsed"], row["outcome_diverged"], row["failure_rate"]) == (1, 0, 0.5)


def test_mlflow_says_what_was_not_measured(unmeasured):
    keep = unmeasured.runs.index == unmeasured.runs.index[unmeasured.runs["outcome"] == "undetermined"][0]
    (record,) = records(collected_example.only(unmeasured, keep))
    assert record.tags["outcome"] == "undetermined"
    assert record.tags["outcomes_judged"] == "diverged, discriminator-won"
    assert record.tags["failures_not_judged"].startswith("collapsed: ")


def test_times_that_were_not_measured_have_no_sum(unmeasured):
    assert "Total training time" in dict(environment_facts(unmeasured.runs))
    assert "Total training time" not in dict(environment_facts(unmeasured.runs.assign(train_seconds=np.nan)))


# Settings of runs and curves ------------------------------------------------------------------------------------------


def test_curves_and_settings_are_among_the_tables(unmeasured, tmp_path):
    tables.write(unmeasured, tmp_path)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "curves.parquet"), unmeasured.curves)
    notes = (tmp_path / "COLUMNS.md").read_text()
    assert "## curves\n" in notes
    assert "| `architecture_width` | option `width` of the run's architecture;" in notes
    assert "| `train_batch_size` | training option `batch_size` of the run;" in notes


def test_settings_are_parameters_of_mlflow(unmeasured):
    first = records(collected_example.only(unmeasured, unmeasured.runs.index == 0))
    (record,) = first
    assert record.params["train_batch_size"] == "64"
    assert "architecture_width" not in record.params, "an option that its architecture does not have"
