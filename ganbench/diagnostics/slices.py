"""Random planes through the parameter space of a large game: the motion that they show, and what they hide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from ganbench.core.deterministic_linalg import orthonormal
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Batch, Game, Match
from ganbench.numerics import plane_fields
from ganbench.numerics.plane_fields import Plane

RUNS_OFF, RESTS, CYCLES = 0, 1, 2
BESIDE = 1.0, (5**0.5 - 1) / 2  # a direction that no symmetry of a grid has
NEUTRAL = 0.1  # |Re| over |Im| of a zero's eigenvalues up to which it is circled: r changes by less than 2 in a round


@dataclass(frozen=True)
class Slices(Diagnostic):
    """The motion -F on a grid of `points` by `points`, from -extent to extent along two orthonormal directions through
    the players as they were `at` the start or the end. Directions are drawn from the run's own stream, isotropic in the
    `space` of all parameters or of the biases of both networks.

    A slice's topology is read off its in-plane part, as if nothing moved out of the plane. Its zeros are the cells of
    the grid around which the motion turns by a full round. The slice comes to rest if one of them attracts; it cycles
    if one is circled (|Re| of its eigenvalues at most a tenth of |Im|), or repels while the motion enters all along the
    boundary (the Poincaré-Bendixson theorem); otherwise it diverges.

    Arrays: `x`, `y` (points,), `u`, `v` (points, points) with rows of equal y.
    """

    space: Literal["all", "bias"] = "all"
    """Parameters among which the directions are drawn: 'all', or 'bias', the biases of both networks."""
    at: Literal["start", "end"] = "end"
    """Snapshot at which the slice has its centre: the first or the last."""
    extent: Annotated[float, Interval(gt=0)] = 5.0
    """Half-width of the slice, in units of the parameters."""
    points: Annotated[int, Interval(ge=3, le=1000)] = 15
    """Number of grid points along each direction."""

    def unsupported(self, game: Game) -> str | None:
        if self.space == "bias" and not any("bias" in name for name in _layers(game)):
            return (
                "it has no biases to cut through; cut through all parameters (space: all), or take a game of networks"
            )
        if sum(game.sizes.values()) < 3:
            return "it has two parameters, so there is nothing to cut; take the diagnostic 'vector_field'"
        return None

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        space = {"all": "all parameters", "bias": "all biases"}[self.space]

        def share(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, f"Share of the squared motion {what}", "none", 0, 1)

        return {
            "in_plane_share": share("In-plane motion at the centre", f"of {space} that lies in it, at its centre."),
            "in_plane_share_mean": share("In-plane motion", f"of {space} that lies in it, mean over the slice."),
            "in_plane_share_expected": share("In-plane motion by chance", f"of {space} in a random plane."),
            "in_plane_of_biases": share("In-plane motion of biases", "of all biases that lies in it; cuts of biases."),
            "in_plane_of_all": share("In-plane motion of all", "of all parameters that lies in it, mean."),
            "topology": MetricInfo(
                "Topology", "What the motion in it does: 0 it diverges, 1 it comes to rest, 2 it cycles.", "none", 0, 2
            ),
            "zeros": MetricInfo("Zeros", "Points of the slice where the in-plane motion is zero.", "none", 0, None),
            "boundary_turns": MetricInfo(
                "Turns along the boundary", "Rounds that the in-plane motion turns by along the boundary; 0 without a "
                "zero, 1 around a node, focus or cycle, -1 around a saddle.", "none", None, None
            ),
            "outflow_share": MetricInfo(
                "Outflow", "Share of the boundary across which the in-plane motion leaves.", "none", 0, 1
            ),
        }  # fmt: skip

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        snapshot = 0 if self.at == "start" else -1
        match, base = trajectories.match_at(snapshot), trajectories.theta[:, snapshot].detach()
        within = torch.as_tensor(self._within(match.game), device=base.device)  # (P,)
        plane = Plane(match, trajectories.batch(), base, _directions(match, within, base))
        line, grid = plane_fields.square_grid(-self.extent, self.extent, self.points, base)

        def motions(there: Match, theta: Tensor, batch: Batch, axes: Tensor) -> Tensor:
            motion = plane_fields.motion(there, theta, batch)
            inside = torch.einsum("mip,mp->mi", axes, motion)
            sums = [motion[:, within].square().sum(1), motion.square().sum(1)]
            return torch.cat([inside, torch.stack(sums, dim=1)], dim=1)

        everything = torch.cat([grid.reshape(-1, 2), grid.new_zeros(1, 2)])  # the centre is on the grid or is not
        measured = (
            plane.over(everything, lambda *points: plane.evaluate(motions, *points)).double().cpu().numpy()
        )  # (K, N, 4)
        inside, of_space, of_all = measured[..., :2], measured[..., 2], measured[..., 3]
        planar = np.square(inside).sum(-1)
        with np.errstate(all="ignore"):
            shares, all_shares = planar / of_space, planar / of_all
        exists = np.isfinite(measured).all((1, 2))
        values = {
            "in_plane_share": np.where(exists, shares[:, -1], np.nan),
            "in_plane_share_mean": _mean(shares[:, :-1], exists),
            "in_plane_share_expected": np.where(exists, 2 / int(within.sum()), np.nan),
            "in_plane_of_biases": _mean(shares[:, :-1], exists & (self.space == "bias")),
            "in_plane_of_all": _mean(all_shares[:, :-1], exists),
        }
        field = inside[:, :-1].reshape(-1, self.points, self.points, 2)
        read = [topology(each) if known else [np.nan] * 4 for each, known in zip(field, exists, strict=True)]
        for index, name in enumerate(("topology", "zeros", "boundary_turns", "outflow_share")):
            values[name] = np.array([each[index] for each in read], dtype=float)
        lines = np.tile(line.double().cpu().numpy(), (len(base), 1))
        return DiagnosticResult(values, {"x": lines, "y": lines, "u": field[..., 0], "v": field[..., 1]})

    def _within(self, game: Game) -> np.ndarray:
        """Mask (P,) of the parameters in which directions are drawn."""
        if self.space == "all":
            return np.ones(sum(game.sizes.values()), dtype=bool)
        sizes = [int(np.prod(shape)) for _, shape in _layers(game).items()]
        return np.repeat(["bias" in name for name in _layers(game)], sizes)


def _layers(game: Game) -> dict[str, tuple[int, ...]]:
    """The shapes of both networks' parameters by name, in the order of their vectors; empty for games without."""
    networks = getattr(game, "networks", {})
    return {f"{player}.{name}": shape for player in networks for name, shape in networks[player].shapes.items()}


