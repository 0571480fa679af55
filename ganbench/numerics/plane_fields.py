"""The motion -F of gradient descent in planes through parameter space.

A plane has a base point and two axes for every member, and coordinates (x, y). Points are M pairs of a member's index
and coordinates; all are computed fused, as members of one large pack, in pieces that fit into the cache.
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
"""A function of points in planes: from a match among M members, their parameters (M, P), their batch and their axes
(M, 2, P) to values (M, ...)."""


@dataclass(frozen=True)
class Plane:
    """The motion -F of members in a plane of their parameters.

    Attributes:
        match: the game with its K members.
        batch: the random numbers of the losses, the same at all points, (K, ...) each.
        base: the parameters at the coordinates (0, 0), (K, P).
        axes: the direction of each coordinate in parameter space, (K, 2, P).
        shifts: displacements over which the motion is averaged, (K, A, 2); None for no averaging.
    """

    match: Match
    batch: Batch
    base: Tensor
    axes: Tensor
    shifts: Tensor | None = None

    @property
    def members(self) -> int:
        """The number of members, K."""
        return len(self.base)

    def inside(self, indices: Tensor, at: Tensor) -> Tensor:
        """The motion in the plane.

        Args:
            indices: the member of each point, (M,).
            at: the coordinates of each point, (M, 2).

        Returns:
            The motion's components along the axes, (M, 2); the axes must be orthonormal.
        """
        return self.evaluate(lambda *there: torch.einsum("mip,mp->mi", there[3], motion(*there[:3])), indices, at)

    def jacobian(self, indices: Tensor, at: Tensor) -> Tensor:
        """Derivatives of `inside` in the coordinates, (M, 2, 2), row i that of component i; arguments as of
        `inside`."""

        def function(match: Match, theta: Tensor, batch: Batch, axes: Tensor) -> Tensor:
            _, back = products(match, split(match, theta), batch)
            rows = [torch.einsum("mp,mjp->mj", back(axes[:, i]), axes) for i in range(2)]
            return -torch.stack(rows, dim=1)

        return self.evaluate(function, indices, at)

    def over(self, grid: Tensor, function: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """A function at every point of a grid, which is the same for all members.

        Args:
            grid: coordinates, (*N, 2).
            function: a function of `indices` (M,) and `at` (M, 2), with values (M, ...).

        Returns:
            Its values, (K, *N, ...).
        """
        count = grid[..., 0].numel()
        indices = torch.arange(self.members, device=self.base.device).repeat_interleave(count)
        found = function(indices, grid.reshape(-1, 2).repeat(self.members, 1))
        return found.reshape(self.members, *grid.shape[:-1], *found.shape[1:])

    def evaluate(self, function: PointFunction, indices: Tensor, at: Tensor) -> Tensor:
        """The mean of a function over the shifts.

        Args:
            function: the function.
            indices, at: the points, as of `inside`.

        Returns:
            Its values, (M, ...).
        """
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
    """-F at parameters (M, P), as vectors (M, P)."""
    gradients = simultaneous_gradient(match, split(match, theta), batch).gradients
    return -join({player: gradients[player] for player in match.players})


def piece_size(match: Match, batch: Batch) -> int:
    """The number of members that are computed together, given the tensors that each of them needs."""
    # A network's parameters are read once, while examples pass through many operations that each keep theirs.
    width = max(16, sum(match.sizes.values()) // 8)
    if isinstance(match.game, Adversarial) and not batch:  # no examples are drawn: expectations are by quadrature
        width = max(width, NODES)
    return max(1, PIECE // max([width, *(values[0].numel() for values in batch.values())]))


def measure_once(
    trajectories: Trajectories, function: Callable[[Trajectories], DiagnosticResult], by_rate: bool
) -> DiagnosticResult:
    """The results of a diagnostic, computed once for all members that must have the same.

    Args:
        trajectories: the K runs.
        function: computes the results of some runs.
        by_rate: whether results depend on the learning rates.

    Returns:
        The results of all runs. In a game and a method without random numbers those of equal rates are equal, or if
        they do not depend on the rates, and so not on the method, those of all runs.

    Raises:
        GanbenchError: results depend on the rates, and an option of the method has a value per member.
    """
    match, batch = trajectories.match, trajectories.batch()
    parts = (trajectories.dynamics, trajectories.optimizer)
    if by_rate and any(isinstance(value, Tensor) for part in parts for value in vars(part).values()):
        raise GanbenchError(
            "this diagnostic continues training with one value of every option; run each value separately."
        )
    drawn = list(batch.values())
    if by_rate:  # a method may draw for each run, too: its states before training, from one point
        players = {name: theta[:1, 0].expand_as(theta[:, 0]) for name, theta in trajectories.path.items()}
        states = trajectories.dynamics.init(match, players, trajectories.optimizer)
        drawn += [value for state in states.values() for value in state.values()]
    if any(not torch.equal(values, values[:1].expand_as(values)) for values in drawn):
        kinds = list(range(len(match.members)))
    else:
        rates = torch.cat(list(trajectories.rates.values()), dim=1).tolist()
        kinds = [tuple(each) for each in rates] if by_rate else [0] * len(match.members)
    different = list(dict.fromkeys(kinds))
    index_of = [different.index(kind) for kind in kinds]
    first = [index_of.index(index) for index in range(len(different))]
    result = function(
        dataclasses.replace(
            trajectories,
            match=match.select(first),
            rates=select_members(trajectories.rates, first),
            path=select_members(trajectories.path, first),
            buffers=select_members(trajectories.buffers, first),
        )
    )
    return DiagnosticResult(
        *({name: each[index_of] for name, each in part.items()} for part in (result.values, result.arrays))
    )


def coordinate_plane(
    trajectories: Trajectories, x: str, y: str, at: Literal["start", "end"], shifts: Tensor | None = None
) -> Plane:
    """The plane of two parameters; the others keep the values they had at the start or the end of the run.

    Args:
        trajectories: the runs.
        x, y: names of the parameters; empty for the first parameter of each player.
        at: whether the others, and the networks' buffers, are those of the first or of the last snapshot.
        shifts: displacements over which the motion is averaged, (K, A, 2).

    Raises:
        GanbenchError: the game has no parameter of that name, or both are the same.
    """
    snapshot = 0 if at == "start" else -1
    match = trajectories.match_at(snapshot)
    names = match.game.parameter_names
    indices = [names.index(name) for name in plane_names(match.game, x, y)]
    base = trajectories.theta[:, snapshot].detach().clone()
    base[:, indices] = 0
    axes = base.new_zeros(len(base), 2, len(names))
    axes[:, [0, 1], indices] = 1
    return Plane(match, trajectories.batch(), base, axes, shifts)


def plane_names(game: Game, x: str, y: str) -> tuple[str, str]:
    """The two parameters that span a plane: those named, and for an empty name the first of its player."""
    first, second = game.players
    chosen = (x or game.parameters[first][0], y or game.parameters[second][0])
    for name in chosen:
        if name not in game.parameter_names:
            raise GanbenchError(unknown("parameter", name, game.parameter_names[:20]))
    if chosen[0] == chosen[1]:
        raise GanbenchError(f"a plane needs two parameters, but both are {chosen[0]!r}; name another as 'x' or as 'y'.")
    return chosen


def check_square(diagnostic: str, low: float, high: float) -> None:
    """Refuse a grid without area.

    Raises:
        GanbenchError: `low` is not below `high`.
    """
    if not low < high:
        raise GanbenchError(f"diagnostic {diagnostic!r}: low must be below high, but they are {low} and {high}.")


def square_grid(low: float, high: float, points: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """The values along an axis, (points,), and the grid of both, (points, points, 2), rows of equal y."""
    line = torch.linspace(low, high, points, dtype=like.dtype, device=like.device)
    return line, torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)
