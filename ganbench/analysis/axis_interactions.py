"""Pairs of grid axes: whether the effect of one on failures or on scores depends on the value of the other.

Two questions are asked of every pair of axes of a data set: one of the shares of failed runs, one of the ranks of the
final values of the primary metric. Runs that are alike in all other axes and in their seed are a block. Each question
is a family of tests of its own, whose p-values are adjusted together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy import stats

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES
from ganbench.analysis.methods import failed, final_losses, primary_metric, undetermined
from ganbench.analysis.pairing import keys
from ganbench.analysis.statistics.interactions import (
    contrast_interval,
    interaction_test,
    largest_contrast,
    min_p_value,
)
from ganbench.analysis.statistics.multiplicity import LEVEL, false_discovery_adjusted
from ganbench.core.formatting import format_number
from ganbench.study.choices import split_label

CROSSED = tuple(axis for axis in AXES if axis not in ("game", "dataset", "block", "seed"))
MIN_BLOCKS = 2  # of one block, no pattern of signs is less probable than another
SEED = 20251130  # of the patterns of signs

COLUMNS = {
    "dataset": AXES["dataset"],
    "first": "one of the two axes",
    "second": "the other axis",
    "first_values": "number of values of the first axis that were run at all values of the second",
    "second_values": "number of values of the second axis",
    "blocks": "number of settings of the other axes and seeds that have a run at every combination of these values;"
    " only these count, and as independent",
    "min_p_value": "the least p-value that so many blocks can have: above 0.05, they decide nothing, whatever they"
    " show",
    "runs": "number of runs that count",
    "failed": "number of these that were seen to fail",
    "undetermined": "number of these of which it is not known whether they failed; then failures are not compared",
    "first_from": "value of the first axis from which the largest difference of differences is taken",
    "first_to": "value of the first axis to which it is taken",
    "second_from": "value of the second axis from which it is taken",
    "second_to": "value of the second axis to which it is taken",
    "failure_at_from": "change of the share of failed runs from `second_from` to `second_to` at `first_from`",
    "failure_at_to": "the same change at `first_to`",
    "failure_difference": "`failure_at_to` less `failure_at_from`, the largest such difference of the two axes",
    "failure_low": "lower bound of its 95% interval, for all such differences of the two axes together (Zou and"
    " Donner, Wilson), extended to 0 where the test does not reject it",
    "failure_high": "upper bound of it",
    "failure_p_value": "p-value of equal changes at all values (signs of blocks' interactions turned); empty where no"
    " block shows an interaction",
    "failure_p_value_adjusted": "`failure_p_value`, adjusted for all p-values of this column (false discovery rate)",
    "metric": "metric by which runs are ranked: the first one with a better end",
    "rank_p_value": "p-value of equal changes of the mean rank of a run's final value, failed runs being worse than"
    " any",
    "rank_p_value_adjusted": "`rank_p_value`, adjusted for all p-values of this column (false discovery rate)",
}
COUNTS = ("first_values", "second_values", "blocks", "runs", "failed", "undetermined")


@dataclass(frozen=True)
class Crossing:
    """The runs of two axes that are crossed.

    Attributes:
        dataset: the data set.
        axes: the two axes.
        values: the values of each, rising where they are numbers; R and C of them.
        runs: rows of the table of runs, one per block and cell, in this order: B times R times C.
        shape: R and C.
    """

    dataset: str
    axes: tuple[str, str]
    values: tuple[tuple, tuple]
    runs: pd.DataFrame
    shape: tuple[int, int]

    def table(self, of: Sequence[float] | pd.Series) -> np.ndarray:
        """Numbers of the runs by block and cell, shape (B, R, C)."""
        return np.asarray(of, dtype=np.float64).reshape(-1, *self.shape)


def crossings(collected: Collected) -> Iterator[Crossing]:
    """Every two axes of a data set of which two values or more each were run with one another, all else being equal."""
    for dataset, runs in collected.runs.groupby("dataset", sort=False):
        varied = [axis for axis in CROSSED if runs[axis].nunique(dropna=False) > 1]
        for axes in combinations(varied, 2):
            found = _crossing(str(dataset), runs, axes)
            if found is not None:
                yield found


def value_in_words(value: object) -> str:
    """A value of an axis: a component's label, or a number; "–" where it is empty."""
    if value is None:
        return "–"
    return split_label(value)[0] if isinstance(value, str) else format_number(float(value))


