"""Detectors of outcomes, on runs that are made up to show one thing each."""

from __future__ import annotations

import re
from dataclasses import replace

import made_up_runs as made_up
import numpy as np
import pandas as pd
import pytest
from made_up_runs import BINS, FIRST, LAST, SNAPSHOTS, STEPS, make

from ganbench.analysis.columns import FAILURES, OPEN, OUTCOMES, SUCCESSES
from ganbench.analysis.outcome import classify_run, outcome_rows
from ganbench.analysis.outcome_catalogue import catalogue, detectors
from ganbench.analysis.outcomes import NotJudged, RunEvidence, margin
from ganbench.analysis.outcomes._learning import progress_of, relapses
from ganbench.core.metric_info import MetricInfo
from ganbench.study.sections import Outcome


def found(run: RunEvidence) -> dict:
    return {finding.outcome: finding for finding in classify_run(run).findings}


def changed(run: RunEvidence, **series: np.ndarray) -> RunEvidence:
    """The run with the means of some series replaced, and their extremes at the means."""
    curves = run.curves.copy()
    for name, mean in series.items():
        rows = curves["series"] == name
        curves.loc[rows, ["min", "mean", "max"]] = np.broadcast_to(np.asarray(mean, float)[:, None], (BINS, 3))
    return replace(run, curves=curves)


def measured(run: RunEvidence, **metrics) -> RunEvidence:
    return replace(run, snapshots=run.snapshots.assign(**metrics))


# The whole ------------------------------------------------------------------------------------------------------------


def test_outcomes_have_an_order_and_a_kind_each():
    severities = [info.severity for info in catalogue().values()]
    assert severities == sorted(severities, reverse=True)
    assert set(FAILURES) | set(OPEN) | set(SUCCESSES) | {"undetermined"} == set(OUTCOMES)
    assert min(catalogue()[name].severity for name in FAILURES) > max(catalogue()[name].severity for name in OPEN)
    assert sum(len(detector.outcomes) for detector in detectors()) == len(catalogue())


@pytest.mark.parametrize("kind", made_up.KINDS)
def test_detectors_change_nothing_and_answer_the_same_twice(kind):
    run = make(kind, 1)
    curves, snapshots = run.curves.copy(), run.snapshots.copy()
    one, other = classify_run(run), classify_run(replace(run))
    assert one == other
    pd.testing.assert_frame_equal(run.curves, curves)
    pd.testing.assert_frame_equal(run.snapshots, snapshots)
    for finding in one.findings:
        assert 0 <= finding.confidence <= 1
        assert 0 <= finding.onset <= STEPS
        assert any(letter.isdigit() for letter in finding.evidence) or kind == "not finite"


def test_margin_is_half_at_the_threshold_and_grows_towards_one():
    assert [margin(value, 2.0) for value in (1.0, 2.0, 4.0, 20.0)] == [0.5, 0.5, 0.75, 0.95]
    assert margin(1.0, 0.0) == 1.0


def test_failures_do_not_hide_one_another():
    run = changed(make("saturated", 0), discriminator_loss=np.where(np.arange(BINS) > 100, 500.0, 1.0))
    answer = classify_run(run)
    assert {"unstable", "discriminator-won"} <= found(run).keys()
    assert answer.primary.outcome == "unstable"
    rows = list(outcome_rows(answer))
    assert [row["outcome"] for row in rows if row["primary"]] == ["unstable"]
    assert [row["outcome"] for row in rows if row["judged"]] == list(found(run))
    reasons = {row["outcome"]: row["evidence"] for row in rows if not row["judged"]}
    assert reasons["memorizing"] == "not judged: memorization_ratio was not measured"


def test_what_was_not_measured_leaves_a_run_undetermined():
    run = make("healthy", 0)
    bare = replace(run, snapshots=run.snapshots.drop(columns="mode_reverse_kl"))
    answer = classify_run(bare)
    assert answer.primary.outcome == "undetermined"
    assert "collapsed was not judged, since the metric mode_coverage was not evaluated" in answer.primary.evidence
    assert [row["outcome"] for row in outcome_rows(answer)][:2] == ["undetermined", "converged"]
    lost = make("saturated", 0)
    seen = classify_run(replace(lost, snapshots=lost.snapshots.drop(columns="mode_reverse_kl")))
    assert seen.primary.outcome == "discriminator-won", "a failure that was seen needs no other"
    strict = classify_run(make("healthy", 0, needs_all=True))
    assert strict.primary.outcome == "undetermined"
    assert "memorizing was not judged" in strict.primary.evidence


CANNOT = {
    "no labels": ({"modes": 0}, "the data have no labels, or their judge tells no modes apart"),
    "no snapshot": ({"snapshots": pd.DataFrame({"step": [], "mode_reverse_kl": []})}, "no snapshot was evaluated"),
}


@pytest.mark.parametrize(("about", "reason"), CANNOT.values(), ids=CANNOT.keys())
def test_a_collapse_that_cannot_be_seen_is_not_judged(about, reason):
    run = make("healthy", 0)
    run = replace(run, snapshots=run.snapshots.drop(columns="diversity"))
    answer = classify_run(replace(run, **about))
    assert answer.not_judged["collapsed"] == NotJudged(reason)
    assert answer.primary.outcome == "undetermined"


def test_data_of_one_mode_lose_none_and_can_succeed():
    """Whether or not the metric of modes was computed; only diversity tells that they collapse onto a point."""
    run = replace(make("healthy", 0), modes=1)
    run = replace(run, snapshots=run.snapshots.drop(columns="diversity"))
    for one in (run, replace(run, snapshots=run.snapshots.drop(columns="mode_reverse_kl"))):
        answer = classify_run(one)
        assert answer.not_judged["collapsed"].impossible
        assert answer.not_judged["cycling"].impossible
        assert answer.primary.outcome == "converged"


