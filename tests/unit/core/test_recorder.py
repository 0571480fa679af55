"""What is recorded at a fixed distance of steps: a longer run's record begins with that of a shorter one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ganbench.core.recorder import BINS_PER_SNAPSHOT, Recorder, bin_edges, snapshot_steps

STEPS = st.integers(1, 400)
EVERY = st.integers(1, 150)


@given(steps=STEPS, every=EVERY)
def test_snapshots_at_a_fixed_distance_hold_both_ends(steps, every):
    places = snapshot_steps(steps, 9, "log", every)
    assert places[0] == 0
    assert places[-1] == steps
    assert set(np.diff(places[:-1])) <= {every}
    assert 0 < places[-1] - places[-2] <= every


@given(steps=STEPS, more=STEPS, every=EVERY)
def test_a_longer_run_has_the_snapshots_and_bins_of_a_shorter_one(steps, more, every):
    whole = steps * every, (steps + more) * every
    short, long = (snapshot_steps(each, 9, "log", every) for each in whole)
    assert long[: len(short)] == short
    short, long = (bin_edges(each, 200, every) for each in (steps, steps + more))
    np.testing.assert_array_equal(long[: len(short) - 1], short[:-1])
    assert (np.diff(short) > 0).all()
    assert set(np.diff(short)[:-1]) <= {-(-every // BINS_PER_SNAPSHOT)}


@settings(max_examples=40)
@given(steps=STEPS, more=STEPS, every=EVERY)
def test_curves_that_go_on_have_the_bits_of_curves_in_one_go(steps, more, every):
    values = (
        np.random.default_rng(steps).normal(size=(steps + more, 2)) * 10.0 ** (np.arange(steps + more) % 9)[:, None]
    )
    whole, short, long = (
        Recorder(count, 200, ("one", "other"), every) for count in (steps + more, steps, steps + more)
    )
    whole.add(values)
    short.add(values[:steps])
    long.restore(short.state())
    long.add(values[steps:])
    for name, found in whole.curves().items():
        np.testing.assert_array_equal(np.asarray(long.curves()[name]), np.asarray(found))
