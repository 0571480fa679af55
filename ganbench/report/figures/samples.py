"""Samples of the generators of a method over training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import SUCCESSES
from ganbench.analysis.methods import as_loss, dataset_of, failed, final_values, headline
from ganbench.core.formatting import format_number
from ganbench.report.figure_info import FigureInfo
from ganbench.report.plotting import histograms, image_strips, point_clouds
from ganbench.report.plotting.run_samples import RunSamples
from ganbench.report.plotting.style import nothing

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
        return image_strips.draw(shown, real)
    if real.ndim == 2 and real.shape[1] == 2:
        return point_clouds.draw(shown, real)
    if real.ndim == 2 and real.shape[1] == 1:
        return histograms.draw(shown, real)
    return nothing(f"{method}: examples of shape {real.shape[1:]} are neither images nor points of a line or plane.")


def choose(collected: Collected, method: str) -> list[tuple[str, pd.Series]]:
    """The runs to show: the best one, and the worst of those that failed (of all, where none did).

    The best is sought first among runs that did not fail. Among failed runs, those with more snapshots come first,
    since there is more to see in them.
    """
    runs = collected.runs[collected.runs["method"] == method].reset_index(drop=True)
    metric = headline(collected, method)
    losses = np.zeros(len(runs))
    if metric is not None:
        losses = as_loss(final_values(runs, metric), collected.metrics[metric])
    runs = runs.assign(
        bad=failed(runs), loss=losses, shots=runs["run"].map(collected.snapshots["run"].value_counts()).fillna(0)
    )
    best = runs.sort_values(["bad", "loss"], kind="stable").iloc[0]
    others = runs[runs["run"] != best["run"]]
    if others.empty:
        return [("The run", best)]
    worst = others.sort_values(["bad", "shots", "loss"], ascending=False, kind="stable").iloc[0]
    kind = "converged run" if best["outcome"] in SUCCESSES else "run"
    return [
        (f"Best {kind}" if np.isfinite(best["loss"]) else f"A {kind}", best),
        ("A failed run" if worst["bad"] else "The weakest run", worst),
    ]


def samples_of(collected: Collected, method: str, run: pd.Series, role: str) -> RunSamples:
    """The samples of a run that was chosen for its role, with what is said of it."""
    steps, samples = collected.samples(run["run"])
    words = [f"learning rate {format_number(run['learning_rate'])}", f"seed {format_number(run['seed'])}"]
    if pd.notna(run["generator_learning_rate"]):
        words.insert(1, f"generator's {format_number(run['generator_learning_rate'])}")
    if collected.runs.loc[collected.runs["method"] == method, "n_train"].nunique() > 1:
        words.insert(0, f"{format_number(run['n_train'])} examples")
    lines = [f"{role}: {run['outcome']}", ", ".join(words)]
    metric = headline(collected, method)
    if metric is not None:
        value = run[f"{metric}_final"]
        lines.append(f"{collected.metrics[metric].title}: {format_number(value) if np.isfinite(value) else 'no value'}")
    return RunSamples(tuple(lines), steps, samples)
