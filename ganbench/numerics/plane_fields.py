"""What the instruments that draw a plane share: the field in a plane through parameter space.

A plane has a base point and two axes for every member, and coordinates (x, y) in it; what is looked at is the motion -F
that descent follows. Points are given as M pairs of a member's place and coordinates, and all are computed fused, as
members of one large pack, in pieces that fit into memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError, unknown
from ganbench.dynamics import simultaneous_gradient
from ganbench.games import Adversarial, Batch, Game, Match
from ganbench.numerics.jacobians import join, products, select_members, split
from ganbench.numerics.trajectories import DiagnosticResult, Trajectories

PIECE = 2**17  # numbers that one fused piece may have in a tensor: pieces that fit the cache are also the fastest
NODES = 500  # taken to stand for a distribution where no examples do

PointFunction = Callable[[Match, Tensor, Batch, Tensor], Tensor]


@dataclass(frozen=True)
class Plane:
    """The motion -F of members in a plane of their parameters.

    Args:
        match, batch: the game, and the random numbers (K, ...) that all its points are looked at with.
        base: where (0, 0) is, (K, P).
        axes: what a unit of each coordinate is, (K, 2, P).
        shifts: (K, A, 2); the motion is the mean over the points shifted by each of these. None for no averaging.
    """

    match: Match
    batch: Batch
    base: Tensor
    axes: Tensor
    shifts: Tensor | None = None

    @property
    def members(self) -> int:
        return len(self.base)

    def inside(self, indices: Tensor, at: Tensor) -> Tensor:
        """The motion's components (M, 2) along the axes, which must be orthonormal, of the members at places (M,) where
        they have the coordinates (M, 2)."""
        return self.evaluate(lambda *there: torch.einsum("mip,mp->mi", there[3], motion(*there[:3])), indices, at)

    def jacobian(self, indices: Tensor, at: Tensor) -> Tensor:
        """Derivatives of `inside` in the coordinates, (M, 2, 2), row i that of component i."""

        def function(match: Match, theta: Tensor, batch: Batch, axes: Tensor) -> Tensor:
            _, back = products(match, split(match, theta), batch)
            rows = [torch.einsum("mp,mjp->mj", back(axes[:, i]), axes) for i in range(2)]
            return -torch.stack(rows, dim=1)

        return self.evaluate(function, indices, at)

    def over(self, grid: Tensor, function: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """A function of `indices` and `at` at every point of a grid (*N, 2), the same for all members: (K, *N, ...)."""
        count = grid[..., 0].numel()
        indices = torch.arange(self.members, device=self.base.device).repeat_interleave(count)
        found = function(indices, grid.reshape(-1, 2).repeat(self.members, 1))
        return found.reshape(self.members, *grid.shape[:-1], *found.shape[1:])

    def evaluate(self, function: PointFunction, indices: Tensor, at: Tensor) -> Tensor:
        """What `function` sees, (M, ...), mean over the shifts; it is given a match among M members, their parameters
        (M, P), their batch and their axes."""
        at = at.to(self.base)
        if self.shifts is None:
            return self._fused(function, indices, at)
        count = self.shifts.shape[1]
        shifted = (at[:, None] + self.shifts[indices]).flatten(0, 1)
        each = self._fused(function, indices.repeat_interleave(count), shifted)
        return each.reshape(len(indices), count, *each.shape[1:]).mean(1)

    def _fused(self, function: PointFunction, indices: Tensor, at: Tensor) -> Tensor:
        found = []
        for here, there in zip(
            *(each.split(piece_size(self.match, self.batch)) for each in (indices, at)), strict=True
        ):
            axes = self.axes[here]
            theta = self.base[here] + torch.einsum("mi,mip->mp", there, axes)
            found.append(
                function(self.match.select(here.tolist()), theta, select_members(self.batch, here), axes).detach()
            )
        return torch.cat(found)


def motion(match: Match, theta: Tensor, batch: Batch) -> Tensor:
    """-F at the parameters (M, P), whole vectors (M, P)."""
    gradients = simultaneous_gradient(match, split(match, theta), batch).gradients
    return -join({player: gradients[player] for player in match.players})


def piece_size(match: Match, batch: Batch) -> int:
    """How many members of a fused pack fit into one piece, given what one of them has to hold."""
    # A network's parameters are read once, while examples pass through many operations that each keep theirs.
    width = max(16, sum(len(names) for names in match.parameters.values()) // 8)
    if isinstance(match.game, Adversarial) and not batch:  # no examples are drawn: expectations are by quadrature
        width = max(width, NODES)
    return max(1, PIECE // max([width, *(values[0].numel() for values in batch.values())]))


def measure_once(
    trajectories: Trajectories, function: Callable[[Trajectories], DiagnosticResult], by_rate: bool
) -> DiagnosticResult:
    """What an instrument reads, looking only once at members who play the same: all those of a game without random
    numbers, or `by_rate` those of one learning rate."""
    match, batch = trajectories.match, trajectories.batch()
    parts = (trajectories.dynamics, trajectories.optimizer)
    if by_rate and any(isinstance(value, Tensor) for part in parts for value in vars(part).values()):
        raise GanbenchError("this instrument plays on with one value of every option; play each value apart.")
    random = any(not torch.equal(values, values[:1].expand_as(values)) for values in batch.values())
    kinds = (
        range(len(match.members))
        if random
        else trajectories.rate[:, 0].tolist()
        if by_rate
        else [0] * len(match.members)
    )
    different = list(dict.fromkeys(kinds))
    which = [different.index(kind) for kind in kinds]
    first = [which.index(index) for index in range(len(different))]
    reading = function(
        dataclasses.replace(
            trajectories,
            match=match.select(first),
            rate=trajectories.rate[first],
            path={player: theta[first] for player, theta in trajectories.path.items()},
        )
    )
    return DiagnosticResult(
        *({name: each[which] for name, each in part.items()} for part in (reading.values, reading.arrays))
    )


def coordinate_plane(
    trajectories: Trajectories, x: str, y: str, at: Literal["start", "end"], shifts: Tensor | None = None
) -> Plane:
    """The plane of two parameters, in which the others stay where the run started or ended.

    Raises:
        GanbenchError: the game has no parameter of that name, or both are the same.
    """
    match = trajectories.match
    names = parameter_names(match.game)
    indices = [names.index(name) for name in plane_names(match.game, x, y)]
    base = trajectories.theta[:, 0 if at == "start" else -1].detach().clone()
    base[:, indices] = 0
    axes = base.new_zeros(len(base), 2, len(names))
    axes[:, [0, 1], indices] = 1
    return Plane(match, trajectories.batch(), base, axes, shifts)


def plane_names(game: Game, x: str, y: str) -> tuple[str, str]:
    """The two parameters that span a plane: those named, and for an empty name the first of its player."""
    first, second = game.players
    chosen = (x or game.parameters[first][0], y or game.parameters[second][0])
    for name in chosen:
        if name not in parameter_names(game):
            raise GanbenchError(unknown("parameter", name, parameter_names(game)[:20]))
    if chosen[0] == chosen[1]:
        raise GanbenchError(f"a plane needs two parameters, but both are {chosen[0]!r}; name another as 'x' or as 'y'.")
    return chosen


def parameter_names(game: Game) -> list[str]:
    """All parameters, in the order in which they are stacked."""
    return [name for player in game.players for name in game.parameters[player]]


def check_square(diagnostic: str, low: float, high: float) -> None:
    """Refuse a grid without area.

    Raises:
        GanbenchError: it is one.
    """
    if not low < high:
        raise GanbenchError(f"diagnostic {diagnostic!r}: low must be below high, but they are {low} and {high}.")


def square_grid(low: float, high: float, points: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The values along an axis, (points,), and the grid of both, (points, points, 2), rows of equal y."""
    line = torch.linspace(low, high, points, dtype=like.dtype, device=like.device)
    return line, torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)