def test_a_metric_lost_at_the_end_is_no_evidence():
    run = make("collapsed", 0)
    run = replace(run, snapshots=run.snapshots.drop(columns="diversity"))
    kl = run.snapshots["mode_reverse_kl"].to_numpy().copy()
    kl[-1] = np.nan
    assert (
        classify_run(measured(run, mode_reverse_kl=kl)).not_judged["collapsed"].reason
        == "mode_reverse_kl has no value at the last snapshot"
    )


def test_without_a_primary_metric_nothing_tells_how_far_a_run_came():
    run = replace(make("healthy", 0), metrics={"x": MetricInfo("X", "x", "none", None, None)})
    answer = classify_run(run)
    assert answer.primary.outcome == "undetermined"
    assert "no metric with a better end" in answer.primary.evidence


# Instability ----------------------------------------------------------------------------------------------------------


def test_numbers_that_are_none_have_diverged_when_they_came():
    run = replace(make("healthy", 0), diverged=(123, "generator_loss became nan"))
    answer = classify_run(run)
    assert (answer.primary.outcome, answer.primary.onset) == ("diverged", 123)
    assert answer.primary.evidence == "generator_loss became nan"
    assert not set(found(run)) & {*OPEN, *SUCCESSES}, "a run without an end has neither learned nor settled"


@pytest.mark.parametrize("kind", ["saturated", "blind", "starved critic", "healthy"])
@pytest.mark.parametrize("series", ["fake_output", "generator_gradient_norm"])
def test_one_series_that_ends_before_the_others_ends_the_evidence(kind, series):
    """The overflow of a generator shows in some series a bin before the others."""
    whole = make(kind, 0)
    bad = whole.curves["series"].eq(series) & whole.curves["first_step"].eq(FIRST[-1])
    run = replace(whole, curves=whole.curves.assign(mean=whole.curves["mean"].mask(bad)), diverged=(STEPS, "nan"))
    assert {len(each.mean) for each in run.series.values()} == {BINS - 1}
    assert "diverged" in found(run)


def test_divergence_does_not_hide_the_failures_that_came_before():
    for kind in ("collapsed", "hopping", "copying", "forgetting", "relapsing", "spiking"):
        run = make(kind, 0)
        names = {finding.outcome for finding in classify_run(run).findings} & FAILURES.keys() - {"partly-collapsed"}
        answer = classify_run(replace(run, diverged=(STEPS - 1, "generator_loss became nan")))
        assert answer.primary.outcome == "diverged"
        assert names <= {finding.outcome for finding in answer.findings}, kind


def test_of_a_diverged_run_no_failure_is_ruled_out():
    """What would have become of it is not known; that it has not converged is."""
    run = measured(make("healthy", 0), memorization_ratio=0.9, checkerboard_excess=6.0)
    early = run.snapshots[run.snapshots["step"] < 700]
    answer = classify_run(replace(run, snapshots=early, diverged=(700, "generator_loss became nan")))
    assert [finding.outcome for finding in answer.findings] == ["diverged"]
    assert set(answer.judged) == {"diverged", *OPEN, *SUCCESSES}
    assert set(answer.not_judged.values()) == {NotJudged("the run diverged at step 700", cut_short=True)}
    rows = run.curves[run.curves["last_step"] < 300]
    barely = classify_run(replace(run, curves=rows, snapshots=early[:3], diverged=(300, "generator_loss became nan")))
    assert barely.not_judged["unstable"].cut_short, "so few bins are those of a run that ended"


def test_a_run_that_diverged_before_its_first_trained_snapshot_has_neither_learned_nor_settled():
    """Its end is why nothing was measured: that is known of it, and no measurement is missing."""
    run = make("healthy", 0)
    rows, first = run.curves[run.curves["last_step"] < 12], run.snapshots[run.snapshots["step"] == 0]
    answer = classify_run(replace(run, curves=rows, snapshots=first, diverged=(12, "generator_loss became nan")))
    assert set(answer.judged) == {"diverged", *OPEN, *SUCCESSES}
    assert [finding.outcome for finding in answer.findings] == ["diverged"]
    assert set(answer.not_judged.values()) == {NotJudged("the run diverged at step 12", cut_short=True)}


def test_what_a_diverged_run_cannot_have_is_not_said_to_be_cut_short():
    run = replace(make("healthy", 0), modes=1, diverged=(12, "generator_loss became nan"))
    answer = classify_run(run)
    assert {name for name, why in answer.not_judged.items() if why.impossible} == {"cycling", "partly-collapsed"}
    assert answer.not_judged["memorizing"].cut_short
    assert [each.impossible or each.cut_short for each in answer.not_judged.values()] == [True] * len(answer.not_judged)


def test_the_last_snapshot_with_a_value_stands_for_the_end_of_a_diverged_run():
    run = make("collapsed", 0)
    lost = {name: run.snapshots[name].where(SNAPSHOTS < STEPS) for name in ("mode_reverse_kl", "fd")}
    answer = classify_run(replace(measured(run, **lost), diverged=(STEPS - 1, "generator_loss became nan")))
    assert "collapsed" in {finding.outcome for finding in answer.findings}


@pytest.mark.parametrize(("factor", "runs_off"), [(99, False), (101, True)])
def test_a_run_off_is_relative_to_the_first_steps(factor, runs_off):
    loss = np.where(np.arange(BINS) >= 120, factor * 3.0, 3.0)
    run = changed(make("healthy", 0), generator_loss=loss)
    assert ("unstable" in found(run)) == runs_off
    if runs_off:
        assert found(run)["unstable"].onset == FIRST[120]
        assert "the generator's loss was 101 times its early 3" in found(run)["unstable"].evidence


def test_norms_that_grow_under_adam_are_benign():
    run = changed(make("healthy", 0), generator_parameter_norm=8 * (1 + 1000 * np.arange(BINS)))
    assert classify_run(run).primary.outcome == "converged"


@pytest.mark.parametrize(("count", "unstable"), [(2, False), (3, True)])
def test_spikes_that_recover_count_from_the_third_on(count, unstable):
    loss = np.ones(BINS)
    loss[[60, 100, 140][:count]] = 11.0
    run = changed(make("healthy", 0), discriminator_loss=loss)
    assert ("unstable" in found(run)) == unstable
    if unstable:
        assert found(run)["unstable"].onset == FIRST[60]


