"""Whether a game of a few numbers approaches its equilibrium, leaves it, or circles it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganbench.analysis.outcomes._run import RunEvidence

MIN_BINS = 8  # fewer bins show no trend
DIFFERENT = 1.03  # a factor between the quarters that is more than rounding and the phase of a turn
TOO_FEW = f"the run has too few bins of steps, fewer than {MIN_BINS}"
GONE = 1e-9  # a gradient of this share of the first is rounding


@dataclass(frozen=True)
class GameTrend:
    """What the norms of both players together did.

    Attributes:
        half: first step of the second half.
        gradient_share: the norm of the gradients in the last quarter, over that in the first bin.
        gradient_change: the largest norm of the gradients in the last quarter, over that in the third. Orbits are no
            circles, and a quarter need not hold whole turns: the largest norm of a turn is the same at each.
        rises, falls: whether the largest and the median norm of the gradients both rise, or fall, from the second
        quarter
            to the third and to the last, as the phase of a turn does by chance only.
        norm_growth: the norm of the parameters in the last bin, over the initial one; 1 if that is zero.
        norm_change: the largest norm of the parameters in the last quarter, over that in the third.
        norm_onset: first step since which `norm_growth` exceeds its threshold, or the last step.
        gradient_spread, norm_spread: the largest norm of the gradients, or of the parameters, in the last three
            quarters, each quarter's over the smallest such. Players on an orbit come back to the same norms, which
            those of noise do not.
    """

    half: int
    gradient_share: float
    gradient_change: float
    rises: bool
    falls: bool
    norm_growth: float
    norm_change: float
    norm_onset: int
    gradient_spread: float
    norm_spread: float

    @property
    def grows(self) -> bool:
        """Whether gradients and parameters both grow: the players move away from where neither would move."""
        return self.rises and self.gradient_change > DIFFERENT and self.norm_change > DIFFERENT

    @property
    def shrinks(self) -> bool:
        """Whether the gradients still fall."""
        return self.falls and self.gradient_change < 1 / DIFFERENT

    @property
    def confidence(self) -> float:
        """By how far the change of the gradients is from none: 0.5 at `DIFFERENT`, 0.95 at twofold."""
        return 1 - 0.5 * min(np.log(DIFFERENT) / max(abs(np.log(max(self.gradient_change, 1e-300))), 1e-12), 1.0)


def trend_of(run: RunEvidence) -> GameTrend | None:
    """The trend of a run; None where it has too few bins to show one."""
    names = [f"{player}_{what}" for what in ("gradient_norm", "parameter_norm") for player in run.players]
    if any(name not in run.series for name in names) or len(run.series[names[0]].mean) < MIN_BINS:
        return None
    series = run.series[names[0]]
    of_gradients, of_parameters = names[: len(run.players)], names[len(run.players) :]
    gradients, norms = (_joint([run.series[name].mean for name in each]) for each in (of_gradients, of_parameters))
    half, quarter = len(norms) // 2, len(norms) - len(norms) // 4
    quarters = slice(len(norms) // 4, half), slice(half, quarter), slice(quarter, None)
    parts = [gradients[each] for each in quarters]
    # By the largest norms within bins: means over bins of many steps are alike, of noise and of orbits.
    gradient_spread, norm_spread = (
        _spread([joint[each].max() for each in quarters])
        for joint in (_joint([run.series[name].high for name in each]) for each in (of_gradients, of_parameters))
    )
    courses = np.array([[part.max() for part in parts], [np.median(part) for part in parts]])
    start = float(np.sqrt(sum(norm**2 for norm in run.initial_norms.values())))
    beyond = norms >= run.settings.norm_growth * start
    last, onset = int(series.last[-1]), series.since(beyond)
    return GameTrend(
        half=int(series.first[half]),
        gradient_share=_ratio(np.median(gradients[quarter:]), gradients[0]) if gradients[0] > 0 else 0.0,
        gradient_change=_ratio(gradients[quarter:].max(), gradients[half:quarter].max()),
        rises=bool((np.diff(courses, axis=1) > 0).all()),
        falls=bool((np.diff(courses, axis=1) < 0).all()),
        norm_growth=_ratio(norms[-1], start),
        norm_change=_ratio(norms[quarter:].max(), norms[half:quarter].max()),
        norm_onset=last if onset is None else onset,
        gradient_spread=gradient_spread,
        norm_spread=norm_spread,
    )


def _joint(norms: list[np.ndarray]) -> np.ndarray:
    return np.sqrt(np.sum(np.square(norms), axis=0))


def _ratio(value: float, base: float) -> float:
    """A ratio; 1 where both are zero, or where there is no base to grow from."""
    return float(value / base) if base > 0 else 1.0


def _spread(values: list[float]) -> float:
    """The largest of values over the smallest."""
    return float(max(values) / max(min(values), 1e-300))
