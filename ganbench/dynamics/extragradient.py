"""Extragradient (Korpelevich 1976): step along the gradient at the end of a trial step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from ganbench.core.interval import Interval
from ganbench.dynamics import (
    Dynamics,
    Optimizer,
    States,
    StepResult,
    apply_gradients,
    record,
    scaled,
    simultaneous_gradient,
)
from ganbench.games import Batch, LearningRates, Match, Players


@dataclass(frozen=True)
class Extragradient(Dynamics):
    """theta' = theta - extrapolation rate F(theta); theta <- theta - rate F(theta'), both by the optimizer."""

    extrapolation: Annotated[float, Interval(ge=0)] = 1.0
    """Learning rate of the step to theta', in multiples of that of the step from theta; 0 does not look ahead."""
    moments: Literal["both", "update"] = "both"
    """Gradients that enter the optimizer's state. With 'both', F(theta) does and then F(theta'): with Adam that is
    ExtraAdam (Gidel et al. 2019, algorithm 4), whose state counts two steps. With 'update', F(theta') alone does; an
    `extrapolation` of 0 is then simultaneous descent. For an optimizer without state both are the same."""

    batches_per_move: ClassVar[int] = 2
    gradients_per_move: ClassVar[int] = 4

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        here = simultaneous_gradient(match, players, batches[0])
        trial_rates = scaled(rates, self.extrapolation)
        ahead, seen = apply_gradients(match, players, states, here.gradients, optimizer, trial_rates)
        there = simultaneous_gradient(match, ahead, batches[1])
        kept = seen if self.moments == "both" else states
        return StepResult(*apply_gradients(match, players, kept, there.gradients, optimizer, rates), record(here))
