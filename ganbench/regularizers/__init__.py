"""Regularizers, one file each: what is done to a GAN's losses, inputs or parameters to steady it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from ganbench.nn.sample import Sample

Noise = dict[str, Tensor]
Discriminator = Callable[[Tensor], Tensor]


class Regularizer:
    """Where a regularizer can step in; here nothing is done. A member is a frozen dataclass whose fields are its
    options, and overrides those methods that it needs.

    Shapes begin with the member axis K, and members never mix. Methods are functions of their arguments: random numbers
    come from `draw`, and nothing is kept from call to call.
    """

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        """The random numbers that one member's next `count` batches need, each tensor (count, ...).

        Args:
            generator: the member's own stream; draw from nothing else.
            shape: of a batch of examples, (batch, *example).
            like: a tensor of the precision to draw in, on the CPU.
        """
        return {}

    def perturb(self, examples: Tensor, kind: str, noise: Noise) -> Tensor:
        """What the discriminator is shown in place of `real` or `fake` (the kind) examples (K, batch, *example)."""
        return examples

    def penalty(self, discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise) -> Tensor | None:
        """What the discriminator's loss is raised by, (K,); None for nothing.

        `discriminator` maps examples (K, batch, *example) to logits (K, batch); one gradient of the sum of all logits
        gives every member's own.
        """
        return None

    def weight_penalty(self, player: str, theta: Tensor) -> Tensor | None:
        """What a player's loss is raised by for its parameters (K, P): (K,), or None for nothing."""
        return None

    def project(self, player: str, theta: Tensor) -> Tensor:
        """Where a player's parameters (K, P) are put back to after each of its moves."""
        return theta


def input_gradient(discriminator: Discriminator, points: Tensor) -> Tensor:
    """Gradient of the logit in the example, at every point: (K, batch, D) with D the values of an example."""
    # The slope in a shift of the examples is the slope in them, and leaves them joined to the generator they come from.
    shift = torch.zeros_like(points).requires_grad_()
    (grad,) = torch.autograd.grad(discriminator(points + shift).sum(), shift, create_graph=True)
    return grad.flatten(2)
