"""Eigenvalues of the game's Jacobian at one point of a run: whether the flow settles there, rotates or leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.numerics import jacobians
from ganbench.numerics.eigenvalues import arnoldi, eigenvalues, random_signs


@dataclass(frozen=True)
class Spectrum(Diagnostic):
    """J = dF/dtheta at the first or last snapshot or at the `origin`, where all parameters are 0, averaged over the
    first `batches` of training (Mescheder, Nowozin and Geiger 2017 average 10).

    Eigenvalues are those of -J, the growth rates of the flow theta' = -F: the real part of a mode is its growth per
    unit of training time (step times learning rate), the imaginary part its angular speed. Up to `max_exact_size`
    parameters all eigenvalues are computed; beyond, the outer ones by `arnoldi_iterations` of Arnoldi's method, and
    the rotation share is an estimate from `hutchinson_samples` directions. Members whose parameters are not finite
    there have NaN.

    Arrays: `eigenvalues_real`, `eigenvalues_imag` (n,), largest real part first.

    Raises:
        GanbenchError: the game has no second derivatives.
    """

    at: Literal["start", "end", "origin"] = "end"
    """Point at which J is taken: the first snapshot, the last one, or the origin, where all parameters are 0."""
    batches: Annotated[int, Interval(ge=1, le=10_000)] = 1
    """Number of batches, the first of training, over which J is averaged."""
    max_exact_size: Annotated[int, Interval(ge=0, le=3000)] = 600
    """Largest number of parameters of which all eigenvalues are computed; beyond it, the outer ones."""
    arnoldi_iterations: Annotated[int, Interval(ge=1, le=10_000)] = 60
    """Number of iterations of Arnoldi's method beyond `max_exact_size`, a product with the Jacobian each."""
    hutchinson_samples: Annotated[int, Interval(ge=1, le=10_000)] = 30
    """Number of random directions from which the rotation share is estimated beyond `max_exact_size`."""

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def info(title: str, what: str, best: str = "none", lower: float | None = None, upper: float | None = None):
            return MetricInfo(title, what, best, lower, upper)

        columns = {
            "max_real": info(
                "Growth rate", "Largest real part of an eigenvalue of -J, 1/time; below 0 the flow settles.", "low"
            ),
            "frequency": info("Frequency", "Imaginary part of that eigenvalue, without sign, radians/time.", lower=0),
            "second_real": info("Second growth rate", "Real part of the eigenvalue that comes second."),
            "max_imag": info("Largest frequency", "Largest imaginary part, radians/time.", lower=0),
            "max_imag_real_ratio": info(
                "Largest |Im/Re|", "How far an eigenvalue turns before it grows or shrinks e-fold; infinite where it "
                "does neither.", lower=0
            ),
            "rotation_share": info(
                "Rotation share", "|A|^2 / |J|^2 with A the antisymmetric part of J: 0 descends one function, 1 only "
                "turns.", lower=0, upper=1
            ),
            "gradient_norm": info(
                "Gradient norm", "|F| at the point; eigenvalues decide stability only where it is 0.", lower=0
            ),
        }  # fmt: skip
        for player in game.players:
            columns[f"{player}_hessian_min"] = info(
                f"Least curvature, {player}", f"Smallest eigenvalue of the Hessian of the loss of {player} in its own "
                "parameters; below 0 with a positive largest one it stands at a saddle of its own loss.",
            )  # fmt: skip
            columns[f"{player}_hessian_max"] = info(
                f"Largest curvature, {player}", f"Largest eigenvalue of the Hessian of the loss of {player}."
            )
        if _parameters(game) == 2:
            for index in (1, 2):
                columns[f"real_{index}"] = info(f"Re λ{index}", "Real part, the smaller one first, of -J.")
                columns[f"imag_{index}"] = info(
                    f"Im λ{index}", "Imaginary part; of equal real parts, the smaller first."
                )
        return columns

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        everyone, names = len(trajectories.match.members), list(self.columns(trajectories.match.game))
        width = jacobians.parameter_count(trajectories.match)
        shown = width if width <= self.max_exact_size else min(self.arnoldi_iterations, width)
        where = jacobians.snapshot_point(trajectories, self.at, self.batches)
        if where is None:
            none = np.full((everyone, shown), np.nan)
            return DiagnosticResult(
                {name: none[:, 0] for name in names}, {"eigenvalues_real": none, "eigenvalues_imag": none.copy()}
            )
        found, columns = self._exact(where) if width <= self.max_exact_size else self._krylov(where)
        found = np.stack([_sorted(row) for row in -found.cpu().numpy()])
        columns |= _summary(found, torch.finfo(where.theta.dtype).eps) | {"gradient_norm": where.field().norm(dim=1)}
        if width == 2:
            ordered = np.stack([row[np.lexsort((row.imag, row.real))] for row in found])
            for index in (1, 2):
                columns |= {f"real_{index}": ordered[:, index - 1].real, f"imag_{index}": ordered[:, index - 1].imag}

        def seated(values: np.ndarray | Tensor) -> np.ndarray:
            return jacobians.scatter_members(everyone, where.indices, values)

        arrays = {"eigenvalues_real": seated(found.real), "eigenvalues_imag": seated(found.imag)}
        return DiagnosticResult({name: seated(columns[name]) for name in names}, arrays)

    def _exact(self, where: jacobians.ParameterPoint) -> tuple[Tensor, dict[str, Tensor]]:
        matrix = where.jacobian()
        columns, at = {"rotation_share": jacobians.share(matrix)}, 0
        for player in where.match.players:
            block = slice(at, at := at + where.match.sizes[player])
            hessian = matrix[:, block, block]
            curvatures = eigenvalues((hessian + hessian.transpose(1, 2)) / 2).real
            columns |= {f"{player}_hessian_min": curvatures.amin(1), f"{player}_hessian_max": curvatures.amax(1)}
        return eigenvalues(matrix), columns

    def _krylov(self, where: jacobians.ParameterPoint) -> tuple[Tensor, dict[str, Tensor]]:
        """Eigenvalues and rotation share from products with vectors alone."""
        count, parts = min(self.arnoldi_iterations, where.width), []
        for few in where.groups(where.width * (count + 1)):
            ahead, _ = jacobians.mean_products(few.match, few.players, few.batches)
            start = random_signs("krylov", 1, few.width, few.theta)[0].expand(len(few.indices), -1)
            found, at = [arnoldi(ahead, start, count)], 0
            for player in few.match.players:
                own = torch.zeros_like(start)
                own[:, at : (at := at + few.match.sizes[player])] = 1
                ritz = arnoldi(lambda v, own=own, ahead=ahead: own * ahead(own * v), own * start, count).real
                # Where the Krylov space is exhausted there are fewer values, and NaN in place of the others.
                none = ritz.isnan()
                found += [ritz.masked_fill(none, torch.inf).amin(1), ritz.masked_fill(none, -torch.inf).amax(1)]
            parts.append(found)
        found, *extremes = (torch.cat(each) for each in zip(*parts, strict=True))
        names = [f"{player}_hessian_{end}" for player in where.match.players for end in ("min", "max")]
        columns = {name: torch.where(e.isfinite(), e, torch.nan) for name, e in zip(names, extremes, strict=True)}
        return found, columns | {"rotation_share": jacobians.rotation_share(where, 0, self.hutchinson_samples)}


def _sorted(row: np.ndarray) -> np.ndarray:
    """Largest real part first, then largest imaginary part; NaN last."""
    return row[np.lexsort((-row.imag, -row.real))] + 0.0  # no -0


def _summary(found: np.ndarray, rounding: float) -> dict[str, np.ndarray]:
    """Columns of sorted eigenvalues (k, n) of -J."""
    first, second = found[:, 0], found[:, min(1, found.shape[1] - 1)]
    scale = np.fmax.reduce(np.abs(found), axis=1, keepdims=True)
    nothing = rounding**0.5 * scale  # as near as eigenvalues that meet are known, zeros above all
    real, imag = (np.where(np.abs(part) <= nothing, 0.0, np.abs(part)) for part in (found.real, found.imag))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((imag == 0) & np.isfinite(real), 0.0, imag / real)
    return {
        "max_real": first.real,
        "frequency": np.abs(first.imag),
        "second_real": second.real,
        "max_imag": np.fmax.reduce(np.abs(found.imag), axis=1),
        "max_imag_real_ratio": np.fmax.reduce(ratio, axis=1),
    }


def _parameters(game: Game) -> int:
    return sum(game.sizes.values())
