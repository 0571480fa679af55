"""Judges, one file each: what tells which mode of a data set an example shows.

Metrics compare generated examples with real ones as a judge sees them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ganbench.core.tree import Tree
from ganbench.data import Examples

Report = Callable[[int, int], None]  # told the steps done and all steps


def silent(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class JudgedExamples:
    """Examples with what a judge says of them."""

    examples: np.ndarray  # (n, *shape)
    features: np.ndarray  # (n, F), float64
    mode: np.ndarray  # (n,), the mode each example is nearest to
    confident: np.ndarray  # (n,), bool: whether it belongs to that mode beyond doubt: a high-quality example
    modes: int  # number of modes there are


class Judge(ABC):
    """A classifier of a data set's modes. Its methods give the same at every call, and change nothing that they are
    given. A member is a frozen dataclass whose fields are its options."""

    @abstractmethod
    def untrained(self, examples: Examples) -> Tree:
        """The state before any training, so that a study's time can be estimated: judging with it takes as long as with
        what `fit` returns."""

    @abstractmethod
    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        """The state that judging needs, as arrays and numbers, `accuracy` on held-out examples among them.

        Args:
            examples: the data set.
            report: told how many steps of how many are done, by a judge that trains; it gives up as soon as it cannot
                become good enough.

        Raises:
            GanbenchError: the judge cannot learn from these examples.
        """

    @abstractmethod
    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        """Judge examples (n, *shape).

        Args:
            state: what `fit` or `untrained` gave.
            examples: of the data set's shape.
        """
