"""Samples of one run over training, and the note on points that a panel does not show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from ganbench.report.plotting.style import QUIET

MAX_SNAPSHOTS = 6  # panels per run
REAL_COLOUR = "#c9ced3"


@dataclass(frozen=True)
class RunSamples:
    """One run's samples, ready to draw."""

    lines: tuple[str, ...]  # role and outcome, setting, score
    steps: np.ndarray  # shape (S,)
    samples: np.ndarray  # shape (S, n, *shape)


def note_omitted(axes: Axes, away: int, total: int, lost: int) -> None:
    """Say below a panel how many of its points it does not show: beyond its edges, or not a number."""
    notes = [f"{away} of {total} outside"] if away else []
    notes += [f"{lost} not a number"] if lost else []
    if notes:
        axes.set_xlabel("\n".join(notes), fontsize=7, color=QUIET, labelpad=2)
