"""Jacobians of the simultaneous gradient: as matrices, and as products with vectors.

A point of a game is one vector per member, (K, P): both players' parameters, stacked in the order of `match.players`.
J = dF/dtheta there, with F the simultaneous gradient of `ganbench.dynamics`: row i is the derivative of F_i, descent
follows -F, and a point where F = 0 attracts the flow if all eigenvalues of J have positive real parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.dynamics import simultaneous_gradient
from ganbench.games import Batch, LearningRates, Match, Players
from ganbench.numerics.eigenvalues import Product, random_signs
from ganbench.numerics.trajectories import Trajectories

MAX_PARAMETERS = 3000  # parameters up to which J is written out: 72 MB a member, and a minute for its eigenvalues
KRYLOV_BYTES = 2**31  # bytes that Krylov spaces may take at a time


def join(players: Players) -> Tensor:
    """Both players' parameters as one vector, (K, P), in the order of the dict."""
    return torch.cat(list(players.values()), dim=1)


def per_parameter(match: Match, rates: LearningRates) -> Tensor:
    """The learning rate of every parameter, (K, P), in the order of `join`."""
    return torch.cat([rates[player].expand(-1, match.sizes[player]) for player in match.players], dim=1)


def split(match: Match, vector: Tensor) -> Players:
    """The parameters of each player from one vector (K, P); the inverse of `join`."""
    sizes = [match.sizes[player] for player in match.players]
    return dict(zip(match.players, vector.split(sizes, dim=1), strict=True))


def parameter_count(match: Match) -> int:
    """The number of parameters of both players, P."""
    return sum(match.sizes.values())


def select_members(tensors: dict[str, Tensor], indices: Sequence[int] | np.ndarray) -> dict[str, Tensor]:
    """The rows of some members in every tensor of a dict.

    Args:
        tensors: parameters or learning rates of players or a batch, (K, ...) each.
        indices: indices of the members, (k,).

    Returns:
        Tensors (k, ...) by name.
    """
    return {name: values[torch.as_tensor(indices, device=values.device)] for name, values in tensors.items()}


def scatter_members(count: int, indices: np.ndarray, values: np.ndarray | Tensor) -> np.ndarray:
    """Values of some members, placed among those of all.

    Args:
        count: number of all members, K.
        indices: indices of the members that have values, (k,).
        values: their values, (k, ...).

    Returns:
        Values (K, ...) in double precision; NaN for the other members.
    """
    values = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    among = np.full((count, *values.shape[1:]), np.nan, dtype=np.float64)
    among[indices] = values
    return among