@pytest.mark.parametrize(("until", "unstable"), [(0.45, False), (0.7, False), (1.0, True)])
def test_a_level_that_the_loss_left_again_is_no_instability(until, unstable):
    loss = np.where((np.arange(BINS) >= 0.3 * BINS) & (np.arange(BINS) < until * BINS), 30.0, 1.0)
    assert ("unstable" in found(changed(make("healthy", 0), discriminator_loss=loss))) == unstable


def binned(bins: int, at: list[int]) -> RunEvidence:
    """A run whose discriminator's loss has spikes of 100,000 nats in some of so many bins."""
    run = make("healthy", 0)
    edges = np.arange(bins + 1) * STEPS // bins
    rows = []
    for name in run.curves["series"].unique():
        mean = 0.5 + 0.01 * np.sin(np.arange(bins))
        high = mean.copy()
        high[at] = 1e5 if name == "discriminator_loss" else high[at]
        columns = {"first_step": edges[:-1] + 1, "last_step": edges[1:], "min": mean, "mean": mean, "max": high}
        rows.append(pd.DataFrame({"series": name, **columns}))
    return replace(run, curves=pd.concat(rows))


def test_bins_that_are_too_few_to_show_spikes_are_not_judged():
    few = classify_run(binned(30, [2, 5, 8, 11, 14, 17]))
    assert few.not_judged["unstable"].reason == "the discriminator's loss has 30 bins of steps, and spikes need 40"
    assert classify_run(binned(200, [30, 60, 90, 120])).primary.outcome == "unstable"
    assert "unstable" in classify_run(binned(200, [])).judged


def test_a_generator_that_pays_more_has_lost_and_is_not_unstable():
    """Its loss stays at thirty nats: the discriminator is sure. The discriminator's own loss there is no victory."""
    shift = np.where(np.arange(BINS) >= 100, 30.0, 1.0)
    assert "unstable" not in found(changed(make("healthy", 0), generator_loss=shift))
    assert "unstable" in found(changed(make("healthy", 0), discriminator_loss=shift))


def test_a_critic_s_loss_has_its_own_scale():
    loss = np.r_[np.full(20, 0.01), np.full(BINS - 20, -40.0)]
    loss[10] = -60.0  # as large as it will be
    run = replace(changed(make("healthy", 0), discriminator_loss=loss), probabilities=False)
    assert "unstable" not in found(run)


# Players that win -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("real", "fake", "won"),
    [(0.995, 0.005, True), (0.985, 0.005, False), (0.995, 0.015, False)],
)
def test_a_discriminator_has_won_beyond_both_thresholds(real, fake, won):
    run = changed(make("unlearned", 0), real_output=np.full(BINS, real), fake_output=np.full(BINS, fake))
    assert ("discriminator-won" in found(run)) == won


def test_a_discriminator_has_won_only_if_it_stays_sure_to_the_end():
    sure = np.where(np.arange(BINS) >= 100, 0.999, 0.6)
    run = changed(make("unlearned", 0), real_output=sure, fake_output=1 - sure)
    assert found(run)["discriminator-won"].onset == FIRST[100]
    sure[-1] = 0.6
    assert "discriminator-won" not in found(changed(run, real_output=sure, fake_output=1 - sure))
    late = np.where(LAST > 0.8 * STEPS, 0.999, 0.6)
    run = changed(run, real_output=late, fake_output=1 - late)
    assert "discriminator-won" not in found(run)
    assert "discriminator-won" in found(replace(run, settings=Outcome(late_share=0.2)))


def test_a_sure_discriminator_has_not_won_over_a_generator_that_learns():
    """With few training examples it knows them by heart."""
    run = changed(make("improving", 0), real_output=np.full(BINS, 0.999), fake_output=np.full(BINS, 0.001))
    assert classify_run(run).primary.outcome == "still-improving"
    unknown = classify_run(replace(run, metrics={}))
    assert unknown.primary.outcome == "discriminator-won"
    assert unknown.primary.confidence < 0.8, "nobody knows what the generator draws"


def test_scores_are_no_probabilities():
    run = changed(make("unlearned", 0), real_output=np.full(BINS, 9.0), fake_output=np.full(BINS, -9.0))
    assert "discriminator-won" not in found(replace(run, probabilities=False))
    starved = np.where(np.arange(BINS) >= 50, 1e-5, 4.0)
    run = replace(changed(run, generator_gradient_norm=starved), probabilities=False)
    assert found(run)["discriminator-won"].onset == FIRST[50]
    together = changed(run, real_output=np.where(np.arange(BINS) < 50, 9.0, 0.0), fake_output=np.full(BINS, 0.0))
    assert "discriminator-won" not in found(together), "a gradient that vanishes at the equilibrium starves nobody"


def test_a_generator_without_any_gradient_after_its_first_steps_is_starved():
    gradient = np.where(np.arange(BINS) < 2, 4.0, 0.0)
    apart = {"real_output": np.full(BINS, 0.9), "fake_output": np.full(BINS, 0.1)}
    run = changed(make("unlearned", 0), generator_gradient_norm=gradient, **apart)
    assert found(run)["discriminator-won"].onset == FIRST[2]


def test_a_generator_has_won_only_with_bad_examples():
    half = np.full(BINS, 0.5)
    assert "generator-won" in found(changed(make("unlearned", 0), real_output=half, fake_output=half))
    assert "generator-won" not in found(changed(make("healthy", 0), real_output=half, fake_output=half))
    blind = changed(make("unlearned", 0), real_output=half, fake_output=half)
    assert classify_run(replace(blind, metrics={})).not_judged["generator-won"].reason.startswith("no metric")


def course(kind: str, *shares: float, **about) -> RunEvidence:
    """A run of a kind whose primary metric takes this course, as shares of the untrained generator's."""
    return replace(measured(make(kind, 0), fd=1000 * np.array(shares)), **about)


