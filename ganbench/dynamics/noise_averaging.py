"""Parameter-noise averaging: the field is averaged over a cloud of displaced parameters, which smooths it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.core.random_streams import stream_seed
from ganbench.dynamics import Dynamics, Memories, Move, Update, field, measured, moved
from ganbench.dynamics._steps import copies
from ganbench.games import Batch, Match, Players


@dataclass(frozen=True)
class NoiseAveraging(Dynamics):
    """theta <- theta - rate mean_j F(theta + sigma e_j), with `perturbations` displacements e_j of all parameters of
    both players, standard normal, drawn once for a run in its own stream and then kept: a smooth field, the same at
    every step. Losses and what the game sees are recorded as their means over the displacements, the gradient as it is
    followed.
    """

    perturbations: Annotated[int, Interval(ge=1, le=10_000)] = 30
    sigma: Annotated[float, Interval(ge=0)] = 0.2

    @property
    def evaluations(self) -> int:
        return 2 * self.perturbations

    def init(self, match: Match, players: Players, update: Update) -> Memories:
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
        return super().init(match, players, update) | {"perturbation": scaled}

    def step(
        self, match: Match, players: Players, memories: Memories, batches: list[Batch], update: Update, rate: Tensor
    ) -> Move:
        many, batch = copies(match, batches[0], self.perturbations)
        cloud = {
            name: (theta[:, None] + memories["perturbation"][name]).flatten(0, 1) for name, theta in players.items()
        }
        there = field(many, cloud, batch)

        def mean(values: Tensor) -> Tensor:
            return values.unflatten(0, (len(rate), self.perturbations)).mean(1)

        slopes = {name: mean(slope) for name, slope in there.slopes.items()}
        seen = {name: mean(values) for name, values in there.seen.items()}
        for name, slope in slopes.items():
            seen |= measured(name, mean(there.losses[name]), slope)
        return Move(*moved(match, players, memories, slopes, update, rate), seen)
