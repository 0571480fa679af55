"""Unrolled GANs (Metz et al. 2017): the generator descends the loss after several steps of the discriminator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.dynamics import (
    Dynamics,
    Optimizer,
    States,
    StepResult,
    apply_gradients,
    explain_autograd_error,
    gradient,
    gradient_record,
)
from ganbench.games import Batch, LearningRates, Match, Players


@dataclass(frozen=True)
class Unrolled(Dynamics):
    """The second player's loss is L_2(phi_k, theta), with phi_0 = phi and phi_(i+1) where the first player's optimizer
    goes from phi_i along grad L_1(phi_i, theta): k = `unrolling_steps` steps on the same batch, from its present state
    and with its own rate, through all of which the second player's gradient goes, Adam's moments included. The first
    player steps along its own gradient at phi. Both step at once; no steps is simultaneous descent.

    The generator of an unrolled GAN descends the whole value of the game, whose term of real examples depends on it
    through phi_k. The objective `zero_sum` has this term; those whose generator's loss is one of generated examples
    alone, `minimax` among them, leave it out.

    The unrolled steps leave no trace in the optimizer's state, nor in the buffers of networks and regularizers, which
    go on as the first player's loss at phi leaves them. The recorded losses and gradients are those that the
    second player descends, and those of the first player at phi.

    An unrolled gradient counts twice in `gradients_per_step`, as it is differentiated again; the first is also the
    first player's own.

    Raises:
        GanbenchError: the game lacks a derivative, or the optimizer's steps cannot be differentiated.
    """

    unrolling_steps: Annotated[int, Interval(ge=0, le=1000)] = 5
    """Number k of steps of the first player that the second looks ahead; 0 is simultaneous descent."""

    @property
    def gradients_per_move(self) -> int:
        return max(self.unrolling_steps, 1) + self.unrolling_steps + 1

    def move(
        self,
        match: Match,
        players: Players,
        states: States,
        batches: list[Batch],
        optimizer: Optimizer,
        rates: LearningRates,
    ) -> StepResult:
        first, second = match.players
        own = players[second].detach().requires_grad_()
        ahead, state = players[first].detach().requires_grad_(), states[first]  # the opponent's phi_i
        for i in range(max(self.unrolling_steps, 1)):
            loss, grad, aux = gradient(
                match, first, {first: ahead, second: own}, batches[0], differentiable=self.unrolling_steps > 0
            )
            if i == 0:
                first_loss, first_gradient, first_aux, buffers = loss, grad.detach(), aux, match.buffers
            if self.unrolling_steps and not grad.requires_grad:
                # PyTorch raises no error here: the response would only be missing from the generator's
                # gradient.
                raise GanbenchError(
                    "the game lacks the second derivative that unrolling needs: PyTorch has no graph from the gradient "
                    f"of {first}'s loss to any parameters."
                )
            if i < self.unrolling_steps:
                ahead, state = optimizer.step(ahead, grad, state, rates[first])
                if not ahead.requires_grad:
                    raise GanbenchError(
                        f"unrolling needs an optimizer whose steps can be differentiated, but {optimizer!r} cuts the "
                        "graph of its gradient."
                    )
                ahead = match.project(first, ahead)
        loss, extra = match.loss(second, {first: ahead, second: own}, batches[0])
        with explain_autograd_error(
            "second derivative that unrolling needs" if self.unrolling_steps else f"derivative of {second}'s loss"
        ):
            (grad,) = torch.autograd.grad(loss.sum(), own)

        if self.unrolling_steps:
            match.buffers = buffers
        after, new_states = apply_gradients(
            match, players, states, {first: first_gradient, second: grad}, optimizer, rates
        )
        aux = (
            gradient_record(first, first_loss, first_gradient)
            | gradient_record(second, loss.detach(), grad)
            | first_aux
            | extra
        )
        return StepResult(after, new_states, aux)
