"""The relativistic average GAN losses (Jolicoeur-Martineau 2019): scores against the other kind's mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn.functional import softplus

from ganbench.nn.sample import Outputs
from ganbench.objectives import Objective

LOSSES = {
    "logistic": softplus,
    "least_squares": lambda a: (1 + a).square(),
    "hinge": lambda a: (1 + a).relu(),
}
"""Of an example that lies `a` above the other kind's mean, and should lie below it."""


@dataclass(frozen=True)
class RelativisticAverage(Objective):
    """L_D = E[f(E[D(G(z))] - D(x))] + E[f(D(G(z)) - E[D(x)])], and L_G the same with real and generated examples
    exchanged, D a score and f the `loss`."""

    loss: Literal["logistic", "least_squares", "hinge"] = "logistic"
    """The function f: ln(1 + e^a) of the 'logistic' loss (RaSGAN), (1 + a)^2 of 'least_squares' (RaLSGAN), max(0, 1 +
    a) of the 'hinge' loss (RaHingeGAN)."""

    probability: ClassVar[bool] = False
    generator_sees_real: ClassVar[bool] = True

    def discriminator_loss(self, real: Outputs, fake: Outputs) -> Tensor:
        loss = LOSSES[self.loss]
        mean_real, mean_fake = real.mean(real.logits)[:, None], fake.mean(fake.logits)[:, None]
        return real.mean(loss(mean_fake - real.logits)) + fake.mean(loss(fake.logits - mean_real))

    def generator_loss(self, real: Outputs | None, fake: Outputs) -> Tensor:
        return self.discriminator_loss(fake, real)
