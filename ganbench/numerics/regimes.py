"""What a trajectory does in the long run, from how fast its neighbours leave it and how it moves itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

FIXED_POINT, CYCLE, CHAOS, RUN_OFF = 0, 1, 2, 3

STOPPED = 1e-9  # speed at the end, of the largest ever, below which a run has arrived
RESOLVED = 0.05  # e-foldings over the part looked at below which growth or decay is too slow to be told from none
CERTAIN = 3.0  # e-foldings that neighbours must have gained, or lost, for it to decide by itself
STRAIGHT = 0.5  # distance over length from which on a path is a drift, unless it bends
BENT = 0.7  # cosine of the turn from one quarter to the next below which it does: half a turn in all, a part of a cycle
ENDLESS = 1.25  # a drift whose speed falls like 1 / steps^p goes on for ever if p <= 1; with a margin


@dataclass(frozen=True)
class OrbitStatistics:
    """How one run moved over the part of its training that is looked at, cut into quarters.

    Args:
        steps: in that part.
        before: steps before it.
        speed: mean distance of a step in the second, the third and the last quarter.
        top_speed: the largest distance of a step ever.
        last_speed: the mean over the last hundredth.
        directness: distance between the ends of the last half over the length of the path between.
        bend: cosine of the angle between the way of the third quarter and that of the last.
        noisy: whether batches differ from step to step.
        left: whether it ended before its time, by numbers that are none.
    """

    steps: int
    before: int
    speed: tuple[float, float, float]
    top_speed: float
    last_speed: float
    directness: float
    bend: float
    noisy: bool
    left: bool

    @property
    def speeding(self) -> float:
        """Growth of the logarithm of the speed between the last two quarters."""
        return _log_ratio(self.speed[1], self.speed[2])

    @property
    def drifts(self) -> bool:
        """Whether this is a straight way."""
        return self.directness > STRAIGHT and self.bend > BENT

    @property
    def endless(self) -> bool:
        """Whether this is a drift that never stops: one whose speed grows, or falls no faster than steps^-`ENDLESS`,
        and does so ever more slowly, as powers do, rather than at a constant rate, as on the way to a node."""
        if not self.drifts:
            return False
        # Middles of the quarters on the axis on which powers are straight lines.
        first, second, third = np.log(self.before + np.array([0.375, 0.625, 0.875]) * self.steps)
        if -self.speeding > ENDLESS * (third - second):
            return False
        earlier = _log_ratio(self.speed[0], self.speed[1])
        slowing = (third - second) / (second - first)  # of a power; 1 of an exponential
        return self.speeding > -RESOLVED or self.speeding > earlier * (1 + slowing) / 2


def regime(orbit: OrbitStatistics, largest: float, low: float, high: float) -> int:
    """Where a run is going: 0 a fixed point, 1 a cycle, 2 chaos, 3 off to infinity.

    In this order:

    1. It left the numbers: run-off. It stands still, or moves `STOPPED` times its top speed: fixed point.
    2. The neighbours' exponent is positive and the speed grows at half its rate or more, so that the run is leaving as
       they are (a saddle, an unstable focus): run-off. Negative, and the speed falls at half its rate or more: fixed
       point. Both only if neighbours gained or lost `RESOLVED` e-foldings, and the latter, unless they lost `CERTAIN`,
       only if this is no endless drift: on one, neighbours in line meet as their speed falls.
    3. A drift (`STRAIGHT` and not `BENT`) is a run-off if endless, else on its way to a fixed point.
    4. It comes back, at a steady speed: chaos if the exponent is positive and neighbours gained `CERTAIN` e-foldings; a
       fixed point blurred by noise if they lost as many and batches differ; else a cycle, be it neutral (exponent 0) or
       an attracting one of a map.

    Args:
        orbit: of the run.
        largest, low, high: its largest exponent per step, with its interval.
    """
    gained = largest * orbit.steps
    quarter = gained / 4  # what the speed would gain from one quarter to the next, if it grew as distances do
    if orbit.left:
        return RUN_OFF
    if orbit.top_speed == 0 or orbit.last_speed <= STOPPED * orbit.top_speed:
        return FIXED_POINT
    if low > 0 and gained > RESOLVED and orbit.speeding >= quarter / 2:
        return RUN_OFF
    meeting = high < 0 and gained < -RESOLVED and orbit.speeding <= quarter / 2
    if meeting and (gained < -CERTAIN or not orbit.endless):
        return FIXED_POINT
    if orbit.drifts:
        return RUN_OFF if orbit.endless else FIXED_POINT
    if low > 0 and gained > CERTAIN:
        return CHAOS
    if high < 0 and gained < -CERTAIN and orbit.noisy:
        return FIXED_POINT
    return CYCLE


class Track:
    """What is kept of the runs, (members, ...) at every step."""

    def __init__(self, count: int, first: int, theta: Tensor) -> None:
        self._count, self._first = count, first
        self._middle, self._late = first + (count - first) // 2, first + (count - first) * 3 // 4
        self._last = self._at_middle = self._at_late = theta
        self._alive = torch.ones(len(theta), dtype=torch.bool, device=theta.device)
        self._lives: list[Tensor] = []
        self._speeds: list[Tensor] = []
        self._rates: list[Tensor] = []
        self._arrays: tuple[np.ndarray, ...] | None = None

    def add(self, theta: Tensor, rates: Tensor) -> Tensor:
        """Where a step led (members, P), and the logarithms of growth (members, exponents); who is still there."""
        self._alive = self._alive & theta.isfinite().all(1)
        self._lives.append(self._alive)
        self._speeds.append((theta - self._last).norm(dim=1))
        self._rates.append(rates)
        self._last = theta
        if len(self._lives) == self._middle:
            self._at_middle = theta
        if len(self._lives) == self._late:
            self._at_late = theta
        return self._alive

    def _stacked(self) -> tuple[np.ndarray, ...]:
        if self._arrays is None:
            lists = (self._lives, self._speeds, self._rates)
            self._arrays = tuple(torch.stack(each, dim=1).cpu().numpy() for each in lists)
        return self._arrays

    def known(self, k: int) -> np.ndarray:
        """Growth (steps, exponents) up to where the run, or a shadow, left the numbers."""
        lives, _, rates = self._stacked()
        good = lives[k] & np.isfinite(rates[k]).all(1)
        return rates[k, : len(good) if good.all() else int(good.argmin())]

    def orbit(self, k: int, noisy: bool) -> OrbitStatistics:
        lives, speeds, _ = self._stacked()
        own, steps = speeds[k], self._count - self._first
        if len(own) < self._count or not lives[k].all():
            nan = float("nan")
            return OrbitStatistics(steps, self._first, (nan, nan, nan), nan, nan, nan, nan, noisy, True)
        quarters = np.array_split(own[self._first :], 4)[1:]
        along = own[self._middle :].sum()
        across = float((self._last[k] - self._at_middle[k]).norm())
        ways = self._at_late[k] - self._at_middle[k], self._last[k] - self._at_late[k]
        return OrbitStatistics(
            steps=steps,
            before=self._first,
            speed=tuple(float(part.mean()) if len(part) else 0.0 for part in quarters),
            top_speed=float(own.max()),
            last_speed=float(own[-max(1, len(own) // 100) :].mean()),
            directness=across / along if along > 0 else float("nan"),
            bend=float(torch.nn.functional.cosine_similarity(*ways, dim=0)),
            noisy=noisy,
            left=False,
        )


def _log_ratio(first: float, second: float) -> float:
    if first == second:
        return 0.0
    return float(np.log(second / first)) if first > 0 and second > 0 else float(np.inf if second > 0 else -np.inf)
