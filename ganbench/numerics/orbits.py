"""How a run's parameters move from step to step, recorded and summarised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

RESOLVED = 0.05  # e-foldings over the orbit below which growth or decay is too slow to be told from none
STRAIGHT = 0.5  # least ratio of distance to length of a path that is a drift, unless it bends
BENT = 0.7  # cosine of the turn from one quarter to the next below which a path bends: half a turn in all
ENDLESS = 1.25  # a drift whose speed falls like 1 / steps^p goes on for ever if p <= 1; with a margin


@dataclass(frozen=True)
class OrbitStatistics:
    """Statistics of one run's orbit: its parameters over the last part of training, cut into quarters.

    Attributes:
        steps: number of steps of the orbit.
        before: number of steps before it.
        speed: mean length of a step in the second, the third and the last quarter.
        top_speed: the largest length of a step in all of training.
        last_speed: mean length of a step in the last hundredth of training.
        directness: distance between the ends of the last half over the length of the path between them, 0 to 1.
        bend: cosine of the angle between the displacements of the third and of the last quarter.
        noisy: whether batches differ from step to step.
        diverged: whether its parameters became non-finite before the last step.
    """

    steps: int
    before: int
    speed: tuple[float, float, float]
    top_speed: float
    last_speed: float
    directness: float
    bend: float
    noisy: bool
    diverged: bool

    @property
    def speeding(self) -> float:
        """Growth of the logarithm of the speed between the last two quarters."""
        return _log_ratio(self.speed[1], self.speed[2])

    @property
    def drifts(self) -> bool:
        """Whether the orbit is a straight drift."""
        return self.directness > STRAIGHT and self.bend > BENT

    @property
    def endless(self) -> bool:
        """Whether the orbit is a drift that never stops: one whose speed grows, or falls no faster than
        steps^-`ENDLESS`, and does so ever more slowly, as powers do, rather than at a constant rate, as on the way to a
        node."""
        if not self.drifts:
            return False
        # Middles of the quarters on the axis on which powers are straight lines.
        first, second, third = np.log(self.before + np.array([0.375, 0.625, 0.875]) * self.steps)
        if -self.speeding > ENDLESS * (third - second):
            return False
        earlier = _log_ratio(self.speed[0], self.speed[1])
        slowing = (third - second) / (second - first)  # of a power; 1 of an exponential
        return self.speeding > -RESOLVED or self.speeding > earlier * (1 + slowing) / 2


class OrbitRecorder:
    """Recorder of several runs, step by step, for `OrbitStatistics` and Lyapunov exponents.

    Args:
        count: number of steps that will be recorded.
        first: step at which the orbit begins.
        theta: the initial parameters, (members, P).
    """

    def __init__(self, count: int, first: int, theta: Tensor) -> None:
        self._count, self._first = count, first
        self._middle, self._late = first + (count - first) // 2, first + (count - first) * 3 // 4
        self._last = self._at_middle = self._at_late = theta
        self._alive = torch.ones(len(theta), dtype=torch.bool, device=theta.device)
        self._alive_at: list[Tensor] = []
        self._speeds: list[Tensor] = []
        self._rates: list[Tensor] = []
        self._arrays: tuple[np.ndarray, ...] | None = None

    def add(self, theta: Tensor, rates: Tensor) -> Tensor:
        """Record a step.

        Args:
            theta: the parameters after it, (members, P).
            rates: logarithms of the growth of distances in it, (members, exponents).

        Returns:
            Which members have had finite parameters until now, (members,), bool.
        """
        self._alive = self._alive & theta.isfinite().all(1)
        self._alive_at.append(self._alive)
        self._speeds.append((theta - self._last).norm(dim=1))
        self._rates.append(rates)
        self._last = theta
        if len(self._alive_at) == self._middle:
            self._at_middle = theta
        if len(self._alive_at) == self._late:
            self._at_late = theta
        return self._alive

    def _stacked(self) -> tuple[np.ndarray, ...]:
        if self._arrays is None:
            lists = (self._alive_at, self._speeds, self._rates)
            self._arrays = tuple(torch.stack(each, dim=1).cpu().numpy() for each in lists)
        return self._arrays

    def growth(self, k: int) -> np.ndarray:
        """Logarithms of growth of one member.

        Args:
            k: index of the member.

        Returns:
            (steps, exponents), up to the step at which the run or a perturbed copy became non-finite; -inf for a
            distance that fell to 0.
        """
        alive_at, _, rates = self._stacked()
        good = alive_at[k] & (rates[k] < np.inf).all(1)
        return rates[k, : len(good) if good.all() else int(good.argmin())]

    def orbit(self, k: int, noisy: bool) -> OrbitStatistics:
        """The statistics of one member's orbit.

        Args:
            k: index of the member.
            noisy: whether batches differ from step to step.
        """
        alive_at, speeds, _ = self._stacked()
        own, steps = speeds[k], self._count - self._first
        if len(own) < self._count or not alive_at[k].all():
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
            diverged=False,
        )


def _log_ratio(first: float, second: float) -> float:
    if first == second:
        return 0.0
    return float(np.log(second / first)) if first > 0 and second > 0 else float(np.inf if second > 0 else -np.inf)
