"""How far a run has come from its untrained generator, and from noise, towards real data, without a scale of the
metric's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ganbench.analysis.noise import telling_metric, tells_noise
from ganbench.core.metric_info import MetricInfo
from ganbench.study.sections import Outcome


@dataclass(frozen=True)
class Unmeasured:
    """Why nothing is known of a run's progress, as a clause."""

    reason: str


@dataclass(frozen=True)
class Progress:
    """The distance of a run's generator from real data, by one metric, at the snapshots that have a value.

    Attributes:
        metric: name of the metric.
        steps: steps of the snapshots, (S,).
        values: the metric, (S,); of more than `MEDIAN_SNAPSHOTS` snapshots its running median, as `distances`.
        distances: the metric as a distance: 0 is best, smaller is better, (S,). See `running_median`.
        best_end: which end of the metric is best, "low" or "high".
        null: the interval of the values that real data score; None if it was not measured.
        real: the largest distance that real data score, the far end of the null; None if it was not measured.
        noise: the distance of noise, independent numbers with the means and variances of the data; None if it was not
            measured, or the metric does not tell noise from real data.
    """

    metric: str
    steps: np.ndarray
    values: np.ndarray
    distances: np.ndarray
    best_end: str
    null: tuple[float, float] | None
    real: float | None
    noise: float | None = None

    @property
    def name(self) -> str:
        """What the values are, in words."""
        return f"running median of {self.metric}" if len(self.values) > MEDIAN_SNAPSHOTS else self.metric

    @property
    def untrained(self) -> float:
        """The distance of the untrained generator."""
        return float(self.distances[0])

    @property
    def best(self) -> float:
        """The smallest distance of all snapshots."""
        return float(self.distances.min())

    @property
    def last(self) -> float:
        """The distance at the last snapshot."""
        return float(self.distances[-1])

    def threshold(self, share: float) -> float:
        """The largest distance that counts as learned: a share of the untrained generator's, or the distance of noise
        where that is less.

        An untrained generator may be arbitrarily far from real data, as one that draws a single grey image is from
        photographs by the features of a network; then any texture would be near in comparison.

        Args:
            share: of the untrained generator's distance.
        """
        return min(share * self.untrained, np.inf if self.noise is None else self.noise)

    def learned(self, share: float) -> np.ndarray:
        """At which snapshots the generator was much nearer to real data than the untrained one, and nearer than noise,
        (S,) of bool.

        Args:
            share: the largest distance, as a share of the untrained generator's.
        """
        return (self.distances <= self.threshold(share)) | self.as_real

    def lost(self, ratio: float, least: float) -> np.ndarray:
        """At which snapshots the generator was far worse than at its best before, (S,) of bool.

        Args:
            ratio: the least distance, as a multiple of the smallest so far.
            least: the least loss of distance.
        """
        best = np.minimum.accumulate(self.distances)
        far = (self.distances >= ratio * best) & (self.distances - best >= least)
        return far & ~self.as_real

    @property
    def as_real(self) -> np.ndarray:
        """At which snapshots the examples have arrived, (S,) of bool: the value lies within the null, or beyond it on
        the better side, or the distance is 0, the best that there is."""
        return self.distances <= (0.0 if self.real is None else max(self.real, 0.0))

    def improves(self, ratio: float, steps: int) -> bool | None:
        """Whether the last distance is the best, and at most a multiple of the best until half of the steps. One value
        at half would do for a steady course, and would make an improvement of noise.

        Returns:
            None where the last distance is the best, and no snapshot lies about half of the steps.
        """
        if self.last > self.best:
            return False
        before = self.best_by_half(steps)
        return None if before is None else self.last <= ratio * before

    def best_by_half(self, steps: int) -> float | None:
        """The smallest distance until about half of the steps; None if no snapshot lies there."""
        at = near_half(self.steps, steps)
        return None if at is None else float(self.distances[: at + 1].min())

    def words(self, index: int) -> str:
        """A value in words: with its name, and with the null where that is known."""
        value = self.values[index]
        text = f"{self.name} {value:.4g}"
        if self.null is None:
            return text
        low, high = self.null
        beyond = value > high if self.best_end == "high" else value < low
        where = "better than" if beyond else "within" if self.as_real[index] else "outside"
        return f"{text} ({where} its null)"

    def standing(self, distance: float) -> str:
        """A distance in words, beside those of the untrained generator and of noise."""
        text = f"{distance / self.untrained:.2g} of the untrained generator's distance"
        return text if self.noise is None else f"{text} and {distance / self.noise:.2g} of that of noise"


NO_HALF = "no snapshot lies between a quarter and three quarters of the steps"


MEDIAN_SNAPSHOTS = 16  # of so many intervals between snapshots, one on each side enters a median


def running_median(values: np.ndarray) -> np.ndarray:
    """The medians of values over an eighth of the snapshots, that of the untrained generator apart.

    The best of many snapshots is better than the best of few, also of a generator that no longer changes: by single
    values a run would be the likelier to relapse, the more often one looks. Of constant quality that fluctuates by 20%
    (log-normal) 81% of runs relapsed at 101 snapshots, and none at 9. Up to 16 snapshots are taken as they are, and of
    more the medians: at a fluctuation of 20% at most 0.2% of runs relapse and 4% forget, at 25% 2% and 15%, which are
    those of 13 snapshots; from 17 on at most 3% forget, and what lasts for a sixteenth of the snapshots or less is not
    seen.

    Args:
        values: at the snapshots, a metric or its distances, shape (S,).

    Returns:
        The medians, shape (S,); at either end, over the snapshots that there are.
    """
    reach = (len(values) - 1) // MEDIAN_SNAPSHOTS
    windows = [values[max(1, index - reach) : index + reach + 1] for index in range(1, len(values))]
    return np.array([values[0], *map(np.median, windows)])


