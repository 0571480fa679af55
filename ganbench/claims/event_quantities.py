"""Numbers of a run's events that claims name: how many, how long, and how often one kind comes with another.

| name | number |
|---|---|
| `events.<kind>` | number of events |
| `events.<kind>_ended` | number of those that were over before the record was; not of mode hops, which are changes |
| `events.<kind>_share` | share of the recorded steps in bins in which saturation or rejection holds |
| `events.<kind>_longest` | steps of the longest run of such bins; 0 without one |
| `lift.<kind>_near_<other>` | see `ganbench.claims.event_lift` |

Kinds are those of the table `events`, with `_` for `-`; `discriminator_spike` and `generator_spike` are the spikes of
one loss. An event joins stretches that lie within `outcome.spike_gap` of one another; shares and longest runs do not
count the steps between them. A run without data has no events to speak of, and no number.
"""

from __future__ import annotations

import math
from itertools import permutations

import pandas as pd

from ganbench.analysis.columns import SETTING
from ganbench.analysis.events import ENDING, EVENT_KINDS, STRETCHES
from ganbench.claims.event_lift import Interval, lift
from ganbench.core.errors import GanbenchError, unknown

# By the name in claims: the kind, and the series that shows it where only those events are meant.
KINDS: dict[str, tuple[str, str | None]] = {
    **{kind.replace("-", "_"): (kind, None) for kind in EVENT_KINDS},
    **{f"{player}_spike": ("spike", f"{player}_loss") for player in ("discriminator", "generator")},
}
ENDINGS = {"": EVENT_KINDS, "_ended": ENDING, "_share": STRETCHES, "_longest": STRETCHES}  # with the kinds that have it
PARTS = {
    f"{name}{ending}": (name, ending)
    for name, (kind, _) in KINDS.items()
    for ending, kinds in ENDINGS.items()
    if kind in kinds
}
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
        what: the rest of the name.
        events: the table `events`.
        runs: the table `runs`, indexed by the runs' identifiers.

    Returns:
        By run, the number.

    Raises:
        GanbenchError: the name is not known.
    """
    valid = PARTS if source == "events" else PAIRS
    if what not in valid:
        raise GanbenchError(f"{source}.{what}: {unknown('quantity of events', what, valid)}")
    one, other = valid[what]
    trained = runs[runs["dataset"].notna()]
    mine = dict(iter(_named(events, one).groupby("run")))
    none = events.iloc[:0]
    if source == "events":
        steps = trained["steps_done"]
        return {run: _part(other, mine.get(run, none), int(steps[run])) for run in trained.index}
    theirs = dict(iter(_named(events, other).groupby("run")))
    reached = {run: (int(steps), _intervals(theirs.get(run, none))) for run, steps in trained["steps_done"].items()}
    found = {}
    for _, seeds in trained.groupby(["method", *SETTING], dropna=False):
        for run, gap in seeds["outcome_spike_gap"].items():
            others = [reached[each] for each in seeds.index if each != run]
            found[run] = lift(_intervals(mine.get(run, none)), reached[run][1], others, int(gap))
    return found


def _named(events: pd.DataFrame, name: str) -> pd.DataFrame:
    kind, of = KINDS[name]
    return events[(events["kind"] == kind) & (True if of is None else events["source"] == of)]


def _intervals(events: pd.DataFrame) -> list[Interval]:
    return list(zip(events["start"].astype(int), events["end"].astype(int), strict=True))


def _part(ending: str, events: pd.DataFrame, steps: int) -> float:
    match ending:
        case "_ended":
            return float(events["ended"].sum())
        case "_longest":
            return float(events["longest_steps"].max()) if len(events) else 0.0
        case "_share":
            return float(events["held_steps"].sum() / steps) if steps else math.nan
        case _:
            return float(len(events))