def _directions(match: Match, within: Tensor, like: Tensor) -> Tensor:
    """Two orthonormal directions of every member, isotropic among the parameters within, (K, 2, P)."""
    count = int(within.sum())
    axes = like.new_zeros(len(match.members), 2, len(within))
    for index, member in enumerate(match.members):
        both = stream(member.seed, "slice").normal(size=(2, count))
        axes[index][:, within] = torch.as_tensor(np.stack(orthonormal(*both))).to(like)
    return axes


def topology(field: np.ndarray) -> tuple[int, int, float, float]:
    """The topology of a planar field on a grid (n, n, 2) with rows of equal y, the number of its zeros, the turns of
    the field along the boundary, counterclockwise, and the share of the boundary across which it leaves."""
    angles = _angles(field)
    # Each edge once, so that both of its cells see the same turn where the field reverses along it.
    ahead, up = ((np.diff(angles, axis=axis) + np.pi) % (2 * np.pi) - np.pi for axis in (1, 0))
    index = np.rint((ahead[:-1] + up[:, 1:] - ahead[1:] - up[:, :-1]) / (2 * np.pi)).astype(int)

    # The Jacobian in the middle of each cell, in units of a cell.
    corners = field[:-1, :-1], field[:-1, 1:], field[1:, 1:], field[1:, :-1]  # counterclockwise
    d_dx = (corners[1] + corners[2] - corners[0] - corners[3]) / 2
    d_dy = (corners[2] + corners[3] - corners[0] - corners[1]) / 2
    real = (d_dx[..., 0] + d_dy[..., 1]) / 2
    determinant = d_dx[..., 0] * d_dy[..., 1] - d_dx[..., 1] * d_dy[..., 0]
    turning = np.sqrt(np.maximum(determinant - real**2, 0))
    circled = (turning > 0) & (np.abs(real) <= NEUTRAL * turning)

    outward = np.concatenate([-field[0, :, 1], field[-1, :, 1], -field[:, 0, 0], field[:, -1, 0]])
    round_ = index == 1
    if (round_ & ~circled & (real < 0)).any():
        kind = RESTS
    elif (round_ & circled).any() or (round_.any() and (outward < 0).all()):
        kind = CYCLES
    else:
        kind = RUNS_OFF
    return kind, int(np.abs(index).sum()), float(index.sum()), float((outward > 0).mean())


def _angles(field: np.ndarray) -> np.ndarray:
    """The directions of a field (n, n, 2), (n, n) in radians. A point where it is 0 has the direction close beside it,
    so that the zero is in one of the cells around the point."""
    d_dy, d_dx = np.gradient(field, axis=(0, 1))
    beside = BESIDE[0] * d_dx + BESIDE[1] * d_dy
    u, v = np.moveaxis(np.where((field == 0).all(-1, keepdims=True), beside, field), -1, 0)
    return np.arctan2(v, u)


def _mean(shares: np.ndarray, exists: np.ndarray) -> np.ndarray:
    """Means of (K, N) over the points with any motion, (K,); NaN where there are none."""
    known = np.isfinite(shares)
    with np.errstate(invalid="ignore"):
        means = np.where(known, shares, 0).sum(1) / known.sum(1)
    return np.where(exists, means, np.nan)
