"""Numbers of curves and events that claims name, against hand-made curves and against counting every window."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_runs import make

from ganbench.analysis.events import REJECTED, events_of
from ganbench.claims.event_quantities import NAMES, lift
from ganbench.claims.quantities import Quantities
from ganbench.core.errors import GanbenchError
from ganbench.study.expressions import Expression

NAN, INF = math.nan, math.inf
STEPS, WIDTH = 100, 10


def study(*runs: dict) -> Quantities:
    """Runs of 100 steps in bins of ten, each with `loss` (bin means), `events` and columns of the table of runs."""
    rows, curves, events = [], [], []
    for index, given_ in enumerate(runs):
        name, about = f"r{index}", dict(given_)
        means = np.asarray(about.pop("loss", []), dtype=float)
        first = 1 + WIDTH * np.arange(len(means))
        bins = {"first_step": first, "last_step": first + WIDTH - 1, "min": means - 0.5, "max": means + 0.5}
        curves.append(pd.DataFrame({"run": name, "series": "generator_loss", **bins, "mean": means}))
        events += [{"run": name, "kind": k, "of": of, "start": a, "end": b} for k, of, a, b in about.pop("events", ())]
        thresholds = {"outcome_early_share": 0.2, "outcome_late_share": 0.3, "outcome_spike_gap": 5}
        rows.append({"run": name, "dataset": "digits", "steps": STEPS, "steps_done": STEPS, **thresholds, **about})
    columns = ["run", "kind", "of", "start", "end"]
    return Quantities(
        SimpleNamespace(
            runs=pd.DataFrame(rows),
            curves=pd.concat(curves).sample(frac=1, random_state=0),  # in whatever order
            events=pd.DataFrame(events, columns=columns),
            missing=None,
        )
    )


def values(of: Quantities, name: str, count: int = 1) -> list[float]:
    return of.values(Expression(name), [f"r{index}" for index in range(count)]).tolist()


COURSE = [8, 6, 5, 4, 3, 3, 3, 2, 1, 9]


def test_levels_and_extremes_of_a_series_are_those_of_its_bins():
    made = study({"loss": COURSE})
    assert values(made, "early.generator_loss") == [7.0]  # bins to step 20: 8, 6
    assert values(made, "late.generator_loss") == [2.0]  # bins after step 70: 2, 1, 9
    assert values(made, "lowest.generator_loss") == [0.5]
    assert values(made, "highest.generator_loss") == [9.5]


def test_of_a_run_that_ended_early_what_was_recorded_counts():
    made = study({"loss": [*COURSE[:4], NAN], "steps_done": 45}, {"loss": [NAN]}, {"loss": [1.0, INF]}, {})
    assert values(made, "early.generator_loss", 4)[0] == 7.0  # of the steps asked for
    assert values(made, "late.generator_loss", 4)[0] == 4.5  # the last 0.3 of 40 steps: 5 and 4
    assert values(made, "highest.generator_loss", 4)[0] == 8.5
    assert np.isnan(values(made, "lowest.generator_loss", 4)[1::2]).all(), "nothing recorded, or not this series"
    assert values(made, "highest.generator_loss", 4)[2] == INF, "a diverged run is data"


def test_a_series_that_no_run_has_is_no_number():
    assert np.isnan(values(study({"loss": COURSE}), "early.generator_lost")).all()


SPIKES = [("spike", "generator_loss", 11, 20), ("spike", "discriminator_loss", 16, 25)]


def test_events_are_counted_by_number_share_and_length():
    made = study({"events": [*SPIKES, ("mode-hop", "dominant_mode", 0, 50)]}, {}, {"dataset": None})
    assert values(made, "events.spike", 3)[:2] == [2, 0]
    assert values(made, "events.generator_spike", 3)[:2] == [1, 0]
    assert values(made, "events.spike_share", 3)[:2] == [0.15, 0], "steps in two events count once"
    assert values(made, "events.spike_longest", 3)[:2] == [10, 0]
    assert values(made, "events.mode_hop_share", 3)[0] == 0.5, "a hop from the untrained networks begins at step 0"
    assert np.isnan(values(made, "events.spike", 3)[2]), "a game without data has no events"


def by_counting(events, others, steps, gap) -> float:
    def near(start, end):
        return any(start - gap <= last and first - gap <= end for first, last in others)

    windows = [[near(t, t + end - start) for t in range(1, steps - end + start + 1)] for start, end in events]
    return np.mean([near(*event) for event in events]) / np.mean([np.mean(each) for each in windows])


INTERVALS = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda pair: (pair[0], min(sum(pair), 60))), min_size=1
)


@settings(deadline=None)
@given(INTERVALS, INTERVALS, st.integers(1, 9))
def test_a_lift_is_that_of_all_windows_counted_one_by_one(events, others, gap):
    assert lift(events, others, 60, gap) == pytest.approx(by_counting(events, others, 60, gap), rel=1e-12)


def test_a_lift_by_hand():
    # A window of ten steps is near [51, 60] if it starts in 37 ... 65: 29 of 91 windows.
    planted = [*SPIKES[:1], ("spike", "generator_loss", 46, 55), ("rejection", "fake_output", 51, 60)]
    made = study({"events": planted}, {"events": planted[:2]}, {"events": planted[2:]})
    (first, *others) = values(made, "lift.spike_near_rejection", 3)
    assert first == pytest.approx(0.5 / (29 / 91))
    assert np.isnan(others).all(), "without events of either kind there is nothing to compare"


@pytest.mark.parametrize("name", ["events.spik", "events.spike_length", "lift.spike_near_spike", "lift.spike"])
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
