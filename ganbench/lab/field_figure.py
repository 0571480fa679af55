"""A picture of a vector field, in the style of the report's figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.core.errors import GanbenchError
from ganbench.lab.arguments import PICTURE_SUFFIXES
from ganbench.lab.equilibria import FixedPoint
from ganbench.numerics.fixed_points import KINDS
from ganbench.report.plotting import planes, style


def draw(
    x: np.ndarray,
    y: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    parameters: tuple[str, str],
    points: list[FixedPoint],
) -> Figure:
    """Streamlines of a field, darker where it is larger, and its fixed points.

    Args:
        x, y: coordinates of the grid, (nx,) and (ny,).
        u, v: the field along x and along y, (ny, nx).
        parameters: labels of the axes.
        points: fixed points to mark.
    """
    with style.applied():
        figure = Figure(figsize=(5.6, 5.2), layout="constrained")
        axes = figure.add_subplot()
        speed = np.hypot(u, v)
        if (np.isfinite(speed) & (speed > 0)).any():
            lines = planes.streams(axes, x, y, u, v)
            planes.colour_bar(figure, lines, np.array([axes]), "speed: square root of its share of the largest")
        else:
            axes.text(0.5, 0.5, "nothing moves here", ha="center", color=style.QUIET, transform=axes.transAxes)
        handles = planes.kind_handles(_marked(axes, points))
        if handles:
            figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
        axes.set(xlabel=parameters[0], ylabel=parameters[1])
        axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
        axes.grid(visible=False)
        return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure in the format of the suffix. The same field gives the same bytes.

    Raises:
        GanbenchError: another suffix, or the file cannot be written.
    """
    if path.suffix not in PICTURE_SUFFIXES:
        raise GanbenchError(f"{path}: a picture's name must end in {' or '.join(PICTURE_SUFFIXES)}.")
    try:
        with style.applied():
            figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise GanbenchError(f"cannot write {path}: {error.strerror}.") from None
    return path


def _marked(axes: Axes, points: list[FixedPoint]) -> set[int]:
    if not points:
        return set()
    x, y = np.array([list(point.at.values()) for point in points]).T
    return planes.fixed_points(axes, x, y, np.array([KINDS.index(point.kind) for point in points]))
