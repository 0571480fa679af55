"""Only the potential component of a game: what the simultaneous gradient is without its rotation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
import torch

from ganbench.core.interval import Interval
from ganbench.dynamics import (
    PRODUCT,
    Dynamics,
    Optimizer,
    States,
    StepResult,
    apply_gradients,
    record,
    simultaneous_gradient,
)
from ganbench.dynamics._steps import copies
from ganbench.games import Batch, LearningRates, Match, Players
from ganbench.nn.constants import constant


@dataclass(frozen=True)
class PotentialComponent(Dynamics):
    """theta <- theta - rate grad phi, where phi(theta) = int_0^1 (theta - c) . F(c + t (theta - c)) dt is the work done
    against the field along the straight line from the centre c: all zeros (`origin`) or where training began (`start`).

    The remainder, F - grad phi, is at right angles to theta - c everywhere, so the split depends on c; a field that is
    a gradient has no remainder. A linear field J (theta - c) has grad phi = (J + J^T) / 2 (theta - c), the
    potential component of Balduzzi et al. (2018): nothing, in a bilinear game. With d = theta - c, grad phi =
    int_0^1 F(c + t d) + t J(c + t d)^T d dt, by Gauss-Legendre quadrature at `nodes` points, exact for fields that
    are polynomials of degree 2 nodes - 1 in theta. What is recorded is measured at theta.
    """

    center: Literal["origin", "start"] = "origin"
    """The centre c: 'origin', all zeros, or 'start', the parameters at which training began."""
    nodes: Annotated[int, Interval(ge=1, le=1000)] = 4
    """Number of nodes of the quadrature; exact for fields that are polynomials of degree 2 nodes - 1 in theta."""

    @property
    def gradients_per_move(self) -> int:
        return 2 + self.nodes * (2 + PRODUCT)

    def init(self, match: Match, players: Players, optimizer: Optimizer) -> States:
        center = {name: theta if self.center == "start" else torch.zeros_like(theta) for name, theta in players.items()}
        return super().init(match, players, optimizer) | {"center": center}

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
        # The points of the quadrature, (K, nodes, P), as members of their own.
        t, weights = (constant(each, players[match.players[0]])[:, None] for each in _quadrature(self.nodes))
        away = {
            name: (theta - states["center"][name])[:, None].expand(-1, self.nodes, -1)
            for name, theta in players.items()
        }
        points = {name: (states["center"][name][:, None] + t * d).flatten(0, 1) for name, d in away.items()}
        many, batch = copies(match, batches[0], self.nodes)
        there = simultaneous_gradient(many, points, batch, differentiable=True)
        pulled = there.products({name: d.flatten(0, 1) for name, d in away.items()}, transposed=True)
        shape = (len(match.members), self.nodes)
        gradients = {
            name: (weights * (grad.unflatten(0, shape) + t * pulled[name].unflatten(0, shape))).sum(1)
            for name, grad in there.gradients.items()
        }
        return StepResult(*apply_gradients(match, players, states, gradients, optimizer, rates), record(here))


@lru_cache
def _quadrature(nodes: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Nodes and weights of int_0^1 f(t) dt, by Gauss and Legendre."""
    t, weights = np.polynomial.legendre.leggauss(nodes)
    return tuple(((t + 1) / 2).tolist()), tuple((weights / 2).tolist())
