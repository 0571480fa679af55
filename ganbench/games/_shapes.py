"""Discriminators of one number as functions of v = w_d x + b_d: D = S(v), each given by its logit ln(S / (1 - S))."""

from __future__ import annotations

from math import log, pi, sqrt

import torch
from torch import Tensor

TOUCHING = {"gaussian": 1.0, "gaussian_half": 0.5}  # S(v) = exp(-k v^2), by name: k. They reach 1, at v = 0
BUMPS = 0.5  # height of each of the two bumps


def logit(name: str, v: Tensor, floor: float) -> Tensor:
    """The logit of D at v, of v's shape.

    Args:
        name: sigmoid; gaussian, exp(-v^2); gaussian_half, exp(-v^2 / 2); gaussian_pdf, the latter over sqrt(2 pi);
            two_bumps, exp(-(v - 1)^2) / 2 + exp(-(v + 1)^2) / 2.
        floor: of -ln D, for those that reach 1; 0 for none.
    """
    if name == "sigmoid":
        return v
    if name in TOUCHING:
        # The floor is one of -ln D, not a ceiling of the logit: that is infinite at v = 0, and its derivative would
        # become 0 times infinity.
        a = (TOUCHING[name] * v.square()).clamp(min=floor)
        return -a - (-torch.expm1(-a)).log()  # ln S - ln(1 - S) without the cancellation in 1 - S
    if name == "gaussian_pdf":
        log_s = -v.square() / 2 - log(2 * pi) / 2
    else:
        log_s = torch.logaddexp(-(v - 1).square(), -(v + 1).square()) + log(BUMPS)
    return log_s - torch.log1p(-log_s.exp())


def flat_radius(name: str, floor: float) -> float:
    """|v| within which D is constant because of its floor."""
    return sqrt(floor / TOUCHING[name]) if floor else 0.0
