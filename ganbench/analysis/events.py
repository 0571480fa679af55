"""Events of a run: loss spikes, saturation, rejection, relapses and mode hops, each with start, end and size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ganbench.analysis.outcomes._hops import hops
from ganbench.analysis.outcomes._learning import Progress, relapses
from ganbench.analysis.outcomes._run import RunEvidence, Series
from ganbench.analysis.outcomes._spikes import spikes

# Kinds of events, each with the unit of its size.
EVENT_KINDS = {
    "spike": "a loss stands out of its recent past; size: its largest value in multiples of the usual one before",
    "saturation": "the discriminator is all but sure of real and generated examples; size: its mean doubt, how far the"
    " mean outputs are from 1 and 0 in the mean",
    "rejection": "the discriminator's mean output on generated examples is below 0.05, whatever it says of real ones;"
    " size: the mean of that output",
    "relapse": "a metric is far worse than before; size: the largest distance from real data in multiples of the best",
    "mode-hop": "the mode that holds most examples changes; size: share of the examples on the new one",
}
# Those that are stretches of steps in which a condition holds, and those that end where a run is as it was before. The
# others are none of either: a hop is a change, and a spike or a relapse lasts until it is over.
STRETCHES = ("saturation", "rejection")
ENDING = ("spike", "saturation", "rejection", "relapse")
REJECTED = 0.05  # the probability of being real below which generated examples count as rejected


@dataclass(frozen=True)
class Event:
    """One event of a run.

    Attributes:
        kind: one of `EVENT_KINDS`.
        source: the series or metric that shows it.
        start, end: its first and last step.
        size: its size, in the unit of the kind.
        ended: whether the record shows it to be over: a later bin without the condition of a stretch, a loss that is
            back where it was before a spike, a snapshot that has recovered from a relapse; None of kinds not `ENDING`.
        held_steps: number of steps in the bins of a stretch in which its condition holds; None of kinds not
            `STRETCHES`.
        longest_steps: number of steps in the longest run of such bins without another between them; None of the
            others.
    """

    kind: str
    source: str
    start: int
    end: int
    size: float
    ended: bool | None = None
    held_steps: int | None = None
    longest_steps: int | None = None


def events_of(run: RunEvidence) -> list[Event]:
    """All events of a run, in the order of their starts. Games without data have none: their losses have no noise that
    anything could stand out of.

    Args:
        run: what was recorded of the run.
    """
    if not run.has_data:
        return []
    found = [*_spikes(run), *_saturations(run), *_rejections(run), *_relapses(run), *_hops(run)]
    return sorted(found, key=lambda event: (event.start, event.end, event.kind, event.source))


def merge(intervals: list[tuple[int, int]], gap: float) -> list[tuple[int, int]]:
    """Join intervals of steps that are at most `gap` steps apart.

    Args:
        intervals: first and last steps, in the order of the first.
        gap: the largest number of steps between two intervals that become one.
    """
    joined: list[tuple[int, int]] = []
    for start, end in intervals:
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _spikes(run: RunEvidence) -> Iterator[Event]:
    for player in run.players:
        name = f"{player}_loss"
        if name in run.series:
            settings = run.settings
            for spike in spikes(run.series[name], deviations=settings.spike_deviations, gap=settings.spike_gap):
                if spike.recovered or spike.size >= settings.spike_size:  # otherwise a new level, a little higher
                    yield Event("spike", name, spike.start, spike.end, spike.size, spike.recovered)


def _saturations(run: RunEvidence) -> Iterator[Event]:
    if not run.probabilities or not {"real_output", "fake_output"} <= run.series.keys():
        return
    real, fake = run.series["real_output"], run.series["fake_output"]
    length = min(len(real.mean), len(fake.mean))
    sure = (real.mean[:length] >= run.settings.won_real_output) & (fake.mean[:length] <= run.settings.won_fake_output)
    doubt = (1 - real.mean[:length] + fake.mean[:length]) / 2
    yield from _stretches(run, "saturation", "real_output, fake_output", real, sure, doubt)


def _rejections(run: RunEvidence) -> Iterator[Event]:
    if run.probabilities and "fake_output" in run.series:
        fake = run.series["fake_output"]
        yield from _stretches(run, "rejection", "fake_output", fake, fake.mean < REJECTED, fake.mean)


def _stretches(
    run: RunEvidence, kind: str, of: str, series: Series, holds: np.ndarray, size: np.ndarray
) -> Iterator[Event]:
    """The stretches in which a condition holds, those within `spike_gap` steps joined.

    Args:
        run: the run.
        kind, of: what the events are called.
        series: a series with the bins that the condition was looked at in.
        holds: in which bins it holds, (bins,) of bool.
        size: its size in every bin, (bins,), of which an event has the mean over all its bins.
    """
    first, last = series.first[: len(holds)], series.last[: len(holds)]
    held = [(int(first[index]), int(last[index])) for index in np.flatnonzero(holds)]
    unbroken = merge(held, 1)  # one bin begins a step after the one before ends
    for start, end in merge(held, run.settings.spike_gap):
        inside = (first >= start) & (last <= end)
        steps = [after - before + 1 for before, after in unbroken if start <= before and after <= end]
        yield Event(kind, of, start, end, float(size[inside].mean()), end < last[-1], sum(steps), max(steps))


def _relapses(run: RunEvidence) -> Iterator[Event]:
    if isinstance(run.progress, Progress):
        steps = run.progress.steps
        for relapse in relapses(run.progress, run.had_learned_at(steps), run.settings):
            last = steps[-1] if relapse.end is None else steps[relapse.end - 1]
            start, ended = int(steps[relapse.start]), relapse.end is not None
            yield Event("relapse", run.progress.metric, start, int(last), relapse.worst, ended)


def _hops(run: RunEvidence) -> Iterator[Event]:
    for hop in hops(run):
        yield Event("mode-hop", "dominant_mode", hop.after, hop.step, hop.share)
