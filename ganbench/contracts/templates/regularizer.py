"""Drift penalty: the discriminator's logits of real examples are kept near 0 (Karras et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.nn.sample import Sample
from ganbench.regularizers import Discriminator, Noise, Regularizer


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MyRegularizer(Regularizer):
    """strength E[D(x)^2] over real examples x, with D the logit, added to the discriminator's loss."""

    strength: Annotated[float, Interval(ge=0)] = 1e-3
    """Weight of the penalty."""

    # The base class does nothing. Override what you need: `penalty` of the discriminator's loss, `weight_penalty` and
    # `project` of each player's parameters, by the names and shapes of PyTorch's `named_parameters`, `perturb` for
    # changed examples, `draw` for random numbers, `start` and `update` for what is kept from step to step.

    def penalty(self, discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise) -> Tensor | None:
        # `real.points` is (K, batch, *example), of K runs; `real.mean` takes the mean over the batch of each run.
        given = (real.points,) if real.labels is None else (real.points, real.labels)
        return self.strength * real.mean(discriminator(*given).square())  # (K,), one number for each run
