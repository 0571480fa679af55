"""Real examples drawn in place of generated ones, in the best of three ways that the data allow:

- new examples of the very distribution, where it is known;
- parts of the held-out examples, where these are twice as many as samples or more. Parts of one shuffle share no
  example, so that they are independent samples of the distribution; after as many as there is room for, the examples
  are shuffled anew. Only parts of one shuffle are compared in the spread, since those of different shuffles are alike;
- otherwise cross-fitting. Drawing with replacement would repeat examples, which raises distances; fewer held-out
  examples than samples would raise them as well. So all real examples are split at random, in the proportion of samples
  to training examples, and the smaller part plays the generated ones. Where both are smaller than in the study, by a
  factor s, values at s and at s / 2 are carried on to 1 along a line in 1/s: exact for shares and for biases of the
  order of 1/n, and never further than the distance between the two. What grows in proportion to the number of examples
  is divided by s. A metric that is cautious of numbers as small as those of its splits has no null: the distance of
  fewer examples than features, for one, is on no such line. The spread at s is narrowed by the root of s, as that of a
  share is; of a distance, which narrows by up to s, it stays too wide, by 1 / sqrt(s) at most. That of a number that
  knows no training examples, as a mean of samples alone, is too narrow, since all splits have one mean: with N real
  examples, of which a share f plays n samples, by sqrt((1 + n/N) / (1 - f)). Draws say which of the two a metric is
  with too much noise to correct for it, so that the words on a null give both factors.
  A judge knows the examples that it was trained on, and a split mixes them with held-out ones. So all held-out examples
  are scored against the training examples, too: where they score worse than splits of these sizes, beyond the interval
  of these, the difference is added. Where they score better, as even shares of classes do, it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Any, Protocol

import numpy as np

from ganbench.core.random_streams import stream
from ganbench.engine.null_intervals import std_and_reach
from ganbench.engine.scoring import score_of
from ganbench.judges import JudgedExamples, concatenated

WORSE = {"low": 1, "high": -1, "none": 0}  # the sign of a change for the worse, by the better end
RTOL = 1e-9  # of a value, in sums of it
ENOUGH = 2  # held-out examples per sample, from which parts of them are drawn


@dataclass(frozen=True)
class RealExamples:
    """The judged real examples of a data set.

    Attributes:
        train: the training examples that references are made of.
        heldout: the held-out examples.
        judge: judges examples as they are stored, (n, *shape).
        fresh: draws new examples of the distribution as they are stored, by their number and a generator; None where it
            is not known.
    """

    train: JudgedExamples
    heldout: JudgedExamples
    judge: Callable[[np.ndarray], JudgedExamples]
    fresh: Callable[[int, np.random.Generator], np.ndarray] | None = None


class Draws(Protocol):
    """A way to draw real examples in place of generated ones.

    Attributes:
        examples: number of real examples that are drawn from; None where new ones are drawn from the distribution.
        together: number of draws in a row that are independent of one another; None for all of them.
    """

    examples: int | None
    together: int | None
    smallest: tuple[int, int] | None  # numbers of generated and of training examples, of parts below the study's size

    def draw(self, index: int) -> Iterator[Callable[[Any, dict], list[float]]]:
        """One draw, of one part or several, of which one is in memory at a time.

        Args:
            index: number of the draw.

        Yields:
            For each part, a function of a metric and its reference to the values of its columns, NaN without a value.
            It can be called until the next part is made.
        """

    def values(self, metric: Any, scored: np.ndarray) -> np.ndarray:
        """The values of a metric in all draws, (draws, columns), from what they scored, (draws, parts, columns)."""

    def words(self, draws: int) -> str:
        """How the examples were drawn."""


def draws_of(real: RealExamples, samples: int) -> Draws:
    """The way to draw as many real examples as the study scores generated ones."""
    if real.fresh is not None:
        return _Fresh(real, samples)
    return (_HeldOut if len(real.heldout) >= ENOUGH * samples else _CrossFitted)(real, samples)


def smallest_split(samples: int, train: int, heldout: int) -> tuple[int, int] | None:
    """The numbers of generated and of training examples in the smallest parts of real examples that are scored, where
    these are fewer than in the study; None where they are as many.

    Args:
        samples: number of samples that the study scores.
        train, heldout: numbers of the real examples.
    """
    scale = min(1.0, (train + heldout) / (samples + train))
    if heldout >= ENOUGH * samples or scale == 1:
        return None
    return min(int(scale * samples / 2), heldout), int(scale * train / 2)


def _scores(metric: Any, judged: JudgedExamples, reference: dict) -> list[float]:
    """The values of a metric's columns, see `score_of`."""
    scores = score_of(metric, judged, reference)
    return [scores[name] for name in metric.columns]


class _Fresh:
    examples = together = smallest = None

    def __init__(self, real: RealExamples, samples: int) -> None:
        self._real, self._samples = real, samples

    def draw(self, index: int) -> Iterator[Callable[[Any, dict], list[float]]]:
        judged = self._real.judge(self._real.fresh(self._samples, stream(0, "null", index)))
        yield lambda metric, reference: _scores(metric, judged, reference)

    def values(self, metric: Any, scored: np.ndarray) -> np.ndarray:
        return scored[:, 0]

    def words(self, draws: int) -> str:
        return (
            f"{draws} times {self._samples:,} new examples from the true distribution, against the "
            f"{len(self._real.train):,} training examples"
        )


