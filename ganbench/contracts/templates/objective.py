"""The non-saturating loss at a temperature: logits count as a multiple of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from ganbench.core.interval import Interval
from ganbench.objectives import Objective


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MyObjective(Objective):
    """L_D = E[-log s(D(x) / T)] + E[-log(1 - s(D(G(z)) / T))], L_G = E[-log s(D(G(z)) / T)], with s the sigmoid and
    T the temperature; T = 1 is the loss of Goodfellow et al. (2014)."""

    temperature: Annotated[float, Interval(gt=0)] = 1.0
    """Temperature T, by which logits are divided."""

    probability: ClassVar[bool] = True  # False where `output` is a critic's score

    # Logits are (K, batch), of K runs. The first three give the loss of each example, in the logits' shape and
    # precision and with a gradient; the engine takes the means. No value may depend on another logit.

    def real(self, logits: Tensor) -> Tensor:
        return softplus(-logits / self.temperature)

    def fake(self, logits: Tensor) -> Tensor:
        return softplus(logits / self.temperature)

    def generator(self, logits: Tensor) -> Tensor:
        return softplus(-logits / self.temperature)

    def output(self, logits: Tensor) -> Tensor:
        # What is recorded: the probability that an example is real.
        return (logits / self.temperature).sigmoid()
