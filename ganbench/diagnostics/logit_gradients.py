"""Gradients of the GAN losses in the discriminator's logit: which of them fade, where, and by rounding or by design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.objectives import Objective
from ganbench.objectives.binary_cross_entropy import BinaryCrossEntropy
from ganbench.objectives.minimax import Minimax
from ganbench.objectives.non_saturating import NonSaturating

Term = Callable[[Tensor], Tensor]

MAX_LOGIT = 200  # logits from minus to plus this size are tried, whole numbers
INTACT = 0.99  # share of the gradient of the formula on logits from which rounding has taken next to nothing
SMALL_LOSS = 1e-3  # of the discriminator on a generated example: what "a loss of zero" is taken for
STEPS, RATE = 2000, 1.0  # of the descents in a logit


@dataclass(frozen=True)
class LogitGradients(Diagnostic):
    """With D = sigmoid(a) for the logit a, the generator's minimax loss ln(1 - D) has the derivative -D in a, and its
    non-saturating loss -ln D has -(1 - D) (Goodfellow et al. 2014, section 3): where the discriminator is sure that an
    example is generated, the one is near 0 and the other near -1. Its own loss there is l = -ln(1 - D), so that the
    sizes of the two derivatives are 1 - exp(-l) and exp(-l).

    The losses are those of the objectives `minimax`, `non_saturating` and `binary_cross_entropy`. The last is the
    literal sigmoid followed by PyTorch's BCELoss, whose derivatives are measured in single precision, where code has
    them, at whole logits from -200 to 200. There D is exactly 0 from -104 down, below the smallest number of single
    precision, or from -89 down, where PyTorch computes it as 1 / (1 + exp(-a)) and exp(-a) is beyond the largest.

    The optimum of a discriminator on equal distributions, and where a generator leads that minimises the value
    v = E ln D(x) + E ln(1 - D(G(z))) or its negative, are found by 2000 steps of descent in a logit that starts at 1
    and at 0.
    """

    of: ClassVar[Literal["runs", "study"]] = "study"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def size(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, what, "none", 0, None)

        def logit(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, what, "none", -MAX_LOGIT, MAX_LOGIT)

        literal = "of sigmoid and BCELoss in single precision"
        return {
            "minimax_at_minus_10": size("Minimax at -10", "Size of dL_G/da of the minimax loss at the logit -10."),
            "non_saturating_at_minus_10": size(
                "Non-saturating at -10", "Size of dL_G/da of the non-saturating loss at the logit -10."
            ),
            "minimax_error": size(
                "Error of the minimax form", "Largest relative difference of that size from D, logits -30 to 30."
            ),
            "non_saturating_error": size(
                "Error of the non-saturating form", "Largest relative difference of that size from 1 - D, -30 to 30."
            ),
            "minimax_at_small_loss": size(
                "Minimax at a small loss", "Size of dL_G/da, minimax, where the discriminator's loss is 0.001."
            ),
            "non_saturating_at_small_loss": size(
                "Non-saturating at a small loss", "Size of dL_G/da, non-saturating, where that loss is 0.001."
            ),
            "literal_at_minus_30": size("Literal at -30", f"Size of dL_G/da {literal} at the logit -30."),
            "literal_at_minus_40": size("Literal at -40", f"Size of dL_G/da {literal} at the logit -40."),
            "literal_at_minus_104": size("Literal at -104", f"Size of dL_G/da {literal} at the logit -104."),
            "literal_intact_from": logit(
                "Literal, intact from", f"Smallest logit at which dL_G/da {literal} is within 1% of -(1 - D)."
            ),
            "literal_zero_to": logit("Literal, zero up to", f"Largest logit up to which dL_G/da {literal} is 0."),
            "literal_max_loss": size("Literal, largest loss", f"Largest generator's loss {literal}."),
            "literal_fake_zero_from": logit(
                "Literal, fakes zero from",
                f"Smallest logit from which the derivative on fakes of the discriminator's loss {literal} is 0.",
            ),
            "non_saturating_at_minus_104": size(
                "On logits at -104", "Size of dL_G/da of the non-saturating loss on logits, single precision, at -104."
            ),
            "fake_at_17": size(
                "On logits, fakes at 17",
                "Size of the derivative on fakes of the discriminator's loss on logits, at 17.",
            ),
            "optimal_output": MetricInfo(
                "Optimal output", "Output of the best discriminator where generated and real agree.", "none", 0, 1
            ),
            "optimal_loss": size("Optimal loss", "The loss L_D of that discriminator."),
            "output_minimising_value": MetricInfo(
                "Output, v minimised", "Output on generated examples after the generator minimised v.", "none", 0, 1
            ),
            "output_minimising_negative": MetricInfo(
                "Output, -v minimised", "Output on generated examples after the generator minimised -v.", "none", 0, 1
            ),
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        minimax, non_saturating, literal = Minimax(), NonSaturating(), BinaryCrossEntropy()
        whole = torch.arange(-MAX_LOGIT, MAX_LOGIT + 1, dtype=torch.float32)
        generator, fake = slopes(literal.generator, whole), slopes(literal.fake, whole)
        intact = generator.abs() >= INTACT * slopes(non_saturating.generator, whole).abs()
        small = torch.tensor(SMALL_LOSS, dtype=torch.float64).expm1().log()  # the logit where softplus is that loss
        values = {
            "minimax_at_minus_10": _size(minimax.generator, -10.0),
            "non_saturating_at_minus_10": _size(non_saturating.generator, -10.0),
            "minimax_error": _form_error(minimax.generator, torch.sigmoid),
            "non_saturating_error": _form_error(non_saturating.generator, lambda a: (-a).sigmoid()),
            "minimax_at_small_loss": _size(minimax.generator, small),
            "non_saturating_at_small_loss": _size(non_saturating.generator, small),
            "literal_at_minus_30": _size(literal.generator, -30.0),
            "literal_at_minus_40": _size(literal.generator, -40.0),
            "literal_at_minus_104": _size(literal.generator, -104.0),
            "literal_intact_from": whole[intact].min(),
            "literal_zero_to": whole[generator != 0].min() - 1,
            "literal_max_loss": literal.generator(whole).max(),
            "literal_fake_zero_from": whole[fake != 0].max() + 1,
            "non_saturating_at_minus_104": _size(non_saturating.generator, -104.0),
            "fake_at_17": _size(non_saturating.fake, 17.0),
        }
        best = descend(lambda a: discriminator_loss(minimax, a, a), 1.0)
        values |= {
            "optimal_output": minimax.output(best),
            "optimal_loss": discriminator_loss(minimax, best, best),
            # v in the logit of generated examples: real ones add a constant.
            "output_minimising_value": minimax.output(descend(lambda a: -minimax.fake(a), 0.0)),
            "output_minimising_negative": minimax.output(descend(minimax.fake, 0.0)),
        }
        return DiagnosticResult({name: np.asarray(float(value)) for name, value in values.items()})


def slopes(loss: Term, logits: Tensor) -> Tensor:
    """The derivatives of an elementwise loss at logits (n,), in their precision."""
    at = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(at).sum(), at)[0]


def discriminator_loss(objective: Objective, real: Tensor, fake: Tensor) -> Tensor:
    """The terms of the discriminator's loss at the logits of a real and of a generated example."""
    return objective.real(real) + objective.fake(fake)


def descend(loss: Term, start: float) -> Tensor:
    """The logit after `STEPS` steps of gradient descent at the rate `RATE`, in double precision."""
    logit = torch.tensor(start, dtype=torch.float64)
    for _ in range(STEPS):
        logit = logit - RATE * slopes(loss, logit)
    return logit


def _size(loss: Term, logit: float | Tensor) -> Tensor:
    """The size of a loss's derivative at one logit: a number in single precision, a tensor in its own."""
    return slopes(loss, torch.as_tensor(logit)).abs()


def _form_error(loss: Term, form: Term) -> Tensor:
    """The largest relative difference of the size of a loss's derivative from its form, at logits from -30 to 30."""
    logits = torch.linspace(-30, 30, 121, dtype=torch.float64)
    return (slopes(loss, logits).abs() / form(logits) - 1).abs().max()
