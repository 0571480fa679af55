"""The auxiliary classifier GAN loss (Odena, Olah and Shlens 2017): the discriminator also tells classes apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from ganbench.core.interval import Interval
from ganbench.nn.sample import Outputs
from ganbench.objectives import CrossEntropy


@dataclass(frozen=True)
class AuxiliaryClassifier(CrossEntropy):
    """L_D = E[-ln D(x)] + E[-ln(1 - D(G(z, c)))] + class_weight (E[-ln P(c | x)] + E[-ln P(c | G(z, c))]) and
    L_G = E[-ln D(G(z, c))] + class_weight E[-ln P(c | G(z, c))], with D = sigmoid(logit) and P = softmax(class_logits).

    The discriminator must give `class_logits`, (batch, classes), beside its logits, and the generator take labels.
    """

    class_weight: Annotated[float, Interval(ge=0)] = 1.0
    """Weight of the cross entropies of the classes."""

    needs: ClassVar[tuple[str, ...]] = ("class_logits", "labels")

    def generator(self, logits: Tensor) -> Tensor:
        return softplus(-logits)

    def discriminator_loss(self, real: Outputs, fake: Outputs) -> Tensor:
        return super().discriminator_loss(real, fake) + self.class_weight * (_class_loss(real) + _class_loss(fake))

    def generator_loss(self, real: Outputs | None, fake: Outputs) -> Tensor:
        return super().generator_loss(real, fake) + self.class_weight * _class_loss(fake)


def _class_loss(outputs: Outputs) -> Tensor:
    """The cross entropy of the labels, (K,)."""
    labels = outputs["labels"]
    values = cross_entropy(outputs["class_logits"].flatten(0, 1), labels.flatten(), reduction="none")
    return outputs.mean(values.view(labels.shape))
