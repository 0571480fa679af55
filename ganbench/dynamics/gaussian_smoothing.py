"""Gaussian smoothing (Nesterov and Spokoiny 2017): the gradient is averaged over normally displaced parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.core.random_streams import stream_seed
from ganbench.dynamics import (
    Dynamics,
    Optimizer,
    States,
    StepResult,
    apply_gradients,
    gradient_record,
    simultaneous_gradient,
)
from ganbench.dynamics._steps import copies
from ganbench.games import Batch, LearningRates, Match, Players


@dataclass(frozen=True)
class GaussianSmoothing(Dynamics):
    """theta <- theta - rate mean_j F(theta + sigma e_j), with `perturbations` displacements e_j of all parameters of
    both players, standard normal, drawn once from the run's own stream and then kept: a smooth field, the same at
    every step. Losses and auxiliary quantities are recorded as means over the displacements, the gradient as it is
    followed.
    """

    perturbations: Annotated[int, Interval(ge=1, le=10_000)] = 30
    """Number of displacements e_j over which the field is averaged."""
    sigma: Annotated[float, Interval(ge=0)] = 0.2
    """Standard deviation of a displacement in each parameter; 0 is simultaneous descent."""

    @property
    def gradients_per_move(self) -> int:
        return 2 * self.perturbations

    def init(self, match: Match, players: Players, optimizer: Optimizer) -> States:
        drawn = {name: [] for name in match.players}
        for member in match.members:
            # On the CPU and in double precision: the same on every device and in every precision.
            generator = torch.Generator().manual_seed(stream_seed(member.seed, "perturbation"))
            for name, values in drawn.items():
                shape = (self.perturbations, players[name].shape[1])
                values.append(torch.randn(shape, generator=generator, dtype=torch.float64))
        clouds = {name: torch.stack(values).to(players[name]) for name, values in drawn.items()}
        # Flat, so that a sigma of each member, (K, 1), fits.
        scaled = {name: (self.sigma * cloud.flatten(1)).view_as(cloud) for name, cloud in clouds.items()}
        return super().init(match, players, optimizer) | {"perturbation": scaled}

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        many, batch = copies(match, batches[0], self.perturbations)
        cloud = {name: (theta[:, None] + states["perturbation"][name]).flatten(0, 1) for name, theta in players.items()}
        there = simultaneous_gradient(many, cloud, batch)
        if match.keeps_buffers:  # of the first perturbation
            match.buffers = {
                name: values.unflatten(0, (len(match.members), self.perturbations))[:, 0]
                for name, values in many.buffers.items()
            }

        def mean(values: Tensor) -> Tensor:
            return values.unflatten(0, (len(match.members), self.perturbations)).mean(1)

        gradients = {name: mean(grad) for name, grad in there.gradients.items()}
        aux = {name: mean(values) for name, values in there.aux.items()}
        for name, grad in gradients.items():
            aux |= gradient_record(name, mean(there.losses[name]), grad)
        return StepResult(*apply_gradients(match, players, states, gradients, optimizer, rates), aux)
