"""Regularizers, one file each: changes to a GAN's losses, inputs or parameters that stabilise training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from ganbench.nn.packing import first_of_group
from ganbench.nn.sample import Outputs, Sample
from ganbench.nn.weights import Weights

Noise = dict[str, Tensor]  # random numbers and state of a regularizer, {name: (K, ...)}
State = dict[str, Tensor]  # what a regularizer keeps from one loss to the next, {name: (K, ...)}
Discriminator = Callable[..., Tensor]
"""Examples (K, batch, *example), and their labels if any, to logits (K, batch), or (K, groups) of examples that are
judged together."""
Phase = tuple[Any, ...]  # which of the penalties that are computed every few steps are due


class Regularizer:
    """A regularizer derives from Regularizer: it draws from the generator it is given, and returns one finite number
    (K,) for K members that never mix, or examples or parameters in the shape they had.

    This base class does nothing; a subclass overrides the methods it needs. Methods are pure functions: random numbers
    come from `draw`, and what is kept from one loss to the next is the run's state, of `start` and `update`. A subclass
    is a frozen dataclass whose fields are its options, `every` among them if it can be chosen.

    The engine sees to lazy regularization. Unlike in StyleGAN2, where the penalty has a step of the optimizer of its
    own, it is part of the loss of its step, and Adam's rate and betas are not rescaled. Outside of training, as in a
    diagnostic that does not repeat its steps, the penalties are those of every step.

    Attributes:
        composed_of: the option that lists other regularizers, of which this one is made; None if it is made of none. A
            literal, since it is read from the source.
        per_example: whether the penalty takes the gradient of each example's logit in that example. It takes that of
            the sum of all logits, which is the same only if the discriminator does not mix the examples of a batch, as
            batch normalisation does. `ganbench check` refuses a discriminator that mixes them. One that judges groups
            of examples may mix those of a group, and the gradient is that in the whole group.
        gradient_at: the kind of examples, "real" or "fake", at which a penalty of each example's gradient takes it.
            Beside a regularizer that changes examples, its points are changed as those of this kind. It is "real" for
            points around or between examples too.
        images: whether it takes images alone, (channels, height, width).
        uses_step: whether the numbers in `noise` shall have `step`, the index of the training step from 0, (K,).
        series: names of numbers in the state that are recorded at every step.
    """

    composed_of: ClassVar[str | None] = None
    per_example: ClassVar[bool] = False
    gradient_at: ClassVar[str] = "real"
    images: ClassVar[bool] = False
    uses_step: ClassVar[bool] = False
    every: ClassVar[int] = 1
    """Period of the penalty in steps: the first of every `every` steps has it, times `every` (lazy regularization,
    Karras et al. 2020b, appendix B)."""
    series: ClassVar[tuple[str, ...]] = ()

    def unsupported(self, game: Any) -> str | None:
        """Whether the regularizer can be used in a game.

        Args:
            game: the game, an `Adversarial`.

        Returns:
            None if it can; otherwise a clause that says what the game lacks.
        """
        shape = game.example_shape
        return f"it is for images, but examples have the shape {shape}" if self.images and len(shape) != 3 else None

    def start(self) -> State:
        """The state of one member before its first step: tensors by name, on the CPU."""
        return {}

    def update(self, noise: Noise, real: Outputs, fake: Outputs) -> State:
        """The state after a loss of the discriminator.

        Args:
            noise: the random numbers and the state of this loss, (K, ...) each.
            real, fake: the discriminator's outputs on real and on generated examples.

        Returns:
            The new state, with the names and shapes of the old one.
        """
        return {}

    def recorded(self, state: State) -> dict[str, Tensor]:
        """The numbers of the state that are recorded, (K,) by the names in `series`."""
        return {name: state[name] for name in self.series}

    def phase(self, step: int) -> Phase:
        """Which of the penalties are due in a step: steps of equal phases are computed alike."""
        return () if self.every == 1 else (step % self.every == 0,)

    def in_phase(self, phase: Phase) -> Any:
        """The regularizer as it is in the steps of a phase: without the penalties that are not due, and with `every`
        times those that are."""
        return _InPhase(self, phase[0]) if phase else self

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
            noise: the random numbers of `draw` for this batch, and the state, (K, ...) each.

        Returns:
            Examples, (K, batch, *example).
        """
        return examples

    @property
    def penalises(self) -> bool:
        """Whether `penalty` gives any."""
        return type(self).penalty is not Regularizer.penalty

    def penalty(self, discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise) -> Tensor | None:
        """The penalty that is added to the discriminator's loss.

        Args:
            discriminator: a function from examples (K, batch, *example), and their labels (K, batch) where a sample
                has any, to logits (K, batch). Members do not mix, so the gradient of the sum of all logits is every
                member's own.
            real, fake: the real and the generated examples.
            noise: the random numbers of `draw` for this batch, and the state, (K, ...) each.

        Returns:
            The penalty of each member, (K,); None for no penalty.
        """
        return None

    def weight_penalty(self, player: str, weights: Weights) -> Tensor | None:
        """The penalty of a player's parameters, which is added to that player's loss.

        Args:
            player: "discriminator" or "generator".
            weights: the player's parameters by name, (K, *shape) each: in a network those of PyTorch's
                `named_parameters`, such as `0.weight`. A convolution's has four axes beside that of members, a linear
                layer's two, a bias one. `weights.vector` has all of them in one row for each member, (K, P).

        Returns:
            The penalty of each member, (K,); None for no penalty.
        """
        return None

    def project(self, player: str, weights: Weights) -> Mapping[str, Tensor]:
        """The projection of a player's parameters onto the set they are confined to, applied after each of its steps.

        Args:
            player: "discriminator" or "generator".
            weights: the player's parameters by name, as of `weight_penalty`.

        Returns:
            The parameters that are confined, by name, (K, *shape) each; those that are not named stay as they are.
        """
        return {}


