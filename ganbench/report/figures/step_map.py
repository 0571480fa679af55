"""Spectral radius of the Jacobian of a training step over the learning rate."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ganbench.analysis.collected import Collected
from ganbench.core.formatting import format_number
from ganbench.report.diagnostic_results import DiagnosticArrays, runs_table, values_by_run
from ganbench.report.display_names import NETWORKS, method_names, shorten_signatures
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.diagnostic_panels import legend_below, panel_blocks
from ganbench.report.plotting.style import BAD, FAINT, QUIET, nothing, plain_ticks
from ganbench.report.run_selection import limit_methods, with_own_rate

FIGURE = FigureInfo(
    title="Spectral radius of a training step",
    scope="experiment",
    diagnostic="step_map",
    caption=(
        "Top: the spectral radius of one training step against the learning rate, one line per method. Below 1 the"
        " method converges locally, above 1 it diverges; the scale is stretched around 1. Bottom: the eigenvalues at"
        " the learning rates of the runs, with the unit circle."
    ),
)

LINEAR_THRESHOLD = 1e-4  # distance from 1 up to which the scale is linear
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))


def draw(collected: Collected, experiment: str) -> Figure:
    """Spectral radii and eigenvalues: one block of two panels per game, one line per method."""
    table = values_by_run(collected, experiment)
    arrays = collected.arrays(experiment)
    runs = collected.runs[collected.runs["run"].isin(table.index)]
    shown = [DiagnosticArrays(run, arrays.get(run["run"], {})) for _, run in runs.iterrows()]
    radius = {result.run["run"]: float(table["spectral_radius"].get(result.run["run"], np.nan)) for result in shown}
    shown = [result for result in shown if np.isfinite(radius[result.run["run"]]) or _swept(result) is not None]
    if not shown:
        return nothing(f"{experiment}: no run has a spectral radius.")
    games = shorten_signatures(dict.fromkeys(str(result.run["game"]) for result in shown))
    groups = {words: [result for result in shown if str(result.run["game"]) == game] for game, words in games.items()}
    groups, left = limit_methods(groups)
    methods = {words: _methods(mine) for words, mine in groups.items()}
    # The legend has a panel of its own, since every game has methods of its own.
    columns = 1 if max(len(name) for mine in methods.values() for name in mine) > 28 else 2
    lines = max(-(-len(mine) // columns) for mine in methods.values())
    figure, blocks = panel_blocks(list(groups), width=4.6, height=2.6, rows=(1.0, 1.0, 0.06 + 0.065 * lines), most=2)
    for block, words in zip(blocks, groups, strict=True):
        styles = _styles(methods[words])
        _radii(block[0], methods[words], radius, styles)
        _circle(block[1], methods[words], styles)
        block[2].set_axis_off()
        handles = [Line2D([], [], label=name, linewidth=1.6, **styles[name]) for name in methods[words]]
        names = block[2].legend(handles=handles, loc="upper left", ncols=columns, fontsize=7.5, borderaxespad=0)
        names.set_in_layout(False)  # its panel is as large as it needs to be
    legend_below(figure, [], left)
    return figure


def _methods(shown: list[DiagnosticArrays]) -> dict[str, list[DiagnosticArrays]]:
    """Runs of one game by everything else that was compared."""
    words = method_names(runs_table(shown).assign(game=NETWORKS))
    found: dict[str, list[DiagnosticArrays]] = {}
    for result in shown:
        found.setdefault(with_own_rate(words, result.run), []).append(result)
    if len(found) == 1:
        ((_, only),) = found.items()
        return {str(only[0].run["dynamics"]): only}
    return found


def _styles(names: Iterable[str]) -> dict[str, dict[str, object]]:
    """Colours that go round, and then the dashes."""
    palette = sns.color_palette("colorblind", 8)
    return {
        name: {"color": palette[index % 8], "linestyle": DASHES[index // 8 % len(DASHES)]}
        for index, name in enumerate(names)
    }


def _swept(result: DiagnosticArrays) -> tuple[np.ndarray, np.ndarray] | None:
    """Learning rates other than the trained one, and the spectral radii at them."""
    rates, radii = (np.asarray(result.arrays.get(name, np.zeros(0))) for name in ("rate", "radius_by_rate"))
    good = np.isfinite(rates) & np.isfinite(radii) if len(rates) == len(radii) else np.zeros(0, dtype=bool)
    return (rates[good], radii[good]) if good.any() else None


def _radii(axes: Axes, methods: dict[str, list[DiagnosticArrays]], radius: dict[str, float], styles: dict) -> None:
    every, rates = [], []
    for name, mine in methods.items():
        trained: dict[float, list[float]] = {}
        for result in mine:
            trained.setdefault(float(result.run["learning_rate"]), []).append(radius[result.run["run"]])
        known = {rate: np.nanmedian(found) for rate, found in trained.items() if np.isfinite(found).any()}
        points = np.array(sorted(known.items())).reshape(-1, 2)
        line = next((swept for result in mine if (swept := _swept(result)) is not None), None)
        both = dict(points.tolist()) | (dict(zip(*line, strict=True)) if line else {})
        x, y = np.array(sorted(both.items())).T
        axes.plot(x, y - 1, linewidth=1.4, zorder=3, **styles[name])
        axes.plot(*(points - [0, 1]).T, color=styles[name]["color"], marker="o", markersize=4, linestyle="", zorder=4)
        every += [*y, *points[:, 1]]
        rates += [*x, *points[:, 0]]
    axes.axhline(0, color=QUIET, linewidth=1.2, zorder=2)
    _around_one(axes, np.array(every))
    axes.axhspan(0, axes.get_ylim()[1], color=BAD, alpha=0.06, linewidth=0, zorder=0)
    axes.set_xscale("log")
    if len(set(rates)) == 1:
        axes.set_xlim(rates[0] / 2, rates[0] * 2)
    plain_ticks(axes, "x")
    axes.set_xlabel("learning rate", labelpad=1)
    axes.set_ylabel("spectral radius")


def _around_one(axes: Axes, radii: np.ndarray) -> None:
    """A scale that separates 0.995 from 1.005 and still has room for 3."""
    distance = radii[np.isfinite(radii)] - 1
    low, high = min(distance.min(), -10 * LINEAR_THRESHOLD), min(max(distance.max(), 10 * LINEAR_THRESHOLD), 1e6)
    axes.set_yscale("symlog", linthresh=LINEAR_THRESHOLD, linscale=0.4)
    axes.set_ylim(max(low * 1.6, -1.0), high * 1.6)
    ticks = [0.0, *(sign * 10.0**power for power in range(-3, 7) for sign in (-1, 1))]
    ticks = [tick for tick in ticks if low * 1.6 <= tick <= high * 1.6 and tick > -1.01]
    if low * 1.6 <= -0.5:
        ticks = [-0.5, *(tick for tick in ticks if tick > -0.5)]
    axes.yaxis.set_major_locator(FixedLocator(sorted(ticks)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{1 + value:.4g}" if value < 10 else format_number(1 + value))
    )


def _circle(axes: Axes, methods: dict[str, list[DiagnosticArrays]], styles: dict) -> None:
    angle = np.linspace(0, 2 * np.pi, 361)
    axes.plot(np.cos(angle), np.sin(angle), color=QUIET, linewidth=1.0, zorder=1)
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=0)
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
    for name, mine in methods.items():
        drawn_rates = set()
        for result in mine:
            rate = float(result.run["learning_rate"])
            if rate in drawn_rates or "eigenvalues_real" not in result.arrays:
                continue
            real, imag = result.arrays["eigenvalues_real"], result.arrays["eigenvalues_imag"]
            good = np.isfinite(real) & np.isfinite(imag)
            if good.any():
                drawn_rates.add(rate)
                axes.plot(
                    real[good],
                    imag[good],
                    color=styles[name]["color"],
                    marker="o",
                    linestyle="",
                    markersize=4.5,
                    markeredgecolor="white",
                    markeredgewidth=0.4,
                    alpha=0.9,
                    zorder=3,
                    rasterized=good.sum() > 100,
                )
    axes.set(xlim=(-1.45, 1.45), ylim=(-1.45, 1.45), aspect="equal")
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color=FAINT)
    for which in "xy":
        plain_ticks(axes, which, count=4)
    axes.set_xlabel("real part", labelpad=1)
    axes.set_ylabel("imaginary part", labelpad=1)