LATE = (1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.4)  # improves to the end, and is still far from real data


def test_players_that_still_improve_are_told_by_what_holds():
    half = np.full(BINS, 0.5)
    blind = changed(course("unlearned", *LATE), real_output=half, fake_output=half)
    assert "generator-won" not in found(blind), "it gets better"
    lost = found(course("saturated", *LATE))["discriminator-won"].evidence
    assert lost.endswith("is better than until half of the steps, and still 0.4 of the untrained generator's distance")
    same = found(course("saturated", *LATE[:-1], 0.7))["discriminator-won"].evidence
    assert same.endswith("is not much better than before, and 0.7 of the untrained generator's distance")


# Modes ----------------------------------------------------------------------------------------------------------------


def test_noise_on_one_mode_is_no_collapse():
    """A classifier puts all noise into one class: that says nothing."""
    run = measured(make("unlearned", 0), mode_reverse_kl=np.log(10.0), dominant_share=1.0, high_quality=1.0)
    assert list(found(run)) == ["not-learned-yet"]
    assert "collapsed" in found(replace(run, knows_noise=True)), "a judge that knows noise calls these examples good"
    assert "not-learned-yet" not in found(replace(run, knows_noise=True))


def test_fewer_modes_than_without_training_are_a_collapse_though_nothing_was_learned():
    kl = np.full(len(SNAPSHOTS), np.log(10.0))
    kl[0] = np.log(10 / 3)
    run = measured(make("unlearned", 0), mode_reverse_kl=kl)
    assert found(run)["collapsed"].evidence.endswith("none were ever good")
    kl[-2] = np.log(10 / 3)  # no longer throughout the second half of training
    assert "collapsed" not in found(measured(run, mode_reverse_kl=kl))


@pytest.mark.parametrize(("late", "outcome"), [(0.003, "collapsed"), (0.0034, None), (0.01, None)])
def test_examples_that_vary_less_than_without_training_are_a_collapse_though_nothing_was_learned(late, outcome):
    """The untrained generator's examples have 0.005 of the variance of the data; 0.67 of that is 0.00335."""
    run = measured(make("unlearned", 0), diversity=np.where(SNAPSHOTS > 1000, late, 0.005))
    assert ("collapsed" if "collapsed" in found(run) else None) == outcome
    assert "not-learned-yet" in found(run)


@pytest.mark.parametrize(("last", "outcome"), [(0.05, "collapsed"), (0.051, None)])
def test_good_examples_that_become_all_alike_have_collapsed(last, outcome):
    """Without labels too, where nothing else tells."""
    run = make("healthy", 0)
    diversity = run.snapshots["diversity"].to_numpy().copy()
    diversity[-1] = last
    for modes in (10, 1, 0):
        one = replace(measured(run, diversity=diversity), modes=modes)
        assert ("collapsed" if "collapsed" in found(one) else None) == outcome
        assert "collapsed" not in classify_run(one).not_judged
    assert classify_run(replace(measured(run, diversity=diversity), modes=0)).primary.outcome == (
        outcome or "converged"
    )


def test_a_generator_that_never_varied_has_not_collapsed():
    run = measured(make("unlearned", 0), diversity=np.zeros(len(SNAPSHOTS)))
    assert "collapsed" not in found(run)


def test_leaving_the_mode_of_the_untrained_generator_is_no_hop():
    run = make("one image, hopping", 0)
    for path, hops in (
        ([8, 8, 8, 8, 3, 3, 4, 4, 5], 2),
        ([8, -1, 8, 8, 3, 3, 4, 4, 5], 2),  # a snapshot without a dominant mode leaves nothing
        ([8, 3, 3, 3, 3, 4, 4, 5, 3], 3),
    ):
        there = measured(run, dominant_mode=np.array(path, float))
        assert ("cycling" in found(there)) == (hops >= 3)


def test_a_generator_that_spreads_over_modes_in_the_end_no_longer_cycles():
    """Of the evenly spaced snapshots 4 to 8, which lie in the second half, most must have a dominant mode."""
    steps = np.linspace(0, STEPS, len(SNAPSHOTS)).astype(int)
    run = make("one image, hopping", 0)
    for path, cycles in (
        ([8, 3, 4, 5, 6, 3, 4, 5, 6], True),
        ([8, 3, 4, 5, 6, 3, -1, 4, -1], True),
        ([8, 3, 4, 5, 6, -1, -1, -1, 3], False),
        ([8, 3, 4, 5, 6, -1, -1, -1, -1], False),
    ):
        there = measured(run, dominant_mode=np.array(path, float), step=steps)
        assert ("cycling" in found(there)) == cycles, path


@pytest.mark.parametrize(
    ("filled", "outcome"),
    [(2.9, "collapsed"), (3.1, "partly-collapsed"), (6.9, "partly-collapsed"), (7.1, None)],
)
def test_the_share_of_modes_decides_between_full_and_partial(filled, outcome):
    kl = make("healthy", 0).snapshots["mode_reverse_kl"].to_numpy().copy()
    kl[-2:] = -np.log(filled / 10)
    names = found(measured(make("healthy", 0), mode_reverse_kl=kl))
    assert ({"collapsed", "partly-collapsed"} & names.keys()) == ({outcome} if outcome else set())


def test_a_run_that_still_fills_modes_lacks_none():
    kl = -np.log(np.array([1, 1, 1, 1, 2, 3, 4, 5, 6.5]) / 10)
    assert "partly-collapsed" not in found(measured(make("healthy", 0), mode_reverse_kl=kl))


@pytest.mark.parametrize("seed", range(5))
def test_a_collapse_between_snapshots_is_dated_by_the_series(seed):
    made = made_up.collapsed(np.random.default_rng(seed))
    truth = made.about.pop("onset")
    finding = found(made.evidence())["collapsed"]
    after = SNAPSHOTS[truth <= SNAPSHOTS].min()
    assert abs(finding.onset - truth) <= 2 * STEPS / BINS
    assert after - truth > 4 * STEPS / BINS, "the snapshot alone would be far off"


