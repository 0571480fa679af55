"""What the instruments share: the field's Jacobian as a matrix and as products, and the eigenvalues of both.

A point of a game is one vector per member, (K, P): both players' parameters, stacked in the order of `match.players`.
J = dF/dtheta there, with F the field of `ganbench.dynamics`: row i is the derivative of F_i, descent follows -F, and a
point where F = 0 attracts the flow if all eigenvalues of J have positive real parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.core.random_streams import stream_seed
from ganbench.dynamics import simultaneous_gradient
from ganbench.games import Batch, Match, Players
from ganbench.numerics.trajectories import Trajectories

LARGEST = 3000  # parameters up to which J is written out: 72 MB a member, and a minute for its eigenvalues
MEMORY = 2**31  # bytes that Krylov spaces may take at a time

Product = Callable[[Tensor], Tensor]  # (K, P) -> (K, P)


def join(players: Players) -> Tensor:
    """Both players' parameters as one vector, (K, P), in the order in which they are given."""
    return torch.cat(list(players.values()), dim=1)


def split(match: Match, vector: Tensor) -> Players:
    """The players that make up a vector (K, P)."""
    sizes = [len(match.parameters[player]) for player in match.players]
    return dict(zip(match.players, vector.split(sizes, dim=1), strict=True))


def size(match: Match) -> int:
    """How many parameters both players have, P."""
    return sum(len(match.parameters[player]) for player in match.players)


def chosen(tensors: dict[str, Tensor], places: Sequence[int] | np.ndarray) -> dict[str, Tensor]:
    """The members at these places of players or of a batch."""
    return {name: values[torch.as_tensor(places, device=values.device)] for name, values in tensors.items()}


def seated(count: int, places: np.ndarray, values: np.ndarray | Tensor) -> np.ndarray:
    """Values of the members at these places, (k, ...), among `count` members, of which the others have NaN."""
    values = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    among = np.full((count, *values.shape[1:]), np.nan, dtype=np.float64)
    among[places] = values
    return among


