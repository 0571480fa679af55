"""Outcomes of runs made up to show one thing each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ganbench.analysis.outcome import Thresholds, decide_outcome
from ganbench.core.recorder import GAN_SERIES, series_names
from ganbench.study.sections import Outcome

RULES = Thresholds(**Outcome().model_dump())
STEPS, BINS = 1000, 10
LAST = np.arange(1, BINS + 1) * STEPS // BINS


def curves(**changed: np.ndarray) -> pd.DataFrame:
    """Ten bins of a healthy run, with some series replaced."""
    calm = {name: np.full(BINS, 0.5) for name in GAN_SERIES} | changed
    last = LAST
    rows = [
        pd.DataFrame({"series": name, "first_step": last - 99, "last_step": last, "min": v, "mean": v, "max": v})
        for name, v in calm.items()
    ]
    return pd.concat(rows, ignore_index=True)


def snapshots(*kl: float) -> pd.DataFrame:
    return pd.DataFrame({"step": np.linspace(0, STEPS, len(kl)).astype(int), "mode_kl": kl})


def outcome(curve=None, snaps=None, diverged=None, rules=RULES, **about):
    curve = curves() if curve is None else curve
    snaps = snapshots(2.0, 0.1, 0.0) if snaps is None else snaps
    norms = {"discriminator": 1.0, "generator": 1.0}
    seen = {"curves": curve, "snapshots": snaps, "modes": 10, **about}
    return decide_outcome(rules, steps=STEPS, diverged=diverged, initial_norms=norms, **seen)


def test_a_healthy_run_has_finished():
    verdict = outcome()
    assert (verdict.outcome, verdict.step) == ("finished", STEPS)
    assert verdict.judged == ("diverged", "discriminator-won", "collapsed")
    assert verdict.not_judged == {}


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


def test_a_critics_scores_are_no_probabilities():
    scores = curves(real_output=np.full(BINS, 1.6), fake_output=np.full(BINS, 0.0))
    assert outcome(scores).outcome == "discriminator-won"
    verdict = outcome(scores, probabilities=False)
    assert (verdict.outcome, verdict.judged) == ("finished", ("diverged", "collapsed"))
    assert list(verdict.not_judged) == ["discriminator-won"]


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


UNSEEN = {
    "without the metric": (dict(snaps=snapshots(2.3).drop(columns="mode_kl")), "mode_coverage was not evaluated"),
    "without a value": (dict(snaps=snapshots(0.1, np.nan)), "no value at the last snapshot"),
    "without snapshots": (dict(snaps=snapshots()), "no snapshot was evaluated"),
    "of one mode": (dict(modes=1, snaps=snapshots(0.0)), "data of one mode"),
}


@pytest.mark.parametrize("how", UNSEEN)
def test_a_collapse_that_was_not_measured_is_not_ruled_out(how):
    about, why = UNSEEN[how]
    verdict = outcome(**about)
    assert (verdict.outcome, verdict.step) == ("undetermined", STEPS)
    assert f"collapsed was not judged, since {verdict.not_judged['collapsed']}" in verdict.why
    assert why in verdict.why
    assert verdict.judged == ("diverged", "discriminator-won")
    sure = curves(real_output=np.full(BINS, 0.999), fake_output=np.full(BINS, 0.001))
    assert outcome(sure, **about).outcome == "discriminator-won", "a failure that was seen needs no other"
    assert outcome(diverged=(3, "it became nan"), **about).outcome == "diverged"


def test_a_snapshot_without_a_value_does_not_date_a_collapse():
    assert outcome(snaps=snapshots(0.1, np.nan, 2.3)).step == STEPS


# Thresholds -----------------------------------------------------------------------------------------------------------

# Every threshold decides within 1 % of where the study puts it, and is no other rule's.
CLOSE = 0.01


def test_a_study_that_sets_no_threshold_has_those_that_claims_are_written_for():
    """Half of the modes, outputs beyond 0.99 and 0.01 for the last quarter, and a hundredfold norm."""
    assert (
        Thresholds(
            norm_growth=100.0, won_real_output=0.99, won_fake_output=0.01, won_last_share=0.25, collapsed_mode_share=0.5
        )
        == RULES
    )


@pytest.mark.parametrize("share", [0.5, 0.1, 0.25, 0.9])
def test_a_collapse_is_less_than_the_share_of_modes_asked_for(share):
    rules = replace(RULES, collapsed_mode_share=share)
    few, enough = -np.log(share * (1 - CLOSE)), -np.log(share * (1 + CLOSE))
    verdict = outcome(snaps=snapshots(enough, few, enough, few, few), rules=rules)
    assert (verdict.outcome, verdict.step) == ("collapsed", 750)
    assert outcome(snaps=snapshots(few, few, enough), rules=rules).outcome == "finished"


def test_n_even_modes_of_m_fill_the_share_n_of_m():
    """A share that is met exactly is no collapse; one mode fewer is."""
    rules = replace(RULES, collapsed_mode_share=0.6)
    for filled, expected in ((5, "collapsed"), (6, "finished"), (7, "finished")):
        assert outcome(snaps=snapshots(-np.log(filled / 10)), rules=rules).outcome == expected, filled


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25, 0.5, 1.0])
def test_a_discriminator_must_be_sure_for_the_whole_share_asked_for(share):
    """In bins of a tenth: sure in all that reach into the last share, or in all but the first of them."""
    rules, late = replace(RULES, won_last_share=share), int(np.ceil(share * BINS))
    for sure_bins, expected in ((late, "discriminator-won"), (late - 1, "finished")):
        sure = np.where(np.arange(BINS) >= BINS - sure_bins, 0.999, 0.6)
        verdict = outcome(curves(real_output=sure, fake_output=1 - sure), rules=rules)
        assert verdict.outcome == expected, sure_bins
        if expected == "discriminator-won":
            assert verdict.step == (BINS - late) * STEPS // BINS + 1


@pytest.mark.parametrize(("real", "fake"), [(0.99, 0.01), (0.8, 0.3), (0.9, 0.05)])
def test_a_discriminator_is_sure_from_the_outputs_asked_for(real, fake):
    rules = replace(RULES, won_real_output=real, won_fake_output=fake)

    def told_apart(real_output: float, fake_output: float) -> bool:
        seen = curves(real_output=np.full(BINS, real_output), fake_output=np.full(BINS, fake_output))
        return outcome(seen, rules=rules).outcome == "discriminator-won"

    assert told_apart(real, fake), "the thresholds themselves are sure enough"
    assert not told_apart(1 - (1 - real) * (1 + CLOSE), fake), "examples that look less real"
    assert not told_apart(real, fake * (1 + CLOSE)), "fakes that look more real"


@pytest.mark.parametrize("growth", [2.0, 100.0])
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_player_has_run_off_beyond_the_growth_asked_for(growth, player):
    rules = replace(RULES, norm_growth=growth)
    for factor, expected in ((1 + CLOSE, "diverged"), (1.0, "finished"), (1 - CLOSE, "finished")):
        norm = np.full(BINS, growth * factor)
        assert outcome(curves(**{f"{player}_parameter_norm": norm}), rules=rules).outcome == expected, factor


def test_the_first_rule_that_holds_decides():
    off = {"generator_parameter_norm": np.full(BINS, 1000.0)}
    won = {"real_output": np.full(BINS, 1.0), "fake_output": np.full(BINS, 0.0)}
    collapsed = snapshots(2.3)
    assert outcome(curves(**won, **off), collapsed, (9, "nan")).step == 9
    assert outcome(curves(**won, **off), collapsed).outcome == "diverged"
    assert outcome(curves(**won), collapsed).outcome == "discriminator-won"
    assert outcome(curves(), collapsed).outcome == "collapsed"


# Games without data ---------------------------------------------------------------------------------------------------


def toy_outcome(*, x=1.0, y=1.0, start=(1.0, 1.0), diverged=None):
    """The verdict on a game of two numbers whose norms went this way."""
    names = series_names(("x", "y"), ())
    norms = {"x_parameter_norm": np.broadcast_to(x, BINS), "y_parameter_norm": np.broadcast_to(y, BINS)}
    curve = pd.concat(
        [
            pd.DataFrame({"series": name, "first_step": LAST - 99, "last_step": LAST, "min": v, "mean": v, "max": v})
            for name, v in (dict.fromkeys(names, np.full(BINS, 0.5)) | norms).items()
        ],
        ignore_index=True,
    )
    nothing = pd.DataFrame({"step": [], "mode_kl": []})
    return decide_outcome(
        RULES,
        steps=STEPS,
        diverged=diverged,
        initial_norms=dict(zip("xy", start, strict=True)),
        curves=curve,
        snapshots=nothing,
        modes=None,
    )


def test_a_game_of_two_numbers_that_stays_has_finished():
    verdict = toy_outcome()
    assert (verdict.outcome, verdict.step) == ("finished", STEPS)
    assert "without" in verdict.why
    assert verdict.judged == ("diverged",)
    assert set(verdict.not_judged) == {"discriminator-won", "collapsed"}


def test_a_game_of_two_numbers_can_only_diverge():
    verdict = toy_outcome(diverged=(7, "x_loss became inf"))
    assert (verdict.outcome, verdict.step, verdict.why) == ("diverged", 7, "x_loss became inf")
    growing = np.array([1, 1, 1, 300, 400, 400, 500, 600, 700, 800.0])
    verdict = toy_outcome(y=growing)
    assert (verdict.outcome, verdict.step) == ("diverged", 301)
    assert "y's parameter norm" in verdict.why


def test_players_that_swap_their_norms_have_not_run_off():
    """Orbits from (1, 0) pass (0, 1): one player's norm grows from nothing, that of both together does not."""
    assert toy_outcome(x=1e-3, y=1.0, start=(1.0, 1e-3)).outcome == "finished"
    assert toy_outcome(x=0.0, y=1.0, start=(1.0, 0.0)).outcome == "finished"
    assert toy_outcome(x=0.0, y=101.0, start=(1.0, 0.0)).outcome == "diverged"
    assert toy_outcome(x=5.0, y=5.0, start=(0.0, 0.0)).outcome == "finished", "from nothing, no factor leads anywhere"
