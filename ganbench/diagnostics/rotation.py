"""The share of rotation, rather than descent, in the game's field along the path of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.numerics import jacobians
from ganbench.numerics.along_path import WHEN, spaced_snapshots, summaries


@dataclass(frozen=True)
class Rotation(Diagnostic):
    """At up to `max_snapshots` snapshots, evenly spaced among those kept, J = S + A is split into its symmetric part S,
    the only part in the Jacobian of a gradient of one function, and its antisymmetric part A (Balduzzi et al. 2018).
    The split is local and depends on the coordinates: with unequal learning rates of the players it would differ.

    The rotation share |A|^2 / |J|^2 weighs all directions alike; the turning share |A F|^2 / (|S F|^2 + |A F|^2)
    measures the direction of the flow only. J is averaged over the first `batches` of training. Up to `max_exact_size`
    parameters the rotation share is computed from J; beyond, it is estimated from products with
    `hutchinson_samples` fixed random directions.

    Means are over the snapshots that a run reached; a share that is not defined, as where J = 0, is NaN.

    Arrays: `steps`, `rotation_share`, `turning_share` (snapshots,).

    Raises:
        GanbenchError: the game has no second derivatives.
    """

    max_snapshots: Annotated[int, Interval(ge=1, le=10_000)] = 11
    """Largest number of snapshots that are measured, evenly spaced among those kept."""
    batches: Annotated[int, Interval(ge=1, le=10_000)] = 1
    """Number of batches, the first of training, over which J is averaged."""
    max_exact_size: Annotated[int, Interval(ge=0, le=3000)] = 100
    """Largest number of parameters of which the rotation share is computed from J; beyond it, it is an estimate."""
    hutchinson_samples: Annotated[int, Interval(ge=1, le=10_000)] = 30
    """Number of random directions from which the rotation share is estimated beyond `max_exact_size`."""

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        share = "Share of the antisymmetric part in |J|^2"
        turning = "Share of the antisymmetric part in the change of the field along itself"
        return {
            f"{name}_share_{when}": MetricInfo(f"{title}, {when}", f"{what}, {words}.", "none", 0, 1)
            for name, title, what in (
                ("rotation", "Rotation share", share),
                ("turning", "Turning share", turning),
            )
            for when, words in WHEN.items()
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        everyone, indices = len(trajectories.match.members), spaced_snapshots(trajectories, self.max_snapshots)
        shares = {name: np.full((everyone, len(indices)), np.nan) for name in ("rotation_share", "turning_share")}
        for column, index in enumerate(indices):
            where = jacobians.snapshot_point(trajectories, int(index), self.batches)
            if where is None:
                continue
            for name, values in zip(shares, self._shares(where), strict=True):
                shares[name][where.indices, column] = values.double().cpu().numpy()
        steps = np.tile(np.asarray(trajectories.steps)[indices].astype(float), (everyone, 1))
        return DiagnosticResult(summaries(shares), {"steps": steps} | shares)

    def _shares(self, where: jacobians.ParameterPoint) -> tuple[torch.Tensor, torch.Tensor]:
        ahead, back = jacobians.mean_products(where.match, where.players, where.batches)
        # Along the unit vector, whose square neither overflows far out nor vanishes near a fixed point.
        grad = where.field()
        grad = grad / grad.norm(dim=1, keepdim=True)
        forward, backward = ahead(grad).double(), back(grad).double()
        turned, pulled = ((forward - backward) / 2).square().sum(1), ((forward + backward) / 2).square().sum(1)
        return jacobians.rotation_share(where, self.max_exact_size, self.hutchinson_samples), turned / (turned + pulled)
