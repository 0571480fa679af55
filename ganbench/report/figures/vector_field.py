"""Phase portraits: the vector field of a game in a plane of its parameters."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_percent
from ganbench.report.diagnostic_results import DiagnosticArrays, arrays_of_runs, values_by_run
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import legend_below, panel_blocks
from ganbench.report.plotting.planes import colour_bar, fixed_points, frame_plane, kind_handles, streams, unit
from ganbench.report.plotting.style import QUIET, nothing
from ganbench.report.run_selection import run_panels

FIGURE = FigureInfo(
    title="The vector field",
    scope="experiment",
    diagnostic="vector_field",
    caption=(
        "The direction in which gradient descent moves the players from each point of the plane, and the fixed points"
        " by type. Fields of exact expectations are drawn as streamlines, darker where the field is larger. Fields"
        " estimated from samples are drawn as arrows, coloured by the angle to the exact field if that is part of the"
        " study, else grey; the title gives the share of all arrows that are off by more than 30 degrees."
    ),
)

ARRAYS = ("x", "y", "u", "v")
ARROWS = 21  # per side of a panel
OFF = LinearSegmentedColormap.from_list("off", ["#7fa6c4", "#e3a04f", "#a8321a"])  # from calm to alarming


def draw(collected: Collected, experiment: str) -> Figure:
    """One panel per run: arrows where the field is noisy, streamlines where it is exact."""
    shown = arrays_of_runs(collected, experiment, ARRAYS)
    if not shown:
        return nothing(f"{experiment}: no run has a vector field with finite values.")
    titles, left = run_panels(shown, ("u", "v"), without=("dynamics", "optimizer"))
    table = values_by_run(collected, experiment)
    rough = dict(table["rough"]) if "rough" in table else {}
    share = {name: float(rough.get(result.run["run"], np.nan)) for name, result in titles.items()}
    noisy = any(each > 0 for each in share.values())
    heads = [f"{name}\n{format_percent(share[name])} rough" if noisy and share[name] >= 0 else name for name in titles]
    figure, blocks = panel_blocks(heads, width=2.6, height=2.3)
    exact = {_game(result): result for result in shown if "samples" not in str(result.run["game"])}
    scale, kinds, drawn = Normalize(0, 180), set(), None
    for (axes,), result in zip(blocks, titles.values(), strict=True):
        if noisy:
            true = exact.get(_game(result, "samples", "resample")) or exact.get(
                _game(result, "samples", "resample", "max_output")
            )
            drawn = _arrows(axes, result, true, scale)
        else:
            drawn = streams(axes, *(result.arrays[each] for each in ARRAYS))
        fixed = [result.arrays.get(name, np.zeros(0)) for name in ("fixed_x", "fixed_y", "fixed_kind")]
        kinds |= fixed_points(axes, *fixed)
        frame_plane(axes, result.arrays["x"], result.arrays["y"])
        x, y = axis_names(collected, experiment, result.run["run"])
        axes.set_xlabel(x, labelpad=1)
        axes.set_ylabel(y, labelpad=1)
    if noisy and exact:
        bar = colour_bar(figure, drawn, blocks, "angle to the exact field")
        bar.set_ticks([0, 90, 180], labels=["0°", "90°", "180°"])
    elif not noisy:
        colour_bar(figure, drawn, blocks, "norm, relative to the panel's largest").set_ticks(
            [0, 1], labels=["small", "large"]
        )
    legend_below(figure, kind_handles(kinds), left)
    return figure


def axis_names(collected: Collected, experiment: str, run: str) -> tuple[str, str]:
    """The two parameters of a run's plane, by the columns that say how little each moves."""
    prefix, table = f"{experiment}.min_motion_", collected.measurements
    known = set(table.loc[table["run"] == run, "quantity"])
    names = [name.removeprefix(prefix) for name in collected.quantities if name.startswith(prefix) and name in known]
    return (names[0], names[1]) if len(names) == 2 else ("first player", "second player")


def _game(result: DiagnosticArrays, *without: str) -> tuple[str, ...]:
    """What a run's field is of, apart from these options of its game."""
    game = str(result.run["game"])
    for option in without:
        game = re.sub(rf"\b{option}=[^,()]+(, )?", "", game)
    game = game.replace(", )", ")").removesuffix("()")
    return (game, *(str(result.run[axis]) for axis in ("objective", "regularizer")))


def _arrows(axes: Axes, result: DiagnosticArrays, exact: DiagnosticArrays | None, scale: Normalize) -> object:
    x, y, u, v = (result.arrays[name] for name in ARRAYS)
    every = slice(None, None, max(1, round(len(x) / ARROWS)))
    across, up, _ = unit(u[every, every], v[every, every])
    angle = np.ma.masked_all(across.shape)
    if exact is not None and exact.arrays["u"].shape == u.shape:
        true = unit(exact.arrays["u"][every, every], exact.arrays["v"][every, every])
        angle = np.degrees(np.arccos(np.clip(across * true[0] + up * true[1], -1, 1)))
    across, up = across.filled(np.nan), up.filled(np.nan)
    known = np.isfinite(across)
    indices = np.meshgrid(x[every], y[every])
    gap = (x.max() - x.min()) / max(len(x[every]) - 1, 1)
    return axes.quiver(
        *(each[known] for each in (*indices, across, up, angle)),
        cmap=OFF.with_extremes(bad=QUIET),
        norm=scale,
        angles="xy",
        scale_units="xy",
        scale=1.1 / gap,
        pivot="mid",
        width=0.008,
        headwidth=4,
        headlength=4,
        headaxislength=3.6,
        rasterized=True,
    )
