"""How far a run has come from its untrained generator towards real data, without a scale of the metric's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

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
        values: the metric, (S,).
        distances: the metric as a distance: 0 is best, smaller is better, (S,).
        real: the largest distance that real data score, the far end of the null; None if it was not measured.
    """

    metric: str
    steps: np.ndarray
    values: np.ndarray
    distances: np.ndarray
    real: float | None

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

    def learned(self, share: float) -> np.ndarray:
        """At which snapshots the generator was much nearer to real data than the untrained one, (S,) of bool.

        Args:
            share: the largest distance, as a share of the untrained generator's.
        """
        return (self.distances <= share * self.untrained) | self.as_real

    def lost(self, ratio: float, share: float) -> np.ndarray:
        """At which snapshots the generator was far worse than at its best before, (S,) of bool.

        Args:
            ratio: the least distance, as a multiple of the smallest so far.
            share: the least loss, as a share of the untrained generator's distance.
        """
        best = np.minimum.accumulate(self.distances)
        far = (self.distances >= ratio * best) & (self.distances - best >= share * self.untrained)
        return far & ~self.as_real

    @property
    def as_real(self) -> np.ndarray:
        """At which snapshots the value lies within the null, or beyond it on the better side, (S,) of bool."""
        return self.distances <= (-np.inf if self.real is None else self.real)

    def near(self, step: float) -> float:
        """The distance at the snapshot, but for the last, that is nearest to a step."""
        return float(self.distances[np.abs(self.steps[:-1] - step).argmin()])

    def improves(self, ratio: float, steps: int) -> bool:
        """Whether the last distance is the best, and at most a multiple of that at half of the steps."""
        return self.last <= self.best and self.last <= ratio * self.near(steps / 2)

    def words(self, index: int) -> str:
        """A value in words: with the metric's name, and with the null where that is known."""
        text = f"{self.metric} {self.values[index]:.4g}"
        return text if self.real is None else f"{text} ({'within' if self.as_real[index] else 'outside'} its null)"


def progress_of(
    snapshots: pd.DataFrame,
    metrics: Mapping[str, MetricInfo],
    nulls: Mapping[str, tuple[float, float]],
    modes: int | None,
) -> Progress | Unmeasured:
    """The progress by the first metric of which both the better end and its best value are known.

    A metric whose low end is best is a distance already, and values below 0, which an unbiased estimate may have, count
    as 0. Where the high end is best, the distance is that from the best value: the null's far end, the metric's upper
    bound, or for a number of modes the number that there are.

    Args:
        snapshots: the snapshots in the order of steps.
        metrics: the metrics, the leading one first.
        nulls: by metric, the interval that real data score.
        modes: number of modes that the judge tells apart.
    """
    if modes is None:
        return Unmeasured("a game without data has no generated examples")
    for name, info in metrics.items():
        if info.best == "none" or name not in snapshots:
            continue
        values = snapshots[name].to_numpy(dtype=np.float64)
        known = np.isfinite(values)
        low, high = nulls.get(name, (np.nan, np.nan))
        if info.best == "low":
            best, real = 0.0, high
        else:
            best = high if np.isfinite(high) else info.upper
            best = float(modes) if best is None and name in ("modes", "modes_fair") and modes else best
            real = None if best is None else best - low
        if best is None or known.sum() < 2 or not known[0] or not known[-1]:
            continue
        distances = np.maximum(np.abs(best - values) if info.best == "high" else values, 0.0)[known]
        steps = snapshots["step"].to_numpy()[known]
        return Progress(name, steps, values[known], distances, float(real) if np.isfinite(real) else None)
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


def relapses(progress: Progress, settings: Outcome) -> list[Relapse]:
    """The relapses of a run, in the order of steps.

    A relapse begins, after the generator had learned (`learned_share`), where its distance from real data is
    `relapsed_ratio` times the smallest before, worse by `relapsed_share` of the untrained generator's, and outside the
    null. It ends where the distance is back within `recovered_ratio` of the smallest before, or within the null.
    """
    found: list[Relapse] = []
    lost, learned = (
        progress.lost(settings.relapsed_ratio, settings.relapsed_share),
        progress.learned(settings.learned_share),
    )
    distances, index = progress.distances, 1
    while index < len(distances):
        best = int(distances[:index].argmin())
        if not (lost[index] and learned[:index].any()):
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
