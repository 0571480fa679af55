"""A film of training: examples of the same latent points from snapshot to snapshot."""

from __future__ import annotations

from math import ceil, prod

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import dataset_of
from ganbench.core.formatting import format_number
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting.films import Film
from ganbench.report.plotting.image_strips import tiles
from ganbench.report.plotting.point_clouds import cloud
from ganbench.report.plotting.run_samples import RunSamples, choose, samples_of
from ganbench.report.plotting.style import describe, nothing

FIGURE = FigureInfo(
    title="Film of training",
    scope="method",
    order=1,
    animated=True,
    caption=(
        "The best run of the method, of those that were not seen to fail if there are any, and, if there is one, a"
        " failed run, from snapshot to snapshot. Each example keeps its latent point and its place. The film pauses at"
        " the last snapshot and begins again, as the bar below shows; a run that ended before keeps its last examples"
        " until then."
    ),
)

MAX_FRAMES = 24
MIN_IMAGES, MAX_IMAGES = 4, 36  # images of a run
PIXELS = 1_000_000  # of all images of a film, about as many bytes
SIDE = 3.4  # inches of a panel
GAP = 1  # pixels between images


def draw(collected: Collected, method: str) -> Film | Figure:
    """A frame per snapshot, with one panel per run: images side by side, or points of a plane over the real ones."""
    runs = [samples_of(collected, method, run, role) for role, run in choose(collected, method)]
    runs = [run for run in runs if run.samples.size]
    if not runs:
        return nothing(f"{method}: no run reached a snapshot with samples.")
    shape = runs[0].samples.shape[2:]
    if len(shape) != 3 and shape != (2,):
        return nothing(f"{method}: examples of shape {shape} are neither images nor points of a plane.")
    steps, count = frames_of(runs, shape)
    real = collected.real(dataset_of(collected, method)) if shape == (2,) else None
    return Film(len(steps), lambda index: _frame(runs, int(steps[index]), count, real))


def frames_of(runs: list[RunSamples], shape: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """The steps that have a frame, evenly chosen among all snapshots, the first and the last always among them; and the
    number of images of each run, so that a film of large images is no large file.

    Args:
        runs: the runs that are shown.
        shape: of an example.
    """
    steps = np.unique(np.concatenate([run.steps for run in runs]))
    pixels = prod(shape[1:]) * len(runs) if len(shape) == 3 else 1
    most = max(2, min(MAX_FRAMES, PIXELS // (MIN_IMAGES * pixels)))
    steps = steps[np.unique(np.linspace(0, len(steps) - 1, min(len(steps), most)).round().astype(int))]
    return steps, int(np.clip(PIXELS // (len(steps) * pixels), MIN_IMAGES, MAX_IMAGES))


def _frame(runs: list[RunSamples], step: int, count: int, real: np.ndarray | None) -> Figure:
    tall = 1.0
    if real is None:
        columns, rows = _grid(min(count, runs[0].samples.shape[1]))
        tall = rows * runs[0].samples.shape[3] / (columns * runs[0].samples.shape[4])
    figure = Figure(figsize=(SIDE * len(runs), SIDE * tall + 1.15), layout="constrained")
    for axes, run in zip(figure.subplots(1, len(runs), squeeze=False)[0], runs, strict=True):
        index = max(0, int(np.searchsorted(run.steps, step, side="right")) - 1)
        ended = step > run.steps[-1]
        when = f"step {format_number(run.steps[index])}" + (", where it ended" if ended else "")
        if real is None:
            _images(axes, run.samples[index][:count])
        else:
            cloud(axes, run.samples[index], real)
        axes.set_title("\n".join([*run.lines, when]), fontsize=8.5)
    describe(figure, (", ".join([*run.lines, f"to step {format_number(run.steps[-1])}"]) for run in runs))
    return figure


def _grid(count: int) -> tuple[int, int]:
    """Columns and rows for so many images; a last row that is not full is left out."""
    columns = ceil(np.sqrt(count))
    return columns, count // columns


def _images(axes: Axes, images: np.ndarray) -> None:
    """Images in a square, or nearly one, as one picture."""
    columns, rows = _grid(len(images))
    shown = images[: rows * columns].reshape(rows, columns, *images.shape[1:])
    axes.imshow(tiles(shown, GAP), interpolation="none", aspect="equal")
    axes.set_axis_off()
