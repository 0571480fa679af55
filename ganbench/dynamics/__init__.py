"""Dynamics, one file each: how the two players move in one training step.

The code is the same for every game: a game of two numbers and a pair of convolutional networks are both vectors of
parameters and losses. Real-valued options may be tensors (K, 1), one value per member of a pack, so dynamics use them
in plain arithmetic only.

The simultaneous gradient of a game is F = (grad_1 L_1, grad_2 L_2), each player's gradient of its own loss in its own
parameters; J is its Jacobian. Gradient descent of both players follows -F. Second-order terms are products with J,
never J itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError, out_of_memory
from ganbench.core.interval import Interval
from ganbench.games import Aux, Batch, LearningRates, Match, Players
from ganbench.optimizers import Optimizer, State

States = dict[str, State]
"""The states of a method between steps, {owner: {name: (K, ...)}}: the optimizer's state under each player's name, and
the dynamics' own under other names."""

PRODUCT = 2  # gradients that a product with J or its transpose counts as: it differentiates both players' gradients


@dataclass(frozen=True)
class StepResult:
    """The result of a training step.

    Attributes:
        players: the new parameters, (K, P) of each player, detached from any graph.
        states: the new states.
        aux: loss and norm of the gradient of each player and the game's `series`, (K,) each, measured in this step.
    """

    players: Players
    states: States
    aux: Aux


