"""The rule that stops runs in training, on made-up runs of which it is known what becomes of them."""

from __future__ import annotations

import inspect
from typing import get_args

import made_up_runs as made_up
import numpy as np
import pandas as pd
import pytest
from made_up_runs import BENIGN, BINS, FIRST, KINDS, LAST, STEPS, make

from ganbench.analysis.curves import curve_columns
from ganbench.analysis.early_stopping import StopRule
from ganbench.analysis.outcome import classify_run
from ganbench.analysis.outcome_catalogue import catalogue, detectors
from ganbench.analysis.outcomes import Detector, Finding, RunEvidence
from ganbench.core.recorder import Recorder, check_steps
from ganbench.study.early_stopping import THRESHOLDS, EarlyStopping
from ganbench.study.sections import Outcome

CHECKS = check_steps(STEPS, 0.25, 0.1)
SEEDS = range(3)
# By kind of a made-up run, the outcome for which it is stopped.
SEEN = {
    "run-off": "unstable",
    "spiking": "unstable",
    "level shift": "unstable",
    "starved critic": "discriminator-won",
}


def rule(*, patience: int = 2, probabilities: bool = True, settings: Outcome | None = None) -> StopRule:
    return StopRule(
        outcomes=("unstable", "discriminator-won"),
        checks=CHECKS,
        patience=patience,
        settings=settings or Outcome(),
        probabilities=probabilities,
    )


def curves(run: RunEvidence, step: int) -> dict:
    """What a `Recorder` has after a step of a run of which all is known; in each bin the mean stands for every step."""
    begun = step >= FIRST
    names = list(run.curves["series"].unique())
    wide = {what: run.curves.pivot(index="first_step", columns="series", values=what)[names] for what in VALUES}
    return {
        "series": names,
        "first_step": FIRST[begun],
        "last_step": np.minimum(LAST[begun], step),
        **{what: table.to_numpy()[begun] for what, table in wide.items()},
    }


VALUES = ("min", "mean", "max")


