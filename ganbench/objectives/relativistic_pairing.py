"""The relativistic pairing GAN loss (Huang et al. 2024, R3GAN): every generated example against a real one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from ganbench.core.errors import GanbenchError
from ganbench.nn.sample import Outputs
from ganbench.objectives import Objective


@dataclass(frozen=True)
class RelativisticPairing(Objective):
    """L_D = E[ln(1 + exp(D(G(z)) - D(x)))], L_G = E[ln(1 + exp(D(x) - D(G(z))))], D a score
    (Jolicoeur-Martineau 2019, RSGAN). R3GAN adds the gradient penalties R1 and R2.

    Real and generated examples are paired in the order of their batches, so there must be as many of both, and no
    expectations by quadrature.
    """

    probability: ClassVar[bool] = False
    generator_sees_real: ClassVar[bool] = True

    def discriminator_loss(self, real: Outputs, fake: Outputs) -> Tensor:
        if real.sample.weights is not None or fake.sample.weights is not None:
            raise GanbenchError(
                "the objective pairs real and generated examples one by one, and exact expectations have no examples; "
                "give samples, or take relativistic_average"
            )
        return real.mean(softplus(fake.logits - real.logits))

    def generator_loss(self, real: Outputs | None, fake: Outputs) -> Tensor:
        return self.discriminator_loss(fake, real)
