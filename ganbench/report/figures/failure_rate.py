"""Where in the grid runs fail."""

from __future__ import annotations

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import failure_rate, methods
from ganbench.core.formatting import format_number
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.setting_panels import Levels, panel_title, rows_of, settings_of
from ganbench.report.plotting.style import FAINT, INK

FIGURE = FigureInfo(
    title="Where runs fail",
    scope="study",
    order=1,
    caption=(
        "Each cell gives the number of failed runs, whatever the failure, out of all runs with this learning rate and"
        " number of training examples; the darker, the more failed. An empty cell was not run. The signs ≥ and ? mark"
        " cells in which it is not known of every run whether it failed."
    ),
)

# From nearly white to the dark end of one hue: reads the same in grey and with any colour vision.
COLOURS = sns.light_palette("#a63a00", as_cmap=True)


def draw(collected: Collected) -> Figure:
    """Heat map of failure rates, learning rate by number of examples, one panel per method."""
    names = methods(collected)
    levels = {name: Levels.of(collected.runs[collected.runs["method"] == name]) for name in names}
    chunks = rows_of(names)
    columns = len(chunks[0])
    rows = [max(len(levels[name].n_train) for name in chunk) for chunk in chunks]
    widest = max(len(each.learning_rate) for each in levels.values())
    width = max(9.6 / max(columns, 2), 0.75 * widest + 1.1)
    height = sum(0.42 * row + 0.95 for row in rows) + 0.4
    figure = Figure(figsize=(width * columns + 0.6, height), layout="constrained")
    panels = figure.subplots(len(chunks), columns, squeeze=False, gridspec_kw={"height_ratios": [r + 1 for r in rows]})
    for index, axes in enumerate(panels.flat):
        if index >= len(names):
            axes.set_axis_off()
            continue
        name = names[index]
        shape = (len(levels[name].n_train), len(levels[name].learning_rate))
        rates, labels = np.full(shape, np.nan), np.full(shape, "", dtype=object)
        for cell, _, mine in settings_of(collected.runs[collected.runs["method"] == name]):
            if len(mine):
                rate = failure_rate(mine)
                rates[cell], labels[cell] = rate.value, f"{rate.count}/{rate.total}"
                if rate.unknown:
                    labels[cell] = f"≥{rate.count}/{rate.total}" if rate.count else f"?/{rate.total}"
        sns.heatmap(
            rates,
            ax=axes,
            mask=np.isnan(rates),
            annot=labels,
            fmt="",
            cmap=COLOURS,
            vmin=0,
            vmax=1,
            cbar=False,
            linewidths=1.5,
            linecolor="white",
            xticklabels=levels[name].rate_words,
            yticklabels=[format_number(count) for count in levels[name].n_train],
        )
        axes.set_facecolor(FAINT)
        for row, column in np.argwhere(np.isnan(rates)):  # cells without a colour, which seaborn does not annotate
            axes.text(column + 0.5, row + 0.5, labels[row, column], ha="center", va="center", color=INK)
        panel_title(axes, name)
        axes.set(xlabel="learning rate", ylabel="" if index % columns else "training examples")
        axes.tick_params(length=0, rotation=0)
    # The panels' own scale: seaborn's colour bar would belong to one of them.
    bar = figure.colorbar(panels[0, 0].collections[0], ax=panels.ravel().tolist(), shrink=0.8, aspect=25, pad=0.01)
    bar.set_ticks([0, 0.5, 1], labels=["0%", "50%", "100%"])
    bar.set_label("failed")
    bar.outline.set_visible(False)
    return figure
