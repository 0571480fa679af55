"""Judges, one file each: what turns examples into features, and assigns them to the modes of a data set.

Metrics compare generated examples with real ones in a judge's features and modes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from ganbench.core.pixels import floats
from ganbench.core.tree import Tree
from ganbench.data import Examples

PART = 2000  # examples that are numbers in memory at a time

Report = Callable[[int, int], None]  # called with the number of steps done and the total number of steps


def silent(done: int, total: int) -> None:
    """Report nothing."""


class Embeddings:
    """Features of examples by networks other than their judge's, computed once for all metrics.

    Args:
        whole: the examples that these were taken from, whose features are computed together; None if from none.
        rows: the indices of these examples among those.
        parts: the examples that these are one after the other, which keep their features; none if they are no such.
    """

    def __init__(
        self,
        whole: JudgedExamples | None = None,
        rows: np.ndarray | None = None,
        parts: Sequence[JudgedExamples] = (),
    ) -> None:
        self._whole, self._rows, self._parts = whole, rows, parts
        self._known: dict[str, np.ndarray] = {}

    def get(self, name: str, stored: np.ndarray, embed: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The features of these examples; see `JudgedExamples.embedded`."""
        if self._whole is not None:
            return self._whole.embedded(name, embed)[self._rows]
        if name not in self._known:
            parts = [part.embedded(name, embed) for part in self._parts]
            self._known[name] = np.concatenate(parts) if parts else embed(stored)
        return self._known[name]

    def keep(self, name: str, features: np.ndarray) -> None:
        """Keep features that are known already; see `get`."""
        self._known[name] = features

    @classmethod
    def known_of(cls, parts: Sequence[Embeddings]) -> Embeddings:
        """The features of examples one after the other that are known of all of them; others are computed together."""
        whole = cls()
        for name in set.intersection(*(set(part._known) for part in parts)):
            whole.keep(name, np.concatenate([part._known[name] for part in parts]))
        return whole


@dataclass(frozen=True)
class JudgedExamples:
    """Examples with their features and modes according to a judge.

    Attributes:
        stored: the examples as they are stored, (n, *shape): numbers, or bytes, which may lie in a file.
        features: features of each example, (n, F), float64.
        mode: index of the mode that each example is nearest to, (n,); None of a judge that tells no modes apart.
        confident: whether the judge is certain of that mode, (n,), bool: a high-quality example; None as above.
        modes: number of modes of the data set; 0 of a judge that tells none apart.
        embeddings: their features by other networks.
    """

    stored: np.ndarray
    features: np.ndarray
    mode: np.ndarray | None
    confident: np.ndarray | None
    modes: int
    embeddings: Embeddings = field(default_factory=Embeddings, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def examples(self) -> np.ndarray:
        """The examples as numbers, (n, *shape)."""
        return floats(self.stored)

    @property
    def mode_counts(self) -> np.ndarray:
        """The numbers of examples on each mode, (2, modes): of all examples, and of the confident ones."""
        kinds = self.mode, self.mode[self.confident]
        return np.stack([np.bincount(mode, minlength=self.modes) for mode in kinds])

    @property
    def mode_shares(self) -> np.ndarray:
        """The same as shares of all examples, (2, modes)."""
        return self.mode_counts / len(self)

    def embedded(self, name: str, embed: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The examples' features by another network than the judge's, (n, F), computed once for all metrics and
        for all parts that are taken of them.

        Args:
            name: name of the network, with whatever else the features depend on.
            embed: returns the features of stored examples, each by itself.
        """
        return self.embeddings.get(name, self.stored, embed)

    def take(self, rows: np.ndarray) -> JudgedExamples:
        """Some of the examples, with the features and modes that are known of them.

        Args:
            rows: their indices, (m,).
        """
        mode, confident = (None if kept is None else kept[rows] for kept in (self.mode, self.confident))
        embeddings = Embeddings(self, rows)
        return JudgedExamples(self.stored[rows], self.features[rows], mode, confident, self.modes, embeddings)


class Judge(ABC):
    """A judge has untrained(examples) and fit(examples, report), which return a state of arrays and numbers, that of
    fit() with `accuracy` in it if it tells modes apart, and judge(state, examples), which returns JudgedExamples:
    features (n, F) in float64, and of each example its mode and whether it is confident; the same at every call.

    Its methods do not change their arguments, and each example is judged by itself. A subclass is a frozen dataclass
    whose fields are its options.

    Attributes:
        axes: number of axes of the examples that it can judge: 3 for images, 1 for points, None for any. A literal,
            since it is read from the source.
        tells_modes: whether it tells the modes of labelled data apart; one that does not judges by features alone,
            without labels, and its judged examples have no modes. A literal too.
        pretrained: whether it needs the Inception weights, which a study fetches before it; such a judge is too slow to
            be tried on a study before it runs. A literal too.
        knows_noise: whether it is confident of real-looking examples alone. A classifier is not: it may be sure of the
            class of noise. A literal too.
    """

    axes: ClassVar[int | None] = None
    tells_modes: ClassVar[bool] = True
    pretrained: ClassVar[bool] = False
    knows_noise: ClassVar[bool] = False

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
            The state that judging needs, as arrays and numbers; with the `accuracy` on held-out examples, 0 to 1, if
            the judge tells modes apart.

        Raises:
            GanbenchError: the accuracy that counting modes needs is out of reach; raised as soon as that is known.
        """

    @abstractmethod
    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        """Judge examples.

        Args:
            state: the state that `fit` or `untrained` returned.
            examples: examples of the data set's shape as numbers, (n, *shape).

        Returns:
            The examples with their features and modes.
        """


def judge_stored(judge: Any, state: Tree, stored: np.ndarray) -> JudgedExamples:
    """Judge stored examples, which may be bytes, and more than fit into memory.

    Args:
        judge: the judge.
        state: its state.
        stored: the examples, (n, *shape).

    Returns:
        The same as judging all their numbers at once, with the examples as they are stored.
    """
    parts = (judge.judge(state, floats(stored[start : start + PART])) for start in range(0, len(stored), PART))
    few = [replace(part, stored=stored[:0]) for part in parts]
    return _joined(stored, few, Embeddings.known_of([part.embeddings for part in few]))


def concatenated(parts: Sequence[JudgedExamples], stored: np.ndarray) -> JudgedExamples:
    """Judged examples of one judge, one after the other. Their features by other networks are those of the parts.

    Args:
        parts: the judged examples.
        stored: all of them as they are stored, or what gives the rows of such an array.
    """
    return _joined(stored, parts, Embeddings(parts=parts))


def _joined(stored: np.ndarray, parts: Sequence[JudgedExamples], embeddings: Embeddings) -> JudgedExamples:
    features = np.concatenate([part.features for part in parts])
    if parts[0].mode is None:
        return JudgedExamples(stored, features, None, None, 0, embeddings)
    mode, confident = (np.concatenate([getattr(part, name) for part in parts]) for name in ("mode", "confident"))
    return JudgedExamples(stored, features, mode, confident, parts[0].modes, embeddings)
