"""Iterate averaging: snapshots keep the mean of the iterates of other dynamics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from ganbench.core.interval import Interval
from ganbench.dynamics import Dynamics, Optimizer, States, StepResult
from ganbench.dynamics._steps import clock, inner_step
from ganbench.games import Batch, LearningRates, Match, Players


@dataclass(frozen=True)
class Averaging(Dynamics):
    """The iterates come from the `inner` dynamics. A `uniform` mean is (theta_1 + ... + theta_t) / t, an `exponential`
    one mean <- decay mean + (1 - decay) theta, from theta_0 on (both as in Yazici et al. 2019). Before the first step
    both means are the start.
    """

    inner: Literal["simultaneous", "alternating"] = "alternating"
    """Dynamics by which the iterates move."""
    kind: Literal["uniform", "exponential"] = "uniform"
    """Mean of the iterates: of all with equal weights, or with weights that fall exponentially with their age."""
    decay: Annotated[float, Interval(ge=0, lt=1)] = 0.999
    """Decay rate of the exponential mean, the share of it that a step keeps."""

    gradients_per_move: ClassVar[int] = 2

    def init(self, match: Match, players: Players, optimizer: Optimizer) -> States:
        return super().init(match, players, optimizer) | {"average": dict(players), "clock": clock(players)}

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        result = inner_step(self.inner, match, players, states, batches[0], optimizer, rates)
        steps = states["clock"]["steps"] + 1
        average = {}
        for name, mean in states["average"].items():
            share = 1 / steps.to(mean.dtype) if self.kind == "uniform" else 1 - self.decay
            average[name] = mean + share * (result.players[name] - mean)
        return StepResult(result.players, result.states | {"average": average, "clock": {"steps": steps}}, result.aux)

    def snapshot(self, players: Players, states: States) -> Players:
        return states["average"]
