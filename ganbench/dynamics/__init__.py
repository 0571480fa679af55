"""Dynamics, one file each: how the two players move in one training step.

Whatever the game, the code is the same: a game of two numbers and a pair of convolutional networks are both vectors of parameters and a
loss. Real-valued options may be tensors (K, 1), one value for each member of a pack, so they enter by plain arithmetic.

The field of a game is F = (grad_1 L_1, grad_2 L_2), each player's gradient of its own loss in its own parameters; J is
its Jacobian. Gradient descent of both follows -F. Second-order terms are products with J, never J itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError, out_of_memory
from ganbench.games import Aux, Batch, Match, Players
from ganbench.optimizers import Optimizer, State

States = dict[str, State]

PRODUCT = 2  # gradients that a product with J or its transpose counts as: it differentiates both players' gradients


@dataclass(frozen=True)
class StepResult:
    """Where a step led, and what was measured at its start: {quantity: (K,)}."""

    players: Players
    states: States
    aux: Aux


class Dynamics(ABC):
    """How the players move. A member is a frozen dataclass whose fields are its options."""

    @property
    def batches_per_step(self) -> int:
        """How many batches one step uses."""
        return 1

    @property
    @abstractmethod
    def gradients_per_step(self) -> int:
        """What a step costs: gradients of one player's loss, a product with J counting as `PRODUCT` of them. Dynamics
        are fairly compared after equal sums of these, not after equal steps."""

    def init(self, match: Match, players: Players, optimizer: Optimizer) -> States:
        """The states before the first step: the optimizer's under each player's name, and whatever else the dynamics
        keeps under names of its own. Tensors begin with the member axis."""
        return {player: optimizer.init(theta) for player, theta in players.items()}

    @abstractmethod
    def step(
        self, match: Match, players: Players, states: States, batches: list[Batch], optimizer: Optimizer, rate: Tensor
    ) -> StepResult:
        """One step of every member, with learning rates (K, 1); changes nothing in place."""

    def snapshot(self, players: Players, states: States) -> Players:
        """The players that training hands out: where it stands, unless the dynamics says otherwise (an average)."""
        return players


@dataclass(frozen=True)
class SimultaneousGradient:
    """The field F of a game at a point, with what is needed to differentiate it once more."""

    losses: dict[str, Tensor]  # (K,)
    gradients: Players  # F, (K, P) of each player
    aux: Aux
    _at: Players  # the point

    def products(self, along: Players, *, transposed: bool = False) -> Players:
        """J v, or J^T v, for directions v of each player, (K, P).

        Raises:
            GanbenchError: the game has no second derivative.
        """
        names = list(self.gradients)
        with explain_autograd_error("second derivative that this method needs"):
            # J^T u, as a function of u; J v is what its gradient in u, along v, is (Pearlmutter's trick done twice).
            u = {name: along[name] if transposed else torch.ones_like(along[name]) for name in names}
            u = {name: value.detach().requires_grad_(not transposed) for name, value in u.items()}
            pulled = sum((self.gradients[name] * u[name]).sum() for name in names)
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


def simultaneous_gradient(
    match: Match, players: Players, batch: Batch, *, differentiable: bool = False
) -> SimultaneousGradient:
    """F at a point, every player's gradient taken at the same one.

    Args:
        differentiable: whether products with J will be asked for.

    Raises:
        GanbenchError: a loss has no derivative in its player's parameters.
    """
    at = {name: theta.detach().requires_grad_() for name, theta in players.items()}
    still = {name: theta.detach() for name, theta in players.items()}
    losses, gradients, aux = {}, {}, {}
    for name in match.players:
        # Only products look at how one player's gradient changes with the other's parameters.
        loss, extra = match.loss(name, at if differentiable else {**still, name: at[name]}, batch)
        with explain_autograd_error(f"derivative of {name}'s loss that every method needs"):
            (gradients[name],) = torch.autograd.grad(loss.sum(), at[name], create_graph=differentiable)
        losses[name] = loss.detach()
        aux |= extra
    return SimultaneousGradient(losses, gradients, aux, at)


def gradient(match: Match, player: str, players: Players, batch: Batch) -> tuple[Tensor, Tensor, Aux]:
    """One player's loss (K,) and its gradient in that player's own parameters (K, P), and what the game saw."""
    theta = players[player].detach().requires_grad_()
    loss, aux = match.loss(player, {**players, player: theta}, batch)
    with explain_autograd_error(f"derivative of {player}'s loss that every method needs"):
        (grad,) = torch.autograd.grad(loss.sum(), theta)
    return loss.detach(), grad, aux


def gradient_record(player: str, loss: Tensor, grad: Tensor) -> Aux:
    """What is recorded of a gradient, under the names the recorder keeps."""
    return {f"{player}_loss": loss, f"{player}_gradient_norm": grad.detach().norm(dim=1)}


def record(at: SimultaneousGradient) -> Aux:
    """What is recorded of a field."""
    both = [gradient_record(name, at.losses[name], grad) for name, grad in at.gradients.items()]
    return {key: value for each in (*both, at.aux) for key, value in each.items()}


def apply_gradients(
    match: Match, players: Players, states: States, gradients: Players, optimizer: Optimizer, rate: Tensor
) -> tuple[Players, States]:
    """Both players after a step of the optimizer along these gradients, projected; states of others are kept."""
    after, remembered = {}, dict(states)
    for name, grad in gradients.items():
        theta, remembered[name] = optimizer.step(players[name], grad.detach(), states[name], rate)
        after[name] = match.project(name, theta)
    return after, remembered


@contextmanager
def explain_autograd_error(derivative: str) -> Iterator[None]:
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