@pytest.mark.parametrize("course", ["drift", "decay", "walk", "step"])
def test_only_a_step_of_the_series_dates_a_collapse(course):
    """What drifts would be split in the middle."""
    rng, at, dated = np.random.default_rng(1), np.arange(BINS) / BINS, 0
    kl = make("healthy", 0).snapshots["mode_reverse_kl"].to_numpy().copy()
    kl[-1] = np.log(10)
    for _ in range(50):
        series = {
            name: {
                "drift": 1 + at,
                "decay": 1 + np.exp(-at * 4),
                "walk": 5 + 0.1 * rng.standard_normal(BINS).cumsum(),
                "step": 1 + (at > 0.7),
            }[course]
            + 0.02 * rng.standard_normal(BINS)
            for name in ("real_output", "fake_output", "generator_gradient_norm", "generator_loss")
        }
        run = changed(measured(make("healthy", 0), mode_reverse_kl=kl), **series)
        dated += found(run)["collapsed"].onset < STEPS
    assert dated >= 48 if course == "step" else dated <= 3


def test_a_mode_is_left_for_another():
    run = make("hopping", 3)
    finding = found(run)["cycling"]
    assert f"changed {len(SNAPSHOTS) - 2} times" in finding.evidence
    assert classify_run(run).primary.outcome == "cycling"
    stays = measured(run, dominant_mode=3.0)
    assert "cycling" not in found(stays)
    assert "collapsed" in found(stays)
    settled = run.snapshots["dominant_mode"].where(SNAPSHOTS < 1000, 3.0).to_numpy().copy()
    settled[SNAPSHOTS == 671] = 3.0
    assert "cycling" not in found(measured(run, dominant_mode=settled)), "the last hop was in the first half"


# Copies and artefacts -------------------------------------------------------------------------------------------------


def test_memorised_examples_have_not_converged_where_that_was_measured():
    run = make("healthy", 0)
    copies = measured(run, memorization_ratio=np.where(SNAPSHOTS >= 671, 0.3, 1.0))
    answer = classify_run(copies)
    assert (answer.primary.outcome, answer.primary.onset) == ("memorizing", 671)
    assert "converged" in found(copies), "kept, and not primary"
    assert classify_run(measured(run, memorization_ratio=0.9)).primary.outcome == "converged"
    near = measured(run, memorization_ratio=0.6)
    assert "memorizing" in found(near)
    assert "memorizing" not in found(replace(near, nulls={"memorization_ratio": (0.5, 1.4)})), "as near by chance"


def test_a_checkerboard_counts_beyond_that_of_real_images():
    run = measured(make("healthy", 0), checkerboard_excess=4.0)
    assert classify_run(run).primary.outcome == "checkerboard-artifacts"
    assert "checkerboard-artifacts" not in found(replace(run, nulls={"checkerboard_excess": (-5.0, 5.0)}))
    fading = np.linspace(9, 1, len(SNAPSHOTS))
    assert "checkerboard-artifacts" not in found(measured(run, checkerboard_excess=fading))


def test_a_checkerboard_of_a_run_that_has_not_learned_is_no_failure():
    run = measured(make("unlearned", 0), checkerboard_excess=6.0)
    assert classify_run(run).primary.outcome == "not-learned-yet"
    assert "checkerboard-artifacts" in found(replace(run, metrics={})), "it is not known whether this one has learned"


# Learning -------------------------------------------------------------------------------------------------------------


def learning(*distances: float, **about) -> dict:
    return found(replace(measured(make("healthy", 0), fd=np.array(distances, float)), **about))


BEFORE = (1000, 900, 700, 500, 300, 150)


def test_the_course_of_the_distance_decides_what_was_learned():
    assert "not-learned-yet" in learning(*BEFORE[:3], 700, 600, 500, 400, 300, 260)
    assert "still-improving" in learning(*BEFORE, 100, 60, 40)
    assert "converged" in learning(*BEFORE, 60, 42, 40)
    assert "forgetting" in learning(*BEFORE, 60, 42, 400)
    assert "converged" in learning(*BEFORE, 60, 4, 9), "ninefold of a hundredth is not lost to the eye"


@pytest.mark.parametrize(
    ("late", "holds"),
    [
        ((100, 300, 100, 300, 150, 150, 150), {"converged"}),  # came back once, then not quite
        ((100, 300, 100, 300, 100, 150, 150), {"converged", "relapsing"}),
        ((300, 100, 300, 100, 300, 300, 300), {"forgetting", "relapsing"}),
        ((100, 300, 100, 300, 300, 300, 300), {"forgetting"}),
        ((300, 100, 300, 100, 300, 100, 100), {"converged", "relapsing"}),
    ],
)
def test_relapses_count_once_the_run_came_back_from_them(late, holds):
    told = learning(1000, 100, *late)
    assert told.keys() == holds
    if "relapsing" in holds:
        times = 3 if late[-3:-1] == (300, 100) else 2
        assert told["relapsing"].evidence == f"fd relapsed and recovered {times} times, at worst to 3 times its best"
        assert told["relapsing"].onset == SNAPSHOTS[2 + late.index(300)]


