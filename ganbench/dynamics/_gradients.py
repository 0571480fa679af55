"""Gradients of both players: the simultaneous gradient F, products with its Jacobian J, and their records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError, out_of_memory
from ganbench.games import Aux, Batch, Match, Players, mean_of_parts

# Parts of the messages with which autograd refuses; a kernel that lacks a derivative raises a NotImplementedError.
REFUSALS = (
    *("derivative", "differentiat", "ouble backward", "does not require grad", "not have been used in the graph"),
    "modified by an inplace operation",
)
PRODUCT = 2  # gradients that a product with J or its transpose counts as: it differentiates both players' gradients


@dataclass(frozen=True)
class SimultaneousGradient:
    """The simultaneous gradient F of a game at a point, with its graph if it is differentiable.

    Attributes:
        losses: loss of each player, (K,), detached.
        gradients: F, (K, P) of each player.
        aux: the auxiliary quantities of both losses, (K,) each.
    """

    losses: dict[str, Tensor]
    gradients: Players
    aux: Aux
    _at: Players  # the point

    def products(self, along: Players, *, transposed: bool = False) -> Players:
        """A product with the Jacobian J of F.

        Args:
            along: the vector v, (K, P) of each player.
            transposed: whether to multiply with J^T instead of J.

        Returns:
            J v, or J^T v, (K, P) of each player.

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
    """F at a point: both players' gradients at the same parameters.

    Args:
        match: the game with its K members.
        players: the point, (K, P) of each player.
        batch: the random numbers of both losses.
        differentiable: whether products with J are needed.

    Returns:
        F with both losses and their auxiliary quantities.

    Raises:
        GanbenchError: a loss has no derivative in its player's parameters.
    """
    at = {name: theta.detach().requires_grad_() for name, theta in players.items()}
    still = {name: theta.detach() for name, theta in players.items()}
    losses, gradients, aux = {}, {}, {}
    for name in match.players:
        # Only products with J need the derivative of one player's gradient in the other's parameters.
        point = at if differentiable else {**still, name: at[name]}
        losses[name], gradients[name], extra = _gradient(match, name, point, batch, differentiable)
        aux |= extra
    return SimultaneousGradient(losses, gradients, aux, at)


def gradient(
    match: Match, player: str, players: Players, batch: Batch, *, differentiable: bool = False
) -> tuple[Tensor, Tensor, Aux]:
    """The gradient of one player's loss in its own parameters.

    Args:
        match: the game with its K members.
        player: the player.
        players: the point, (K, P) of each player.
        batch: the random numbers of the loss.
        differentiable: whether the gradient has a graph, which goes on in that of the player's parameters; these then
            require a gradient.

    Returns:
        The loss, (K,), detached, its gradient, (K, P), and its auxiliary quantities, (K,) each.

    Raises:
        GanbenchError: the loss has no derivative in the player's parameters.
    """
    if not differentiable:
        players = {**players, player: players[player].detach().requires_grad_()}
    return _gradient(match, player, players, batch, differentiable)


def _gradient(
    match: Match, player: str, players: Players, batch: Batch, differentiable: bool
) -> tuple[Tensor, Tensor, Aux]:
    """Loss, gradient and auxiliary quantities of one player, whose parameters require a gradient.

    The parts of a batch are differentiated one after the other, so that memory holds the graph of one part, unless the
    gradient is to be differentiable.
    """
    found = []
    for part in match.parts(batch):
        loss, aux = match.part_loss(player, players, part)
        with explain_autograd_error(f"derivative of {player}'s loss that every method needs"):
            (grad,) = torch.autograd.grad(loss.sum(), players[player], create_graph=differentiable)
        found.append((loss.detach(), grad, aux))
    return mean_of_parts(found)


def gradient_record(player: str, loss: Tensor, grad: Tensor) -> Aux:
    """The recorded quantities of a player's loss (K,) and gradient (K, P), under the recorder's names."""
    return {f"{player}_loss": loss, f"{player}_gradient_norm": grad.detach().norm(dim=1)}


def record(at: SimultaneousGradient) -> Aux:
    """The recorded quantities of a simultaneous gradient, (K,) each."""
    both = [gradient_record(name, at.losses[name], grad) for name, grad in at.gradients.items()]
    return {key: value for each in (*both, at.aux) for key, value in each.items()}


@contextmanager
def explain_autograd_error(derivative: str) -> Iterator[None]:
    """Translate autograd's refusal to differentiate in this block into an error that names the derivative.

    Args:
        derivative: the missing derivative, for the message.

    Raises:
        GanbenchError: autograd refused. Every other error passes unchanged: of a GPU, of lacking memory, of a shape.
    """
    try:
        yield
    except RuntimeError as error:
        refused = isinstance(error, NotImplementedError) or any(part in str(error) for part in REFUSALS)
        if not refused or out_of_memory(error):
            raise
        raise GanbenchError(f"the game lacks the {derivative}: {error}") from None
