"""Vector fields and fixed points in a plane of parameters."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ganbench.report.plotting.style import BAD, FAINT, GOOD, INK, ODD, QUIET, plain_ticks

# From pale to dark, so that it reads in grey as well.
SPEED = sns.color_palette("ch:s=2.4,r=.4,dark=.2,light=.78", as_cmap=True)

# By number in the results of diagnostics: name, marker, colour, whether filled.
KINDS = {
    0: ("stable node", "s", GOOD, True),
    1: ("stable focus", "o", GOOD, True),
    2: ("center", "o", INK, False),
    3: ("unstable focus", "o", BAD, True),
    4: ("unstable node", "s", BAD, True),
    5: ("saddle", "X", ODD, True),
    6: ("degenerate fixed point", "D", QUIET, False),
}


def fixed_points(axes: Axes, x: np.ndarray, y: np.ndarray, kinds: np.ndarray) -> set[int]:
    """Mark fixed points, arrays (n,) filled up with NaN, and return the kinds that occur."""
    found, size = set(), 7 if np.isfinite(x).sum() < 6 else 5
    for kind, (_, marker, colour, filled) in KINDS.items():
        mine = (kinds == kind) & np.isfinite(x) & np.isfinite(y)
        if mine.any():
            found.add(kind)
            face, edge = (colour, "white") if filled else ("white", colour)
            axes.plot(
                x[mine],
                y[mine],
                marker=marker,
                linestyle="",
                markersize=size,
                color=face,
                markeredgecolor=edge,
                zorder=6,
            )
    return found


def kind_handles(found: Iterable[int]) -> list[Line2D]:
    """Legend entries of the kinds that occur."""
    handles = []
    for kind in sorted(found):
        name, marker, colour, filled = KINDS[kind]
        face, edge = (colour, "white") if filled else ("white", colour)
        handles.append(
            Line2D([], [], marker=marker, linestyle="", markersize=7, color=face, markeredgecolor=edge, label=name)
        )
    return handles


def unit(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions and lengths of arrows; masked where there is no direction."""
    with np.errstate(all="ignore"):
        length = np.hypot(u, v)
        bad = ~np.isfinite(length) | (length == 0)
        safe = np.where(bad, 1.0, length)
        return np.ma.array(u / safe, mask=bad), np.ma.array(v / safe, mask=bad), np.ma.array(length, mask=bad)


def streams(axes: Axes, x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> object:
    """Streamlines of a field (points, points) with rows of equal y, darker where it is faster.

    Returns:
        Speeds for a colour bar, as shares of the panel's largest, by their square root, since fields near a
        pole are faster than all the rest.
    """
    across, up, speed = unit(u, v)
    known = speed.compressed()
    most = float(np.quantile(known, 0.98)) if len(known) else 1.0
    shade = np.sqrt(np.clip(np.ma.filled(speed, 0.0) / (most or 1.0), 0, 1))
    drawn = axes.streamplot(
        x, y, across, up, density=0.85, color=shade, cmap=SPEED, norm=Normalize(0, 1), linewidth=0.8, arrowsize=0.7
    )
    drawn.lines.set_rasterized(True)
    return drawn.lines


def frame_plane(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """A square panel over the plane."""
    axes.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()), aspect="equal")
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color=FAINT)
    for which in "xy":
        plain_ticks(axes, which, count=4)


def colour_bar(figure: Figure, drawn: object, blocks: np.ndarray, label: str) -> Colorbar:
    """One scale for all panels, as tall as the first row of them."""
    row = blocks.ravel()[: min(4, blocks.size)].tolist()
    bar = figure.colorbar(drawn, ax=row, shrink=0.9, aspect=20, pad=0.01)
    bar.set_label(label, fontsize=8)
    bar.outline.set_visible(False)
    return bar
