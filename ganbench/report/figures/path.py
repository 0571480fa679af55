"""Where training went in the plane of the players' parameters, and how far out."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.analysis.collected import Collected
from ganbench.report.figures.looks import (
    Look,
    by_method,
    few,
    legend,
    log_scale,
    looks,
    outer,
    panels,
    rate_handles,
    thinned,
    tones,
)
from ganbench.report.figures.style import FAINT, QUIET, nothing, plain_ticks, title

CAPTION = (
    "Above, the path of every run from its start (ring) to its end (dot), one parameter of either player along each"
    " axis; below, its distance from the origin over the steps, on a logarithmic scale. A spiral inwards falls below, a"
    " cycle stays level, a run that leaves climbs; paths that run far off leave the panel."
)

NARROW = 100.0  # times the usual reach of the others, beyond which a run may not set the scale


def draw(collected: Collected, experiment: str) -> Figure:
    """Orbits and radii: one block of two panels per method."""
    shown = [look for look in looks(collected, experiment, ("trajectory",)) if look.arrays["trajectory"].ndim == 2]
    shown = [look for look in shown if look.arrays["trajectory"].shape[1] >= 2]
    if not shown:
        return nothing(f"{experiment}: no run left a path of two parameters or more.")
    groups, left = few(by_method(shown))
    colours = tones(groups)
    figure, blocks = panels(list(groups), rows=(1.0, 0.55))
    for block, mine in zip(blocks, groups.values(), strict=True):
        _orbits(block[0], thinned(mine), colours)
        _labels(block[0], collected, experiment, mine[0])
        _radii(block[1], thinned(mine), colours)
    for block in outer(blocks):
        block[1].set_ylabel("distance")
    ring = Line2D([], [], color=QUIET, marker="o", markerfacecolor="white", linestyle="", markersize=5, label="start")
    end = Line2D([], [], color=QUIET, marker="o", linestyle="", markersize=4, label="end")
    crowded = any(len(thinned(mine)) < len(mine) for mine in groups.values())
    small = "Panels with many runs show the first seeds." if crowded else ""
    legend(figure, [*rate_handles(colours), ring, end], left, small)
    title(figure, f"{experiment}: the paths of training")
    return figure


def plane(trajectory: np.ndarray) -> np.ndarray:
    """The first parameter of either player along a path (S, P): the first and the middle one, (S, 2)."""
    return trajectory[:, [0, trajectory.shape[1] // 2]]


def reach(paths: list[np.ndarray]) -> float:
    """How far a panel shows: to the farthest of the paths, but for those that run off further than the others."""
    own = np.array([np.abs(path[np.isfinite(path).all(axis=1)]).max(initial=0.0) for path in paths])
    starts = [np.abs(path[0]).max() for path in paths if np.isfinite(path[0]).all()]
    usual = max(float(np.median(starts)) if starts else 0.0, 1e-12)
    kept = own[own <= NARROW * usual]
    return 1.08 * float(kept.max() if len(kept) else NARROW / 5 * usual)


def _orbits(axes: Axes, shown: list[Look], colours: dict[float, str]) -> None:
    paths = [plane(look.arrays["trajectory"].astype(np.float64)) for look in shown]
    far = reach(paths)
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=1)
    for look, path in zip(shown, paths, strict=True):
        colour = colours[float(look.run["learning_rate"])]
        path = path[np.isfinite(path).all(axis=1)]
        if not len(path):
            continue
        # Points beyond what a renderer can place would lose the line.
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


def _labels(axes: Axes, collected: Collected, experiment: str, look: Look) -> None:
    names = parameter_names(collected, experiment, look.run["run"], look.arrays["trajectory"].shape[1])
    axes.set_xlabel(names[0], labelpad=1)
    axes.set_ylabel(names[1], labelpad=1)


def parameter_names(collected: Collected, experiment: str, run: str, count: int) -> tuple[str, str]:
    """The two parameters that a panel shows, by the columns that say where each of few ended."""
    prefix, table = f"{experiment}.final_", collected.measurements
    known = set(table.loc[table["run"] == run, "quantity"])
    names = [name.removeprefix(prefix) for name in collected.instruments if name.startswith(prefix) and name in known]
    names = [name for name in names if name != "radius"]
    if len(names) != count:
        return "first player", "second player"
    return names[0], names[count // 2]


def _radii(axes: Axes, shown: list[Look], colours: dict[float, str]) -> None:
    last = 0.0
    for look in shown:
        trajectory = look.arrays["trajectory"].astype(np.float64)
        step = np.asarray(look.arrays.get("step", np.arange(len(trajectory))), dtype=np.float64)
        with np.errstate(all="ignore"):
            radius = np.sqrt(np.square(trajectory).sum(axis=1))
        good = np.isfinite(radius) & (radius > 0)
        last = max(last, float(step[-1]))
        axes.plot(
            step[good],
            radius[good],
            color=colours[float(look.run["learning_rate"])],
            linewidth=0.9,
            alpha=0.85,
            rasterized=len(step) > 400,
        )
    log_scale(axes)
    axes.set_xlim(0, last or 1)
    axes.set_xlabel("training step", labelpad=1)
    plain_ticks(axes, "x", count=4)
