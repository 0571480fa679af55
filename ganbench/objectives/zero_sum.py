"""The minimax GAN loss whole (Goodfellow et al. 2014, equation 1): the generator has the term of real examples too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from ganbench.nn.sample import Outputs
from ganbench.objectives import Objective


@dataclass(frozen=True)
class ZeroSum(Objective):
    """L_D = E[-ln D(x)] + E[-ln(1 - D(G(z)))] with D = sigmoid(logit), and L_G = -L_D: a zero-sum game in all terms.

    The generator's own gradient is that of `minimax`, since no term of real examples depends on it. The two differ
    where it sees what the discriminator will do: by `unrolled` dynamics its gradient goes through the discriminator's
    steps, which generated examples change, to the outputs on real examples (Metz et al. 2017, section 2).
    """

    generator_sees_real: ClassVar[bool] = True

    def discriminator_loss(self, real: Outputs, fake: Outputs) -> Tensor:
        return real.mean(softplus(-real.logits)) + fake.mean(softplus(fake.logits))

    def generator_loss(self, real: Outputs | None, fake: Outputs) -> Tensor:
        return -self.discriminator_loss(real, fake)
