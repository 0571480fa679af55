"""What was recorded of one run, as detectors read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ganbench.analysis.outcomes._learning import Progress, Unmeasured, progress_of
from ganbench.core.metric_info import MetricInfo
from ganbench.study.sections import Outcome

QUALITY = "high_quality"  # the column of the metric `mode_coverage` on examples that the judge is confident of
DIVERSITY = "diversity"  # the column of the metric of that name
GOOD_SHARE = 0.5  # of the examples, from which on a run draws good ones


class Finding(NamedTuple):
    """One outcome that holds for a run.

    Attributes:
        outcome: name of the outcome.
        onset: training step since which it holds, or at which it was first seen.
        evidence: the measurement that shows it, a clause with its numbers.
        confidence: from 0.5, where a threshold is just met, towards 1 far beyond it, by `margin`; less where only
            indirect evidence was recorded. It orders findings and is no probability.
    """

    outcome: str
    onset: int
    evidence: str
    confidence: float


@dataclass(frozen=True)
class Series:
    """A recorded series in bins of steps, each array of shape (bins,), from the first bin to the last finite one."""

    first: np.ndarray  # first step of the bin, counted from 1
    last: np.ndarray
    low: np.ndarray
    mean: np.ndarray
    high: np.ndarray

    @property
    def width(self) -> float:
        """The usual number of steps in a bin."""
        return float(np.median(self.last - self.first + 1))

    def late(self, share: float, steps: int) -> np.ndarray:
        """Which bins end in the last share of all steps that were asked for, (bins,) of bool."""
        return self.last > (1 - share) * steps

    def early(self, share: float) -> np.ndarray:
        """Which bins lie in the first share of the steps that were recorded, the first bin at least."""
        found = self.last <= share * self.last[-1]
        found[0] = True
        return found

    def since(self, holds: np.ndarray) -> int | None:
        """The first step of the unbroken stretch at the end in which a condition holds; None if it ends before."""
        if not len(holds) or not holds[-1]:
            return None
        broken = np.flatnonzero(~holds)
        return int(self.first[broken[-1] + 1 if len(broken) else 0])


@dataclass(frozen=True, kw_only=True)
class RunEvidence:
    """What is known of one run.

    Attributes:
        steps: number of training steps asked for; of a run that was stopped early, those that it was trained for.
        settings: the thresholds, the study's section `outcome`.
        diverged: step and cause, if the engine found a value that is not finite; otherwise None.
        initial_norms: by player, the norm of its parameters before the first step.
        curves: the run's rows of the table `curves`: a data frame, or its columns by name.
        snapshots: its rows of the table `snapshots`, with `step` and the metrics' columns, in the order of steps: a
            data frame, or its columns by name.
        metrics: the meanings of these columns, the primary metric first.
        modes: number of modes that the judge tells apart, 0 if it tells none; None for a game without data.
        probabilities: whether the recorded outputs are probabilities of being real, and not scores of a critic.
        knows_noise: whether the judge is confident of real-looking examples alone; a classifier is not.
        nulls: by metric, the interval that real data score at this number of examples; None if it was not measured.
        noise: by metric, what as many examples of noise score, where that was measured.
        stopped: what the run was stopped early for; otherwise None.
    """

    steps: int
    settings: Outcome
    diverged: tuple[int, str] | None
    initial_norms: Mapping[str, float]
    curves: Mapping[str, ArrayLike]
    snapshots: Mapping[str, ArrayLike]
    metrics: Mapping[str, MetricInfo] = field(default_factory=dict)
    modes: int | None
    probabilities: bool = True
    knows_noise: bool = False
    nulls: Mapping[str, tuple[float, float]] | None = None
    noise: Mapping[str, float] = field(default_factory=dict)
    stopped: Finding | None = None

    @property
    def cut_short(self) -> bool:
        """Whether the run ended before its last step: it diverged, or was stopped."""
        return self.diverged is not None or self.stopped is not None

    @property
    def has_data(self) -> bool:
        """Whether the run trains networks on data; the other games are of a few numbers."""
        return self.modes is not None

    @property
    def players(self) -> tuple[str, ...]:
        """Names of the players."""
        return tuple(self.initial_norms)

    @cached_property
    def series(self) -> dict[str, Series]:
        """The recorded series by name, all cut before the first bin in which a value of any is not finite."""
        # As arrays, since a run in training is checked again and again, and pandas would take most of the time.
        names = np.asarray(self.curves["series"])
        columns = [np.asarray(self.curves[name]) for name in ("first_step", "last_step", "min", "mean", "max")]
        finite = np.isfinite(np.stack(columns[2:]).astype(np.float64)).all(axis=0)
        broken = columns[0][~finite]
        end = broken.min() if len(broken) else np.inf
        found = {}
        for name in sorted(set(names)):
            rows = np.flatnonzero((names == name) & (columns[0] < end))
            rows = rows[np.argsort(columns[0][rows], kind="stable")]
            if len(rows):
                found[name] = Series(*(column[rows] for column in columns))
        return found

    @cached_property
    def snapshot_steps(self) -> np.ndarray:
        """Steps of the snapshots, (snapshots,)."""
        return np.asarray(self.snapshots["step"])

    def metric(self, name: str) -> np.ndarray:
        """A metric at the snapshots, (snapshots,), float64."""
        return np.asarray(self.snapshots[name], dtype=np.float64)

    @cached_property
    def progress(self) -> Progress | Unmeasured:
        """How far the primary metric has come from the untrained generator towards real data."""
        nulls = self.nulls or {}
        return progress_of(self.snapshots, self.metrics, nulls, self.modes, noise=self.noise, ended=self.cut_short)

    @cached_property
    def learned(self) -> np.ndarray | None:
        """At which snapshots the examples were good, (snapshots,) of bool; None where that was not measured.

        Near to real data by the primary metric, or of high quality by a judge that knows noise when it sees it.
        """
        known, good = False, np.zeros(len(self.snapshot_steps), dtype=bool)
        if isinstance(self.progress, Progress):
            known, near = True, self.progress.learned(self.settings.learned_share)
            good |= np.isin(self.snapshot_steps, self.progress.steps[near])
        if self.knows_noise and QUALITY in self.snapshots:
            known, good = True, good | (self.metric(QUALITY) >= GOOD_SHARE)
        return good if known else None

    def learned_at(self, steps: np.ndarray) -> np.ndarray:
        """Whether the examples were known to be good at these snapshots, of the shape of `steps`, bool."""
        if self.learned is None:
            return np.zeros(len(steps), dtype=bool)
        return np.isin(steps, self.snapshot_steps[self.learned])

    def had_learned_at(self, steps: np.ndarray) -> np.ndarray:
        """Whether the examples were known to be good at these snapshots or before, of the shape of `steps`, bool."""
        if self.learned is None or not self.learned.any():
            return np.zeros(len(steps), dtype=bool)
        return steps >= self.snapshot_steps[self.learned.argmax()]

    def alike_at(self, steps: np.ndarray) -> np.ndarray:
        """Whether the examples were known to be all but one and the same at these snapshots, of the shape of `steps`,
        bool; by `alike_diversity`."""
        measured = self.measured(DIVERSITY)
        if isinstance(measured, str):
            return np.zeros(len(steps), dtype=bool)
        known, diversity = measured
        return np.isin(steps, known[diversity <= self.settings.alike_diversity])

    @property
    def last_step(self) -> int:
        """The step that the run reached: its last one, or that at which it diverged."""
        return self.steps if self.diverged is None else self.diverged[0]

    def measured(self, *columns: str) -> tuple[np.ndarray, ...] | str:
        """Metrics at the snapshots that have a finite value of each, the last one among them in a run that was not cut
        short.

        Args:
            *columns: names of the metrics.

        Returns:
            The steps, then the values of each metric, all of shape (snapshots,); or why there are none, as a clause.
        """
        missing = [column for column in columns if column not in self.snapshots]
        if missing:
            return f"{missing[0]} was not measured"
        if not len(self.snapshot_steps):
            return "no snapshot was evaluated"
        values = [self.metric(column) for column in columns]
        kept = np.isfinite(values).all(axis=0)
        if not kept.any() or not (kept[-1] or self.cut_short):
            return f"{columns[0]} has no value at the last snapshot"
        return (self.snapshot_steps[kept], *(each[kept] for each in values))


def onset_of(steps: np.ndarray, holds: np.ndarray) -> int:
    """The first of the steps of the unbroken stretch at the end in which a condition holds; the last step if none."""
    broken = np.flatnonzero(~holds)
    return int(steps[min(broken[-1] + 1, len(steps) - 1) if len(broken) else 0])


STEP = 1.5  # how much less variance a step must leave than a straight line, as a factor, to date an onset by it
STEP_BINS = 8  # in fewer bins of a window, chance makes steps
LEFT = 1e-3  # of a series' variance, which is added to what is left: a step without noise leaves nothing
SHOWING = ("real_output", "fake_output", "generator_gradient_norm", "generator_loss")


def dense_onset(run: RunEvidence, steps: np.ndarray, onset: int) -> int:
    """Date an onset that snapshots show by the recorded series, which have a value for every few steps.

    Between the snapshot before and the snapshot of the onset, the series (asinh of outputs, and of the generator's
    gradient and loss) are split in two stretches of constant means by least squares, at the bin that leaves the least
    variance; in the geometric mean over the series, since not all show a failure. The onset is the first step of the
    second stretch if a straight line leaves at least `STEP` times as much. Otherwise, and in fewer than `STEP_BINS`
    bins, it is that of the snapshot: whatever drifts would be split in the middle, and explained to three quarters.

    In windows of 8 to 50 bins of four series, a step is seen in at most 1% with a common drift, 4% with an exponential
    one, and 6% of random walks or autoregressive noise (0.9 from bin to bin), most of them of 8 bins; and in 95% or
    more, at the right bin or beside it, where all four change by four standard deviations, or two by six.

    Args:
        run: the run.
        steps: steps of the snapshots, (S,).
        onset: one of them.
    """
    before = steps[steps < onset].max(initial=0)
    rows = [run.series[name] for name in SHOWING if name in run.series]
    if not rows:
        return onset
    inside = (rows[0].last > before) & (rows[0].last <= onset)
    if inside.sum() < STEP_BINS:
        return onset
    values = np.stack([np.arcsinh(series.mean[inside]) for series in rows if len(series.mean) == len(inside)], axis=1)
    spread = values.std(axis=0)
    values = (values[:, spread > 0] - values[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    if not values.shape[1]:
        return onset
    bins, count = np.arange(len(values)), np.arange(1, len(values))[:, None]
    sums = values.cumsum(axis=0)[:-1]  # of the first stretch; the second has their negatives, since all sum to 0
    step = sums**2 * (1 / count + 1 / (len(values) - count)) / len(values)
    line = ((bins - bins.mean()) / bins.std() @ values / len(values)) ** 2
    left_by_step, left_by_line = (np.log(1 - explained + LEFT).mean(axis=-1) for explained in (step, line))
    split = int(left_by_step.argmin())
    found = left_by_line - left_by_step[split] >= np.log(STEP)
    return int(rows[0].first[inside][split + 1]) if found else onset