def stopped(run: RunEvidence, patience: int = 2) -> tuple[int, Finding] | None:
    """When and for what a run is stopped."""
    decide = rule(patience=patience, probabilities=run.probabilities)
    found = ((check, decide(curves(run, check))) for check in CHECKS)
    return next(((check, finding) for check, finding in found if finding is not None), None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_stopped_only_for_what_the_whole_of_it_shows(kind):
    """No benign run is stopped; of the others those that fail by their series alone, at half of training on average."""
    hits = []
    for seed in SEEDS:
        run = make(kind, seed)
        if (hit := stopped(run)) is None:
            continue
        step, finding = hit
        assert finding.outcome in {each.outcome for each in classify_run(run).findings}
        assert finding.onset < step
        hits.append(finding.outcome)
    if kind in BENIGN or kind not in SEEN:
        assert not hits
    else:
        assert set(hits) == {SEEN[kind]}
        assert len(hits) >= 2


def changed(**series: np.ndarray) -> RunEvidence:
    run = made_up.healthy(np.random.default_rng(0))
    run.series |= series
    return run.evidence()


@pytest.mark.parametrize(
    ("patience", "lasting", "stops"), [(1, 0.08, True), (2, 0.08, False), (2, 0.15, True), (3, 0.15, False)]
)
def test_a_transient_ends_no_run(patience, lasting, stops):
    """A loss a thousandfold for a share of training, after which it is what it was."""
    run = changed(discriminator_loss=np.where((made_up.AT > 0.3) & (0.3 + lasting >= made_up.AT), 1000.0, 1.0))
    assert (stopped(run, patience) is not None) == stops


def test_a_run_is_stopped_at_the_second_check_that_finds_it_and_dated_by_its_onset():
    run = changed(discriminator_loss=np.where(made_up.AT > 0.3, 5000.0, 1.0))
    step, finding = stopped(run)
    assert step == CHECKS[2], "the first check finds nothing yet"
    assert finding.outcome == "unstable"
    assert finding.onset == FIRST[np.argmax(made_up.AT > 0.3)]
    assert "discriminator's loss" in finding.evidence


def test_a_run_is_not_stopped_before_the_first_check_or_between_two():
    run = changed(discriminator_loss=np.where(made_up.AT > 0.05, 5000.0, 1.0))
    decide = rule(patience=1)
    assert decide(curves(run, CHECKS[0])).outcome == "unstable"
    assert decide(curves(run, CHECKS[0] - 25)) is None
    assert decide(curves(run, CHECKS[0] + 25)) is None
    assert rule(patience=2)(curves(run, CHECKS[0])) is None, "there was no check before"


def test_a_sure_discriminator_stops_no_run_and_a_starved_generator_does():
    late = made_up.AT > 0.3
    sure = {"real_output": np.where(late, 0.999, 0.6), "fake_output": np.where(late, 0.001, 0.4)}
    assert stopped(changed(**sure)) is None
    starved = changed(**sure, generator_gradient_norm=np.where(late, 1e-4, 4.0))
    assert stopped(starved)[1].outcome == "discriminator-won"
    vanished = changed(real_output=0.5 + 0 * late, fake_output=0.5 + 0 * late, generator_gradient_norm=1e-4 + 4 * ~late)
    assert stopped(vanished) is None, "at an equilibrium nobody is starved"


@pytest.mark.parametrize("chunks", [(25,), (40, 10), (1000,)])
def test_a_check_finds_again_what_it_found(chunks):
    """Later steps change nothing of it, in whatever parts they were recorded, with bins that no check ends with."""
    steps, bins = 1000, 90
    values = np.random.default_rng(3).lognormal(0, 0.2, (steps, 5))
    values[300:, 0] *= 500
    series = ("discriminator_loss", "generator_loss", "real_output", "fake_output", "generator_gradient_norm")
    recorder, seen = Recorder(steps, bins, series), {}
    at, turn = 0, 0
    decide = StopRule(outcomes=("unstable",), checks=(400, 500), patience=2, settings=Outcome(), probabilities=False)
    while at < steps:
        end = min(at + chunks[turn % len(chunks)], *(check for check in (400, 500, steps) if check > at))
        recorder.add(values[at:end])
        at, turn = end, turn + 1
        seen[at] = recorder.curves()
    whole = decide._found(seen[steps], 400)
    assert whole.keys() == {"unstable"}
    assert whole == decide._found(seen[400], 400)
    assert decide(seen[500]) == decide._found(seen[steps], 500)["unstable"]


def test_curves_become_a_table_series_by_series():
    recorder = Recorder(6, 2, ("a", "b"))
    recorder.add(np.arange(10.0).reshape(5, 2))
    expected = {
        "series": ["a", "a", "b", "b"],
        "first_step": [1, 4, 1, 4],
        "last_step": [3, 5, 3, 5],
        "min": [0.0, 6.0, 1.0, 7.0],
        "mean": [2.0, 7.0, 3.0, 8.0],
        "max": [4.0, 8.0, 5.0, 9.0],
    }
    pd.testing.assert_frame_equal(pd.DataFrame(curve_columns(recorder.curves())), pd.DataFrame(expected))


class _Watched:
    """Settings that note which of them are read."""

    def __init__(self) -> None:
        self.read: set[str] = set()

    def __getattr__(self, name: str):
        self.read.add(name)
        return getattr(Outcome(), name)


def test_the_outcomes_that_a_study_may_stop_for_are_those_that_detectors_see_in_training():
    checking = [each for each in detectors() if type(each).check_curves is not Detector.check_curves]
    names = {info.name for each in checking for info in each.outcomes}
    offered = get_args(get_args(EarlyStopping.model_fields["outcomes"].annotation)[0])
    assert names == {*offered} == THRESHOLDS.keys()
    assert list(offered) == [name for name in catalogue() if name in names], "the most severe first"
    for each in checking:  # the files whose sources are in a run's digest
        assert inspect.getfile(type(each)).endswith(f"/{each.outcomes[0].name.replace('-', '_')}.py")


def test_checks_read_no_threshold_but_those_of_the_digest():
    for each in detectors():
        for kind in ("healthy", *SEEN):
            watched = _Watched()
            run = make(kind, 0)
            list(each.check_curves(RunEvidence(**vars(run) | {"settings": watched})))
            expected = {name for info in each.outcomes for name in THRESHOLDS.get(info.name, ())}
            assert watched.read <= expected, type(each)


def test_thresholds_of_the_study_decide():
    run = changed(discriminator_loss=np.where(made_up.AT > 0.3, 60.0, 1.0) * (1 + 0.3 * np.sin(np.arange(BINS))))
    strict = Outcome(loss_growth=20.0)
    assert rule(settings=strict)(curves(run, CHECKS[4])).outcome == "unstable"


# What became of a stopped run -----------------------------------------------------------------------------------------


def test_a_stopped_run_has_what_it_was_stopped_for_and_what_else_was_seen():
    whole = make("healthy", 0)
    why = Finding("discriminator-won", 700, "the generator's gradient fell to 1e-05 of its early norm", 0.95)
    ended = {
        "steps": 1295,
        "stopped": why,
        "curves": whole.curves[whole.curves["last_step"] <= 1295],
        "snapshots": whole.snapshots[whole.snapshots["step"] <= 1295],
    }
    answer = classify_run(RunEvidence(**{name: getattr(whole, name) for name in whole.__dataclass_fields__} | ended))
    assert answer.primary == why
    assert answer.failure_onset == 700
    assert [finding.outcome for finding in answer.findings] == ["discriminator-won"], (
        "it has neither settled nor failed"
    )
    assert answer.not_judged["collapsed"].reason == "the run was stopped at step 1295"
    assert answer.not_judged["collapsed"].cut_short
    assert "discriminator-won" in answer.judged


def test_a_stopped_run_may_have_failed_in_other_ways_before():
    whole = make("collapsed", 0)
    why = Finding("unstable", 1500, "a loss spiked", 0.6)
    fields = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    answer = classify_run(RunEvidence(**fields | {"stopped": why}))
    assert {"unstable", "collapsed"} <= {finding.outcome for finding in answer.findings}
    assert answer.primary == why, "the more severe"
    assert answer.failure_onset < 1500
