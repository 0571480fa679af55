"""Over how many decades of a numeric axis a method works: learning rates, numbers of examples, weights of penalties.

A method works at a value of the axis where more than half of its runs are healthy: they had learned by their end, and
had not failed. Failures alone would call any learning rate good that is too small to learn with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, option_columns
from ganbench.analysis.methods import healthy, healthy_rate
from ganbench.analysis.pairing import keys
from ganbench.analysis.settings import AXIS_WORDS
from ganbench.analysis.statistics.rates import CONFIDENCE, Rate
from ganbench.analysis.statistics.regions import Region, observations_for_a_bound, region_above
from ganbench.core.formatting import format_number
from ganbench.core.registry import CHOICES
from ganbench.study.choices import split_label

LIMIT = 0.5  # share of healthy runs above which a method works
MIN_VALUES = 3  # of an axis: with two, a region has one crossing at most, and that between the only two points

COLUMNS = {
    "dataset": AXES["dataset"],
    "axis": "column of the table of runs that is the axis, of the grid or an option; of three positive values or more",
    "group": "what was run along the axis: a method, or methods that differ in the axis alone. Runs at all of a"
    " method's numbers of examples and learning rates are counted together where all of these were run equally often at"
    " every value of the axis; else each of them has a group of its own",
    "values": "number of values of the axis at which it was run",
    "first": "smallest of these values",
    "last": "largest of these values",
    "runs": "number of runs at these values",
    "healthy": "number of these that are healthy: they had learned by their end and had not failed",
    "undetermined": "number of these of which it is not known whether they failed",
    "left_out": "number of further runs, at values of zero, which a logarithmic axis does not have",
    "start": "value at which the region in which more than half of the runs are healthy starts; empty without a region",
    "end": "value at which it ends",
    "pieces": "number of pieces of the region; with more than one, its width is that of all of them together",
    "open_below": "whether the method works at the smallest value, so that the region may start below it",
    "open_above": "whether the method works at the largest value, so that the region may end above it",
    "width": "width of the region in decades, within the values that were run; empty with undetermined runs",
    "width_low": "lower bound of the width's 95% interval",
    "width_high": "upper bound of it; infinite where the region may leave the values that were run",
}
COUNTS = ("values", "runs", "healthy", "undetermined", "left_out", "pieces")


@dataclass(frozen=True)
class WorkingRegion:
    """One group of runs along one axis.

    Attributes:
        dataset: the data set.
        axis: the column of the axis.
        group: what was run along it.
        values: the values of the axis, rising, shape (V,).
        rates: the share of healthy runs at every value.
        runs: rows of the table of runs at these values.
        left_out: the number of runs at values of zero.
    """

    dataset: str
    axis: str
    group: str
    values: np.ndarray
    rates: tuple[Rate, ...]
    runs: pd.DataFrame
    left_out: int

    def region(self, confidence: float = CONFIDENCE) -> Region:
        """The region in decades, with the interval of its width at some confidence."""
        counts, totals, unknown = zip(*((each.count, each.total, each.unknown) for each in self.rates), strict=True)
        positions = np.log10(self.values)
        return region_above(positions, counts, totals, unknown=unknown, limit=LIMIT, confidence=confidence)

    @property
    def works_at(self) -> np.ndarray:
        """The values at which the method was seen to work, rising."""
        return self.values[[rate.value > LIMIT for rate in self.rates]]

    @property
    def runs_for_a_bound(self) -> int | None:
        """Number of runs a value with which anything could bound the width; None where there are as many somewhere."""
        needed = observations_for_a_bound(len(self.values), limit=LIMIT)
        return needed if max(rate.total for rate in self.rates) < needed else None


def axis_words(axis: str) -> str:
    """A numeric axis in words: "learning rate", "regularizer gamma"."""
    return AXIS_WORDS.get(axis, axis.replace("_", " "))


def decades_in_words(width: float) -> str:
    """A width with its unit: "1 decade", "0.35 decades"."""
    number = format_number(width, 2)
    return f"{number} {'decade' if number == '1' else 'decades'}"


def working_regions(collected: Collected) -> list[WorkingRegion]:
    """Every group of runs along every numeric axis with three positive values or more, by data set and axis."""
    found = []
    for dataset, runs in collected.runs.groupby("dataset", sort=False):
        for axis in _numeric_axes(collected, runs):
            found += _along(runs, str(dataset), axis)
    return found


def working_regions_table(collected: Collected) -> pd.DataFrame:
    """Tabulate the regions: one row per group with the columns `COLUMNS`."""
    rows = [_row(each) for each in working_regions(collected)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table if rows else table.astype(dict.fromkeys(COUNTS, "int64"))


def _row(found: WorkingRegion) -> dict[str, object]:
    region = found.region()
    ends = [10 ** region.pieces[0][0], 10 ** region.pieces[-1][1]] if region.pieces else [np.nan, np.nan]
    return {
        "dataset": found.dataset,
        "axis": found.axis,
        "group": found.group,
        "values": len(found.values),
        "first": found.values[0],
        "last": found.values[-1],
        "runs": len(found.runs),
        "healthy": int(healthy(found.runs).sum()),
        "undetermined": sum(rate.unknown for rate in found.rates),
        "left_out": found.left_out,
        "start": ends[0],
        "end": ends[1],
        "pieces": len(region.pieces),
        "open_below": region.open_below,
        "open_above": region.open_above,
        "width": region.width,
        "width_low": region.low,
        "width_high": region.high,
    }


def _numeric_axes(collected: Collected, runs: pd.DataFrame) -> Iterator[str]:
    """The axes with enough values: those within a method, and numeric options of components and of training."""
    options = [
        column
        for column in option_columns(runs.columns, collected.metrics)
        if column.partition("_")[0] in (*CHOICES, "train")
        and pd.api.types.is_numeric_dtype(runs[column])
        and not pd.api.types.is_bool_dtype(runs[column])
    ]
    for axis in (*AXIS_WORDS, *options):
        if (runs[axis].dropna().astype(float).drop_duplicates() > 0).sum() >= MIN_VALUES:
            yield axis


def _along(runs: pd.DataFrame, dataset: str, axis: str) -> Iterator[WorkingRegion]:
    """The groups of runs of a data set that differ in an axis and their seeds, and in what is the same mixture of other
    axes within a method at every value of the axis."""
    known = runs[runs[axis].notna()]
    if axis in AXIS_WORDS:
        alike = keys(known, ["method"])
    else:  # the signature of the component, or of the training options, holds the option: compare the others alone
        family = axis.partition("_")[0]
        by = [each for each in AXES if each not in ("seed", "block", family, *AXIS_WORDS)]
        by += [column for column in known.columns if column.startswith(f"{family}_") and column != axis]
        names = known[family].map(lambda text: split_label(str(text))[1].partition("(")[0])
        alike = [(name, *key) for name, key in zip(names, keys(known, by), strict=True)]
    others = [other for other in AXIS_WORDS if other != axis]
    for together in _divided(known, alike):
        apart = [together] if _balanced(together, axis, others) else _divided(together, keys(together, others))
        yield from _regions_of(apart, runs, dataset, axis)


def _divided(runs: pd.DataFrame, alike: Sequence[Hashable]) -> list[pd.DataFrame]:
    """The runs with equal keys, in the order of their first ones."""
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(alike):
        groups.setdefault(key, []).append(place)
    return [runs.iloc[places] for places in groups.values()]


def _balanced(runs: pd.DataFrame, axis: str, others: list[str]) -> bool:
    """Whether other axes have the same values at every value of an axis, each as often.

    Then the runs of a value are the same mixture everywhere, and their shares compare; the count of a mixture varies
    less than the binomial one whose interval they get.
    """
    mixtures = {frozenset(Counter(keys(mine, others)).items()) for _, mine in runs.groupby(axis)}
    return len(mixtures) == 1


def _regions_of(groups: list[pd.DataFrame], runs: pd.DataFrame, dataset: str, axis: str) -> Iterator[WorkingRegion]:
    for mine in groups:
        numbers = mine[axis].astype(float)
        positive = mine[numbers > 0]
        values = np.unique(numbers[numbers > 0])
        if len(values) < MIN_VALUES:
            continue
        rates = tuple(healthy_rate(positive[positive[axis].astype(float) == value]) for value in values)
        name = _name(mine, runs, axis)
        yield WorkingRegion(dataset, axis, name, values, rates, positive, len(mine) - len(positive))


def _name(mine: pd.DataFrame, runs: pd.DataFrame, axis: str) -> str:
    """A group's name: what the slugs of its methods share, and the other axes that tell it from other groups."""
    slugs = [slug.split("-") for slug in dict.fromkeys(mine["method"])]
    words = ["-".join(part for part in slugs[0] if all(part in slug for slug in slugs))]
    for other, text in AXIS_WORDS.items():
        peers = runs[runs["method"].isin(mine["method"])]
        one = mine[other].nunique(dropna=False) == 1 < peers[other].nunique(dropna=False)
        if other != axis and one and pd.notna(mine[other].iloc[0]):
            number = format_number(mine[other].iloc[0])
            words.append(f"{number} {text}" if other == "n_train" else f"{text} {number}")
    return ", ".join(words)
