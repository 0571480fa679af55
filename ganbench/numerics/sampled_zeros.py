"""Zeros of a sampled vector field between its poles, counted one by one, since a grid would miss most of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.games import Game
from ganbench.numerics.fixed_points import SADDLE, STABLE_FOCUS, STABLE_NODE, classify
from ganbench.numerics.plane_fields import coordinate_plane
from ganbench.numerics.trajectories import Trajectories

COUNTED = 200  # samples up to which they are searched
POLAR = ("gaussian", "gaussian_half")  # discriminators of the game 'gaussian' that reach 1


def options_of(game: Game) -> dict[str, Any]:
    """A game's options and components by name."""
    return {each.name: getattr(game, each.name) for each in dataclasses.fields(game)}


def zeros_between_poles(trajectories: Trajectories, reference_point: tuple[float, float]) -> dict[str, np.ndarray]:
    """The zeros of a sampled vector field between its poles, by kind, and how far the saddles are from a point.

    Args:
        trajectories: the K runs.
        reference_point: b_d and b_g of the point.

    Returns:
        Numbers of `zeros`, of `saddles` and of `stable` fixed points, and the `saddle_distance` of the point from the
        nearest saddle, (K,) each; NaN for games without such poles, and the distance where there is no saddle.

    The generator's motion in the plane b depends on m = w_d b_g + b_d alone, and with a discriminator that reaches 1 it
    has a pole wherever m = -w_d w_g z_i for a latent point z_i. Between each two it changes sign once, which is found
    by bisection; there the discriminator's own motion, linear in b_d for a Gaussian, says how large b_d is.
    """
    count, options = len(trajectories.match.members), options_of(trajectories.match.game)
    samples = options.get("samples", 0)
    polar = options.get("plane") == "b" and options["discriminator"] in POLAR and not options["max_output"]
    if not polar or not 1 < samples <= COUNTED:
        return {name: np.full(count, np.nan) for name in ("zeros", "saddles", "stable", "saddle_distance")}
    plane = coordinate_plane(trajectories, "", "", "end")  # its coordinates are b_d, b_g
    w_d, w_g = options["w_d"], options["w_g"]
    poles = (-w_d * w_g * plane.batch["latent"][..., 0]).sort(dim=1).values
    low, high = (each.flatten() for each in (poles[:, :-1], poles[:, 1:]))
    indices = torch.arange(count, device=poles.device).repeat_interleave(samples - 1)

    def point(m: Tensor, b_d: float | Tensor) -> Tensor:
        b_d = torch.zeros_like(m) + b_d
        return torch.stack([b_d, (m - b_d) / w_d], dim=1)

    def motion(m: Tensor, b_d: float | Tensor = 0.0) -> Tensor:
        return plane.inside(indices, point(m, b_d))

    a, b = low + 1e-6 * (high - low), high - 1e-6 * (high - low)
    sign, size = motion(a)[:, 1].sign(), motion(a)[:, 1].abs()
    changes = sign * motion(b)[:, 1].sign() < 0
    for _ in range(40):
        middle = (a + b) / 2
        same = motion(middle)[:, 1].sign() == sign
        a, b = torch.where(same, middle, a), torch.where(same, b, middle)
    middle = (a + b) / 2
    at_0, at_1 = motion(middle)[:, 0], motion(middle, 1.0)[:, 0]
    at = point(middle, at_0 / (at_0 - at_1))
    rests = changes & (plane.inside(indices, at)[:, 1].abs() <= 1e-3 * size)  # it crosses 0 rather than jumping over it
    kinds = classify(plane.jacobian(indices, at).double().cpu().numpy()).reshape(count, -1)
    rests = rests.cpu().numpy().reshape(count, -1)
    saddles = rests & (kinds == SADDLE)
    stable = rests & np.isin(kinds, (STABLE_NODE, STABLE_FOCUS))
    apart = np.hypot(*(at.double().cpu().numpy() - reference_point).T).reshape(count, -1)
    nearest = np.where(saddles, apart, np.inf).min(1)
    return {
        "zeros": rests.sum(1).astype(float),
        "saddles": saddles.sum(1).astype(float),
        "stable": stable.sum(1).astype(float),
        "saddle_distance": np.where(np.isfinite(nearest), nearest, np.nan),
    }
