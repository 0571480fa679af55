"""Numbers of curves and events that claims name, against hand-made curves and events."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
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
        asked = {"method": "a", "n_train": 50, "learning_rate": 0.1, "generator_learning_rate": NAN}
        asked |= {"dataset": "digits", "steps": STEPS, "steps_done": STEPS, "stopped_step": NAN}
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


def test_a_lift_by_hand():
    """The second of two events has an own one five steps later; each has one of another seed near."""
    events, own = [(11, 20), (41, 50)], [(55, 60)]
    others = [(100, [(46, 49)]), (100, [(1, 6), (70, 75)])]
    assert lift(events, own, others, 5) == pytest.approx(0.5 / np.mean([0.5, 0.5]))
    assert lift(events, own, others, 4) == pytest.approx(0 / np.mean([0, 0.5]))
    assert lift(events, own, [*others, (49, [(15, 15)])], 5) == pytest.approx(0.5 / np.mean([2 / 3, 1 / 2]))
    assert lift(events, own, [(100, [])], 6) == INF, "only the run's own are near"


@pytest.mark.parametrize(
    ("events", "own", "others"),
    [
        ([], [(1, 2)], [(9, [(1, 2)])]),
        ([(1, 2)], [(1, 2)], []),
        ([(1, 2)], [(1, 2)], [(1, [])]),
        ([(1, 2)], [], [(9, [])]),
    ],
)
def test_a_lift_without_anything_to_compare_is_no_number(events, own, others):
    assert np.isnan(lift(events, own, others, 5))


@pytest.mark.parametrize("first", [0, 100], ids=["in all parts of training", "in its second half"])
def test_unrelated_events_have_a_lift_of_one(first):
    random, found = np.random.default_rng(0), []
    for _ in range(60):
        runs = [[[(at, at + 9) for at in 10 * random.integers(first, 200, 12)] for _ in range(2)] for _ in range(12)]
        for index, (events, own) in enumerate(runs):
            others = [(2000, each[1]) for other, each in enumerate(runs) if other != index]
            found.append(lift(events, own, others, 20))
    error = np.std(found) / len(found) ** 0.5
    assert abs(np.mean(found) - 1) < 3 * error
    assert error < 0.03
    assert 0.4 < np.mean(np.array(found) > 1) < 0.55


def test_chance_is_told_by_other_seeds_of_a_run_s_method_and_setting():
    saturated, near, far = (("saturation", "real_output", 11, 20), *(("rejection", "x", at, at) for at in (25, 60)))
    one, two = {"events": [saturated, near]}, {"events": [near]}
    made = study(one, two, {"events": [far]}, one | {"method": "b"}, {"method": "b", "learning_rate": 0.2} | two, {})
    found = values(made, "lift.saturation_near_rejection", 6)
    assert found[0] == pytest.approx(1 / np.mean([1, 0, 0]))
    assert np.isnan(found[1:]).all(), "no such event, or no other seed"


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
