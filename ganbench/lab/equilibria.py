"""Fixed points of a game in a plane of two parameters, by type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ganbench.numerics.eigenvalues import eigenvalues
from ganbench.numerics.fixed_points import KINDS, fixed_points
from ganbench.numerics.plane_fields import Plane


@dataclass(frozen=True)
class FixedPoint:
    """A point of a plane where the motion -F within the plane is zero.

    Attributes:
        at: the two parameters.
        kind: type under the flow: stable node, stable focus, center, unstable focus, unstable node, saddle, degenerate.
            A stable one attracts the flow; whether it attracts finite steps depends on these.
        eigenvalues: of -J in the plane, the growth rates of the flow, largest real part first.
    """

    at: dict[str, float]
    kind: str
    eigenvalues: tuple[complex, complex]


def find_fixed_points(plane: Plane, x: np.ndarray, y: np.ndarray, parameters: tuple[str, str]) -> list[FixedPoint]:
    """The fixed points in a rectangle of a plane, by x and then by y.

    Args:
        plane: the plane.
        x: increasing coordinates along the first axis, (nx,), whose spacing is that of the search.
        y: increasing coordinates along the second axis, (ny,).
        parameters: names of the two axes.
    """
    low, high = (np.array([x[end], y[end]]) for end in (0, -1))
    # The search wants square cells.
    cell = float((high - low).max()) / (len(x) - 1)
    counts = np.ceil((high - low) / cell - 1e-9).astype(int)
    lines = [start + cell * np.arange(count + 1) for start, count in zip(low, counts, strict=True)]
    grid = torch.as_tensor(np.stack(np.meshgrid(*lines), axis=-1)).to(plane.base)
    (found,) = fixed_points(plane, grid, plane.over(grid, plane.inside))
    inside = ((found.at >= low - 1e-9 * cell) & (found.at <= high + 1e-9 * cell)).all(1)
    at, kinds = found.at[inside], found.kinds[inside]
    if not len(at):
        return []
    indices = torch.zeros(len(at), dtype=torch.long, device=plane.base.device)
    growth = eigenvalues(plane.jacobian(indices, torch.as_tensor(at)).double()).cpu().numpy()
    return [
        FixedPoint(
            dict(zip(parameters, (float(each) + 0.0 for each in point), strict=True)),
            KINDS[int(kind)],
            tuple(complex(each) for each in row[np.lexsort((-row.imag, -row.real))]),
        )
        for point, kind, row in zip(at, kinds, growth, strict=True)
    ]
