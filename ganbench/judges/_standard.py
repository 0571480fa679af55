"""Features in units of the spread of the real data, so that a distance reads alike across data sets and judges."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganbench.core.evenly_spaced import evenly_spaced
from ganbench.core.tree import Tree
from ganbench.judges import judge_stored

MAX_EXAMPLES = 10_000  # training examples that the spread is measured on
RTOL = 1e-9  # of a feature's size: less than that is no spread


def unscaled(features: int) -> Tree:
    """The entries of a judge's state that leave its features as they are."""
    return {"mean": np.zeros(features), "scale": np.ones(features)}


def standardised(state: Tree, features: np.ndarray) -> np.ndarray:
    """Features less their mean over the real training examples, in units of their spread.

    Args:
        state: the judge's state, with the entries `mean` and `scale`, (F,).
        features: the features, (n, F).
    """
    return (features - state["mean"]) / state["scale"]


def with_standard(judge: Any, state: Tree, train: np.ndarray, *, together: bool = False) -> Tree:
    """A judge's state with the mean and the spread of its features over real training examples.

    Args:
        judge: the judge, which standardises by its state.
        state: its state, which leaves features unscaled.
        train: the training examples as they are stored, (n, *shape); of more than `MAX_EXAMPLES`, as many.
        together: whether all features have one spread, the root of their mean variance, as coordinates of points do,
            whose shape must stay what it is. Otherwise each feature has its own.
    """
    features = judge_stored(judge, state, train[evenly_spaced(len(train), MAX_EXAMPLES)]).features
    variance = features.var(axis=0)
    spread = np.sqrt(np.full_like(variance, variance.mean()) if together else variance)
    mean = features.mean(axis=0)
    # A feature that is the same for all training examples, such as the output of a dead unit, keeps its scale. Rounding
    # gives it a spread that is not quite 0.
    varies = spread > RTOL * (abs(mean) + spread.max())
    return state | {"mean": mean, "scale": np.where(varies, spread, 1.0)}