def interactions_table(collected: Collected) -> pd.DataFrame:
    """Test every two crossed axes of a data set: one row each with the columns `COLUMNS`."""
    table = pd.DataFrame([_row(collected, each) for each in crossings(collected)], columns=list(COLUMNS))
    for question in ("failure", "rank"):
        p_values = table[f"{question}_p_value"].to_numpy(dtype=np.float64)
        table[f"{question}_p_value_adjusted"] = false_discovery_adjusted(p_values)
    numbers = ["failure_at_from", "failure_at_to", "failure_difference", "failure_low", "failure_high"]
    numbers += ["failure_p_value", "rank_p_value"]
    return table.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(COUNTS, "int64"))


def _crossing(dataset: str, runs: pd.DataFrame, axes: tuple[str, str]) -> Crossing | None:
    """The part of a data set's runs in which two axes are fully crossed, the largest if there are several."""
    pairs = keys(runs, axes)
    blocks = keys(runs, [*(axis for axis in CROSSED if axis not in axes), "seed"])
    found: dict[tuple, dict[tuple, int]] = {}  # by block, the place of the run of every cell
    for place, (pair, block) in enumerate(zip(pairs, blocks, strict=True)):
        found.setdefault(block, {})[pair] = place
    crossed: dict[tuple[tuple, tuple], list[dict[tuple, int]]] = {}
    for cells in found.values():
        values = _crossed(cells.keys())
        if values is not None:
            crossed.setdefault(values, []).append(cells)
    if not crossed:
        return None
    values = max(crossed, key=lambda each: len(each[0]) * len(each[1]) * len(crossed[each]))
    if len(crossed[values]) < MIN_BLOCKS:
        return None
    shape = (len(values[0]), len(values[1]))
    places = np.array([[cells[pair] for pair in product(*values)] for cells in crossed[values]]).reshape(-1, *shape)
    return Crossing(dataset, axes, values, runs.iloc[places.ravel()], shape)


def _crossed(cells: Set[tuple]) -> tuple[tuple, tuple] | None:
    """The values of two axes of which every combination is among the cells: all of one axis, and those of the other
    that were run with all of these; the larger choice of the two."""
    first, second = (_sorted({cell[side] for cell in cells}) for side in (0, 1))
    choices = [
        (first, tuple(value for value in second if all((other, value) in cells for other in first))),
        (tuple(value for value in first if all((value, other) in cells for other in second)), second),
    ]
    best = max(choices, key=lambda each: len(each[0]) * len(each[1]))
    return best if min(map(len, best)) > 1 else None


def _sorted(values: set) -> tuple:
    return tuple(sorted(values, key=lambda value: (value is not None, isinstance(value, str), value or 0)))


def _row(collected: Collected, found: Crossing) -> dict[str, object]:
    runs = found.runs
    row: dict[str, object] = {"dataset": found.dataset, "first": found.axes[0], "second": found.axes[1]}
    blocks = len(runs) // (found.shape[0] * found.shape[1])
    row |= {"first_values": found.shape[0], "second_values": found.shape[1], "blocks": blocks}
    row["min_p_value"] = min_p_value(blocks)
    row |= {"runs": len(runs), "failed": int(failed(runs).sum()), "undetermined": int(undetermined(runs).sum())}
    if not row["undetermined"]:
        row |= _failures(found, blocks)
    metric = primary_metric(collected, runs["method"].iloc[0])
    if metric is not None:
        ranks = stats.rankdata(final_losses(runs, metric, collected.metrics[metric])) / len(runs)
        row["metric"] = metric
        row["rank_p_value"] = interaction_test(found.table(ranks), np.random.default_rng(SEED))
    return row


def _failures(found: Crossing, blocks: int) -> dict[str, object]:
    table = found.table(failed(found.runs))
    p_value = interaction_test(table, np.random.default_rng(SEED))
    counts, rates = table.sum(axis=0), table.mean(axis=0)
    contrast = largest_contrast(rates)
    low, high = contrast_interval(counts, np.full(found.shape, blocks), contrast)
    if not p_value <= LEVEL:
        low, high = min(low, 0.0), max(high, 0.0)
    names = [value_in_words(found.values[0][index]) for index in contrast.rows]
    names += [value_in_words(found.values[1][index]) for index in contrast.columns]
    before, after = (rates[row, contrast.columns[1]] - rates[row, contrast.columns[0]] for row in contrast.rows)
    return {
        **dict(zip(("first_from", "first_to", "second_from", "second_to"), names, strict=True)),
        **{"failure_at_from": before, "failure_at_to": after, "failure_difference": contrast.value},
        **{"failure_low": low, "failure_high": high, "failure_p_value": p_value},
    }
