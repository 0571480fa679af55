"""Outcomes of runs made up to show one thing each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ganbench.analysis.outcome import Rules, judge
from ganbench.core.record import SERIES
from ganbench.core.study import Outcome

RULES = Rules(**Outcome().model_dump())
STEPS, BINS = 1000, 10


def curves(**series: np.ndarray) -> pd.DataFrame:
    """Ten bins of a healthy run, with some series replaced."""
    calm = {name: np.full(BINS, 0.5) for name in SERIES} | series
    last = np.arange(1, BINS + 1) * STEPS // BINS
    rows = [
        pd.DataFrame({"series": name, "first_step": last - 99, "last_step": last, "min": v, "mean": v, "max": v})
        for name, v in calm.items()
    ]
    return pd.concat(rows, ignore_index=True)


def snapshots(*kl: float) -> pd.DataFrame:
    return pd.DataFrame({"step": np.linspace(0, STEPS, len(kl)).astype(int), "mode_kl": kl})


def outcome(curve=None, snaps=None, diverged=None):
    curve = curves() if curve is None else curve
    snaps = snapshots(2.0, 0.1, 0.0) if snaps is None else snaps
    norms = {"discriminator": 1.0, "generator": 1.0}
    return judge(RULES, steps=STEPS, diverged=diverged, initial_norms=norms, curves=curve, snapshots=snaps, modes=10)


def test_a_healthy_run_has_finished():
    verdict = outcome()
    assert (verdict.outcome, verdict.step) == ("finished", STEPS)


def test_a_run_with_numbers_that_are_none_has_diverged_when_they_came():
    verdict = outcome(diverged=(123, "generator_loss became nan"))
    assert (verdict.outcome, verdict.step, verdict.why) == ("diverged", 123, "generator_loss became nan")


def test_parameters_that_run_off_and_stay_away_have_diverged():
    norm = np.array([1, 1, 1, 200, 300, 400, 500, 600, 700, 800.0])
    verdict = outcome(curves(generator_parameter_norm=norm))
    assert (verdict.outcome, verdict.step) == ("diverged", 301)
    assert "generator" in verdict.why
    assert "800-fold" in verdict.why
    assert outcome(curves(generator_parameter_norm=np.r_[norm[:-1], 1.0])).outcome == "finished"


def test_a_discriminator_that_stays_sure_has_won_since_it_became_so():
    sure = np.array([0.5, 0.995, 0.6, 0.995, 0.995, 0.995, 0.995, 0.995, 0.995, 0.995])
    verdict = outcome(curves(real_output=sure, fake_output=1 - sure))
    assert (verdict.outcome, verdict.step) == ("discriminator-won", 301)


def test_a_discriminator_that_was_sure_once_has_not_won():
    sure = np.array([0.995] * 9 + [0.6])
    assert outcome(curves(real_output=sure, fake_output=1 - sure)).outcome == "finished"


def test_few_modes_at_the_end_are_a_collapse_dated_from_its_beginning():
    """One of ten modes is a KL of ln 10 = 2.3."""
    verdict = outcome(snaps=snapshots(2.3, 0.1, 2.3, 2.3))
    assert (verdict.outcome, verdict.step) == ("collapsed", 666)
    assert "1.0 of 10" in verdict.why


def test_a_generator_that_never_spread_has_collapsed_from_the_start():
    verdict = outcome(snaps=snapshots(2.3, 2.2, 2.3))
    assert (verdict.outcome, verdict.step) == ("collapsed", 0)


def test_a_collapse_that_healed_is_none():
    assert outcome(snaps=snapshots(2.3, 0.1, 2.3, 0.1)).outcome == "finished"


def test_without_the_metric_nobody_collapses():
    assert outcome(snaps=snapshots(2.3).drop(columns="mode_kl")).outcome == "finished"


def test_unknown_scores_are_no_collapse():
    assert outcome(snaps=snapshots(0.1, np.nan)).outcome == "finished"
