"""Regularizers, one file each: changes to a GAN's losses, inputs or parameters that stabilise training."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Generator, Tensor

from ganbench.nn.packing import first_of_group
from ganbench.nn.sample import Sample

Noise = dict[str, Tensor]  # random numbers of a regularizer, {name: (K, ...)}
Discriminator = Callable[..., Tensor]
"""Examples (K, batch, *example), and their labels if any, to logits (K, batch), or (K, groups) of examples that are
judged together."""


class Regularizer:
    """A regularizer derives from Regularizer: it draws from the generator it is given, and returns one finite number
    (K,) for K members that never mix, or examples or parameters in the shape they had.

    This base class does nothing; a subclass overrides the methods it needs. Methods are pure functions: random numbers
    come from `draw`, and nothing is kept between calls. A subclass is a frozen dataclass whose fields are its options.

    Attributes:
        per_example: whether the penalty takes the gradient of each example's logit in that example. It takes that of
            the sum of all logits, which is the same only if the discriminator does not mix the examples of a batch, as
            batch normalisation does. `ganbench check` refuses a discriminator that mixes them. One that judges groups
            of examples may mix those of a group, and the gradient is that in the whole group.
    """

    per_example: ClassVar[bool] = False

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        """The random numbers of one member for some batches.

        Args:
            generator: the member's own random generator, the only one to draw from.
            count: number of batches.
            shape: shape of a batch of examples, (batch, *example).
            like: an empty tensor on the CPU whose precision the numbers have.

        Returns:
            Tensors (count, ...) by name.
        """
        return {}

    def perturb(self, examples: Tensor, kind: str, noise: Noise) -> Tensor:
        """The examples that the discriminator is given in place of others.

        Args:
            examples: examples, (K, batch, *example).
            kind: "real" or "fake".
            noise: the random numbers of `draw` for this batch, (K, ...) each.

        Returns:
            Examples, (K, batch, *example).
        """
        return examples

    def penalty(self, discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise) -> Tensor | None:
        """The penalty that is added to the discriminator's loss.

        Args:
            discriminator: a function from examples (K, batch, *example), and their labels (K, batch) where a sample
                has any, to logits (K, batch). Members do not mix, so the gradient of the sum of all logits is every
                member's own.
            real, fake: the real and the generated examples.
            noise: the random numbers of `draw` for this batch, (K, ...) each.

        Returns:
            The penalty of each member, (K,); None for no penalty.
        """
        return None

    def weight_penalty(self, player: str, theta: Tensor) -> Tensor | None:
        """The penalty of a player's parameters, which is added to that player's loss.

        Args:
            player: "discriminator" or "generator".
            theta: the player's parameters, (K, P).

        Returns:
            The penalty of each member, (K,); None for no penalty.
        """
        return None

    def project(self, player: str, theta: Tensor) -> Tensor:
        """The projection of a player's parameters onto the set they are confined to, applied after each of its steps.

        Args:
            player: "discriminator" or "generator".
            theta: the player's parameters, (K, P).

        Returns:
            Parameters, (K, P).
        """
        return theta


def input_gradient(discriminator: Discriminator, points: Tensor, labels: Tensor | None = None) -> Tensor:
    """The gradient of each example's logit in the example: that of the sum of all logits.

    Where several examples have one logit together it is that of each group's logit in all examples of the group.

    Args:
        discriminator: a function from examples, and labels if any, to logits that does not mix examples.
        points: examples, (K, batch, *example).
        labels: their labels, (K, batch), if any.

    Returns:
        The gradient at every example, (K, batch, D) with D the number of values of an example, or at every group,
        (K, groups, D) with D the number of values of all its examples; differentiable.
    """
    # The gradient in a shift of the examples equals that in the examples, and keeps them in the generator's graph.
    shift = torch.zeros_like(points).requires_grad_()
    given = (points + shift,) if labels is None else (points + shift, labels)
    logits = discriminator(*given)
    (grad,) = torch.autograd.grad(logits.sum(), shift, create_graph=True)
    return grad.reshape(*logits.shape, -1)


def between(real: Sample, fake: Sample, mix: Tensor) -> Tensor:
    """Points on the lines from real to generated examples, which are paired in the order of their batches.

    The line of a group that is judged together goes from all its real examples to all its generated ones, which move by
    the same share.

    Args:
        real, fake: the real and the generated examples, as many of both.
        mix: the share of each example that is generated, (K, batch, 1, ...); a group's is that of its first example.

    Returns:
        Points, (K, batch, *example).
    """
    return torch.lerp(real.points, fake.points, first_of_group(mix, real.packing))
