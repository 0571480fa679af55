"""Fixed points of a game, and eigenvalues: of the flow at a point, and of a training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ganbench.games import Match
from ganbench.lab.building import Part
from ganbench.lab.plane import Field, Range
from ganbench.lab.plane import field as field_of
from ganbench.lab.playing import play
from ganbench.numerics.eigenvalues import eigenvalues
from ganbench.numerics.fixed_points import KINDS
from ganbench.numerics.fixed_points import fixed_points as search


@dataclass(frozen=True)
class FixedPoint:
    """Where the motion in a plane is zero.

    Attributes:
        at: the two parameters.
        kind: as the flow has it: stable node, stable focus, centre, unstable focus, unstable node, saddle, degenerate.
            A stable one attracts the flow; whether it attracts finite steps depends on these.
        eigenvalues: of -J in the plane, the growth rates of the flow, largest real part first.
    """

    at: dict[str, float]
    kind: str
    eigenvalues: tuple[complex, complex]


def fixed_points(
    game: Part | Match,
    *,
    x: Range = (-5.0, 5.0),
    y: Range = (-5.0, 5.0),
    points: int = 41,
    parameters: Sequence[str] | None = None,
    at: Any = None,
) -> list[FixedPoint]:
    """The fixed points in a plane of two parameters, by x and then by y: by Newton's method from every cell of the grid
    in which both components of the motion change sign. Two in one cell are found as one.

    Args:
        game, x, y, points, parameters, at: as of `lab.field`.

    Raises:
        GanbenchError: a parameter that there is not, or an empty range.
    """
    return in_field(field_of(game, x=x, y=y, points=points, parameters=parameters, at=at))


def in_field(field: Field) -> list[FixedPoint]:
    """The fixed points in the ranges of a field."""
    low, high = (np.array([field.x[end], field.y[end]]) for end in (0, -1))
    # The search wants square cells.
    cell = float((high - low).max()) / (len(field.x) - 1)
    counts = np.ceil((high - low) / cell - 1e-9).astype(int)
    lines = [start + cell * np.arange(count + 1) for start, count in zip(low, counts, strict=True)]
    grid = torch.as_tensor(np.stack(np.meshgrid(*lines), axis=-1)).to(field.plane.base)
    (found,) = search(field.plane, grid, field.plane.over(grid, field.plane.inside))
    inside = ((found.at >= low - 1e-9 * cell) & (found.at <= high + 1e-9 * cell)).all(1)
    at, kinds = found.at[inside], found.kinds[inside]
    if not len(at):
        return []
    places = torch.zeros(len(at), dtype=torch.long, device=field.plane.base.device)
    growth = eigenvalues(field.plane.jacobian(places, torch.as_tensor(at)).double()).cpu().numpy()
    return [
        FixedPoint(
            dict(zip(field.parameters, (float(each) + 0.0 for each in point), strict=True)),
            KINDS[int(kind)],
            tuple(complex(each) for each in row[np.lexsort((-row.imag, -row.real))]),
        )
        for point, kind, row in zip(at, kinds, growth, strict=True)
    ]


def spectrum(game: Part | Match, at: Any = None) -> np.ndarray:
    """Eigenvalues of -J at a point, the growth rates of the flow theta' = -F, for every member: (members, n) complex,
    largest real part first. All P of them up to 600 parameters, the outer ones beyond.

    Args:
        game: its name, label or mapping, or what `lab.game` made.
        at: the point, as a start of `lab.play`; the members' own starts unless given.

    Raises:
        GanbenchError: the game has no second derivatives, or `at` is no point of it.
    """
    arrays = _at_point("spectrum", game, at, "simultaneous", "sgd", 1.0).arrays
    return arrays["eigenvalues_real"] + 1j * arrays["eigenvalues_imag"]


def spectral_radius(
    game: Part | Match,
    dynamics: Any = "simultaneous",
    *,
    optimizer: Any = "sgd",
    learning_rate: float | Sequence[float] | np.ndarray = 0.1,
    at: Any = None,
) -> np.ndarray:
    """Spectral radius of one training step as a map of players and memories, (members,): below 1, a fixed point at this
    place attracts the steps, and distances shrink by it at every one of them, in the end. NaN where a step has no
    derivative, as that of Adam where the gradient is 0.

    Args:
        game, dynamics, update, learning_rate: as of `lab.play`.
        at: the point, as a start of `lab.play`; the members' own starts unless given.

    Raises:
        GanbenchError: as `lab.play`.
    """
    return _at_point("update_map", game, at, dynamics, optimizer, learning_rate).values["spectral_radius"]


def _at_point(instrument: str, game: Part | Match, at: Any, dynamics: Any, optimizer: Any, rate: Any) -> Any:
    """What an instrument that looks at one point shows, as if the members had been left there."""

    played = play(game, dynamics, optimizer=optimizer, learning_rate=rate, steps=0, start=at)
    return played.measure(instrument)