@dataclass(frozen=True)
class _InPhase:
    """A regularizer with `every` times its penalties, or without them; in all else it is the regularizer."""

    regularizer: Regularizer
    due: bool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.regularizer, name)

    def _times(self, penalty: Callable[..., Tensor | None], *given: Any) -> Tensor | None:
        value = penalty(*given) if self.due else None
        return None if value is None else self.regularizer.every * value

    def phase(self, step: int) -> Phase:
        return ()

    def in_phase(self, phase: Phase) -> Any:
        return self

    @property
    def penalises(self) -> bool:
        return self.due and self.regularizer.penalises

    def penalty(self, *given: Any) -> Tensor | None:
        return self._times(self.regularizer.penalty, *given)

    def weight_penalty(self, *given: Any) -> Tensor | None:
        return self._times(self.regularizer.weight_penalty, *given)


class GradientPenalty(Regularizer, ABC):
    """gamma / 2 E[ |grad_x D(x)|^2 ], with D the logit, over points x that a subclass chooses, or with a `target`
    gamma E[ (|grad_x D(x)| - target)^2 ].

    A subclass has the option `gamma`, and `target` if there is one. The norm has a kink where the gradient is 0. There
    its own derivatives, of every order, are taken as 0: the middle of its subgradients.
    """

    per_example: ClassVar[bool] = True

    gamma: ClassVar[float]
    """Weight of the penalty, gamma."""
    target: ClassVar[float | None] = None
    """Norm of the gradient at which the penalty is 0; None for the square of the norm, which is 0 at 0 alone."""

    @abstractmethod
    def points(self, real: Sample, fake: Sample, noise: Noise) -> Sample:
        """The points x, with the labels that a conditional discriminator is given.

        Args:
            real, fake, noise: as of `penalty`.
        """

    def penalty(self, discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise) -> Tensor | None:
        at = self.points(real, fake, noise)
        square = input_gradient(discriminator, at.points, at.labels).square().sum(-1)
        if self.target is None:
            return self.gamma / 2 * at.mean(square)
        # Choosing after the root is not enough: 0 times the root's infinite derivative would be NaN.
        norm = torch.where(square > 0, torch.where(square > 0, square, 1.0).sqrt(), 0.0)
        return self.gamma * at.mean((norm - self.target).square())


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


def uniform_shares(generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """A number for each example, uniform on [0, 1).

    Args:
        generator, count, shape, like: as of `Regularizer.draw`.

    Returns:
        Numbers (count, batch, 1, ...), which multiply examples.
    """
    size = (count, shape[0], *(1 for _ in shape[1:]))
    return torch.rand(size, generator=generator, dtype=like.dtype)


def interpolated(real: Sample, fake: Sample, mix: Tensor) -> Sample:
    """Points on the lines from real to generated examples, which are paired in the order of their batches.

    The line of a group that is judged together goes from all its real examples to all its generated ones, which move by
    the same share.

    Args:
        real, fake: the real and the generated examples, as many of both.
        mix: the share of each example that is generated, (K, batch, 1, ...); a group's is that of its first example.

    Returns:
        Points, (K, batch, *example), with the labels of the real examples.
    """
    return replace(real, points=torch.lerp(real.points, fake.points, first_of_group(mix, real.packing)))