def near_half(steps: np.ndarray, total: int) -> int | None:
    """The snapshot that stands for half of the steps.

    Args:
        steps: steps of the snapshots, (S,).
        total: number of steps asked for.

    Returns:
        Index of the nearest one between a quarter and three quarters of the steps, other than the last; None if there
        is none.
    """
    nearest = int(np.abs(steps[:-1] - total / 2).argmin())
    return nearest if total / 4 <= steps[nearest] <= 3 * total / 4 else None


def progress_of(
    snapshots: Mapping[str, ArrayLike],
    metrics: Mapping[str, MetricInfo],
    nulls: Mapping[str, tuple[float, float]],
    modes: int | None,
    *,
    noise: Mapping[str, float],
    ended: bool = False,
) -> Progress | Unmeasured:
    """The progress by the primary metric of those of which both the better end and its best value are known.

    A metric whose low end is best is a distance already, and values below 0, which an unbiased estimate may have, count
    as 0. Where the high end is best, the distance is that from the best value: the null's far end, the metric's upper
    bound, or for a number of modes the number that there are; values beyond it are as good, and count as 0 too. A
    metric by which the untrained generator is at no distance from real data is passed over, since nothing can be
    learned by it, and so may be one that does not tell noise from real data, see `telling_metric`. Noise is a measure
    where it is told.

    Args:
        snapshots: the snapshots in the order of steps: a data frame, or its columns by name.
        metrics: the metrics, the primary one first.
        nulls: by metric, the interval that real data score.
        modes: number of modes that the judge tells apart.
        noise: by metric, what noise scores.
        ended: whether the run ended before its last step. What was measured last then stands for the end.
    """
    if modes is None:
        return Unmeasured("a game without data has no generated examples")
    best_at_once, found, told = None, {}, {}
    for name, info in metrics.items():
        if info.best == "none" or name not in snapshots:
            continue
        values = np.asarray(snapshots[name], dtype=np.float64)
        known = np.isfinite(values)
        low, high = nulls.get(name, (np.nan, np.nan))
        if info.best == "low":
            best, real = 0.0, high
        else:
            best = high if np.isfinite(high) else info.upper
            best = float(modes) if best is None and name in ("modes", "modes_covered") and modes else best
            real = None if best is None else best - low
        if best is None or known.sum() < 2 or not known[0] or not (known[-1] or ended):
            continue
        every = np.append(values, noise.get(name, np.nan))
        *distances, of_noise = np.maximum(best - every if info.best == "high" else every, 0.0)
        distances = running_median(np.array(distances)[known])
        if not distances[0] > 0:
            best_at_once = name
            continue
        steps = np.asarray(snapshots["step"])[known]
        null, real = ((float(low), float(high)), float(real)) if np.isfinite(real) else (None, None)
        told[name] = tells_noise(info, null, noise.get(name, np.nan))
        measure = float(of_noise) if told[name] is not False and of_noise > 0 else None
        found[name] = Progress(
            name, steps, running_median(values[known]), distances, info.best, null, real, noise=measure
        )
    if found:
        return found[telling_metric(told)]
    if best_at_once is not None:
        return Unmeasured(f"the untrained generator has the best {best_at_once} that there is")
    return Unmeasured("no metric with a better end has values at the first and the last snapshot")


@dataclass(frozen=True)
class Relapse:
    """A stretch of snapshots at which a generator was far worse than before.

    Attributes:
        start: index of its first snapshot.
        end: index of the first snapshot that has recovered; None for a relapse that lasts to the end.
        best: index of the best snapshot before.
        worst: its largest distance, as a multiple of that of the best snapshot before.
    """

    start: int
    end: int | None
    best: int
    worst: float


def lost_again(progress: Progress, learned: np.ndarray, settings: Outcome) -> np.ndarray:
    """At which snapshots a generator that had learned before was far worse than at its best, (S,) of bool.

    Args:
        progress: its progress.
        learned: whether it had learned at a snapshot or before, (S,) of bool.
        settings: the thresholds.
    """
    before = np.r_[False, learned[:-1]]
    least = min(settings.relapsed_share * progress.untrained, progress.threshold(settings.learned_share))
    return before & progress.lost(settings.relapsed_ratio, least)


def relapses(progress: Progress, learned: np.ndarray, settings: Outcome) -> list[Relapse]:
    """The relapses of a run, in the order of steps.

    A relapse begins, after the generator had learned, where its distance from real data is `relapsed_ratio` times the
    smallest before, worse by `relapsed_share` of the untrained generator's or by the largest that counts as learned,
    and outside the null. It ends where the distance is back within `recovered_ratio` of the smallest before, or within
    the null.

    Args:
        progress: the progress of the run.
        learned: whether the generator had learned at a snapshot or before, (S,) of bool.
        settings: the thresholds.
    """
    found: list[Relapse] = []
    lost = lost_again(progress, learned, settings)
    distances, index = progress.distances, 1
    while index < len(distances):
        best = int(distances[:index].argmin())
        if not lost[index]:
            index += 1
            continue
        near = (distances[index:] <= settings.recovered_ratio * distances[best]) | progress.as_real[index:]
        end = index + int(near.argmax()) if near.any() else None
        worst = float(distances[index:end].max() / max(distances[best], 1e-12))
        found.append(Relapse(index, end, best, worst))
        if end is None:
            break
        index = end + 1
    return found
