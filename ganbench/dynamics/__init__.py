"""Dynamics, one file each: how the two players move in one training step.

A member defines a frozen dataclass `Dynamics` derived from `Dynamics`, whose fields are its options. Whatever the game,
the code is the same: a game of two numbers and a pair of convolutional networks are both vectors of parameters and a
loss. Real-valued options may be tensors (K, 1), one value for each member of a pack, so they enter by plain arithmetic.

The field of a game is F = (grad_1 L_1, grad_2 L_2), each player's gradient of its own loss in its own parameters; J is
its Jacobian. Gradient descent of both follows -F. Second-order terms are products with J, never J itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError, out_of_memory
from ganbench.games import Batch, Match, Players, Seen
from ganbench.optimizers import Memory

Memories = dict[str, Memory]

PRODUCT = 2  # gradients that a product with J or its transpose counts as: it differentiates both players' gradients


@dataclass(frozen=True)
class Move:
    """Where a step led, and what was measured at its start: {quantity: (K,)}."""

    players: Players
    memories: Memories
    seen: Seen


class Update(Protocol):
    """What dynamics need of a base update; see `ganbench.optimizers`."""

    def init(self, theta: Tensor) -> Memory: ...

    def step(self, theta: Tensor, gradient: Tensor, memory: Memory, rate: Tensor) -> tuple[Tensor, Memory]: ...


class Dynamics(ABC):
    """What a file of this family says of its dynamics."""

    @property
    def draws(self) -> int:
        """How many batches one step uses."""
        return 1

    @property
    @abstractmethod
    def evaluations(self) -> int:
        """What a step costs: gradients of one player's loss, a product with J counting as `PRODUCT` of them. Dynamics
        are fairly compared after equal sums of these, not after equal steps."""

    def init(self, match: Match, players: Players, update: Update) -> Memories:
        """What is remembered from step to step, before the first: the base update's memory under each player's name,
        and whatever else the dynamics keeps under names of its own. Tensors begin with the member axis."""
        return {player: update.init(theta) for player, theta in players.items()}

    @abstractmethod
    def step(
        self, match: Match, players: Players, memories: Memories, batches: list[Batch], update: Update, rate: Tensor
    ) -> Move:
        """One step of every member, with learning rates (K, 1); changes nothing in place."""

    def answer(self, players: Players, memories: Memories) -> Players:
        """The players that training hands out: where it stands, unless the dynamics says otherwise (an average)."""
        return players


@dataclass(frozen=True)
class Field:
    """The field F of a game at a point, with what is needed to differentiate it once more."""

    losses: dict[str, Tensor]  # (K,)
    slopes: Players  # F, (K, P) of each player
    seen: Seen
    _at: Players  # the point

    def products(self, along: Players, *, transposed: bool = False) -> Players:
        """J v, or J^T v, for directions v of each player, (K, P).

        Raises:
            GanbenchError: the game has no second derivative.
        """
        names = list(self.slopes)
        with needing("second derivative that this method needs"):
            # J^T u, as a function of u; J v is what its gradient in u, along v, is (Pearlmutter's trick done twice).
            u = {name: along[name] if transposed else torch.ones_like(along[name]) for name in names}
            u = {name: value.detach().requires_grad_(not transposed) for name, value in u.items()}
            pulled = sum((self.slopes[name] * u[name]).sum() for name in names)
            back = torch.autograd.grad(
                pulled,
                [self._at[name] for name in names],
                create_graph=not transposed,
                retain_graph=True,
                materialize_grads=True,
            )
            if transposed:
                return dict(zip(names, back, strict=True))
            pushed = sum((value * along[name]).sum() for name, value in zip(names, back, strict=True))
            forward = torch.autograd.grad(
                pushed, [u[name] for name in names], retain_graph=True, materialize_grads=True
            )
            return dict(zip(names, forward, strict=True))


def field(match: Match, players: Players, batch: Batch, *, differentiable: bool = False) -> Field:
    """F at a point, every player's gradient taken at the same one.

    Args:
        differentiable: whether products with J will be asked for.

    Raises:
        GanbenchError: a loss has no derivative in its player's parameters.
    """
    at = {name: theta.detach().requires_grad_() for name, theta in players.items()}
    still = {name: theta.detach() for name, theta in players.items()}
    losses, slopes, seen = {}, {}, {}
    for name in match.players:
        # Only products look at how one player's gradient changes with the other's parameters.
        loss, noticed = match.loss(name, at if differentiable else {**still, name: at[name]}, batch)
        with needing(f"derivative of {name}'s loss that every method needs"):
            (slopes[name],) = torch.autograd.grad(loss.sum(), at[name], create_graph=differentiable)
        losses[name] = loss.detach()
        seen |= noticed
    return Field(losses, slopes, seen, at)


def gradient(match: Match, player: str, players: Players, batch: Batch) -> tuple[Tensor, Tensor, Seen]:
    """One player's loss (K,) and its gradient in that player's own parameters (K, P), and what the game saw."""
    theta = players[player].detach().requires_grad_()
    loss, seen = match.loss(player, {**players, player: theta}, batch)
    with needing(f"derivative of {player}'s loss that every method needs"):
        (slope,) = torch.autograd.grad(loss.sum(), theta)
    return loss.detach(), slope, seen


def measured(player: str, loss: Tensor, slope: Tensor) -> Seen:
    """What is recorded of a gradient, under the names the recorder keeps."""
    return {f"{player}_loss": loss, f"{player}_gradient_norm": slope.detach().norm(dim=1)}


def measures(at: Field) -> Seen:
    """What is recorded of a field."""
    both = [measured(name, at.losses[name], slope) for name, slope in at.slopes.items()]
    return {key: value for each in (*both, at.seen) for key, value in each.items()}


def moved(
    match: Match, players: Players, memories: Memories, slopes: Players, update: Update, rate: Tensor
) -> tuple[Players, Memories]:
    """Both players after a step of the base update along these gradients, projected; memories of others are kept."""
    after, remembered = {}, dict(memories)
    for name, slope in slopes.items():
        theta, remembered[name] = update.step(players[name], slope.detach(), memories[name], rate)
        after[name] = match.project(name, theta)
    return after, remembered


@contextmanager
def needing(derivative: str) -> Iterator[None]:
    """Says in words that a game has no such derivative, where PyTorch refuses to take it.

    Raises:
        GanbenchError: it refuses. Running out of memory is no refusal, and stays what it is.
    """
    try:
        yield
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        raise GanbenchError(f"the game lacks the {derivative}: {error}") from None
