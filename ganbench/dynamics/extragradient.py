"""Extragradient (Korpelevich 1976): step along the gradient at the end of a trial step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.dynamics import Dynamics, Optimizer, States, StepResult, apply_gradients, record, simultaneous_gradient
from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class Extragradient(Dynamics):
    """theta' = theta - extrapolation rate F(theta); theta <- theta - rate F(theta'), both by the optimizer. Zero
    extrapolation is simultaneous descent.

    The trial step does not change the optimizer's state, which is updated once a step. In the ExtraAdam of Gidel et al.
    (2019, algorithm 4) the trial step's gradient also enters the moments; for an optimizer without state both agree.
    """

    extrapolation: Annotated[float, Interval(ge=0)] = 1.0

    batches_per_step: ClassVar[int] = 2
    gradients_per_step: ClassVar[int] = 4

    def step(
        self, match: Match, players: Players, states: States, batches: list[Batch], optimizer: Optimizer, rate: Tensor
    ) -> StepResult:
        here = simultaneous_gradient(match, players, batches[0])
        ahead, _ = apply_gradients(match, players, states, here.gradients, optimizer, rate * self.extrapolation)
        there = simultaneous_gradient(match, ahead, batches[1])
        return StepResult(*apply_gradients(match, players, states, there.gradients, optimizer, rate), record(here))
