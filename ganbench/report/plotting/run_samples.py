"""Samples of a run over training: which runs of a method show them, and the note on points that a panel omits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import SUCCESSES
from ganbench.analysis.methods import as_loss, failed, final_values, primary_metric
from ganbench.core.formatting import format_number
from ganbench.report.plotting.style import QUIET

MAX_SNAPSHOTS = 6  # panels per run
REAL_COLOUR = "#c9ced3"


@dataclass(frozen=True)
class RunSamples:
    """One run's samples, ready to draw."""

    lines: tuple[str, ...]  # role and outcome, setting, score
    steps: np.ndarray  # shape (S,)
    samples: np.ndarray  # shape (S, n, *shape)


def choose(collected: Collected, method: str) -> list[tuple[str, pd.Series]]:
    """The runs to show: the best one, and the worst of those that failed (of all, where none did).

    The best is sought first among runs that did not fail. Among failed runs, those with more snapshots come first,
    since there is more to see in them.
    """
    runs = collected.runs[collected.runs["method"] == method].reset_index(drop=True)
    metric = primary_metric(collected, method)
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
    metric = primary_metric(collected, method)
    if metric is not None:
        value = run[f"{metric}_final"]
        lines.append(f"{collected.metrics[metric].title}: {format_number(value) if np.isfinite(value) else 'no value'}")
    return RunSamples(tuple(lines), steps, samples)


def note_omitted(axes: Axes, away: int, total: int, lost: int) -> None:
    """Say below a panel how many of its points it does not show: beyond its edges, or not a number."""
    notes = [f"{away} of {total} outside"] if away else []
    notes += [f"{lost} not a number"] if lost else []
    if notes:
        axes.set_xlabel("\n".join(notes), fontsize=7, color=QUIET, labelpad=2)
