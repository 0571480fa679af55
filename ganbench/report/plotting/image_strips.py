"""Film strips: images of the same latent points, one row per snapshot, over a row of real examples."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.core.formatting import format_number
from ganbench.report.plotting.run_samples import RunSamples
from ganbench.report.plotting.style import QUIET

IMAGES = 8  # per row
SNAPSHOTS = 10  # rows per strip, at most
NOT_A_NUMBER = (0.84, 0.37, 0.0)  # the colour of diverged runs: such pixels have no grey value
GAP = 0.1  # between images, as a share of their size


def draw(shown: list[RunSamples], real: np.ndarray) -> Figure:
    """One strip per run, side by side.

    Args:
        shown: runs with samples of shape (S, n, channels, height, width) in [-1, 1].
        real: real examples, shape (n, channels, height, width).
    """
    rows = max(len(thin(run.steps)) for run in shown) + 1
    figure = Figure(figsize=(4.6 * len(shown), 0.46 * (rows + 0.3) + 1.15), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, run in zip(panels, shown, strict=True):
        _strip(axes, run, real, rows)
    return figure


def _strip(axes: Axes, run: RunSamples, real: np.ndarray, rows: int) -> None:
    kept = thin(run.steps)
    for row, index in enumerate(kept):
        row_of_images(axes, run.samples[index], top=float(row))
    bottom = len(kept) + 0.3  # a little apart: these were not generated
    row_of_images(axes, real, top=bottom)
    centres = [row + 0.5 for row in range(len(kept))] + [bottom + 0.5]
    axes.set_yticks(centres, [f"step {format_number(run.steps[index])}" for index in kept] + ["real"])
    # Strips of different length start at the same height and show images of the same size.
    axes.set(xlim=(0, IMAGES), ylim=(rows + 0.3, 0), aspect="equal", anchor="N")
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("\n".join(run.lines), fontsize=8.5)
    if not len(kept):
        axes.text(0.5, 0.5, "no snapshot", color=QUIET, transform=axes.transAxes)


def thin(steps: np.ndarray) -> np.ndarray:
    """Indices of at most SNAPSHOTS snapshots, evenly chosen, the first and the last always among them."""
    return np.unique(np.linspace(0, len(steps) - 1, min(len(steps), SNAPSHOTS)).round().astype(int))


def row_of_images(axes: Axes, images: np.ndarray, top: float) -> None:
    """Draw the first IMAGES images side by side as one picture: a hundred small ones would make a large file."""
    images = images[:IMAGES]
    gap = max(1, round(GAP * images.shape[-1]))
    extent = (0, len(images), top + 1, top)
    axes.imshow(tiles(images[None], gap), extent=extent, interpolation="none", aspect="auto")


def tiles(images: np.ndarray, gap: int) -> np.ndarray:
    """Images in rows and columns as one picture, with white gaps below and to the right of each.

    Args:
        images: shape (rows, columns, channels, height, width), values in [-1, 1].
        gap: pixels between images.

    Returns:
        Red, green and blue in [0, 1], shape (rows (height + gap), columns (width + gap), 3).
    """
    rows, columns, _, height, width = images.shape
    canvas = np.ones((rows * (height + gap), columns * (width + gap), 3))
    for row, column in np.ndindex(rows, columns):
        top, left = row * (height + gap), column * (width + gap)
        canvas[top : top + height, left : left + width] = colours(images[row, column])
    return canvas


def colours(image: np.ndarray) -> np.ndarray:
    """An image as red, green and blue in [0, 1].

    Args:
        image: shape (channels, height, width), values in [-1, 1]; one channel is grey, of others the first three count.

    Returns:
        Shape (height, width, 3); pixels that are not finite have the colour NOT_A_NUMBER.
    """
    image = np.asarray(image, dtype=np.float64)
    channels = image[:3] if len(image) >= 3 else np.repeat(image[:1], 3, axis=0)
    picture = np.moveaxis(np.clip((channels + 1) / 2, 0, 1), 0, -1)
    picture[~np.isfinite(channels).all(axis=0)] = NOT_A_NUMBER
    return picture
