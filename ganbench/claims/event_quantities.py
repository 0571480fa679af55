"""Numbers of a run's events that claims name: how many, how long, and how often one kind comes with another.

| name | number |
|---|---|
| `events.<kind>` | number of events |
| `events.<kind>_share` | share of the recorded steps that lie in an event of the kind |
| `events.<kind>_longest` | steps of the longest event; 0 without one |
| `lift.<kind>_near_<other>` | see `lift` |

Kinds are those of the table `events`, with `_` for `-`; `discriminator_spike` and `generator_spike` are the spikes of
one loss. A run without data has no events to speak of, and no number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pandas as pd

from ganbench.analysis.events import EVENT_KINDS, merge
from ganbench.core.errors import GanbenchError, unknown

Interval = tuple[int, int]  # first and last step

# By the name in claims: the kind, and the series that shows it where only those events are meant.
KINDS: dict[str, tuple[str, str | None]] = {
    **{kind.replace("-", "_"): (kind, None) for kind in EVENT_KINDS},
    **{f"{player}_spike": ("spike", f"{player}_loss") for player in ("discriminator", "generator")},
}
PARTS = {f"{name}{ending}": (name, ending) for name in KINDS for ending in ("", "_share", "_longest")}
PAIRS = {
    f"{one}_near_{other}": (one, other) for one, other in permutations(KINDS, 2) if KINDS[one][0] != KINDS[other][0]
}
NAMES = frozenset((*(f"events.{name}" for name in PARTS), *(f"lift.{name}" for name in PAIRS)))
# Those that need the discriminator's outputs to be probabilities.
OF_PROBABILITIES = frozenset(name for name in NAMES if "saturation" in name or "rejection" in name)


def event_quantity(source: str, what: str, events: pd.DataFrame, runs: pd.DataFrame) -> dict[str, float]:
    """Compute a number of events in every run that trains on data.

    Args:
        source: `events` or `lift`.
        what: The rest of the name.
        events: The table `events`.
        runs: The table `runs`, indexed by the runs' identifiers.

    Returns:
        By run, the number.

    Raises:
        GanbenchError: The name is not known.
    """
    valid = PARTS if source == "events" else PAIRS
    if what not in valid:
        raise GanbenchError(f"{source}.{what}: {unknown('quantity of events', what, valid)}")
    one, other = valid[what]
    trained = runs[runs["dataset"].notna()]
    mine = _intervals(events, one)
    if source == "events":
        steps = trained["steps_done"]
        return {run: _part(other, mine.get(run, []), int(steps[run])) for run in trained.index}
    theirs = _intervals(events, other)
    return {
        run: lift(mine.get(run, []), theirs.get(run, []), int(row["steps_done"]), int(row["outcome_spike_gap"]))
        for run, row in trained.iterrows()
    }


def _intervals(events: pd.DataFrame, name: str) -> dict[str, list[Interval]]:
    """By run, the first and last steps of the events of a kind, in the order of the first."""
    kind, of = KINDS[name]
    mine = events[(events["kind"] == kind) & (True if of is None else events["of"] == of)]
    return {
        run: sorted(zip(rows["start"].astype(int), rows["end"].astype(int), strict=True))
        for run, rows in mine.groupby("run")
    }


def _part(ending: str, events: Sequence[Interval], steps: int) -> float:
    if not ending:
        return float(len(events))
    if ending == "_longest":
        return float(max((end - start + 1 for start, end in events), default=0))
    if not steps:
        return math.nan
    return sum(end - start + 1 for start, end in _clipped(merge(list(events), 0), steps)) / steps


def _clipped(intervals: Sequence[Interval], steps: int) -> list[Interval]:
    """Intervals within the steps 1 ... `steps`; those that hold none of them are left out."""
    inside = [(max(start, 1), min(end, steps)) for start, end in intervals]
    return [(start, end) for start, end in inside if start <= end]


def lift(events: Sequence[Interval], others: Sequence[Interval], steps: int, gap: int) -> float:
    """Compute how much oftener events have one of another kind near them than windows at random steps have.

    An event is near another if at most `gap` steps lie from the end of one to the start of the other, or if they
    overlap. The share of events with one near is divided by the share that is expected of windows of the same lengths,
    at all steps of the run: for each event the share of all windows of its length that have one near, then the mean
    over events. 1 is chance. No window is drawn at random.

    Args:
        events: First and last steps of the events.
        others: Those of the events of the other kind.
        steps: The number of steps recorded.
        gap: The largest distance in steps.

    Returns:
        The ratio; NaN without events of either kind, where there is nothing to compare.
    """
    events, others = _clipped(events, steps), _clipped(others, steps)
    if not events or not others:
        return math.nan
    near = [any(start - gap <= last and first - gap <= end for first, last in others) for start, end in events]
    expected = [_near_share(end - start, others, steps, gap) for start, end in events]
    return float(np.mean(near) / np.mean(expected))


def _near_share(length: int, others: Sequence[Interval], steps: int, gap: int) -> float:
    """The share of all windows [t, t + length] within the steps 1 ... `steps` that have one of the others near."""
    places = steps - length
    reach = merge(sorted((first - gap - length, last + gap) for first, last in others), 1)  # of starts t
    return sum(max(0, min(last, places) - max(first, 1) + 1) for first, last in reach) / places