@dataclass(frozen=True)
class ParameterPoint:
    """A point in the parameter space of each of k members: those that have not diverged there.

    Attributes:
        match: the game with these members.
        players: their parameters, (k, P) of each player.
        batches: batches over which F and J are averaged, whose tensors are (k, ...).
        indices: indices of these members among all, (k,).
    """

    match: Match
    players: Players
    batches: list[Batch]
    indices: np.ndarray

    @property
    def theta(self) -> Tensor:
        """Both players' parameters as one vector, (k, P)."""
        return join(self.players)

    @property
    def width(self) -> int:
        """The number of parameters of both players, P."""
        return parameter_count(self.match)

    def groups(self, each: int) -> Iterator[ParameterPoint]:
        """The point in groups of members that fit into `KRYLOV_BYTES`.

        Args:
            each: numbers in double precision that a member needs.

        Yields:
            Points of some members each, in their order.
        """
        together = max(1, KRYLOV_BYTES // (8 * each))
        for at in range(0, len(self.indices), together):
            few = range(at, min(at + together, len(self.indices)))
            yield ParameterPoint(
                self.match.select(few),
                select_members(self.players, few),
                [select_members(batch, few) for batch in self.batches],
                self.indices[at : at + together],
            )

    def field(self) -> Tensor:
        """F, mean over the batches, (k, P)."""
        return torch.stack(
            [join(simultaneous_gradient(self.match, self.players, batch).gradients) for batch in self.batches]
        ).mean(0)

    def jacobian(self) -> Tensor:
        """J, mean over the batches, (k, P, P), in double precision."""
        mean = jacobian(self.match, self.players, self.batches[0]).double()
        for count, batch in enumerate(self.batches[1:], start=2):  # summed one by one, to save memory
            mean += (jacobian(self.match, self.players, batch).double() - mean) / count
        return mean


def snapshot_point(
    trajectories: Trajectories, at: int | Literal["start", "end", "origin"], batches: int = 1
) -> ParameterPoint | None:
    """The point at which the runs are at a snapshot.

    Args:
        trajectories: the runs.
        at: index of the snapshot, or the first, the last, or the origin, where all parameters are 0.
        batches: number of batches, the first ones of training.

    Returns:
        The point of those members whose parameters are finite there; None if there are none.
    """
    index = {"start": 0, "origin": 0, "end": -1}.get(at, at)
    players = {player: trajectories.path[player][:, index] for player in trajectories.match.players}
    if at == "origin":
        players = {player: torch.zeros_like(theta) for player, theta in players.items()}
    indices = np.flatnonzero(join(players).isfinite().all(1).cpu().numpy())
    if not len(indices):
        return None
    drawn = first_batches(trajectories.match, trajectories.dynamics.batches_per_step, batches)
    match = trajectories.match_at(index).select([int(index) for index in indices])
    return ParameterPoint(
        match, select_members(players, indices), [select_members(batch, indices) for batch in drawn], indices
    )


def first_batches(match: Match, batches_per_step: int, count: int) -> list[Batch]:
    """The first `count` batches of training, for dynamics that use `batches_per_step` of them in a step."""
    drawn: list[Batch] = []
    step = 0
    while len(drawn) < count:
        drawn += match.draw(step, batches_per_step)
        step += 1
    return drawn[:count]


def jacobian(match: Match, players: Players, batch: Batch) -> Tensor:
    """J as a matrix, in P backward passes for all members at once.

    Args:
        match: the game with its K members.
        players: the point, (K, P) of each player.
        batch: the random numbers of the losses.

    Returns:
        J, (K, P, P); row i is the derivative of F_i.

    Raises:
        GanbenchError: more parameters than `MAX_PARAMETERS`, or a game without second derivatives.
    """
    count = parameter_count(match)
    if count > MAX_PARAMETERS:
        raise GanbenchError(
            f"the game has {count} parameters: its Jacobian is written out up to {MAX_PARAMETERS} of them; "
            "beyond, use products with it (set the diagnostic's option 'max_exact_size' lower)."
        )
    here = simultaneous_gradient(match, players, batch, differentiable=True)
    theta = join(here.gradients)
    if not theta.requires_grad:  # F is constant
        return theta.new_zeros(*theta.shape, count)
    rows = []
    for i in range(count):
        unit = torch.zeros_like(theta)
        unit[:, i] = 1
        rows.append(join(here.products(split(match, unit), transposed=True)))
    return torch.stack(rows, dim=1)


def products(match: Match, players: Players, batch: Batch) -> tuple[Product, Product]:
    """J as products with vectors.

    Args:
        match, players, batch: as of `jacobian`.

    Returns:
        The functions v -> J v and v -> J^T v of vectors (K, P).
    """
    here = simultaneous_gradient(match, players, batch, differentiable=True)
    still = not any(grad.requires_grad for grad in here.gradients.values())

    def product(transposed: bool) -> Product:
        def apply(v: Tensor) -> Tensor:
            if still:
                return torch.zeros_like(v)
            return join(here.products(split(match, v), transposed=transposed)).detach()

        return apply

    return product(False), product(True)


def mean_products(match: Match, players: Players, batches: Sequence[Batch]) -> tuple[Product, Product]:
    """`products` of J averaged over batches."""
    each = [products(match, players, batch) for batch in batches]

    def mean(index: int) -> Product:
        return lambda v: torch.stack([pair[index](v) for pair in each]).mean(0)

    return mean(0), mean(1)


def rotation_share(where: ParameterPoint, max_exact_size: int, hutchinson_samples: int) -> Tensor:
    """|A|^2 / |J|^2 in the Frobenius norm, (k,), with A = (J - J^T) / 2 the rotating part of J averaged over batches:
    0 for plain descent of one function, 1 for a pure rotation, NaN where J = 0.

    Of J itself up to `max_exact_size` parameters; beyond, by Hutchinson's E|A v|^2 / E|J v|^2 over
    `hutchinson_samples` fixed directions v of random signs.
    """
    if where.width <= max_exact_size:
        return share(where.jacobian())
    ahead, back = mean_products(where.match, where.players, where.batches)
    turning, whole = torch.zeros(2, len(where.indices), dtype=torch.float64, device=where.theta.device)
    for vector in random_signs("probes", hutchinson_samples, where.width, where.theta):
        v = vector.expand_as(where.theta)
        forward = ahead(v).double()
        turning += ((forward - back(v).double()) / 2).square().sum(1)
        whole += forward.square().sum(1)
    return turning / whole


def share(matrix: Tensor) -> Tensor:
    """|A|^2 / |J|^2 of matrices (k, P, P)."""
    turning = (matrix - matrix.transpose(1, 2)) / 2
    return turning.square().sum((1, 2)) / matrix.square().sum((1, 2))
