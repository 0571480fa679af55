"""Outcomes of runs, as methods are compared by them."""

from __future__ import annotations

import made_up_runs as made_up
import numpy as np
import pandas as pd

from ganbench.analysis.methods import failure_times, outcome_indicator, primary_indicator
from ganbench.analysis.outcome import classify_run


def test_a_run_fails_with_the_first_of_its_failures():
    """Though the most severe one came last."""
    made = made_up.saturated(np.random.default_rng(1))
    made.peaks["generator_loss"] = {170: 5e3, 180: 5e3, 190: 5e3}
    answer = classify_run(made.evidence())
    onsets = {finding.outcome: finding.onset for finding in answer.findings}
    assert answer.primary.outcome == "unstable"
    assert answer.failure_onset == onsets["discriminator-won"] < onsets["unstable"]
    assert classify_run(made_up.healthy(np.random.default_rng(1)).evidence()).failure_onset is None


def test_times_to_failure_are_of_first_failures_and_censored_without():
    runs = pd.DataFrame(
        {"outcome": ["unstable", "converged"], "outcome_onset": [2112, 700], "steps_done": [2500, 2500]}
    )
    runs["failure_onset"] = pd.Series([900, None], dtype="Int64")
    times, failed = failure_times(runs)
    assert times.tolist() == [900, 2500]
    assert failed.tolist() == [True, False]


def test_an_outcome_of_any_kind_is_known_only_where_it_was_judged():
    runs = pd.DataFrame(
        {
            "outcome": ["discriminator-won", "discriminator-won", "not-learned-yet", "undetermined"],
            "outcomes": ["discriminator-won", "discriminator-won, not-learned-yet", "not-learned-yet", ""],
            "outcomes_judged": ["discriminator-won", *["discriminator-won, not-learned-yet"] * 3],
        }
    )
    np.testing.assert_array_equal(outcome_indicator(runs, "not-learned-yet"), [np.nan, 1, 1, 0])
    np.testing.assert_array_equal(outcome_indicator(runs, "collapsed"), [np.nan] * 4)


def test_a_run_that_was_stopped_has_no_other_primary_outcome():
    """What was not judged of it, since it was cut short, is not unknown: further steps did not take place."""
    runs = pd.DataFrame(
        {"outcome": ["discriminator-won", "undetermined"], "outcomes_judged": ["discriminator-won", ""]}
    )
    runs["stopped_step"] = pd.Series([900, None], dtype="Int64")
    assert primary_indicator(runs, "discriminator-won").tolist()[0] == 1
    for outcome in ("diverged", "unstable", "collapsed"):
        stopped, unknown = primary_indicator(runs, outcome)
        assert stopped == 0
        assert np.isnan(unknown)
