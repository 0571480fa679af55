"""Two methods run by run: the difference of final scores in pairs of runs of one setting and seed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import SETTING
from ganbench.analysis.comparisons import at_common_settings
from ganbench.analysis.methods import final_losses, primary_metric
from ganbench.analysis.pairing import keys, paired_runs
from ganbench.analysis.ranking import ranking
from ganbench.analysis.ranking_tests import ranking_tests
from ganbench.analysis.statistics.medians import median_interval
from ganbench.core.formatting import format_number, plural
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.many_runs import MAX_SINGLE, draw_values
from ganbench.report.plotting.method_lines import COLOURS, data_title
from ganbench.report.plotting.style import INK, REFERENCE, describe, nothing, plain_ticks

FIGURE = FigureInfo(
    title="Methods in pairs of equal seeds",
    scope="study",
    order=4,
    caption=(
        "Every dot is a pair of runs of two methods that are alike in setting and seed, so that luck which both share"
        " cancels: the final value of the second method less that of the first; the axis says on which side of the"
        " dashed line which is better. Of more than thirty pairs, a histogram, with up to three pairs farthest outside"
        " named by their seeds. A pair in which one run alone failed or has no value has no difference: it is a win of"
        " the other, counted at the edge on its side, with a triangle each of thirty pairs or fewer. Pairs in which"
        " both did are ties. The numbers above the panel are of all pairs. The dark bar is the 95% interval of the"
        " median over all pairs, failures included, and is not drawn where it is infinite or where there are fewer"
        " than six pairs. Six pairs of methods at most are shown of a data set: those of neighbours in the ranking, and"
        " then those with the most one-sided wins; the first of each is the one that ranks higher. Methods are compared"
        " by the primary metric."
    ),
)

MAX_COLUMNS = 6  # pairs of methods of a data set
LETTERS = 17  # of a method's name per inch of a column
BESIDE, COUNTED = 0.1, 0.3  # room beyond the differences, and where pairs are counted there, in widths of their range
WIDE = 30.0  # times the middle distance from 0, beyond which differences need a scale that is linear around 0 alone


@dataclass(frozen=True)
class Pairs:
    """Two methods, and the losses of the runs of every pair, infinite where a run failed or has no value."""

    methods: tuple[str, str]
    names: tuple[str, ...]
    losses: np.ndarray  # shape (2, pairs)

    @property
    def wins(self) -> tuple[int, int]:
        """The number of pairs in which the first method is better, and in which the second is."""
        return int((self.losses[0] < self.losses[1]).sum()), int((self.losses[1] < self.losses[0]).sum())

    @property
    def differences(self) -> np.ndarray:
        """The loss of the second less that of the first, infinite where one run alone is bad, 0 where both are."""
        equal = self.losses[0] == self.losses[1]
        return np.subtract(self.losses[1], self.losses[0], out=np.zeros(len(equal)), where=~equal)


def draw(collected: Collected) -> Figure:
    """One panel per data set, one column of dots per pair of methods."""
    shown = {}
    for dataset, rows in ranking(collected, ranking_tests(collected)).groupby("dataset", sort=False):
        names = list(rows["method"])
        found = list(_paired(collected, names))
        neighbours = set(pairwise(names))
        found.sort(key=lambda pairs: -abs(pairs.wins[0] - pairs.wins[1]) / len(pairs.names))
        found.sort(key=lambda pairs: names.index(pairs.methods[0]) if pairs.methods in neighbours else len(names))
        if found:
            shown[dataset] = found
    if not shown:
        return nothing("No two methods of a data set have runs in pairs, alike in setting and seed, with a score.")
    widest, seen = min(MAX_COLUMNS, max(map(len, shown.values()))), []
    column = max(1.7, min(2.7, 9.6 / widest))
    figure = Figure(figsize=(max(5.0, column * widest + 1.0), 3.6 * len(shown) + 0.3), layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False).ravel()
    for axes, (dataset, every) in zip(panels, shown.items(), strict=True):
        found = every[:MAX_COLUMNS]
        info = collected.metrics[primary_metric(collected, found[0].methods[0])]
        sign = -1.0 if info.best == "high" else 1.0
        _panel(axes, found, sign, letters=int(LETTERS * column))
        left = f"{len(found)} of {len(every)} pairs of methods are shown" if len(found) < len(every) else ""
        data_title(axes, dataset, left, pad=32)
        below, above = ("second", "first") if sign > 0 else ("first", "second")
        seen += [f"first {each.methods[0]}, second {each.methods[1]}: {_won(each)}" for each in found]
        axes.set_ylabel(f"difference in {info.title}\n← {below} better      {above} better →")
    describe(figure, seen)
    return figure


def _paired(collected: Collected, names: list[str]) -> Iterator[Pairs]:
    """Every two of some methods of one data set whose runs come in pairs, in the order of the methods."""
    metric = primary_metric(collected, names[0])
    if metric is None:
        return
    for first, second in combinations(names, 2):
        pairs = paired_runs(*at_common_settings(collected, first, second), [*SETTING, "seed"])
        if pairs is None or pairs[0].empty:
            continue
        losses = np.stack([final_losses(runs, metric, collected.metrics[metric]) for runs in pairs])
        seeds = tuple(f"s{format_number(key[0])}" for key in keys(pairs[0], ["seed"]))
        yield Pairs((first, second), seeds, losses)


def _panel(axes: Axes, found: list[Pairs], sign: float, letters: int) -> None:
    """Draw the columns of a data set, with as many letters in a line below; differences of losses become those of the
    metric by the sign."""
    finite = np.concatenate([each.differences[np.isfinite(each.losses).all(axis=0)] for each in found])
    size = abs(finite[finite != 0])
    if len(size) and size.max() > WIDE * np.median(size):
        axes.set_ylim(-1.45 * size.max(), 1.45 * size.max())
        axes.set_yscale("symlog", linthresh=float(np.median(size)))
    elif len(size):
        low, high = min(0.0, (sign * finite).min()), max(0.0, (sign * finite).max())
        edges = sign * np.concatenate([each.differences for each in found])
        below, above = (COUNTED if np.isin(edge, edges) else BESIDE for edge in (-np.inf, np.inf))
        axes.set_ylim(low - below * (high - low), high + above * (high - low))
    axes.axhline(0, zorder=1, **REFERENCE)
    for x, pairs in enumerate(found):
        whole = np.isfinite(pairs.losses).all(axis=0)
        values = np.where(whole, sign * pairs.differences, np.nan)
        dot = partial(_dot, axes)
        draw_values(axes, x, 0.37, values, np.full(len(values), "converged"), pairs.names, dot)
        low, high = median_interval(pairs.differences)
        if np.isfinite([low, high]).all():
            axes.vlines(x + 0.42, sign * low, sign * high, color=INK, linewidth=2.5, zorder=4)
        _one_sided(axes, x, pairs, sign)
        place = {"xycoords": axes.get_xaxis_transform(), "xytext": (0, 3), "textcoords": "offset points"}
        counts = _won(pairs).replace("; ", "\n")
        axes.annotate(counts, (x, 1), ha="center", va="bottom", fontsize=7, color=INK, **place)
    labels = [
        "\n".join(
            line
            for place, name in zip(("first", "second"), each.methods, strict=True)
            for line in textwrap.wrap(f"{place}: {name}", letters)
        )
        for each in found
    ]
    axes.set_xticks(range(len(found)), labels, fontsize=7)
    axes.set_xlim(-0.6, len(found) - 0.4)
    plain_ticks(axes, "y")


def _won(pairs: Pairs) -> str:
    """How many pairs each method won."""
    first, second = pairs.wins
    return f"won by first {first}, by second {second}; {plural(len(pairs.names) - first - second, 'tie')}"


def _one_sided(axes: Axes, x: float, pairs: Pairs, sign: float) -> None:
    """Count the pairs in which one run alone failed or has no value, at the edge of the panel on the other's side."""
    for word, infinity in (("second", np.inf), ("first", -np.inf)):
        those = np.flatnonzero(pairs.differences == infinity)
        if not len(those):
            continue
        top = sign * infinity > 0
        edge = {"transform": axes.get_xaxis_transform(), "linestyle": "", "markeredgecolor": "white", "zorder": 3}
        if len(pairs.names) <= MAX_SINGLE:
            places = x + np.linspace(-0.26, 0.26, len(pairs.names))[those]
            height = np.full(len(those), 0.965 if top else 0.035)
            axes.plot(places, height, marker="^" if top else "v", markersize=5, color=COLOURS[0], **edge)
        place = {"xycoords": axes.get_xaxis_transform(), "ha": "center", "va": "top" if top else "bottom"}
        text = f"only the {word} failed: {len(those)}"
        axes.annotate(text, (x, 0.93 if top else 0.07), fontsize=7, color=INK, **place)


def _dot(axes: Axes, x: float, y: float, _: str) -> None:
    axes.plot(x, y, marker="o", markersize=4.5, markeredgecolor="white", color=COLOURS[0], zorder=3)