class _HeldOut:
    smallest = None

    def __init__(self, real: RealExamples, samples: int) -> None:
        self._real, self._samples, self.examples = real, samples, len(real.heldout)
        self.together = self.examples // samples

    def draw(self, index: int) -> Iterator[Callable[[Any, dict], list[float]]]:
        shuffle, part = divmod(index, self.together)
        rows = stream(0, "null", shuffle).permutation(self.examples)[part * self._samples :][: self._samples]
        judged = self._real.heldout.take(rows)
        yield lambda metric, reference: _scores(metric, judged, reference)

    def values(self, metric: Any, scored: np.ndarray) -> np.ndarray:
        return scored[:, 0]

    def words(self, draws: int) -> str:
        return (
            f"{draws} times {self._samples:,} of the {self.examples:,} held-out examples, without replacement, "
            f"{min(draws, self.together)} in a row without a common example, against the {len(self._real.train):,} "
            "training examples"
        )


@dataclass(frozen=True)
class _Stored:
    """Stored examples, one array after the other, of which some are put together when they are asked for: arrays that
    lie in files stay there."""

    parts: tuple[np.ndarray, np.ndarray]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        one, other = self.parts
        first = rows < len(one)
        found = np.empty((len(rows), *one.shape[1:]), one.dtype)
        found[first], found[~first] = one[rows[first]], other[rows[~first] - len(one)]
        return found


class _CrossFitted:
    """Random splits of all real examples; see the module.

    A split takes other training examples than the reference does, so that draws vary with both parts, as the value of
    new examples against one reference does over references. So they count as independent of one another.
    """

    together = None

    def __init__(self, real: RealExamples, samples: int) -> None:
        self._real, self._samples = real, samples
        self._all = concatenated([real.train, real.heldout], _Stored((real.train.stored, real.heldout.stored)))
        self.examples = len(self._all)
        train, heldout = len(real.train), len(real.heldout)
        self._scale = min(1.0, self.examples / (samples + train))
        self._study = samples, train, heldout
        self._sizes = [tuple(int(self._scale * size) for size in self._study)]
        self.smallest = smallest_split(samples, train, heldout)
        if self._scale < 1:
            self._sizes.append(tuple(int(self._scale * size / 2) for size in self._study))
        self._whole: dict[int, list[float]] = {}  # by a metric's id: the values of all held-out examples

    def draw(self, index: int) -> Iterator[Callable[[Any, dict], list[float]]]:
        order, other = (stream(0, name, index).permutation(self.examples) for name in ("null", "null-heldout"))
        _, train, heldout = self._study
        for rows, sizes in [*((order, sizes) for sizes in self._sizes), (other, (heldout, train, heldout))]:
            split = [*self._split(rows, *sizes)]
            yield partial(self._scored, split)
            split.clear()  # before the next one is made, whoever holds the function
        yield self._scored_whole

    def _scored_whole(self, metric: Any, reference: dict) -> list[float]:
        if id(metric) not in self._whole:
            self._whole[id(metric)] = _scores(metric, self._real.heldout, reference)
        return self._whole[id(metric)]

    def _split(self, order: np.ndarray, *sizes: int) -> tuple[JudgedExamples, JudgedExamples, JudgedExamples]:
        """Examples in place of generated, training and held-out ones; the last are among the first, as the held-out
        examples are where they are scored."""
        generated, train, heldout = sizes
        parts = order[:generated], order[generated : generated + train], order[: min(heldout, generated)]
        return tuple(self._all.take(rows) for rows in parts)

    @staticmethod
    def _scored(split: Sequence[JudgedExamples], metric: Any, _: dict) -> list[float]:
        generated, train, heldout = split
        if min(map(len, (generated, train, heldout))) < metric.fewest:
            return [float("nan")] * len(metric.columns)
        return _scores(metric, generated, metric.reference(train, heldout))

    def values(self, metric: Any, scored: np.ndarray) -> np.ndarray:
        *splits, alike, whole = scored.transpose(1, 0, 2)
        worse = np.array([WORSE[info.best] for info in metric.columns.values()])
        with np.errstate(invalid="ignore"):  # infinite values have no difference
            told_apart = worse * (whole - alike.mean(axis=0)) > std_and_reach(alike)[1] + RTOL * abs(whole)
            values = self._carried_on(*splits, metric.proportional) if self._scale < 1 else splits[0]
            return values + np.where(told_apart, whole - alike, 0.0)

    def _carried_on(self, values: np.ndarray, halves: np.ndarray, proportional: bool) -> np.ndarray:
        """Values at the factor s of the study's size, (draws, columns), carried on to 1, by those at s / 2 unless they
        grow in proportion. Reciprocals of these, which are shares, have a mean without a bias."""
        values = 1 / values if proportional else values
        mean = values.mean(axis=0)
        expected = self._scale * mean if proportional else mean - (1 - self._scale) * (halves.mean(axis=0) - mean)
        apart = sqrt(self._scale) * (values - mean)
        return 1 / (expected * (1 + apart / mean)) if proportional else expected + apart

    def words(self, draws: int) -> str:
        samples, train, heldout = self._study
        few = f"{heldout:,} held-out examples are too few for {samples:,} samples: "
        how = (
            f"{draws} random splits of all {self.examples:,} real examples, {int(self._scale * samples):,} against "
            f"{int(self._scale * train):,}"
        )
        if self._scale < 1:
            how += f", carried on to {samples:,} against {train:,} by what half of them score"
        share = int(self._scale * samples) / self.examples
        narrow = sqrt((1 + samples / self.examples) / (1 - share))
        wide = f" and that of a distance up to {1 / sqrt(self._scale):.1f} times too wide" if self._scale < 1 else ""
        return f"{few}{how}; the interval of a mean of samples alone is {narrow:.1f} times too narrow{wide}"
