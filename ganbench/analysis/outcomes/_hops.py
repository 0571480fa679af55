"""Hops of a generator from mode to mode, as snapshots show them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ganbench.analysis.outcomes._run import RunEvidence

DOMINANT, SHARE = "dominant_mode", "dominant_share"  # columns of the metric `mode_coverage`


@dataclass(frozen=True)
class Hop:
    """A change of the mode on which more than half of the examples fall, between two snapshots that have such a mode.

    Attributes:
        after: step of the earlier snapshot.
        step: step of the later one.
        source, target: indices of the modes.
        share: share of the examples on the later mode.
    """

    after: int
    step: int
    source: int
    target: int
    share: float


def hops(run: RunEvidence) -> list[Hop]:
    """The hops of a run, in the order of steps.

    The dominant mode of noise is chance. A snapshot counts only if its examples are good, or all alike, or if less of
    them lies off the largest mode than of the untrained generator's, by `concentrated_ratio`. And the mode on which the
    untrained generator's examples lie is where it starts: it has not hopped by leaving it.
    """
    measured = run.measured(DOMINANT, SHARE)
    if isinstance(measured, str) or not run.modes:
        return []
    steps, mode, share = measured
    off = 1 - share
    concentrated = (off[0] > 0) & (off <= run.settings.concentrated_ratio * off[0])
    counts = (mode >= 0) & (run.learned_at(steps) | run.alike_at(steps) | concentrated) & (np.arange(len(steps)) > 0)
    at = np.flatnonzero(counts & np.logical_or.accumulate(counts & ((mode != mode[0]) | run.learned_at(steps))))
    return [
        Hop(int(steps[one]), int(steps[other]), int(mode[one]), int(mode[other]), float(share[other]))
        for one, other in pairwise(at)
        if mode[one] != mode[other]
    ]