@dataclass(frozen=True, kw_only=True)
class Dynamics(ABC):
    """Dynamics derive from Dynamics: move() changes nothing in place, is a function of its arguments, and returns a
    StepResult with parameters (K, P), states whose first axis is the member's, and everything that the game's series
    need.

    A subclass is a frozen dataclass whose fields are its options, beside those of this class. It defines `move`; a
    `step` is `discriminator_steps` - 1 moves of the first player alone, each by the optimizer on a batch of its own,
    and then one move of the dynamics.

    Attributes:
        discriminator_steps: number of moves of the first player in a step; the last of them is the dynamics'.
    """

    discriminator_steps: Annotated[int, Interval(ge=1, le=1000)] = 1

    @property
    def batches_per_move(self) -> int:
        """Number of batches that a move uses."""
        return 1

    @property
    @abstractmethod
    def gradients_per_move(self) -> int:
        """Cost of a move, in gradients of one player's loss; a product with J counts as `PRODUCT` of them."""

    @property
    def batches_per_step(self) -> int:
        """Number of batches that a step uses."""
        return self.discriminator_steps - 1 + self.batches_per_move

    @property
    def gradients_per_step(self) -> int:
        """Cost of a step, in gradients of one player's loss. A fair comparison of dynamics is one at equal numbers of
        gradients, not at equal numbers of steps."""
        return self.discriminator_steps - 1 + self.gradients_per_move

    def init(self, match: Match, players: Players, optimizer: Optimizer) -> States:
        """The states before the first step.

        Args:
            match: the game with its K members.
            players: the initial parameters, (K, P) of each player.
            optimizer: the optimizer that moves the players.

        Returns:
            The optimizer's state under each player's name, and the dynamics' own under other names; all tensors are
            (K, ...).

        Raises:
            GanbenchError: the dynamics cannot be combined with this optimizer.
        """
        return {player: optimizer.init(theta) for player, theta in players.items()}

    def step(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        """One training step of every member; arguments, result and errors as of `move`, but with `batches_per_step`
        batches. What is recorded is measured in the last move."""
        alone = self.discriminator_steps - 1
        first = match.players[0]
        for batch in batches[:alone]:
            _, grad, _ = gradient(match, first, players, batch)
            moved, states = apply_gradients(match, players, states, {first: grad}, optimizer, rates)
            players = players | moved
        return self.move(match, players, states, batches[alone:], optimizer, rates)

    @abstractmethod
    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        """One move of both players of every member.

        Args:
            match: the game with its K members.
            players: the parameters, (K, P) of each player.
            states: the states before the move.
            batches: `batches_per_move` batches, whose tensors are (K, ...).
            optimizer: the optimizer that moves the players.
            rates: learning rates, (K, 1) of each player.

        Returns:
            The new parameters and states, and the quantities measured in this move.

        Raises:
            GanbenchError: the game lacks a derivative that the dynamics needs.
        """

    def snapshot(self, players: Players, states: States) -> Players:
        """The parameters that a snapshot keeps.

        Args:
            players: the current parameters, (K, P) of each player.
            states: the current states.

        Returns:
            Parameters, (K, P) of each player: the current ones, unless the dynamics averages them.
        """
        return players


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
        loss, extra = match.loss(name, at if differentiable else {**still, name: at[name]}, batch)
        with explain_autograd_error(f"derivative of {name}'s loss that every method needs"):
            (gradients[name],) = torch.autograd.grad(loss.sum(), at[name], create_graph=differentiable)
        losses[name] = loss.detach()
        aux |= extra
    return SimultaneousGradient(losses, gradients, aux, at)


def gradient(match: Match, player: str, players: Players, batch: Batch) -> tuple[Tensor, Tensor, Aux]:
    """The gradient of one player's loss in its own parameters.

    Args:
        match: the game with its K members.
        player: the player.
        players: the point, (K, P) of each player.
        batch: the random numbers of the loss.

    Returns:
        The loss, (K,), its gradient, (K, P), and its auxiliary quantities, (K,) each.

    Raises:
        GanbenchError: the loss has no derivative in the player's parameters.
    """
    theta = players[player].detach().requires_grad_()
    loss, aux = match.loss(player, {**players, player: theta}, batch)
    with explain_autograd_error(f"derivative of {player}'s loss that every method needs"):
        (grad,) = torch.autograd.grad(loss.sum(), theta)
    return loss.detach(), grad, aux


def gradient_record(player: str, loss: Tensor, grad: Tensor) -> Aux:
    """The recorded quantities of a player's loss (K,) and gradient (K, P), under the recorder's names."""
    return {f"{player}_loss": loss, f"{player}_gradient_norm": grad.detach().norm(dim=1)}


def record(at: SimultaneousGradient) -> Aux:
    """The recorded quantities of a simultaneous gradient, (K,) each."""
    both = [gradient_record(name, at.losses[name], grad) for name, grad in at.gradients.items()]
    return {key: value for each in (*both, at.aux) for key, value in each.items()}


def apply_gradients(
    match: Match, players: Players, states: States, gradients: Players, optimizer: Optimizer, rates: LearningRates
) -> tuple[Players, States]:
    """A step of the optimizer along given gradients.

    Args:
        match: the game with its K members.
        players: the parameters, (K, P) of each player.
        states: the states before the step.
        gradients: the gradients, (K, P) of each player that moves.
        optimizer: the optimizer.
        rates: learning rates, (K, 1) of each player.

    Returns:
        The new, projected parameters of these players, and the states with the optimizer's new ones; other states are
        unchanged.
    """
    after, new_states = {}, dict(states)
    for name, grad in gradients.items():
        theta, new_states[name] = optimizer.step(players[name], grad.detach(), states[name], rates[name])
        after[name] = match.project(name, theta)
    return after, new_states


def scaled(rates: LearningRates, factor: float | Tensor) -> LearningRates:
    """Learning rates times a factor, which may be one of each member, (K, 1)."""
    return {player: factor * rate for player, rate in rates.items()}


@contextmanager
def explain_autograd_error(derivative: str) -> Iterator[None]:
    """Translate PyTorch's refusal to differentiate in this block into an error that names the derivative.

    Args:
        derivative: the missing derivative, for the message.

    Raises:
        GanbenchError: PyTorch refused. Errors of lacking memory pass unchanged.
    """
    try:
        yield
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        raise GanbenchError(f"the game lacks the {derivative}: {error}") from None
