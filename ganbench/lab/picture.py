"""A field as a picture, in the style of the report's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.core.errors import GanbenchError
from ganbench.lab.equilibria import FixedPoint
from ganbench.lab.plane import PICTURES, Field
from ganbench.numerics.fixed_points import KINDS
from ganbench.report.figures import phase, style


def drawn(field: Field) -> Figure:
    """Streamlines of the motion, darker where it is faster, and its fixed points."""
    with style.applied():
        figure = Figure(figsize=(5.6, 5.2), layout="constrained")
        axes = figure.add_subplot()
        speed = np.hypot(field.u, field.v)
        if (np.isfinite(speed) & (speed > 0)).any():
            lines = phase.streams(axes, field.x, field.y, field.u, field.v)
            phase.colour_bar(figure, lines, np.array([axes]), "speed: square root of its share of the largest")
        else:
            axes.text(0.5, 0.5, "nothing moves here", ha="center", color=style.QUIET, transform=axes.transAxes)
        points = field.fixed_points()
        handles = phase.kind_handles(_marked(axes, points))
        if handles:
            figure.legend(handles=handles, loc="outside lower left", ncols=len(handles))
        axes.set(xlabel=field.parameters[0], ylabel=field.parameters[1])
        axes.set(xlim=(field.x[0], field.x[-1]), ylim=(field.y[0], field.y[-1]))
        axes.grid(visible=False)
        return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure; the suffix says how. The same field gives the same bytes.

    Raises:
        GanbenchError: another suffix, or the file cannot be written.
    """
    if path.suffix not in PICTURES:
        raise GanbenchError(f"{path}: a picture's name must end in {' or '.join(PICTURES)}.")
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
    return phase.fixed_points(axes, x, y, np.array([KINDS.index(point.kind) for point in points]))