@pytest.mark.parametrize("snapshots", [9, 21, 51, 101])
def test_whether_a_run_relapses_does_not_depend_on_how_often_one_looks(snapshots):
    """Of constant quality that fluctuates by 20%, few runs forget; what is lost for a quarter of the steps is seen."""
    rng, settings = np.random.default_rng(0), Outcome()

    def judged(course: np.ndarray) -> list[bool]:
        scores = {"step": np.arange(snapshots) * 10, "fd": course}
        progress = progress_of(scores, FD, {}, 0, noise={})
        learned = np.maximum.accumulate(progress.learned(settings.learned_share))
        ends = [each.end is None for each in relapses(progress, learned, settings)]
        return [ends.count(False) >= 2, any(ends)]

    constant = 0.15 * np.exp(0.2 * rng.standard_normal((200, snapshots)))
    constant[:, 0] = 1.0
    relapsed, forgot = np.mean([judged(course) for course in constant], axis=0)
    assert relapsed <= 0.02
    assert forgot < 0.1
    lost = constant.copy()
    lost[:, -snapshots // 4 :] *= 4
    assert np.mean([judged(course)[1] for course in lost]) > 0.9
    if snapshots > 9:  # which hold no two relapses
        calm = 0.15 * np.exp(0.1 * rng.standard_normal((200, snapshots)))
        calm[:, 0] = 1.0
        for begin in (0.4, 0.7):
            calm[:, int(begin * snapshots) : int((begin + 0.15) * snapshots)] *= 4
        assert np.mean([judged(course)[0] for course in calm]) > 0.85


def test_of_many_snapshots_the_evidence_has_the_medians_that_decide():
    steps = np.linspace(0, STEPS, 33).astype(int)
    fd = np.r_[1000.0, np.full(27, 50.0), np.full(5, 400.0)]
    fd[[10, -1]] = 1.0, 60.0  # single values, which decide nothing
    kl = np.where(steps > 0, 0.05, 2.3)
    run = replace(make("healthy", 0), snapshots=pd.DataFrame({"step": steps, "fd": fd, "mode_reverse_kl": kl}))
    evidence = found(run)["forgetting"].evidence
    assert re.fullmatch(r"running median of fd was 50 at step \d+ and is 400 at the end", evidence)


@pytest.mark.parametrize("knows_noise", [False, True])
def test_exactly_one_of_the_four_holds(knows_noise):
    rng = np.random.default_rng(0)
    four = {"not-learned-yet", "still-improving", "converged", "forgetting"}
    for _ in range(30):
        distances = 1000 * np.exp(-np.abs(rng.normal(0, 2, len(SNAPSHOTS))))
        distances[0] = 1000
        run = measured(make("healthy", 0), fd=distances, high_quality=0.6 * rng.random(len(SNAPSHOTS)))
        assert len(four & found(replace(run, knows_noise=knows_noise)).keys()) == 1


def test_a_value_within_its_null_has_converged_whatever_came_before():
    course = (*BEFORE, 60, 30, 5)
    assert "still-improving" in learning(*course)
    within = learning(*course, nulls={"fd": (1.0, 6.0)})
    assert "converged" in within
    assert "within its null" in within["converged"].evidence
    assert "forgetting" not in learning(*BEFORE, 60, 1, 5.9, nulls={"fd": (1.0, 6.0)})


def test_progress_by_a_metric_whose_high_end_is_best():
    info = {"coverage": MetricInfo("Coverage", "share", "high", 0.0, 1.0)}
    rising = measured(make("healthy", 0), coverage=np.linspace(0.0, 0.95, len(SNAPSHOTS)))
    assert "still-improving" in found(replace(rising, metrics=info))
    flat = measured(rising, coverage=np.r_[0.0, np.full(len(SNAPSHOTS) - 1, 0.9)])
    assert "converged" in found(replace(flat, metrics=info))
    assert "not-learned-yet" in found(replace(measured(flat, coverage=np.full(len(SNAPSHOTS), 0.1)), metrics=info))


FD = {"fd": MetricInfo("Frechet distance", "", "low", 0.0, None)}
COVERAGE = {"coverage": MetricInfo("Coverage", "share", "high", 0.0, 1.0)}


def test_a_score_that_is_better_than_real_data_is_no_loss():
    nulls = {"coverage": (0.78, 0.82)}
    rise = np.array([0, 0.1, 0.2, 0.4, 0.6, 0.7, 0.8, 0.82, 0.99])
    run = replace(measured(make("healthy", 0), coverage=rise), metrics=COVERAGE, nulls=nulls)
    assert "forgetting" not in found(run)
    assert found(run)["converged"].evidence.startswith("coverage 0.99 (better than its null)")
    low = learning(*BEFORE, 60, 30, 0.5, nulls={"fd": (1.0, 6.0)})
    assert low["converged"].evidence.startswith("fd 0.5 (better than its null)")


def test_a_metric_by_which_the_untrained_generator_is_best_is_passed_over():
    half = np.full(BINS, 0.5)
    run = measured(make("unlearned", 0), precision=np.r_[1.0, np.full(len(SNAPSHOTS) - 1, 0.4)])
    run = changed(run, real_output=half, fake_output=half)
    info = {"precision": MetricInfo("Precision", "share", "high", 0.0, 1.0)}
    assert classify_run(replace(run, metrics=info)).not_judged["generator-won"].reason == (
        "the untrained generator has the best precision that there is"
    )
    assert "generator-won" in found(replace(run, metrics=info | run.metrics)), "by the next metric"


def test_a_run_that_is_no_nearer_to_real_data_than_noise_has_not_learned():
    """Though it is at a tenth of the distance of its untrained generator, which says only how far that was."""
    shares = (1, 0.9, 0.5, 0.3, 0.2, 0.15, 0.13, 0.12, 0.11)
    nulls = {"fd": (0.0, 5.0)}
    run = course("healthy", *shares, nulls=nulls, noise={"fd": 60.0})
    text = found(run)["not-learned-yet"].evidence
    assert text.endswith("at the end, 0.11 of the untrained generator's distance and 1.8 of that of noise")
    assert "converged" in found(course("healthy", *shares, nulls=nulls, noise={"fd": 120.0}))
    few = course("healthy", *shares, nulls={"fd": (0.0, 15.0)}, noise={"fd": 60.0})
    assert "converged" in found(few), "noise lies three widths beyond real data, which is not told apart"
    assert "not-learned-yet" in found(course("healthy", *shares, noise={"fd": 60.0})), "no null was measured"
    assert "converged" in found(course("healthy", *shares, noise={"fd": 0.0})), "noise is as good as can be"
    arrived = course("healthy", *shares[:-1], 0.001, nulls=nulls, noise={"fd": 60.0})
    assert "not-learned-yet" not in found(arrived)


def test_a_metric_that_does_not_tell_noise_from_real_data_is_passed_over():
    """A distance of no more than 1.5 for real data, 2 for noise and nought for the run, all of whose modes are bad."""
    metrics = make("healthy", 0).metrics | {"modes_covered": MetricInfo("Modes covered", "number", "high", 0.0, None)}
    nulls, noise = {"fd": (0.5, 1.5), "modes_covered": (10.0, 10.0)}, {"fd": 2.0, "modes_covered": 1.0}
    run = replace(course("healthy", *np.geomspace(1, 1e-6, len(SNAPSHOTS))), metrics=metrics)
    run = measured(run, modes_covered=np.r_[0.0, np.full(len(SNAPSHOTS) - 1, 2.0)])
    assert found(replace(run, nulls=nulls)).keys() == {"converged"}, "noise was not measured"
    text = found(replace(run, nulls=nulls, noise=noise))["not-learned-yet"].evidence
    assert text.startswith(
        "modes_covered 2 (outside its null) at the end, 0.8 of the untrained generator's distance and"
    )
    single = {name: np.float64(value) for name, value in noise.items()}
    assert "not-learned-yet" in found(replace(run, nulls=nulls, noise=single)), "NumPy's numbers are numbers"
    few = noise | {"modes_covered": 6.0}
    assert found(replace(run, nulls=nulls, noise=few)).keys() == {"converged"}, "neither tells, and the first leads"


def test_what_was_learned_in_passing_is_not_learned_yet():
    run = found(course("healthy", 1, 0.9, 0.5, 0.4, 0.3, 0.24, 0.24, 0.26, 0.27))
    assert "converged" not in run
    text = run["not-learned-yet"].evidence
    assert text.endswith("at the end, 0.27 of the untrained generator's distance (at best 240)")
    assert "converged" in found(course("healthy", 1, 0.9, 0.5, 0.4, 0.3, 0.27, 0.24, 0.23, 0.24))


def test_what_is_forgotten_is_at_most_what_counts_as_learned():
    """A twentieth of 1,000 is 50, and noise is at 30."""
    shares = (1, 0.9, 0.5, 0.3, 0.2, 0.1, 0.02, 0.01, 0.042)
    assert "forgetting" in found(course("healthy", *shares, noise={"fd": 30.0}))
    assert "forgetting" not in found(course("healthy", *shares)), "worse by 32"
    assert "forgetting" not in found(course("healthy", *shares[:-1], 0.038, noise={"fd": 30.0})), "worse by 28"


def test_noise_is_counted_from_the_best_value_of_a_score():
    """A score of 0.3 is 0.5 from that of real data, and one of 0.35 is nearer."""
    nulls, noise = {"coverage": (0.78, 0.8)}, {"coverage": 0.3}
    for last, outcome in ((0.28, "not-learned-yet"), (0.75, "still-improving")):
        rise = np.linspace(0, last, len(SNAPSHOTS))
        run = replace(measured(make("healthy", 0), coverage=rise), metrics=COVERAGE, nulls=nulls, noise=noise)
        run = replace(run, settings=Outcome(learned_share=0.9))
        assert outcome in found(run)


def few_snapshots(steps: list[int], distances: list[float]) -> RunEvidence:
    kl = [2.3] + [0.05] * (len(steps) - 1)
    return replace(make("healthy", 0), snapshots=pd.DataFrame({"step": steps, "fd": distances, "mode_reverse_kl": kl}))


def test_without_a_snapshot_about_half_of_the_steps_nobody_knows_whether_a_run_improves():
    """The untrained generator is no measure of half of the training."""
    for steps, distances in (([0, STEPS], [1000, 100]), ([0, 25, 400, STEPS], [1000, 500, 300, 100])):
        answer = classify_run(few_snapshots(steps, distances))
        assert {"still-improving", "converged"} <= answer.not_judged.keys()
        assert answer.primary.outcome == "undetermined"
        assert "no snapshot lies between a quarter and three quarters of the steps" in answer.primary.evidence
    assert classify_run(few_snapshots([0, 1000, STEPS], [1000, 500, 100])).primary.outcome == "still-improving"
    grown_worse = few_snapshots([0, 25, 400, STEPS], [1000, 500, 90, 100])
    assert classify_run(grown_worse).primary.outcome == "converged", "whatever it was at half"


def test_a_run_that_is_good_by_any_measure_is_determined():
    """By a judge that knows noise, though its distance is a third of the first; and by a distance of zero."""
    quality = np.array([0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 0.9, 0.95])
    shares = (1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.35, 0.34)
    run = replace(measured(course("healthy", *shares), high_quality=quality), knows_noise=True)
    assert classify_run(run).primary.outcome == "converged"
    assert classify_run(course("healthy", *shares[:-1], 0.2)).primary.outcome == "still-improving"
    unbiased = course("healthy", 1, 0.5, 0.3, 0.2, 0.1, 0.05, 0.01, 0.005, -0.001)
    assert classify_run(unbiased).primary.outcome == "converged"
    assert classify_run(replace(unbiased, nulls={"fd": (-10.0, 10.0)})).primary.outcome == "converged"


# Games of a few numbers -----------------------------------------------------------------------------------------------


def game(radius, *, start: float = 1.0, bins: int = 40) -> RunEvidence:
    """A game on xy: the norms of gradients and parameters of both players on a circle of a given radius at each
    step."""
    steps = np.arange(1, bins + 1)
    r = np.broadcast_to(np.asarray(radius(steps), float), (bins,))
    turn = 0.3 * steps
    of = {
        "x_loss": r**2 * np.sin(2 * turn) / 2,
        "y_loss": -(r**2) * np.sin(2 * turn) / 2,
        "x_gradient_norm": r * np.abs(np.sin(turn)),
        "y_gradient_norm": r * np.abs(np.cos(turn)),
        "x_parameter_norm": r * np.abs(np.cos(turn)),
        "y_parameter_norm": r * np.abs(np.sin(turn)),
    }
    rows = [
        pd.DataFrame({"series": name, "first_step": steps, "last_step": steps, "min": v, "mean": v, "max": v})
        for name, v in of.items()
    ]
    return RunEvidence(
        steps=bins,
        settings=Outcome(),
        diverged=None,
        initial_norms={"x": start, "y": 0.0},
        curves=pd.concat(rows),
        snapshots=pd.DataFrame({"step": []}),
        modes=None,
    )


@pytest.mark.parametrize(
    ("radius", "outcome"),
    [
        (lambda t: 1.01**t, "unstable"),  # simultaneous descent at a rate of 0.14
        (lambda t: 1.0 + 0.0 * t, "cycling"),  # alternating descent
        (lambda t: 0.98**t, "still-improving"),
        (lambda t: np.sqrt(8 / (8 + t)), "still-improving"),  # alternating descent on the Dirac-GAN
        (lambda t: 0.7**t, "converged"),
        (lambda t: 0.0 * t, "converged"),
    ],
)
def test_games_close_in_turn_or_run_off(radius, outcome):
    run = game(radius)
    answer = classify_run(run)
    assert answer.primary.outcome == outcome
    impossible = {name for name, why in answer.not_judged.items() if why.impossible}
    assert {"collapsed", "discriminator-won", "memorizing", "forgetting"} <= impossible


def test_a_game_that_has_grown_a_hundredfold_is_dated_from_there():
    finding = found(game(lambda t: 1.5**t))["unstable"]
    assert finding.onset == 12  # 1.5^12 = 129.7
    assert "grew" in finding.evidence
    assert "unstable" not in found(game(lambda t: 1.0 + 0 * t, start=0.0)), "from nothing, no factor leads anywhere"


def test_a_game_of_few_bins_shows_no_trend():
    answer = classify_run(game(lambda t: 1.01**t, bins=5))
    assert answer.primary.outcome == "undetermined"
    assert "too few bins" in answer.primary.evidence
    assert "too few bins" in answer.not_judged["unstable"].reason


@pytest.mark.parametrize("bins", [5, 40])
def test_a_game_that_diverged_has_not_settled_however_short_it_was(bins):
    run = replace(game(lambda t: 1.5**t, bins=bins), diverged=(bins, "x_loss became inf"))
    answer = classify_run(run)
    assert {"converged", "still-improving"} <= set(answer.judged)
    assert answer.not_judged["cycling"] == NotJudged(f"the run diverged at step {bins}", cut_short=True)
    assert answer.not_judged["not-learned-yet"].impossible


# Thresholds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"collapsed_mode_share": 0.8}, "collapsed_mode_share must be less than partial_mode_share, 0.7, but is 0.8"),
        ({"recovered_ratio": 3}, "recovered_ratio must be less than relapsed_ratio, 2, but is 3"),
        ({"won_real_output": 0.01}, "won_fake_output must be less than won_real_output, 0.01, but is 0.01"),
        ({"learned_share": 1.0}, "less than 1"),
        ({"norm_growth": True}, "norm_growth"),
        ({"won_last_share": 0.5}, "won_last_share"),
    ],
)
def test_thresholds_that_contradict_one_another_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Outcome(**given)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.7, 1.0, 1.5, 1.9])
@pytest.mark.parametrize("bins", [40, 60, 100, 200])
def test_alternating_descent_on_xy_turns_whatever_the_phase(rate, bins):
    """It conserves x^2 + y^2 + rate x y: an ellipse, of which a quarter of the steps need not hold whole turns."""
    x, y, course = 1.0, 1.0, []
    for _ in range(bins):
        gradient_x, x = abs(y), x - rate * y
        gradient_y, y = abs(x), y + rate * x
        course.append((gradient_x, gradient_y, abs(x), abs(y)))
    names = ("x_gradient_norm", "y_gradient_norm", "x_parameter_norm", "y_parameter_norm")
    curves = game(lambda t: 1.0 + 0 * t, bins=bins).curves
    for name, values in zip(names, np.array(course).T, strict=True):
        curves.loc[curves["series"] == name, ["min", "mean", "max"]] = np.repeat(values[:, None], 3, axis=1)
    run = replace(game(lambda t: 1.0 + 0 * t, bins=bins), curves=curves, initial_norms={"x": 1.0, "y": 1.0})
    assert classify_run(run).primary.outcome == "cycling"


