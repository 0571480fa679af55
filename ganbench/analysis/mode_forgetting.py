"""Which modes of the data a generator drew at every snapshot, and which of them it forgot."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

MAX_MODES = 100  # modes; a table of more says little, and takes much room


def mode_columns(steps: np.ndarray, shares: np.ndarray, real: np.ndarray) -> dict[str, np.ndarray]:
    """The modes of one run.

    Forgetting of a mode at a snapshot k is that of Chaudhry et al. (2018, equation 3), max over l < k of a_l - a_k,
    with its coverage a = min(1, confident share / real share) in the place of the accuracy on a task: a mode that once
    had its fair share of good examples and has none now is forgotten by 1, and one that has more than ever by less than
    0. More than the fair share counts as no more, or a collapsed generator would know its only mode best; and snapshots
    before training count as no earlier ones, since a judge may be sure of the class of noise.

    Args:
        steps: steps of the snapshots, ascending, shape (S,).
        shares: shares of all generated examples, and of the confident ones, on each mode, shape (S, 2, modes); NaN
            where no example could be judged.
        real: shares of the modes in the real training examples, shape (modes,).

    Returns:
        The columns `MODES` but `run`, one row per snapshot and mode; none for more than `MAX_MODES` modes, or for 0.
    """
    if len(real) > MAX_MODES:
        shares, real = shares[..., :0], real[:0]
    modes = len(real)
    fair = np.where(real > 0, real, np.nan)  # a mode without any real example has no fair share
    coverage = np.minimum(shares[:, 1] / fair, 1.0)
    trained = np.where(np.asarray(steps)[:, None] > 0, coverage, np.nan)
    best = np.fmax.accumulate(trained)  # past snapshots that could not be judged
    forgetting = np.concatenate([np.full((1, modes), np.nan), best[:-1] - coverage[1:]])
    return {
        "step": np.repeat(steps, modes).astype(np.int64),
        "mode": np.tile(np.arange(modes, dtype=np.int64), len(steps)),
        "share": shares[:, 0].ravel().astype(np.float64),
        "confident_share": shares[:, 1].ravel().astype(np.float64),
        "real_share": np.tile(real, len(steps)).astype(np.float64),
        "forgetting": forgetting.ravel().astype(np.float64),
    }


def mean_forgetting(modes: Mapping[str, ArrayLike], step: int) -> float:
    """Average the forgetting of a run at one snapshot over the modes.

    Args:
        modes: the rows of the run, as of `mode_columns`.
        step: the step of the snapshot.

    Returns:
        The mean, between -1 and 1; NaN for a run without this snapshot or without an earlier one of training.
    """
    values = np.asarray(modes["forgetting"])[np.asarray(modes["step"]) == step]
    known = ~np.isnan(values)
    return float(np.where(known, values, 0.0).sum() / known.sum()) if known.any() else float("nan")
