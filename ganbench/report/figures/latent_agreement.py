"""Agreement between seeds: whether they draw the same classes at the same latent points."""

from __future__ import annotations

from itertools import islice

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.analysis.class_agreement import agreements, polar_symmetries
from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import SETTING
from ganbench.core.formatting import format_number
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs, runs_table
from ganbench.report.display_names import method_names, varying_numbers
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import legend_below, panel_blocks
from ganbench.report.plotting.planes import colour_bar
from ganbench.report.plotting.style import nothing

FIGURE = FigureInfo(
    title="Agreement between seeds",
    scope="experiment",
    diagnostic="latent_agreement",
    caption=(
        "Each cell compares two seeds of one setting: the share of shared latent points at which the judge assigns"
        " their examples to the same class. Above the diagonal as they are, below it after the best rotation or"
        " reflection of the latent plane, where latent points have two coordinates. Unrelated seeds agree by chance"
        " too, and more after a search for the best alignment: the title sets means beside what is expected of them."
    ),
)

PANELS = 12
MAX_SEEDS = 24  # in a panel


def draw(collected: Collected, experiment: str) -> Figure:
    """One matrix per setting with two runs or more."""
    judged = arrays_of_runs(collected, experiment, ("classes",))
    known = [each for each in judged if (each.arrays["classes"] >= 0).all()]
    settings = [mine for mine in by_setting(known) if len(mine) > 1]
    if not settings:
        return nothing(f"{experiment}: no runs of one setting have examples of known class.")
    words = method_names(runs_table(known))
    peers = runs_table([mine[0] for mine in settings])
    heads, matrices = [], []
    for mine in islice(settings, PANELS):
        first = mine[0].run
        name = ", ".join(filter(None, [words[first["method"]], varying_numbers(first, peers)]))
        text, matrix = _compared(mine)
        heads.append(f"{name}\n{text}")
        matrices.append((matrix, [format_number(each.run["seed"]) for each in mine]))
    figure, blocks = panel_blocks(heads, width=3.0, height=2.8, most=3)
    for (axes,), (matrix, seeds) in zip(blocks, matrices, strict=True):
        drawn = _matrix(axes, matrix, seeds)
    colour_bar(figure, drawn, blocks, "share of points of the same class")
    left = f"{PANELS} of {len(settings)} settings are shown." if len(settings) > PANELS else ""
    legend_below(figure, [], left)
    return figure


def by_setting(shown: list[DiagnosticArrays]) -> list[list[DiagnosticArrays]]:
    """Runs of equal settings, in the order of their seeds, as many as a panel has room for."""
    groups: dict[tuple[str, ...], list[DiagnosticArrays]] = {}
    for each in shown:
        groups.setdefault(tuple(str(each.run[axis]) for axis in ("method", *SETTING)), []).append(each)
    return [sorted(mine, key=lambda each: each.run["seed"])[:MAX_SEEDS] for mine in groups.values()]


def _compared(mine: list[DiagnosticArrays]) -> tuple[str, np.ndarray]:
    """What is said of a setting, and its matrix: above the diagonal raw agreements, below it aligned ones."""
    classes = np.stack([each.arrays["classes"] for each in mine])
    plane = mine[0].arrays["latent"].shape[1] == 2
    found = agreements(classes, polar_symmetries() if plane else np.arange(classes.shape[1])[None], draws=99)
    text = f"{_share(found.mean)} agree, {_share(found.by_chance)} by chance"
    matrix = np.triu(found.pairs, 1)
    if plane:
        text += f"; aligned {_share(found.aligned_mean)}, {_share(found.aligned_by_chance)} by chance"
        return text, np.where(np.eye(len(mine)) > 0, np.nan, matrix + np.tril(found.aligned_pairs, -1))
    return text, np.where(np.tri(len(mine)) > 0, np.nan, matrix)


def _share(values: np.ndarray) -> str:
    return f"{100 * values.mean():.0f}%"


def _matrix(axes: Axes, matrix: np.ndarray, seeds: list[str]) -> object:
    drawn = axes.imshow(matrix, vmin=0, vmax=1, cmap="viridis", interpolation="none", aspect="equal")
    ticks = range(0, len(seeds), max(1, len(seeds) // 10))
    axes.set_xticks(ticks, [seeds[tick] for tick in ticks])
    axes.set_yticks(ticks, [seeds[tick] for tick in ticks])
    axes.set(xlabel="seed", ylabel="seed")
    axes.grid(visible=False)
    return drawn
