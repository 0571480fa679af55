"""Expectations under a normal distribution of functions that may be singular at 0, differentiable in its parameters.

ln(1 - D) of a Gaussian discriminator goes like ln v^2 at v = 0. Its expectation exists, but differentiating the
function under the expectation gives 1 / v, of which only the principal value exists. Here nodes stay where they are and
the normal density carries the derivatives, by the identity

    d/dm E[h(v)] = int h(v) d/dm p(v; m, s) dv,     v ~ N(m, s^2),

whose integrand is as harmless as h itself; its value is the principal value. This holds for derivatives of any
order in m and s.
"""

from __future__ import annotations

from functools import lru_cache
from math import pi, sqrt

import numpy as np
import torch
from torch import Tensor

from ganbench.nn.constants import constant

REACH = 9.0  # standard deviations beyond which the density counts as 0: exp(-81 / 2) = 3e-18
OCTAVES = 8  # panels that halve towards 0, for functions much narrower than the density
NODES = 16  # of each panel
GRADING = 4  # of the innermost panel: t = r^4 makes ln t smooth enough for 1e-12


@lru_cache
def _half_line() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Nodes t > 0 and weights of int_0^(2 REACH) f(t) dt for f analytic at t > 0 and at worst like ln t near 0."""
    r, w = np.polynomial.legendre.leggauss(NODES)
    r, w = (r + 1) / 2, w / 2
    inner = 2.0**-OCTAVES
    edges = np.concatenate([2.0 ** np.arange(-OCTAVES, 1), np.linspace(1, 2 * REACH, 15)[1:]])
    width = np.diff(edges)[:, None]
    nodes = np.concatenate([inner * r**GRADING, (edges[:-1, None] + width * r).ravel()])
    weights = np.concatenate([inner * GRADING * r ** (GRADING - 1) * w, (width * w).ravel()])
    return tuple(nodes.tolist()), tuple(weights.tolist())


def narrow_quadrature(mean: Tensor, sd: Tensor, variance: Tensor, flat: float) -> tuple[Tensor, Tensor]:
    """Nodes and weights as of `normal_quadrature` for h that is analytic near 0, down to densities without a width.

    Derivatives of a narrow density are differences of numbers that rounding makes alike. E[h(v)] is analytic in the
    variance, so below a small one it is the line between its values there and at 0, right to the order of its square.

    Args:
        mean: zeros, (K, 1).
        sd: of each member, (K, 1), at least 0.
        variance: its square, (K, 1), with derivatives at 0 too.
        flat: as of `normal_quadrature`; h is analytic near 0 where it is positive.

    Returns:
        nodes and weights; those of `normal_quadrature`, bit for bit, unless the density is narrow.
    """
    # Of second derivatives, the line has an error of about least^2, and rounding one of eps / least^2.
    least = torch.finfo(sd.dtype).eps ** 0.25
    least = min(least, flat / REACH) if flat else least
    narrow = sd < least
    nodes, weights = normal_quadrature(mean, torch.where(narrow, least, sd), flat)
    share = torch.where(narrow, variance / least**2, 1.0)
    side = (0.5,) + (0.0,) * (len(_half_line()[0]) - 1)  # the innermost node is at 0 but for rounding
    at_zero = constant(2 * side + (0.0,) * bool(flat), sd)
    return nodes, share * weights + (1 - share) * at_zero


def normal_quadrature(mean: Tensor, sd: Tensor, flat: float) -> tuple[Tensor, Tensor]:
    """Nodes and weights of E[h(v)], v ~ N(mean, sd^2), for h that is analytic but where |v| = flat.

    Args:
        mean, sd: of each member, (K, 1); sd positive.
        flat: h is constant where |v| < flat, and may have kinks at |v| = flat. Without such a stretch, 0: there h may
            have a logarithmic singularity.

    Returns:
        nodes (K, n), constants; weights (K, n), whose derivatives in mean and sd make those of the expectation.
    """
    t, w = (constant(values, mean) for values in _half_line())
    m, s = mean.detach(), sd.detach()
    # Both sides of 0 have the same nodes, unless the density is so far to one side that it must be followed there: then
    # the other side, and the singularity, hold nothing of it.
    right = flat + s * (t + ((m - flat) / s - REACH).clamp(min=0))
    left = -flat - s * (t + ((-m - flat) / s - REACH).clamp(min=0))
    nodes = torch.cat([right, left], dim=1)
    weights = torch.cat([s * w, s * w], dim=1) * (-((nodes - mean) / sd).square() / 2).exp() / (sd * sqrt(2 * pi))
    if flat:
        middle = torch.special.ndtr((flat - mean) / sd) - torch.special.ndtr((-flat - mean) / sd)
        nodes, weights = torch.cat([nodes, torch.zeros_like(m)], dim=1), torch.cat([weights, middle], dim=1)
    return nodes, weights
