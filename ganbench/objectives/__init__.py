"""Objectives, one file each: what the two players minimise, as functions of the discriminator's outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganbench.nn.sample import Outputs

Term = Callable[[Tensor], Tensor]


class Objective:
    """An objective has either real(), fake() and generator(), or discriminator_loss() and generator_loss(). The first
    three are elementwise functions of the logits alone that keep their shape and precision and have a gradient; the two
    losses return one finite number (K,) for K members that never mix. One whose recorded output is neither the sigmoid
    of a logit nor the logit has output() too, elementwise as well.

    The losses are L_D = E_real[real(a)] + E_fake[fake(a)] and L_G = E_fake[generator(a)], with a the logit D(x) of an
    example, unless an objective defines others: functions of all outputs on the real and on the generated examples.
    `Outputs.mean` takes the expectations, over a batch or by quadrature. A subclass is a frozen dataclass whose fields
    are its options, `label_flip_probability` among them if it can be chosen.

    Attributes:
        probability: whether `output` is a probability; False for a critic's score. A literal, since it is read from the
            source.
        decides_by_sign: whether a score above 0 takes an example for real, as a probability above 1/2 does.
        generator_sees_real: whether `generator_loss` is given the outputs on real examples: those of its own batch.
        needs: names of what it takes besides the logits, see `Outputs`: `class_logits`, `labels` ...
    """

    probability: ClassVar[bool] = True
    decides_by_sign: ClassVar[bool] = False
    generator_sees_real: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    label_flip_probability: ClassVar[float] = 0.0
    """Probability that an example, real or generated, has the label of the other kind in the discriminator's loss,
    drawn for each example and batch from the run's own stream."""

    def real(self, logits: Tensor) -> Tensor:
        """The discriminator's loss on real examples.

        Args:
            logits: the discriminator's logits, (K, batch).

        Returns:
            The loss of each example, (K, batch).
        """
        raise NotImplementedError(f"{type(self).__name__} has no real().")

    def fake(self, logits: Tensor) -> Tensor:
        """The discriminator's loss on generated examples.

        Args:
            logits: the discriminator's logits, (K, batch).

        Returns:
            The loss of each example, (K, batch).
        """
        raise NotImplementedError(f"{type(self).__name__} has no fake().")

    def generator(self, logits: Tensor) -> Tensor:
        """The generator's loss on generated examples.

        Args:
            logits: the discriminator's logits, (K, batch).

        Returns:
            The loss of each example, (K, batch).
        """
        raise NotImplementedError(f"{type(self).__name__} has no generator().")

    def output(self, logits: Tensor) -> Tensor:
        """The discriminator's output as it is recorded.

        Args:
            logits: the discriminator's logits, (K, batch).

        Returns:
            The probability that each example is real, (K, batch), the sigmoid of its logit; the critic's score, its
            logit, where `probability` is False.
        """
        return logits.sigmoid() if self.probability else logits

    def discriminator_loss(self, real: Outputs, fake: Outputs) -> Tensor:
        """The discriminator's loss.

        Args:
            real, fake: its outputs on real and on generated examples.

        Returns:
            The loss of each member, (K,).
        """
        return real.mean(_flipped(real, self.real, self.fake)) + fake.mean(_flipped(fake, self.fake, self.real))

    def generator_loss(self, real: Outputs | None, fake: Outputs) -> Tensor:
        """The generator's loss.

        Args:
            real, fake: the discriminator's outputs on real and on generated examples; None for real ones unless
                `generator_sees_real`.

        Returns:
            The loss of each member, (K,).
        """
        return fake.mean(self.generator(fake.logits))


class CrossEntropy(Objective):
    """L_D = E[-ln D(x)] + E[-ln(1 - D(G(z)))] with D = sigmoid(logit) (Goodfellow et al. 2014, equation 1).

    Written with softplus(a) = ln(1 + e^a), since -ln sigmoid(a) = softplus(-a): gradients keep their value at any
    logit, where sigmoid followed by a logarithm loses them. A subclass may have the two attributes as options.
    """

    label_smoothing: ClassVar[float] = 0.0
    """Label smoothing s: real examples have the label 1 - s (Salimans et al. 2016, section 3.4)."""
    two_sided_smoothing: ClassVar[bool] = False
    """Whether generated examples have the label s; otherwise 0."""

    def real(self, logits: Tensor) -> Tensor:
        if not self.label_smoothing:
            return softplus(-logits)
        # The cross entropy (1 - s) softplus(-a) + s softplus(a), since softplus(a) = softplus(-a) + a.
        return softplus(-logits) + self.label_smoothing * logits

    def fake(self, logits: Tensor) -> Tensor:
        if not (self.label_smoothing and self.two_sided_smoothing):
            return softplus(logits)
        return softplus(logits) - self.label_smoothing * logits


def _flipped(outputs: Outputs, own: Term, other: Term) -> Tensor:
    """The term of each example, (K, n): its kind's own, or the other kind's where its label is flipped."""
    values = own(outputs.logits)
    return values if outputs.flipped is None else torch.where(outputs.flipped, other(outputs.logits), values)
