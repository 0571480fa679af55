"""Judge of labelled examples by the nearest class mean of their own numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.judges import Judge, JudgedExamples, Report, silent


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MyJudge(Judge):
    """The features are the numbers of an example, in units of their spread over the training examples. An example is
    of the mode whose mean is nearest, and of high quality within `reach` times the largest mean distance of a class
    from its mean."""

    reach: Annotated[float, Interval(gt=0)] = 2.0
    """Largest distance of an example of high quality from a class mean, in multiples of the largest mean distance of a
    class from its mean."""

    axes: ClassVar[int | None] = None  # 3 for a judge of images alone, 1 of points alone
    tells_modes: ClassVar[bool] = True  # False for a judge of features alone, whose modes and confidence are None

    def untrained(self, examples: Examples) -> Tree:
        # As `fit`, but at once and without the accuracy: a study's time is estimated with it.
        size, modes = examples.train[0].size, int(examples.train_modes.max()) + 1
        return {"means": np.zeros((modes, size)), "spread": 1.0, "limit": 1.0}

    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        # Arrays and numbers. `accuracy` on held-out examples is needed of a judge that tells modes apart; raise a
        # GanbenchError where it is too low for counting modes.
        numbers, modes = _flat(examples.train), examples.train_modes
        spread = float(numbers.std()) or 1.0
        features = numbers / spread
        means = np.stack([features[modes == mode].mean(axis=0) for mode in range(int(modes.max()) + 1)])
        apart = np.linalg.norm(features - means[modes], axis=1)
        limit = self.reach * max(apart[modes == mode].mean() for mode in range(len(means)))
        state = {"means": means, "spread": spread, "limit": float(limit)}
        judged = self.judge(state, examples.heldout)
        return state | {"accuracy": float(np.mean(judged.mode == examples.heldout_modes))}

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        # Each example by itself, (n, *shape): features (n, F) in float64, the mode of each, and whether it is sure.
        features = _flat(examples) / state["spread"]
        distance = np.stack([np.linalg.norm(features - mean, axis=1) for mean in state["means"]], axis=1)
        return JudgedExamples(
            examples, features, distance.argmin(axis=1), distance.min(axis=1) <= state["limit"], len(state["means"])
        )


def _flat(examples: np.ndarray) -> np.ndarray:
    """The numbers of each example, (n, F), float64."""
    return examples.reshape(len(examples), -1).astype(np.float64)
