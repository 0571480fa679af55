"""Spikes, saturation, relapses and hops as events, and event studies with their null."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_up_runs import BINS, FIRST, LAST, SNAPSHOTS, make
from scipy import stats

from ganbench.analysis.event_study import MAX_STD, event_study, standardise
from ganbench.analysis.events import EVENT_KINDS, events_of, merge
from ganbench.analysis.outcomes._run import Series
from ganbench.analysis.outcomes._spikes import HISTORY_BINS, spikes
from ganbench.report.figures.events import STUDIED, studies_of


def series(mean: np.ndarray) -> Series:
    return Series(FIRST, LAST, mean, mean, mean)


def spikes_of(mean: np.ndarray, gap: float = 50) -> list:
    return spikes(series(mean), deviations=6, gap=gap)


def test_a_planted_spike_is_found_with_its_bins_and_size():
    rng = np.random.default_rng(0)
    loss = 1 + 0.01 * rng.standard_normal(BINS)
    loss[100:103] = [3.0, 7.0, 2.0]
    (spike,) = spikes_of(loss)
    assert (spike.start, spike.end, spike.recovered) == (FIRST[100], LAST[102], True)
    assert spike.size == pytest.approx(7.0, rel=0.02)


def test_a_steady_growth_is_no_spike_at_any_speed():
    at = np.arange(BINS)
    for course in (1 + at, np.exp(at / 10), 1e3 * at + 1.0, 1 / (1 + at), -np.exp(at / 20)):
        assert spikes_of(course.astype(float)) == []


def test_spikes_within_the_gap_are_one():
    loss = np.ones(BINS)
    loss[[100, 103]] = 5.0  # 25 steps between the end of one and the start of the other
    assert len(spikes_of(loss, gap=24)) == 2
    (both,) = spikes_of(loss, gap=26)
    assert (both.start, both.end) == (FIRST[100], LAST[103])


def test_a_new_level_is_a_spike_that_does_not_recover_and_ends():
    loss = np.where(np.arange(BINS) < 100, 1.0, 50.0)
    loss[160] = 500.0
    level, later = spikes_of(loss)
    assert (level.start, level.recovered) == (FIRST[100], False)
    assert level.end == LAST[100 + HISTORY_BINS - 1]
    assert (later.start, later.recovered) == (FIRST[160], True)
    assert later.size == pytest.approx(10.0)


def test_noise_has_few_spikes():
    """At six robust deviations the false alarms come from the spread of a median deviation of twenty bins."""
    rng = np.random.default_rng(1)
    counts = [len(spikes_of(np.exp(0.1 * rng.standard_normal(BINS)))) for _ in range(100)]
    assert np.mean(counts) < 0.3


@pytest.mark.parametrize(("width", "stated"), [(5, 0.05), (20, 0.14), (100, 0.26)])
def test_false_alarms_of_spikes_are_as_frequent_as_stated(width, stated):
    """Of log-normal noise in 200 bins; they grow with the number of steps in a bin."""
    rng, first = np.random.default_rng(0), np.arange(200) * width + 1
    alarms = 0
    for _ in range(200):
        loss = np.exp(0.5 * rng.standard_normal((200, width)))
        run = Series(first, first + width - 1, loss.min(axis=1), loss.mean(axis=1), loss.max(axis=1))
        found = spikes(run, deviations=6, gap=50)
        alarms += bool(found)
        assert sum(spike.size >= 10 for spike in found) < 3
    assert alarms / 200 == pytest.approx(stated, abs=3 * (stated * (1 - stated) / 200) ** 0.5)


def test_intervals_are_joined_across_gaps():
    assert merge([(1, 5), (8, 9), (20, 30), (22, 24)], 3) == [(1, 9), (20, 30)]
    assert merge([], 3) == []


def test_events_of_a_run_are_those_planted():
    saturated = [event for event in events_of(make("saturated", 0)) if event.kind == "saturation"]
    assert len(saturated) == 1
    assert saturated[0].end == LAST[-1]
    relapse, again = (event for event in events_of(make("relapsing", 0)) if event.kind == "relapse")
    assert relapse.end < again.start
    assert min(relapse.size, again.size) > 2
    hops = [event for event in events_of(make("hopping", 0)) if event.kind == "mode-hop"]
    assert len(hops) == len(SNAPSHOTS) - 2
    assert all(0.9 <= hop.size <= 1 for hop in hops)
    planted = [event for event in events_of(make("spiking", 0)) if event.kind == "spike" and event.size > 15]
    assert 1 <= len(planted) <= 5
    assert {event.source for event in planted} == {"discriminator_loss"}
    for kind in ("healthy", "saturated", "hopping", "relapsing"):
        found = events_of(make(kind, 1))
        assert {event.kind for event in found} <= set(EVENT_KINDS)
        assert [event.start for event in found] == sorted(event.start for event in found)
        assert all(event.start <= event.end and np.isfinite(event.size) for event in found)


def test_a_stretch_counts_the_bins_in_which_its_condition_holds_and_not_the_gaps_that_it_joins():
    """Every second bin of 12 or 13 steps, then eight in a row, then none for 50 steps and more, then the last one."""
    run = make("healthy", 0)
    low = np.zeros(BINS, dtype=bool)
    low[10:30:2] = low[30:38] = low[-1] = True
    fake = run.series["fake_output"]
    fake.mean[:] = np.where(low, 0.01, 0.5)
    (joined, last) = (event for event in events_of(run) if event.kind == "rejection")
    length = LAST - FIRST + 1
    assert (joined.start, joined.end, joined.ended) == (FIRST[10], LAST[37], True)
    assert joined.held_steps == length[10:30:2].sum() + length[30:38].sum() < 0.8 * (joined.end - joined.start + 1)
    assert joined.longest_steps == length[30:38].sum()
    assert (last.held_steps, last.longest_steps, last.ended) == (length[-1], length[-1], False)


def test_what_ended_is_what_the_record_shows_to_be_over():
    relapses = [event for event in events_of(make("relapsing", 0)) if event.kind == "relapse"]
    run = make("relapsing", 0)
    at = int(np.flatnonzero(run.progress.steps == relapses[-1].start)[0])
    assert [event.ended for event in relapses] == [True] * len(relapses)
    run.progress.distances[at:] = run.progress.distances[at]  # it stays where it fell
    run.progress.values[at:] = run.progress.values[at]
    *before, never = (event for event in events_of(run) if event.kind == "relapse")
    assert all(event.ended for event in before)
    assert (never.start, never.end, never.ended) == (relapses[-1].start, SNAPSHOTS[-1], False)
    for kind, ended in (("spiking", True), ("hopping", None)):
        found = [
            event for event in events_of(make(kind, 0)) if event.kind == {"hopping": "mode-hop"}.get(kind, "spike")
        ]
        assert {event.ended for event in found if event.size > 15 or ended is None} == {ended}
        assert all(event.held_steps is None and event.longest_steps is None for event in found)


# Event studies --------------------------------------------------------------------------------------------------------


def runs_of_noise(rng: np.random.Generator, *, effect: float = 0.0) -> tuple[list, list]:
    """Autocorrelated noise with events at random, after which the series is higher for five bins."""
    courses, starts = [], []
    for _ in range(4):
        course = np.convolve(rng.standard_normal(BINS + 4), np.ones(5) / 5**0.5, "valid")
        at = sorted(rng.integers(10, BINS - 20, 5).tolist())
        for index in at:
            course[index : index + 5] += effect
        courses.append(course)
        starts.append(at)
    return courses, starts


def study(rng: np.random.Generator, effect: float, draws: int = 199):
    courses, starts = runs_of_noise(rng, effect=effect)
    return event_study(courses, starts, [5] * 4, before=5, after=10, draws=draws, generator=rng)


def test_without_an_effect_p_values_are_uniform():
    rng = np.random.default_rng(2)
    p_values = [study(rng, 0.0).p_value for _ in range(200)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert np.mean(np.array(p_values) <= 0.05) < 0.1


def test_bursts_of_events_are_no_effect():
    """Four events in a row see one value of a slow series, not four."""
    rng = np.random.default_rng(6)
    p_values = []
    for _ in range(200):
        noise = rng.standard_normal((4, BINS + 39))
        courses = [np.convolve(each, np.ones(40) / 40**0.5, "valid") for each in noise]
        starts = (rng.integers(10, BINS - 20, (4, 1)) + np.arange(0, 12, 3)).tolist()
        found = event_study(courses, starts, [5] * 4, before=5, after=10, draws=99, generator=rng)
        p_values.append(found.p_value)
    assert np.mean(np.array(p_values) <= 0.05) < 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


def test_an_effect_is_found_where_it_is():
    found = study(np.random.default_rng(3), 2.0)
    assert found.p_value == 1 / 200
    assert found.events == 20
    inside = (found.lags >= 0) & (found.lags < 5)
    assert (found.mean[inside] > found.high[inside]).all()
    assert (found.mean[found.lags < 0] < found.high[found.lags < 0]).mean() >= 0.6
    assert (found.low < found.high).all()


def test_events_without_a_whole_window_are_left_out():
    rng = np.random.default_rng(4)
    courses = [np.zeros(50), np.zeros(12)]
    settings = {"before": 5, "after": 10, "draws": 9, "generator": rng}
    found = event_study(courses, [[2, 20, 48], [6]], [0, 0], **settings)
    assert (found.events, found.runs) == (1, 1)
    assert event_study(courses, [[4, 5, 40, 41], []], [0, 0], **settings).events == 2
    assert event_study(courses, [[2], []], [0, 0], **settings) is None


def test_windows_start_where_events_can_be_seen():
    """The last bin of 60 that has a whole window is the 50th: from there on, every window is that of the event."""
    settings = {"before": 5, "after": 10, "draws": 9, "generator": np.random.default_rng(4)}
    course = np.arange(60.0)
    found = event_study([course], [[30, 49, 50]], [50], **settings)
    assert (found.events, found.p_value) == (1, 1.0)
    assert found.mean == pytest.approx(course[45:])
    assert (found.low == found.mean).all()
    assert (found.high == found.mean).all()
    assert event_study([course], [[30, 49]], [50], **settings) is None
    assert event_study([course], [[50]], [51], **settings) is None, "no bin is left"


@pytest.mark.parametrize("first", [8, 100])
def test_a_trend_is_no_effect_of_events_that_can_be_seen_late_alone(first):
    rng = np.random.default_rng(5)
    settings = {"before": 8, "after": 17, "draws": 99, "generator": rng}
    p_values = []
    for _ in range(150):
        courses = [np.exp(-np.arange(BINS) / 60) + 0.3 * rng.standard_normal(BINS) for _ in range(5)]
        starts = rng.integers(first, BINS - 16, (5, 4)).tolist()
        p_values.append(event_study(courses, starts, [first] * 5, **settings).p_value)
    assert np.mean(np.array(p_values) <= 0.05) < 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize(("width", "events"), [(10, 3), (4, 2), (2, 1)])
def test_the_figure_studies_spikes_and_windows_where_a_spike_has_a_past(width, events):
    """Of 200 steps and 20 bins: of bins of ten, four and two steps, the first 20, 50 and 100."""
    bins = np.arange(BINS)
    steps = {"first_step": bins * width + 1, "last_step": (bins + 1) * width}
    course = np.where(bins < 200 / width, 9.0, np.sin(bins))
    curves = pd.concat(
        pd.DataFrame({"run": "a", "series": name, **steps, "min": course, "mean": course, "max": course})
        for name in ("generator_loss", *STUDIED)
    )
    spikes = pd.DataFrame({"run": "a", "kind": "spike", "source": "generator_loss", "start": [25, 60, 110]})
    spikes["start"] = spikes["start"] * width + 1
    collected = SimpleNamespace(events=spikes, curves=curves)
    for study in studies_of(collected).values():
        assert study.events == events
        nearest = standardise(course)[int(200 / width) :].max()
        assert study.high[study.lags >= 0].max() <= nearest, "no window starts where no spike can be seen"


def test_a_run_that_blew_up_does_not_rule_the_mean():
    course = standardise(np.r_[np.linspace(0, 1, 99), 1e30])
    assert course.max() == MAX_STD
    assert np.median(course) == pytest.approx(0, abs=1e-12)
    assert not standardise(np.full(20, 3.0)).any()
