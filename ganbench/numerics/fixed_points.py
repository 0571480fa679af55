"""Fixed points of the motion in a plane: where they are, and of what kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganbench.numerics.plane_fields import Plane

ITERATIONS = 16  # iterations of Newton's method, which starts within a cell of the fixed point
LISTED = 64  # fixed points that arrays have room for; counts have no such limit

KINDS = ("stable node", "stable focus", "center", "unstable focus", "unstable node", "saddle", "degenerate")
"""The kinds of fixed points; arrays hold their indices in this tuple."""

STABLE_NODE, STABLE_FOCUS, CENTER, UNSTABLE_FOCUS, UNSTABLE_NODE, SADDLE, DEGENERATE = range(len(KINDS))


@dataclass(frozen=True)
class FixedPoints:
    """A member's fixed points in a plane.

    Attributes:
        at: coordinates, (n, 2).
        kinds: indices in `KINDS`, (n,), for the flow along the motion. A stable one attracts the flow; whether it also
            attracts finite steps depends on these.
    """

    at: np.ndarray
    kinds: np.ndarray

    def count(self, *kinds: int) -> int:
        """The number of fixed points of these kinds."""
        return int(np.isin(self.kinds, kinds).sum())

    @property
    def listed(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates (`LISTED`, 2) and kinds (`LISTED`,), filled up with NaN."""
        at, kinds = np.full((LISTED, 2), np.nan), np.full(LISTED, np.nan)
        count = min(LISTED, len(self.at))
        at[:count], kinds[:count] = self.at[:count], self.kinds[:count]
        return at, kinds


def fixed_points(plane: Plane, grid: Tensor, motion: Tensor) -> list[FixedPoints]:
    """Every member's fixed points: Newton's method with the exact Jacobian from each cell in which both components
    change sign, as long as it stays near. Two in one cell are found as one. Signs also change where the motion has a
    pole or a jump; no fixed point is there, and none is found.

    Args:
        plane: the plane of each of K members.
        grid: coordinates, (ny, nx, 2), evenly spaced.
        motion: the motion in the plane at the points of the grid, (K, ny, nx, 2).

    Returns:
        The fixed points of each member, sorted by x and then by y.
    """
    cell = float(grid[0, 1, 0] - grid[0, 0, 0])
    corners = torch.stack([motion[:, :-1, :-1], motion[:, 1:, :-1], motion[:, :-1, 1:], motion[:, 1:, 1:]])
    turns = ((corners.amin(0) <= 0) & (corners.amax(0) >= 0)).all(-1)
    indices, row, column = turns.nonzero(as_tuple=True)
    at, value, grad, found = _newton(plane, indices, (grid[:-1, :-1] + cell / 2)[row, column], cell)
    speeds = motion.norm(dim=-1).flatten(1)
    # Residuals are compared with the motion elsewhere in the plane, if there is any.
    usual = torch.where(speeds.isfinite(), speeds, torch.nan).nanmedian(1).values
    small = value.norm(dim=1) <= 1e-6 * usual[indices]
    flat = (grad == 0).all(2).all(1)  # inside a region at rest, which has no isolated fixed points
    keep = found & small & ~flat
    kept = [array[keep].cpu().double().numpy() for array in (indices, at, grad)]
    return [_distinct(*(array[kept[0] == k] for array in kept[1:]), cell) for k in range(plane.members)]


def _newton(plane: Plane, indices: Tensor, start: Tensor, cell: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Newton's method for `inside` = 0 from (M, 2), with steps of at most a cell: where it led, the motion and the
    Jacobian there, and whether it came to rest within a cell of its start, (M,)."""
    at, value, grad = start.clone(), torch.zeros_like(start), start.new_zeros(len(start), 2, 2)
    found = torch.zeros_like(indices, dtype=torch.bool)
    active = torch.arange(len(indices), device=indices.device)
    for _ in range(ITERATIONS):
        if not len(active):
            break
        value[active] = plane.inside(indices[active], at[active])
        grad[active] = plane.jacobian(indices[active], at[active])
        step = _least_squares(grad[active], -value[active])
        length = step.norm(dim=1)
        rests = length <= cell * torch.finfo(at.dtype).eps ** 0.5
        found[active[rests]] = True
        ahead = at[active] + step * (cell / length.clamp(min=cell))[:, None]
        at[active[rests]] = ahead[rests]
        goes_on = ~rests & ((ahead - start[active]).abs().amax(1) <= 1.001 * cell)
        active = active[goes_on]
        at[active] = ahead[goes_on]
    return at, value, grad, found


def _least_squares(matrix: Tensor, right: Tensor) -> Tensor:
    """x (M, 2) with matrix x = right, slightly damped, so that a singular matrix raises no error."""
    square = matrix.mT @ matrix
    damping = 1e-14 * square.diagonal(dim1=1, dim2=2).sum(1) + torch.finfo(matrix.dtype).tiny
    r = (matrix.mT @ right[:, :, None])[:, :, 0]
    a, b, d = square[:, 0, 0] + damping, square[:, 0, 1], square[:, 1, 1] + damping
    determinant = (a * d - b * b)[:, None]
    return torch.stack([d * r[:, 0] - b * r[:, 1], a * r[:, 1] - b * r[:, 0]], dim=1) / determinant


def _distinct(at: np.ndarray, gradients: np.ndarray, cell: float) -> FixedPoints:
    """Fixed points (n, 2) with their Jacobians (n, 2, 2), each once, by x and then by y."""
    kept: list[int] = []
    for i, point in enumerate(at):
        if all(np.abs(point - at[j]).max() > 1e-3 * cell for j in kept):
            kept.append(i)
    at, gradients = at[kept], gradients[kept]
    coarse = np.round(at / cell, 4) + 0.0
    order = np.lexsort((coarse[:, 1], coarse[:, 0]))
    return FixedPoints(at[order], classify(gradients[order]))


def classify(jacobian: np.ndarray) -> np.ndarray:
    """The kinds of fixed points, (n,), from the motion's Jacobians there, (n, 2, 2).

    Its eigenvalues are t/2 +- sqrt(t^2/4 - d), with t the trace and d the determinant: real of two signs at a saddle,
    real of one sign at a node, complex at a focus, imaginary at a centre. A determinant of 0 is degenerate, as where
    fixed points form a line. A trace within 1e-6 of the Jacobian's size counts as 0, since the point is not known
    better, and a determinant within 1e-12 of its square, to which it is computed.
    """
    trace = jacobian[:, 0, 0] + jacobian[:, 1, 1]
    determinant = jacobian[:, 0, 0] * jacobian[:, 1, 1] - jacobian[:, 0, 1] * jacobian[:, 1, 0]
    size = np.sqrt(np.square(jacobian).sum((1, 2)))
    turning = trace**2 < 4 * determinant
    cases = [
        (np.abs(determinant) <= 1e-12 * size**2, DEGENERATE),
        (determinant < 0, SADDLE),
        (np.abs(trace) <= 1e-6 * size, CENTER),
        (turning & (trace < 0), STABLE_FOCUS),
        (turning, UNSTABLE_FOCUS),
        (trace < 0, STABLE_NODE),
    ]
    return np.select(*zip(*cases, strict=True), default=UNSTABLE_NODE).astype(int)
