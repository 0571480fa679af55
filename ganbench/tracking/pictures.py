"""Pictures of the samples of a run, one per snapshot: images in a square grid, or points over the real points."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ganbench.tracking.records import RunRecord

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


class Frame(Protocol):
    """A plot of a data set's real points, over which generated points are drawn."""

    def draw(self, points: np.ndarray, step: int, path: Path) -> None:
        """Draw the points of one snapshot, with the number of points outside the frame.

        Args:
            points: generated points, shape (n, d).
            step: step of the snapshot.
            path: file of the picture.
        """


def make_frame(real: np.ndarray) -> Frame:
    """The plot of real points (n, d): a histogram if d is 1, else a scatter plot of the first two coordinates."""
    return LineFrame(real[:, 0]) if real.shape[1] == 1 else PlaneFrame(real[:, :2])


def draw_samples(record: RunRecord, frame: Frame | None, folder: Path) -> int:
    """Draw one picture per snapshot.

    Args:
        record: the record of the run, with its samples.
        frame: the plot for points; None for images.
        folder: folder for the pictures.

    Returns:
        The number of pictures.
    """
    for step, examples in zip(record.sample_steps, record.samples, strict=True):
        path = folder / f"step_{step:08d}.png"
        if examples.ndim == 4:
            _draw_images(examples, path)
        else:
            frame.draw(examples, int(step), path)
    return len(record.sample_steps)


def _draw_images(images: np.ndarray, path: Path) -> None:
    """Draw images (n, channels, height, width) with values in [-1, 1] in a square grid, row by row."""
    from PIL import Image

    n, _, height, width = images.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    pixels = np.moveaxis(images.astype(np.float64), 1, -1)  # (n, height, width, channels)
    pixels = np.broadcast_to(pixels, (n, height, width, 3)) if pixels.shape[-1] == 1 else pixels
    # Pixels with values that are not finite are magenta, so that they are not mistaken for content of the image.
    bad = ~np.isfinite(pixels).all(axis=-1, keepdims=True)
    shades = np.where(bad, (255.0, 0.0, 255.0), (np.clip(pixels, -1, 1) + 1) * 127.5).round().astype(np.uint8)
    page = np.full((rows * columns, height, width, 3), 255, np.uint8)
    page[:n] = shades
    page = page.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    zoom = max(1, round(64 / max(height, width)))
    Image.fromarray(page.repeat(zoom, axis=0).repeat(zoom, axis=1)).save(path)


class Canvas:
    """A plot whose parts that change from picture to picture are drawn over a copy of the rest, but under the legend.

    Matplotlib needs ten times as long for the axes, their numbers and the legend as for the points.
    """

    SIZE, DPI = 4, 100  # inches and pixels per inch

    def __init__(self, **axes: str) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(self.SIZE, self.SIZE), dpi=self.DPI, layout="constrained")
        self._canvas = FigureCanvasAgg(figure)
        self.axes: Axes = figure.add_subplot(**axes)
        self.axes.set_title(" ", fontsize=9)
        self._still = None  # the rest, in matplotlib's form and as pixels, and where the legend is

    def draw(self, moving: Artist, caption: str, path: Path) -> None:
        """Draw a picture.

        Args:
            moving: what has changed since the last picture, besides the caption.
            caption: title of the plot.
            path: file of the picture.
        """
        from PIL import Image

        title = self.axes.title
        if self._still is None:
            for part in (moving, title):
                part.set_animated(True)
            self._canvas.draw()
            self._still = self._canvas.copy_from_bbox(self.axes.figure.bbox), self._pixels(), self._legend()
        region, still, legend = self._still
        title.set_text(caption)
        self._canvas.restore_region(region)
        for part in (moving, title):
            self.axes.draw_artist(part)
        pixels = self._pixels()
        pixels[legend] = still[legend]
        Image.fromarray(pixels).save(path, compress_level=3)  # half the time for a tenth more bytes

    def _pixels(self) -> np.ndarray:
        """What is drawn, shape (height, width, 3)."""
        return np.asarray(self._canvas.buffer_rgba())[:, :, :3].copy()

    def _legend(self) -> tuple[slice, slice]:
        """The rows and columns of the legend."""
        box, height = self.axes.get_legend().get_window_extent(), self.SIZE * self.DPI
        return slice(int(height - box.y1), int(height - box.y0) + 1), slice(int(box.x0), int(box.x1) + 1)

    def redraw(self) -> None:
        """Draw the rest anew with the next picture, since it has changed too."""
        self._still = None


class PlaneFrame:
    """A scatter plot with the same limits for all snapshots.

    Args:
        real: real points, shape (n, 2).
    """

    def __init__(self, real: np.ndarray):
        low, high = real.min(axis=0), real.max(axis=0)
        margin = 0.5 * max((high - low).max(), 1e-3)
        self._low, self._high = low - margin, high + margin
        self._canvas = Canvas(aspect="equal")  # one for all runs and snapshots of the data set
        self._axes = self._canvas.axes
        self._axes.scatter(*real.T, s=4, color="0.75", label="real")
        self._dots = self._axes.scatter([], [], s=6, color="C0", label="generated")
        self._axes.set(xlim=(self._low[0], self._high[0]), ylim=(self._low[1], self._high[1]))
        self._axes.legend(loc="upper right", fontsize=8)

    def draw(self, points: np.ndarray, step: int, path: Path) -> None:
        points = points[:, :2]
        inside = ((points >= self._low) & (points <= self._high)).all(axis=1)
        self._dots.set_offsets(points)
        self._canvas.draw(self._dots, _caption(step, inside), path)


class LineFrame:
    """A histogram with the same bins for all snapshots.

    Args:
        real: real points, shape (n,).
    """

    BINS = 80

    def __init__(self, real: np.ndarray):
        margin = 0.5 * max(float(np.ptp(real)), 1e-3)
        self._edges = np.linspace(real.min() - margin, real.max() + margin, self.BINS + 1)
        self._canvas = Canvas(xlabel="example", ylabel="share of the examples")
        self._axes = self._canvas.axes
        shares = np.histogram(real, self._edges)[0] / len(real)
        self._axes.stairs(shares, self._edges, fill=True, color="0.75", label="real")
        self._steps = self._axes.stairs(0 * shares, self._edges, color="C0", label="generated")
        self._axes.legend(loc="upper right", fontsize=8)
        self._highest = float(shares.max())

    def draw(self, points: np.ndarray, step: int, path: Path) -> None:
        inside = (points[:, 0] >= self._edges[0]) & (points[:, 0] <= self._edges[-1])
        shares = np.histogram(points[inside, 0], self._edges)[0] / len(points)
        self._steps.set_data(shares)
        top = 1.05 * max(self._highest, float(shares.max()))
        if self._axes.get_ylim() != (0, top):
            self._axes.set_ylim(0, top)
            self._canvas.redraw()
        self._canvas.draw(self._steps, _caption(step, inside), path)


def _caption(step: int, inside: np.ndarray) -> str:
    return f"step {step}: {len(inside)} generated, {int((~inside).sum())} outside the frame"
