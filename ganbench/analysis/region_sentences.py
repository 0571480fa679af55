"""Sentences on the regions of an axis in which methods work: how wide each is, and whether the widths differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isinf, isnan

from ganbench.analysis.collected import Collected
from ganbench.analysis.statistics.multiplicity import LEVEL
from ganbench.analysis.statistics.regions import Region
from ganbench.analysis.working_regions import WorkingRegion, axis_words, decades_in_words, working_regions
from ganbench.core.formatting import format_number, format_range, join_words, plural

MAX_VALUES = 5  # of more values at which a group works, only their number is in the sentence
MAX_GROUPS = 4  # of more groups along an axis, only the widest and the narrowest have their numbers in the sentence


def region_sentences(collected: Collected) -> Iterator[str]:
    """Compare the groups that were run at the same values of an axis, for every data set and axis."""
    alike: dict[tuple, list[WorkingRegion]] = {}
    for each in working_regions(collected):
        alike.setdefault((each.dataset, each.axis, tuple(each.values)), []).append(each)
    for (dataset, axis, values), groups in alike.items():
        regions = [each.region() for each in groups]
        unknown = [index for index, region in enumerate(regions) if isnan(region.width)]
        known = sorted(set(range(len(groups))) - set(unknown), key=lambda index: (-regions[index].width, index))
        shown = [*known, *unknown][:MAX_GROUPS]
        if len(groups) > MAX_GROUPS and known:
            half = MAX_GROUPS // 2
            shown = known if len(known) <= MAX_GROUPS else [*known[:half], *known[-half:]]
        parts = [f"{_width(groups[index], regions[index])} for {groups[index].group}" for index in shown]
        text = (
            f"{dataset}: along the {axis_words(axis)}, run at {len(values)} values from"
            f" {format_range(values[0], values[-1])}, more than half of the runs are healthy {join_words(parts)}."
        )
        if len(shown) < len(groups):
            which = "the widest and the narrowest" if known else f"{len(shown)}"
            left = f", of which undetermined runs leave {len(unknown)} open" if unknown else ""
            text += f" These are {which} of {len(groups)} regions{left}; tables/working_regions.csv has all."
        unbounded = [each.runs_for_a_bound for each in groups]
        yield text + (_apart(groups, known) if None in unbounded else _too_few(groups, unbounded[0]))


def _width(found: WorkingRegion, region: Region) -> str:
    """Where a group works, with the width and its interval, if anything could bound it: "at 0.01 and 0.1 (at least 1.2
    decades by straight lines between values, 95% interval 0.4 or more)"."""
    low = format_number(region.low)
    bounds = f"{low} decades or more" if isinf(region.high) else f"{format_range(region.low, region.high)} decades"
    interval = "" if found.runs_for_a_bound else f"95% interval {bounds}"
    if isnan(region.width):
        return f"over a width that undetermined runs leave open{f' ({interval})' if interval else ''}"
    values = [format_number(value) for value in found.works_at]
    if not values:
        return f"at none of them{f' ({interval})' if interval else ''}"
    at = join_words(values) if len(values) <= MAX_VALUES else f"{len(values)} of the values"
    least = "at least " if region.open_below or region.open_above else ""
    pieces = f" in {plural(len(region.pieces), 'piece')}" if len(region.pieces) > 1 else ""
    width = f"{least}{decades_in_words(region.width)}{pieces} by straight lines between values"
    return f"at {at} ({', '.join(filter(None, (width, interval)))})"


def _too_few(groups: Sequence[WorkingRegion], needed: int) -> str:
    """That no result of so few runs could bound a width."""
    most = max(rate.total for each in groups for rate in each.rates)
    they = "they show" if most > 1 else "it shows"
    return f" {plural(most, 'run')} a value cannot bound any width, whatever {they}; {needed} could."


def _apart(groups: Sequence[WorkingRegion], known: Sequence[int]) -> str:
    """Tell whether the widest and the narrowest region differ, by intervals that hold for all groups at once.

    Two intervals that do not meet contradict equal widths: each bound fails with half of the level, divided by the
    number of groups.

    Args:
        groups: all groups.
        known: the places of those whose width is known, the widest first.
    """
    if len(known) < 2:
        return ""
    level = 1 - LEVEL / len(groups)
    first, last = (groups[index].region(level) for index in (known[0], known[-1]))
    which = "The widest and the narrowest" if len(known) == len(groups) else "The widest and the narrowest known"
    if first.low > last.high:
        return f" {which} differ, by intervals that hold for all of them at once."
    return f" These runs do not tell {which[0].lower()}{which[1:]} apart."
