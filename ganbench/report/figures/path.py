"""Trajectories of training in a plane of the players' parameters, and their distance from the origin."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import (
    learning_rate_colours,
    learning_rate_handles,
    leftmost,
    legend_below,
    log_length_scale,
    panel_blocks,
)
from ganbench.report.plotting.style import FAINT, QUIET, nothing, plain_ticks
from ganbench.report.run_selection import by_method, limit_curves, limit_methods

FIGURE = FigureInfo(
    title="Trajectories of training",
    scope="experiment",
    diagnostic="path",
    caption=(
        "Top: the trajectory of every run from its start (ring) to its end (dot), in the plane of one parameter of"
        " each player. Bottom: the distance from the origin over the steps, on a logarithmic scale. The distance"
        " decreases on a spiral inwards, is constant on a cycle, and increases if the run diverges. Trajectories that"
        " diverge leave the panel."
    ),
)

NARROW = 100.0  # times the usual reach of the others, beyond which a run may not set the scale


def draw(collected: Collected, experiment: str) -> Figure:
    """Trajectories and radii: one block of two panels per method."""
    shown = [
        result
        for result in arrays_of_runs(collected, experiment, ("trajectory",))
        if result.arrays["trajectory"].ndim == 2
    ]
    shown = [result for result in shown if result.arrays["trajectory"].shape[1] >= 2]
    if not shown:
        return nothing(f"{experiment}: no run has a trajectory of two parameters or more.")
    groups, left = limit_methods(by_method(shown))
    colours = learning_rate_colours(groups)
    figure, blocks = panel_blocks(list(groups), rows=(1.0, 0.55))
    for block, mine in zip(blocks, groups.values(), strict=True):
        _orbits(block[0], limit_curves(mine), colours)
        _labels(block[0], collected, experiment, mine[0])
        _radii(block[1], limit_curves(mine), colours)
    for block in leftmost(blocks):
        block[1].set_ylabel("distance")
    ring = Line2D([], [], color=QUIET, marker="o", markerfacecolor="white", linestyle="", markersize=5, label="start")
    end = Line2D([], [], color=QUIET, marker="o", linestyle="", markersize=4, label="end")
    crowded = any(len(limit_curves(mine)) < len(mine) for mine in groups.values())
    small = "Panels with many runs show the first seeds." if crowded else ""
    legend_below(figure, [*learning_rate_handles(colours), ring, end], left, small)
    return figure


def plane(trajectory: np.ndarray) -> np.ndarray:
    """The first parameter of either player along a path (S, P): the first and the middle one, (S, 2)."""
    return trajectory[:, [0, trajectory.shape[1] // 2]]


def reach(paths: list[np.ndarray]) -> float:
    """Extent of a panel: the farthest point of the paths, except those that diverge further than the others."""
    own = np.array([np.abs(path[np.isfinite(path).all(axis=1)]).max(initial=0.0) for path in paths])
    starts = [np.abs(path[0]).max() for path in paths if np.isfinite(path[0]).all()]
    usual = max(float(np.median(starts)) if starts else 0.0, 1e-12)
    kept = own[own <= NARROW * usual]
    return 1.08 * float(kept.max() if len(kept) else NARROW / 5 * usual)


def _orbits(axes: Axes, shown: list[DiagnosticArrays], colours: dict[float, str]) -> None:
    paths = [plane(result.arrays["trajectory"].astype(np.float64)) for result in shown]
    far = reach(paths)
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=1)
    for result, path in zip(shown, paths, strict=True):
        colour = colours[float(result.run["learning_rate"])]
        path = path[np.isfinite(path).all(axis=1)]
        if not len(path):
            continue
        # Lines with points too far out for the renderer would disappear.
        line = np.clip(path, -1e3 * far, 1e3 * far)
        axes.plot(*line.T, color=colour, linewidth=0.9, alpha=0.85, zorder=2, rasterized=len(line) > 400)
        axes.plot(*path[0], color=colour, marker="o", markerfacecolor="white", markersize=4.5, zorder=4)
        if (np.abs(path[-1]) <= far).all():
            axes.plot(*path[-1], color=colour, marker="o", markersize=3.5, zorder=5)
    axes.set(xlim=(-far, far), ylim=(-far, far), aspect="equal")
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color=FAINT)
    for which in "xy":
        plain_ticks(axes, which, count=4)


def _labels(axes: Axes, collected: Collected, experiment: str, result: DiagnosticArrays) -> None:
    names = parameter_names(collected, experiment, result.run["run"], result.arrays["trajectory"].shape[1])
    axes.set_xlabel(names[0], labelpad=1)
    axes.set_ylabel(names[1], labelpad=1)


def parameter_names(collected: Collected, experiment: str, run: str, count: int) -> tuple[str, str]:
    """The two parameters that a panel shows, by the columns that say where each of few ended."""
    prefix, table = f"{experiment}.final_", collected.measurements
    known = set(table.loc[table["run"] == run, "quantity"])
    names = [name.removeprefix(prefix) for name in collected.quantities if name.startswith(prefix) and name in known]
    names = [name for name in names if name != "radius"]
    if len(names) != count:
        return "first player", "second player"
    return names[0], names[count // 2]


def _radii(axes: Axes, shown: list[DiagnosticArrays], colours: dict[float, str]) -> None:
    last = 0.0
    for result in shown:
        trajectory = result.arrays["trajectory"].astype(np.float64)
        step = np.asarray(result.arrays.get("step", np.arange(len(trajectory))), dtype=np.float64)
        with np.errstate(all="ignore"):
            radius = np.sqrt(np.square(trajectory).sum(axis=1))
        good = np.isfinite(radius) & (radius > 0)
        last = max(last, float(step[-1]))
        axes.plot(
            step[good],
            radius[good],
            color=colours[float(result.run["learning_rate"])],
            linewidth=0.9,
            alpha=0.85,
            rasterized=len(step) > 400,
        )
    log_length_scale(axes)
    axes.set_xlim(0, last or 1)
    axes.set_xlabel("training step", labelpad=1)
    plain_ticks(axes, "x", count=4)
