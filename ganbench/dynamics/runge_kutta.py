"""The classical Runge-Kutta method of order 4 on the flow theta' = -F(theta): the path that small steps tend to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ganbench.core.errors import GanbenchError
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
class RungeKutta(Dynamics):
    """theta <- theta - rate (k_1 + 2 k_2 + 2 k_3 + k_4) / 6, with k_1 = F(theta), k_2 = F(theta - rate k_1 / 2), k_3 =
    F(theta - rate k_2 / 2), k_4 = F(theta - rate k_3), all on one batch. An eigenvalue lambda of J is multiplied into
    R(-rate lambda) a step, R(z) = 1 + z + z^2 / 2 + z^3 / 6 + z^4 / 24. Buffers of networks and regularizers go on as
    the losses of k_1 leave them.
    """

    gradients_per_move: ClassVar[int] = 8

    def init(self, match: Match, players: Players, optimizer: Optimizer) -> States:
        """No states.

        Raises:
            GanbenchError: the optimizer has a state, so it does not follow the flow.
        """
        states = super().init(match, players, optimizer)
        kept = sorted({name for state in states.values() for name in state})
        if kept:
            name = type(optimizer).__module__.split(".")[-1]
            raise GanbenchError(
                "runge_kutta takes its step itself and needs an optimizer without state, but "
                f"{name!r} ({optimizer!r}) has the state {', '.join(kept)}. Valid: 'sgd' without "
                "momentum and decay_exponent."
            )
        return states

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        stages = [simultaneous_gradient(match, players, batches[0])]
        buffers = match.buffers
        for part in (1 / 2, 1 / 2, 1):
            ahead, _ = apply_gradients(match, players, states, stages[-1].gradients, optimizer, scaled(rates, part))
            stages.append(simultaneous_gradient(match, ahead, batches[0]))
        match.buffers = buffers
        one, two, three, four = (stage.gradients for stage in stages)
        gradients = {name: (one[name] + 2 * two[name] + 2 * three[name] + four[name]) / 6 for name in one}
        return StepResult(*apply_gradients(match, players, states, gradients, optimizer, rates), record(stages[0]))
