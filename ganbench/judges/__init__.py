"""Judges, one file each: classifiers that assign examples to the modes of a data set.

Metrics compare generated examples with real ones in a judge's features and modes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ganbench.core.tree import Tree
from ganbench.data import Examples

Report = Callable[[int, int], None]  # called with the number of steps done and the total number of steps


def silent(done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class JudgedExamples:
    """Examples with their features and modes according to a judge.

    Attributes:
        examples: the examples, (n, *shape).
        features: features of each example, (n, F), float64.
        mode: index of the mode that each example is nearest to, (n,).
        confident: whether the judge is certain of that mode, (n,), bool: a high-quality example.
        modes: number of modes of the data set.
    """

    examples: np.ndarray
    features: np.ndarray
    mode: np.ndarray
    confident: np.ndarray
    modes: int


class Judge(ABC):
    """A judge has untrained(examples) and fit(examples, report), which return a state of arrays and numbers, that of
    fit() with `accuracy` in it, and judge(state, examples), which returns JudgedExamples: features (n, F) in float64,
    and of each example its mode and whether it is confident; the same at every call.

    Its methods do not change their arguments. A subclass is a frozen dataclass whose fields are its options.
    """

    @abstractmethod
    def untrained(self, examples: Examples) -> Tree:
        """The state before any training. Judging with it takes as long as with a trained one, so that a study's time
        can be estimated.

        Args:
            examples: the data set.

        Returns:
            Arrays and numbers, as of `fit` but without `accuracy`.
        """

    @abstractmethod
    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        """Train the judge.

        Args:
            examples: the data set.
            report: called after every training step, by a judge that trains.

        Returns:
            The state that judging needs, as arrays and numbers, with the `accuracy` on held-out examples, 0 to 1.

        Raises:
            GanbenchError: the accuracy that counting modes needs is out of reach; raised as soon as that is known.
        """

    @abstractmethod
    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        """Judge examples.

        Args:
            state: the state that `fit` or `untrained` returned.
            examples: examples of the data set's shape, (n, *shape).

        Returns:
            The examples with their features and modes.
        """
