"""The angle between the simultaneous gradient and the direction of training (Berard et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.dynamics import simultaneous_gradient
from ganbench.games import Game
from ganbench.numerics import jacobians

TOGETHER = 2**24  # most parameters, over all members of a pack, whose gradients are computed together


@dataclass(frozen=True)
class PathAngle(Diagnostic):
    """c(alpha) = cos of the angle between F(theta_0 + alpha (theta* - theta_0)) and theta* - theta_0, at `points` of
    alpha from -0.1 to 1.1, with theta_0 the first and theta* the last snapshot, and F averaged over the first `batches`
    of training.

    F points uphill: a run that descends to a minimum has c = -1 before its end and +1 beyond it, the sign switch. Under
    a pure rotation about a point near theta*, F is square to the chord (c = 0) but close to theta*, where it turns to
    either side and back: the bump. The chord is not the path, and F of a network is computed on batches, with the
    buffers of the last snapshot all along. NaN where the run diverged or ended where it began.

    After Berard et al. 2020, "A closer look at the optimization landscapes of generative adversarial networks".

    Arrays: `alpha`, `cosine`, `norm` (points,), the last one |F|.
    """

    points: Annotated[int, Interval(ge=12, le=10_000)] = 100
    """Number of values of alpha, evenly spaced from -0.1 to 1.1."""
    batches: Annotated[int, Interval(ge=1, le=10_000)] = 1
    """Number of batches, the first of training, over which F is averaged."""

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        return {
            "cosine_range": MetricInfo(
                "Range of the cosine", "Largest less smallest cosine; 2 for a straight descent.", "none", 0, 2
            ),
            "bump": MetricInfo(
                "Bump", "Largest |cosine| less the larger one at the ends of the chord: 0 for a sign switch alone, up "
                "to 1 for rotation about a point near the end.", "none", 0, 1
            ),
            "sign_switch": MetricInfo(
                "Sign switch", "1 if the field pulls towards the end before it and back behind it, 0 if not.", "none",
                0, 1
            ),
            "rotation": MetricInfo(
                "Field across", "Mean share of |F|^2 square to the chord, between its ends: 0 for a straight descent, "
                "1 for pure rotation about the end.", "none", 0, 1
            ),
            "chord": MetricInfo("Chord", "Distance from the first to the last parameters.", "none", 0, None),
        }  # fmt: skip

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        everyone = len(trajectories.match.members)
        alpha = np.linspace(-0.1, 1.1, self.points)
        arrays = {"alpha": np.tile(alpha, (everyone, 1))}
        arrays |= {name: np.full((everyone, self.points), np.nan) for name in ("cosine", "norm")}
        values = {name: np.full(everyone, np.nan) for name in self.columns(trajectories.match.game)}
        end = jacobians.snapshot_point(trajectories, -1, self.batches)
        if end is None:
            return DiagnosticResult(values, arrays)
        start = trajectories.theta[:, 0][torch.as_tensor(end.indices, device=end.theta.device)]
        chord = end.theta - start
        for column, a in enumerate(self._fields(end, start, chord, alpha)):
            norm = a.norm(dim=1)
            cosine = (a * chord).sum(1) / (norm * chord.norm(dim=1))
            arrays["norm"][end.indices, column] = norm.double().cpu().numpy()
            arrays["cosine"][end.indices, column] = cosine.clamp(-1, 1).double().cpu().numpy()
        values["chord"][end.indices] = chord.norm(dim=1).double().cpu().numpy()
        return DiagnosticResult(values | _shape(alpha, arrays["cosine"]), arrays)

    def _fields(self, end: jacobians.ParameterPoint, start: Tensor, chord: Tensor, alpha: np.ndarray) -> list[Tensor]:
        """F at every alpha, (k, P) each; many of them at a time, as copies of the members in one pack."""
        members, fields = len(chord), []
        together = max(1, TOGETHER // chord.numel())
        for part in np.array_split(alpha, -(-len(alpha) // together)):
            rows = [k for _ in part for k in range(members)]
            match = end.match.select(rows)
            where = torch.cat([start + float(a) * chord for a in part])
            players = jacobians.split(match, where)
            batches = [jacobians.select_members(batch, rows) for batch in end.batches]
            gradients = [jacobians.join(simultaneous_gradient(match, players, batch).gradients) for batch in batches]
            fields += torch.stack(gradients).mean(0).split(members)
        return fields


def _shape(alpha: np.ndarray, cosine: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of the cosines (K, points). A field that is zero at a point has no direction there, and is left out."""
    known = np.isfinite(cosine)
    enough = known.mean(1) > 0.5
    high, low = (np.fmax.reduce(sign * cosine, axis=1) for sign in (1, -1))
    bent = np.fmax.reduce(np.abs(cosine), axis=1) - np.fmax(np.abs(cosine[:, 0]), np.abs(cosine[:, -1]))
    before, after = (alpha > 0.8) & (alpha < 0.98), alpha > 1.02

    def mean(values: np.ndarray, part: np.ndarray) -> np.ndarray:
        total = np.where(known[:, part], values[:, part], 0).sum(1)
        count = known[:, part].sum(1)
        return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)

    switch = (mean(cosine, before) < -NOTHING) & (mean(cosine, after) > NOTHING)
    columns = {
        "cosine_range": high + low,
        "bump": np.maximum(bent, 0),
        "sign_switch": switch.astype(float),
        "rotation": mean(1 - cosine**2, (alpha >= 0) & (alpha <= 0.98)),
    }
    return {name: np.where(enough, values, np.nan) for name, values in columns.items()}


NOTHING = 1e-9  # cosines this small differ from 0 by rounding only
