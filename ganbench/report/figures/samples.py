"""Samples of the generators of a method over training."""

from __future__ import annotations

from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.analysis.methods import dataset_of
from ganbench.core.formatting import format_number
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting import histograms, image_strips, point_clouds
from ganbench.report.plotting.run_samples import choose, samples_of
from ganbench.report.plotting.style import describe, nothing

FIGURE = FigureInfo(
    title="Samples over training",
    scope="method",
    caption=(
        "Samples of the best run of the method, of those that were not seen to fail if there are any, and, if there"
        " is one, of a failed run. The latent points are the same at every snapshot, so that one example can be"
        " followed over training. Real examples are shown for comparison."
    ),
)


def draw(collected: Collected, method: str) -> Figure:
    """Samples over training: film strips of images, clouds of points of a plane, histograms of points of a line."""
    shown = [samples_of(collected, method, run, role) for role, run in choose(collected, method)]
    shown = [run for run in shown if run.samples.size]
    if not shown:
        return nothing(f"{method}: no run reached a snapshot with samples.")
    real = collected.real(dataset_of(collected, method))
    if real.ndim == 4:
        figure = image_strips.draw(shown, real)
    elif real.ndim == 2 and real.shape[1] == 2:
        figure = point_clouds.draw(shown, real)
    elif real.ndim == 2 and real.shape[1] == 1:
        figure = histograms.draw(shown, real)
    else:
        return nothing(
            f"{method}: examples of shape {real.shape[1:]} are neither images nor points of a line or plane."
        )
    describe(figure, (", ".join([*run.lines, f"to step {format_number(run.steps[-1])}"]) for run in shown))
    return figure
