"""The axis of training steps, logarithmic if the snapshots are spaced so."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes


def log_spaced(steps: np.ndarray) -> bool:
    """Whether snapshots lie more evenly on a logarithmic axis than on a linear one."""
    steps = np.unique(steps[steps > 0])
    if len(steps) < 4:
        return False
    gaps, ratios = np.diff(steps), np.diff(np.log(steps))
    return float(np.std(ratios) / np.mean(ratios)) < float(np.std(gaps) / np.mean(gaps))


def step_axis(axes: Axes, steps: np.ndarray, last: int) -> None:
    """Set scale and limits of an axis of steps.

    Args:
        axes: the panel.
        steps: steps of the snapshots, (S,).
        last: number of steps of training.
    """
    if log_spaced(steps):
        first = steps[steps > 0].min()
        # Linear up to the first positive step, so that the snapshot at step 0 has a place.
        axes.set_xscale("symlog", linthresh=first, linscale=0.5)
        axes.set_xlim(-0.3 * first if (steps == 0).any() else first / 1.2, last * 1.2)
    else:
        axes.set_xlim(-0.02 * last, 1.02 * last)
