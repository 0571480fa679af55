"""A judge for the trial of metrics, which has too few examples to fit a real judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganbench.core.tree import Tree
from ganbench.judges import JudgedExamples

STAND_IN_FEATURES = 8


@dataclass(frozen=True)
class StandIn:
    """A judge that needs no fitting.

    Args:
        modes: the number of modes; 0 for a judge that tells none apart.
    """

    modes: int

    @property
    def tells_modes(self) -> bool:
        """Whether the judge tells modes apart."""
        return self.modes > 0

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        """Judge examples: the features are the first values of each example, and modes are assigned in turn.

        Args:
            state: not used.
            examples: the examples, of shape (N, *example).

        Returns:
            The judged examples.
        """
        features = examples.reshape(len(examples), -1)[:, :STAND_IN_FEATURES].astype(np.float64)
        if not self.modes:
            return JudgedExamples(examples, features, None, None, 0)
        modes = np.arange(len(examples)) % self.modes
        return JudgedExamples(examples, features, modes, np.ones(len(examples), dtype=bool), self.modes)
