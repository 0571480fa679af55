"""The motion of a game in a plane of two of its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ganbench.core.errors import GanbenchError
from ganbench.games import Match
from ganbench.lab.component_specs import ComponentSpec
from ganbench.lab.equilibria import FixedPoint, find_fixed_points
from ganbench.lab.games import game as make_game
from ganbench.lab.points import players_at
from ganbench.numerics.jacobians import join
from ganbench.numerics.plane_fields import Plane, plane_names

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Range = tuple[float, float]
MAX_POINTS = 1001  # points along an axis


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """The motion -F that descent follows, on a grid of a plane.

    Attributes:
        x, y: the grid's coordinates, (nx,) and (ny,).
        u, v: the motion along x and along y, (ny, nx), rows of equal y.
        parameters: names of the two parameters.
        plane: the plane that it was sampled in, for closer sampling.
    """

    x: np.ndarray
    y: np.ndarray
    u: np.ndarray
    v: np.ndarray
    parameters: tuple[str, str]
    plane: Plane

    def __repr__(self) -> str:
        return f"Field({' x '.join(self.parameters)}, {len(self.x)} x {len(self.y)} points)"

    def fixed_points(self) -> list[FixedPoint]:
        """Where the motion in the plane is zero; see `lab.fixed_points`."""
        return find_fixed_points(self.plane, self.x, self.y, self.parameters)

    def frame(self) -> pd.DataFrame:
        """A table with a row for every point: both parameters by their names, and `u` and `v`."""
        import pandas as pd

        x, y = np.meshgrid(self.x, self.y)
        first, second = self.parameters
        return pd.DataFrame({first: x.ravel(), second: y.ravel(), "u": self.u.ravel(), "v": self.v.ravel()})

    def figure(self) -> Figure:
        """A picture: streamlines, and the fixed points by their kinds."""
        from ganbench.lab.field_figure import draw

        return draw(self.x, self.y, self.u, self.v, self.parameters, self.fixed_points())


def field(
    game: ComponentSpec | Match,
    *,
    x: Range = (-5.0, 5.0),
    y: Range = (-5.0, 5.0),
    points: int = 41,
    parameters: Sequence[str] | None = None,
    at: Any = None,
) -> Field:
    """The motion of a game in a plane of two parameters.

    Args:
        game: its name, signature or mapping, or what `lab.game` made, with one member.
        x, y: ranges of the two parameters, (low, high).
        points: number of grid points along each axis.
        parameters: names of the two parameters, along x and along y; the first of each player by default.
        at: the other parameters, as a start of `lab.play`; the game's own start by default.

    Raises:
        GanbenchError: a parameter that there is not, or an empty range.
    """
    match = game if isinstance(game, Match) else make_game(game)
    if len(match.members) != 1:
        raise GanbenchError(
            f"a field is that of one member, but the game has {len(match.members)}; take game.select([0])."
        )
    low, high = _range("x", x), _range("y", y)
    if isinstance(points, bool) or not isinstance(points, int) or not 2 <= points <= MAX_POINTS:
        raise GanbenchError(f"points must be a whole number from 2 to {MAX_POINTS}, but is {points!r}.")
    names = _names(match, parameters)
    plane = _plane(match, names, at)
    xs, ys = (np.linspace(*ends, points) for ends in (low, high))
    grid = torch.as_tensor(np.stack(np.meshgrid(xs, ys), axis=-1), dtype=match.dtype, device=match.device)
    u, v = plane.over(grid, plane.inside)[0].double().cpu().numpy().transpose(2, 0, 1)
    return Field(xs, ys, u, v, names, plane)


def fixed_points(
    game: ComponentSpec | Match,
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
    return field(game, x=x, y=y, points=points, parameters=parameters, at=at).fixed_points()


def draw_field(field: Field, path: str | Path) -> Path:
    """Save a field's picture, in the format of the suffix, .png or .svg.

    Raises:
        GanbenchError: another suffix, or a folder that there is not.
    """
    from ganbench.lab.field_figure import save

    return save(field.figure(), Path(path))


def _plane(match: Match, names: tuple[str, str], at: Any) -> Plane:
    every = match.game.parameter_names
    indices = [every.index(name) for name in names]
    base = join(players_at(match, at, "at")).clone()
    base[:, indices] = 0
    axes = base.new_zeros(1, 2, len(every))
    axes[:, [0, 1], indices] = 1
    return Plane(match, match.draw(0, 1)[0], base, axes)


def _names(match: Match, given: Sequence[str] | None) -> tuple[str, str]:
    if given is not None and (isinstance(given, str) or len(given) != 2 or not all(given)):
        raise GanbenchError(f"parameters must be the names of two, but is {given!r}.")
    return plane_names(match.game, *(given or ("", "")))


def _range(axis: str, given: Any) -> Range:
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError):
        raise GanbenchError(f"{axis} must be two numbers, from where to where, but is {given!r}.") from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise GanbenchError(f"{axis} must go from a number to a larger one, but is {low:g}, {high:g}.")
    return low, high
