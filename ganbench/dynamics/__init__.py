"""Dynamics, one file each: how the two players move.

The code is the same for every game: a game of two numbers and a pair of convolutional networks are both vectors of
parameters and losses. Real-valued options may be tensors (K, 1), one value per member of a pack, so dynamics use them
in plain arithmetic only.

The simultaneous gradient of a game is F = (grad_1 L_1, grad_2 L_2), each player's gradient of its own loss in its own
parameters; J is its Jacobian. Gradient descent of both players follows -F. Second-order terms are products with J,
never J itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.dynamics._gradients import (
    PRODUCT,
    SimultaneousGradient,
    explain_autograd_error,
    gradient,
    gradient_record,
    record,
    simultaneous_gradient,
)
from ganbench.games import Aux, Batch, LearningRates, Match, Players
from ganbench.optimizers import Optimizer, State

__all__ = [
    "PRODUCT",
    "Dynamics",
    "Optimizer",
    "SimultaneousGradient",
    "State",
    "States",
    "StepResult",
    "apply_gradients",
    "explain_autograd_error",
    "gradient",
    "gradient_record",
    "record",
    "scaled",
    "simultaneous_gradient",
]

States = dict[str, State]
"""The states of a method between steps, {owner: {name: (K, ...)}}: the optimizer's state under each player's name, and
the dynamics' own under other names."""


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
    """

    discriminator_steps: Annotated[int, Interval(ge=1, le=1000)] = 1
    """Number of updates of the discriminator, the first player, in a training step: k of Goodfellow et al. (2014). The
    first k - 1 are plain steps of its optimizer; the last is part of the move of the dynamics."""

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