@pytest.mark.parametrize(("noise", "cycles"), [(0.0, (30, 30)), (1.0, (0, 2))])
@pytest.mark.parametrize("bins", [10, 40, 200])
def test_noise_around_an_equilibrium_is_no_cycle(bins, noise, cycles):
    """2,000 alternating steps on xy: on an orbit, and from the equilibrium, damped, with gradients that are noisy."""
    rng, steps, rate = np.random.default_rng(0), 2000, 0.1
    players = np.full((2, 30), 1.0 - noise)
    course = np.empty((steps, 4, 30))
    for step in range(steps):
        course[step, 2:] = np.abs(players)
        for player, sign in ((0, 1), (1, -1)):
            gradient = sign * players[1 - player] + noise * (0.3 * players[player] + rng.standard_normal(30))
            course[step, player] = np.abs(gradient)
            players[player] -= rate * gradient
    names = ("x_gradient_norm", "y_gradient_norm", "x_parameter_norm", "y_parameter_norm")
    parts = course.reshape(bins, steps // bins, 4, 30)
    run, found_in = game(lambda t: 1.0 + 0 * t, bins=bins), 0
    for seed in range(30):
        for index, name in enumerate(names):
            values = parts[:, :, index, seed]
            columns = np.stack([values.min(axis=1), values.mean(axis=1), values.max(axis=1)], axis=1)
            run.curves.loc[run.curves["series"] == name, ["min", "mean", "max"]] = columns
        primary = classify_run(replace(run)).primary
        found_in += primary.outcome == "cycling"
        if primary.outcome == "undetermined":
            assert "by a factor of" in primary.evidence
    assert cycles[0] <= found_in <= cycles[1]