@dataclass(frozen=True)
class Point:
    """A point of a game, of those members that have one: a run that diverged has none left."""

    match: Match
    players: Players
    batches: list[Batch]
    places: np.ndarray  # of these members among all, (k,)

    @property
    def theta(self) -> Tensor:
        """(k, P)."""
        return join(self.players)

    @property
    def width(self) -> int:
        return size(self.match)

    def groups(self, each: int) -> Iterator[Point]:
        """The same by as many members at a time as `MEMORY` allows, for work that takes `each` numbers a member."""
        together = max(1, MEMORY // (8 * each))
        for at in range(0, len(self.places), together):
            few = range(at, min(at + together, len(self.places)))
            yield Point(
                self.match.select(few),
                chosen(self.players, few),
                [chosen(batch, few) for batch in self.batches],
                self.places[at : at + together],
            )

    def field(self) -> Tensor:
        """F, mean over the batches, (k, P)."""
        return torch.stack(
            [join(simultaneous_gradient(self.match, self.players, batch).gradients) for batch in self.batches]
        ).mean(0)

    def jacobian(self) -> Tensor:
        """J, mean over the batches, (k, P, P), in double precision."""
        mean = jacobian(self.match, self.players, self.batches[0]).double()
        for count, batch in enumerate(self.batches[1:], start=2):  # as they come: all at once may not fit into memory
            mean += (jacobian(self.match, self.players, batch).double() - mean) / count
        return mean


def point(played: Trajectories, at: int | Literal["start", "end", "origin"], batches: int = 1) -> Point | None:
    """Where the runs are at a snapshot, with the first batches of training to look with; at `origin`, all parameters
    are 0. None if no member has numbers there."""
    place = {"start": 0, "origin": 0, "end": -1}.get(at, at)
    players = {player: played.path[player][:, place] for player in played.match.players}
    if at == "origin":
        players = {player: torch.zeros_like(theta) for player, theta in players.items()}
    places = np.flatnonzero(join(players).isfinite().all(1).cpu().numpy())
    if not len(places):
        return None
    drawn = batches_per_step(played.match, played.dynamics.batches_per_step, batches)
    match = played.match.select([int(place) for place in places])
    return Point(match, chosen(players, places), [chosen(batch, places) for batch in drawn], places)


def batches_per_step(match: Match, a_step: int, count: int) -> list[Batch]:
    """The first `count` batches of training, for dynamics that use `a_step` of them in a step."""
    drawn: list[Batch] = []
    step = 0
    while len(drawn) < count:
        drawn += match.draw(step, a_step)
        step += 1
    return drawn[:count]


def jacobian(match: Match, players: Players, batch: Batch) -> Tensor:
    """J at a point, written out: (K, P, P), row i the derivative of F_i, in P passes for all members at once.

    Raises:
        GanbenchError: more parameters than `LARGEST`, or a game without second derivatives.
    """
    count = size(match)
    if count > LARGEST:
        raise GanbenchError(
            f"the game has {count} parameters: its Jacobian is written out up to {LARGEST} of them; "
            "beyond, use products with it (set the instrument's option 'exact' lower)."
        )
    here = simultaneous_gradient(match, players, batch, differentiable=True)
    theta = join(here.gradients)
    if not theta.requires_grad:  # a field that is the same everywhere
        return theta.new_zeros(*theta.shape, count)
    rows = []
    for i in range(count):
        unit = torch.zeros_like(theta)
        unit[:, i] = 1
        rows.append(join(here.products(split(match, unit), transposed=True)))
    return torch.stack(rows, dim=1)


def products(match: Match, players: Players, batch: Batch) -> tuple[Product, Product]:
    """J and its transpose at a point as functions v -> J v and v -> J^T v of directions (K, P)."""
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
    """The same for J averaged over batches."""
    each = [products(match, players, batch) for batch in batches]

    def mean(place: int) -> Product:
        return lambda v: torch.stack([pair[place](v) for pair in each]).mean(0)

    return mean(0), mean(1)


def eigenvalues(matrix: Tensor) -> Tensor:
    """Eigenvalues of matrices (K, P, P), complex (K, P); NaN of a matrix that is not all numbers."""
    exact = matrix.detach().to("cpu", torch.complex128 if matrix.is_complex() else torch.float64)
    values = torch.full(exact.shape[:2], complex(np.nan, np.nan), dtype=torch.complex128)
    sound = exact.isfinite().all(2).all(1)
    if sound.any():
        values[sound] = torch.linalg.eigvals(exact[sound])
    return values.to(matrix.device)


def arnoldi(apply: Product, start: Tensor, count: int) -> Tensor:
    """Ritz values of a matrix that is known by its products, complex (K, count), every member in a Krylov space of its
    own (Arnoldi 1951), orthogonalised twice. They find the outer eigenvalues first.

    A space that closes early, as it must after P products, holds eigenvalues exactly: the rest of the row is NaN, as is
    the whole row of a member whose products are not numbers.

    Args:
        apply: v -> M v, (K, P) both.
        start: (K, P), not zero.
        count: products to spend.
    """
    members, width = start.shape
    basis = start.new_zeros(members, count + 1, width)
    basis[:, 0] = start / start.norm(dim=1, keepdim=True)
    hessenberg = start.new_zeros(members, count + 1, count).double()
    for j in range(min(count, width)):
        w = apply(basis[:, j].clone())
        scale = w.norm(dim=1)
        for _ in range(2):  # once loses orthogonality to rounding, and with it come spurious copies of eigenvalues
            overlap = torch.einsum("kjp,kp->kj", basis[:, : j + 1], w)
            w = w - torch.einsum("kj,kjp->kp", overlap, basis[:, : j + 1])
            hessenberg[:, : j + 1, j] += overlap.double()
        rest = w.norm(dim=1)
        closed = rest <= 100 * torch.finfo(w.dtype).eps * scale
        hessenberg[:, j + 1, j] = torch.where(closed, 0.0, rest).double()
        basis[:, j + 1] = torch.where(closed[:, None], 0.0, w / torch.where(closed, 1.0, rest)[:, None])
    values = torch.full((members, count), complex(np.nan, np.nan), dtype=torch.complex128)
    for k, h in enumerate(hessenberg.cpu()):
        ends = torch.nonzero(torch.diagonal(h, offset=-1) == 0).flatten()
        order = int(ends[0]) + 1 if len(ends) else min(count, width)
        values[k, :order] = eigenvalues(h[None, :order, :order])[0]
    return values.to(start.device)


def directions(name: str, count: int, width: int, like: Tensor) -> Tensor:
    """Fixed directions (count, 1, width) of random signs, the same for every member and at every call: for Hutchinson's
    estimates, and to start from."""
    generator = torch.Generator().manual_seed(stream_seed(0, f"diagnostic-{name}"))
    signs = torch.randint(0, 2, (count, 1, width), generator=generator) * 2 - 1
    return signs.to(like.device, like.dtype)


def rotation_share(where: Point, exact: int, probes: int) -> Tensor:
    """|A|^2 / |J|^2 in the Frobenius norm, (k,), with A = (J - J^T) / 2 the rotating part of J averaged over batches:
    0 for plain descent of one function, 1 for a pure rotation, NaN where J = 0.

    Of J itself up to `exact` parameters; beyond, by Hutchinson's E|A v|^2 / E|J v|^2 over `probes` fixed directions v
    of random signs.
    """
    if where.width <= exact:
        return share(where.jacobian())
    ahead, back = mean_products(where.match, where.players, where.batches)
    turning, whole = torch.zeros(2, len(where.places), dtype=torch.float64, device=where.theta.device)
    for vector in directions("probes", probes, where.width, where.theta):
        v = vector.expand_as(where.theta)
        forward = ahead(v).double()
        turning += ((forward - back(v).double()) / 2).square().sum(1)
        whole += forward.square().sum(1)
    return turning / whole


def share(matrix: Tensor) -> Tensor:
    """|A|^2 / |J|^2 of matrices (k, P, P)."""
    turning = (matrix - matrix.transpose(1, 2)) / 2
    return turning.square().sum((1, 2)) / matrix.square().sum((1, 2))
