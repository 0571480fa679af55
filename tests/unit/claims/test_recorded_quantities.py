"""Numbers of curves and events that claims name, against hand-made curves and against counting every window."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runs import make

from ganbench.analysis.events import REJECTED, events_of
from ganbench.analysis.recorded_series import recorded_series
from ganbench.claims.event_lift import lift
from ganbench.claims.event_quantities import NAMES
from ganbench.claims.quantities import Quantities
from ganbench.core.errors import GanbenchError
from ganbench.study.expressions import Expression

NAN, INF = math.nan, math.inf
STEPS, WIDTH = 100, 10


def study(*runs: dict) -> Quantities:
    """Runs of 100 steps in bins of ten, with `loss` (bin means), `events`, `snapshots` and columns of `runs`."""
    rows, curves, events, snapshots = [], [], [], []
    columns = ["run", "kind", "source", "start", "end", "ended", "held_steps", "longest_steps"]
    for index, given_ in enumerate(runs):
        name, about = f"r{index}", dict(given_)
        means = np.asarray(about.pop("loss", []), dtype=float)
        first = 1 + WIDTH * np.arange(len(means))
        bins = {"first_step": first, "last_step": first + WIDTH - 1, "min": means - 0.5, "max": means + 0.5}
        curves.append(pd.DataFrame({"run": name, "series": "generator_loss", **bins, "mean": means}))
        snapshots += [{"run": name, "step": step} for step in about.pop("snapshots", ())]
        events += [{"run": name, **dict(zip(columns[1:], event, strict=False))} for event in about.pop("events", ())]
        thresholds = {"outcome_early_share": 0.2, "outcome_late_share": 0.3, "outcome_spike_gap": 5}
        asked = {"dataset": "digits", "steps": STEPS, "steps_done": STEPS, "stopped_step": NAN}
        rows.append({"run": name, **asked, **thresholds, **about})
    return Quantities(
        SimpleNamespace(
            runs=pd.DataFrame(rows),
            curves=pd.concat(curves).sample(frac=1, random_state=0),  # in whatever order
            events=pd.DataFrame(events, columns=columns),
            snapshots=pd.DataFrame(snapshots, columns=["run", "step"]),
            missing=None,
        )
    )


def values(of: Quantities, name: str, count: int = 1) -> list[float]:
    return of.values(Expression(name), [f"r{index}" for index in range(count)]).tolist()


COURSE = [8, 6, 5, 4, 3, 3, 3, 2, 1, 9]


def test_levels_and_extremes_of_a_series_are_those_of_its_bins():
    made = study({"loss": COURSE})
    assert values(made, "median.generator_loss") == [3.5]  # of all: 1, 2, 3, 3, 3, 4, 5, 6, 8, 9
    assert values(made, "early.generator_loss") == [7.0]  # bins to step 20: 8, 6
    assert values(made, "late.generator_loss") == [2.0]  # bins after step 70: 2, 1, 9
    assert values(made, "min.generator_loss") == [0.5]
    assert values(made, "max.generator_loss") == [9.5]


def test_of_a_run_that_ended_early_what_was_recorded_counts():
    made = study({"loss": [*COURSE[:4], NAN], "steps_done": 45}, {"loss": [NAN]}, {"loss": [1.0, INF]}, {})
    assert values(made, "max.generator_loss", 4)[0] == 8.5
    assert values(made, "median.generator_loss", 4)[0] == 5.5
    assert np.isnan(values(made, "min.generator_loss", 4)[1::2]).all(), "nothing recorded, or not this series"
    assert values(made, "max.generator_loss", 4)[2] == INF, "a diverged run is data"


def test_early_and_late_are_the_windows_of_detectors_also_where_a_run_was_cut_short():
    half = [*COURSE[:6], NAN, *COURSE[7:]]  # 60 steps of finite values, then others that no longer count
    made = study(
        {"loss": half}, {"loss": COURSE[:6], "stopped_step": 60}, {"loss": [*COURSE[:8], INF]}, {"loss": [NAN]}
    )
    assert values(made, "early.generator_loss", 4) == pytest.approx([8.0, 8.0, 8.0, NAN], nan_ok=True)  # bins to 12, 16
    assert values(made, "late.generator_loss", 4)[1:3] == [3.0, 2.0]  # bins after step 42: 3 and 3; after 70: 2
    assert np.isnan(values(made, "late.generator_loss", 4)[::3]).all(), "diverged before the last share of the steps"


@pytest.mark.parametrize("kind", ["healthy", "saturated", "spiking"])
def test_series_are_read_as_detectors_read_them(kind):
    run = make(kind, 0)
    found = recorded_series(run.curves)
    assert found.keys() == run.series.keys()
    assert all(np.array_equal(found[name].mean, series.mean) for name, series in run.series.items())


def test_a_series_that_no_run_has_is_no_number():
    assert np.isnan(values(study({"loss": COURSE}), "early.generator_lost")).all()


SPIKES = [("spike", "generator_loss", 11, 20, True), ("spike", "discriminator_loss", 16, 25, False)]
STRETCHES = [("rejection", "fake_output", 1, 30, True, 20, 10), ("rejection", "fake_output", 91, 100, False, 10, 10)]


def test_events_are_counted_by_number_share_and_length():
    relapses = [("relapse", "fd", 20, 40, True), ("relapse", "fd", 80, 100, False)]
    made = study({"events": [*SPIKES, *STRETCHES, *relapses]}, {}, {"dataset": None})
    assert values(made, "events.spike", 3)[:2] == [2, 0]
    assert values(made, "events.generator_spike", 3)[:2] == [1, 0]
    assert values(made, "events.relapse_ended", 3)[:2] == [1, 0]
    assert values(made, "events.discriminator_spike_ended", 3)[:2] == [0, 0]
    assert values(made, "events.rejection_ended", 3)[:2] == [1, 0]
    assert values(made, "events.rejection_share", 3)[:2] == [0.3, 0], "without the steps between joined stretches"
    assert values(made, "events.rejection_longest", 3)[:2] == [10, 0]
    for name in ("events.spike", "events.rejection_share", "events.relapse_ended", "events.rejection_longest"):
        assert np.isnan(values(made, name, 3)[2]), "a game without data has no events"


def by_counting(events, others, cells, gap) -> float:
    def near(start, end):
        return any(start - gap <= last and first - gap <= end for first, last in others)

    def windows(start, end):
        """All stretches of as many cells."""
        more = sum(start <= first and last <= end for first, last in cells) - 1
        return [near(cells[at][0], cells[at + more][1]) for at in range(len(cells) - more)]

    return np.mean([near(*event) for event in events]) / np.mean([np.mean(windows(*event)) for event in events])


@st.composite
def on_cells(draw):
    """Bins of one to six steps, with events of both kinds that begin and end with them."""
    edges = np.cumsum([0, *draw(st.lists(st.integers(1, 6), min_size=3, max_size=20))])
    cells = np.stack([edges[:-1] + 1, edges[1:]], axis=1)
    at = st.tuples(st.integers(0, len(cells) - 1), st.integers(0, len(cells) - 1)).map(sorted)
    kinds = [draw(st.lists(at, min_size=1, max_size=6)) for _ in range(2)]
    return cells, *([(int(cells[i, 0]), int(cells[j, 1])) for i, j in mine] for mine in kinds)


@given(on_cells(), st.integers(1, 9))
def test_a_lift_is_that_of_all_windows_counted_one_by_one(made, gap):
    cells, events, others = made
    assert lift(events, others, cells, gap) == pytest.approx(by_counting(events, others, cells, gap), rel=1e-12)


def test_the_mean_lift_of_events_at_random_bins_is_one():
    """Among bins of ten steps, 1, 11, 21 ... are all distances that there are. Of windows at every step 39 in 491 would
    be within ten of a bin, and of bins three in fifty: the mean would be 0.76."""
    random, cells = np.random.default_rng(0), np.stack([1 + 10 * np.arange(50), 10 + 10 * np.arange(50)], axis=1)
    found = []
    for _ in range(1000):
        events = [(cells[at, 0], cells[at + more, 1]) for more in (0, 0, 2) for at in [random.integers(50 - more)]]
        others = [(cells[at, 0], cells[at, 1]) for at in random.integers(50, size=3)]
        found.append(lift(events, others, cells, 10))
    error = np.std(found) / len(found) ** 0.5
    assert abs(np.mean(found) - 1) < 3 * error
    assert error < 0.04


def test_a_lift_by_hand():
    # One bin is near [51, 60], within five steps, if it is one of bins 4 to 6, counted from 0: three of ten.
    planted = [("saturation", "real_output", 11, 20), ("saturation", "real_output", 41, 50)]
    planted.append(("rejection", "fake_output", 51, 60))
    made = study(
        {"loss": COURSE, "events": planted},
        {"loss": COURSE, "events": planted[:2]},
        {"loss": COURSE, "events": planted[2:]},
    )
    (first, *others) = values(made, "lift.saturation_near_rejection", 3)
    assert first == pytest.approx(0.5 / (3 / 10))
    assert np.isnan(others).all(), "without events of either kind there is nothing to compare"


def test_windows_lie_where_events_of_the_kind_can():
    """Spikes stand out of a past of twenty bins, and relapses are seen at snapshots."""
    rejected, loss = ("rejection", "fake_output", 351, 360), np.ones(40)
    spike = study({"loss": loss, "events": [rejected, ("spike", "generator_loss", 361, 370)]})
    assert values(spike, "lift.spike_near_rejection") == pytest.approx([1 / (3 / 20)])
    assert values(spike, "lift.rejection_near_spike") == pytest.approx([1 / (3 / 40)])
    relapse = study(
        {"loss": loss, "snapshots": [0, 100, 200, 355, 400], "events": [rejected, ("relapse", "fd", 355, 355)]}
    )
    assert values(relapse, "lift.relapse_near_rejection") == pytest.approx([1 / (1 / 4)]), "never at step 0"
    diverged = study({"loss": [*loss[:37], INF, 1, 1], "events": [rejected, ("spike", "generator_loss", 361, 370)]})
    assert values(diverged, "lift.spike_near_rejection") == pytest.approx([1 / (3 / 17)])


@pytest.mark.parametrize(
    "name",
    [
        *("events.spik", "events.spike_length", "lift.spike_near_spike", "lift.spike"),
        *("events.spike_share", "events.relapse_longest", "events.mode_hop_share", "events.mode_hop_ended"),
    ],
)
def test_a_misspelt_quantity_of_events_is_an_error(name):
    assert name not in NAMES
    with pytest.raises(GanbenchError, match=rf"{name}: unknown quantity of events .*Valid: "):
        values(study({}), name)


def test_a_rejection_is_a_stretch_of_low_outputs_on_generated_examples():
    run = make("saturated", 0)
    (found,) = (event for event in events_of(run) if event.kind == "rejection")
    low = run.series["fake_output"].mean < REJECTED
    assert found.start == run.series["fake_output"].first[low.argmax()]
    assert found.size == pytest.approx(run.series["fake_output"].mean[low].mean())
    assert not [event for event in events_of(make("starved critic", 0)) if event.kind == "rejection"]
