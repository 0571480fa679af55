"""A judge to try metrics with, where a few examples cannot teach one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples

STAND_IN_FEATURES = 8


@dataclass(frozen=True)
class StandIn:
    """A judge that knows nothing."""

    modes: int

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        """The first values of every example as its features, and the modes in turn."""
        features = examples.reshape(len(examples), -1)[:, :STAND_IN_FEATURES].astype(np.float64)
        modes = np.arange(len(examples)) % self.modes
        return JudgedExamples(examples, features, modes, np.ones(len(examples), dtype=bool), self.modes)
