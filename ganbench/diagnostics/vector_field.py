"""The vector field over a plane of two parameters, and its fixed points."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game, Match
from ganbench.numerics import jacobians, plane_fields
from ganbench.numerics.fixed_points import (
    CENTER,
    SADDLE,
    STABLE_FOCUS,
    STABLE_NODE,
    UNSTABLE_FOCUS,
    UNSTABLE_NODE,
    fixed_points,
)
from ganbench.numerics.plane_fields import Plane
from ganbench.numerics.sampled_zeros import COUNTED, options_of, zeros_between_poles

EXACTLY = {"samples": 0, "resample": False}  # options of a sampled game whose expectations are exact
ROUGH = 30.0  # degrees from the exact direction beyond which an arrow counts as wrong


@dataclass(frozen=True)
class VectorField(Diagnostic):
    """The motion -F that descent follows, on a grid of `points` by `points` from `low` to `high` in the parameters `x`
    and `y` (without names, the first of each player); all others keep their values at the end of the run, or at its
    start, by `at`.

    With `perturbations`, every arrow is the mean over that many copies of the field, shifted in the plane by normal
    noise of standard deviation `sigma`: the same shifts for a whole plane, drawn from the run's own stream. Fixed
    points are those of the field as drawn.

    Arrays: `x`, `y` (points,), `u`, `v` (points, points) with rows of equal y, `fixed_x`, `fixed_y` and `fixed_kind`
    (64,) with 0 stable node, 1 stable focus, 2 centre, 3 unstable focus, 4 unstable node, 5 saddle, 6 degenerate.

    Raises:
        GanbenchError: `low` is not below `high`, or the game has no parameter `x` or `y`.
    """

    low: float = -5.0
    """Lower end of the plane in both parameters."""
    high: float = 5.0
    """Upper end of the plane in both parameters."""
    points: Annotated[int, Interval(ge=2, le=1000)] = 41
    """Number of grid points along each axis."""
    x: str = ""
    """Name of the parameter along the horizontal axis; '' for the first parameter of the first player."""
    y: str = ""
    """Name of the parameter along the vertical axis; '' for the first parameter of the second player."""
    at: Literal["start", "end"] = "end"
    """Snapshot whose values all other parameters, and the networks' buffers, keep: the first or the last."""
    perturbations: Annotated[int, Interval(ge=0, le=10_000)] = 0
    """Number of shifted copies of the field over which every arrow is the mean; 0 for the field itself."""
    sigma: Annotated[float, Interval(ge=0)] = 0.2
    """Standard deviation of the shifts in each parameter."""
    reference_point: tuple[float, float] = (0.0, 0.0)
    """Point (b_d, b_g) from which the distance of the nearest saddle between samples is measured."""

    def __post_init__(self) -> None:
        plane_fields.check_square("vector_field", self.low, self.high)

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def count(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, what, "none", 0, None)

        smallest = {
            f"min_motion_{name}": MetricInfo(
                f"Least motion of {name}", f"Smallest motion of {name} in the plane; above 0 it never rests.", "none",
                None, None
            )
            for name in plane_fields.plane_names(game, self.x, self.y)
        }  # fmt: skip
        return {
            "fixed_points": count("Fixed points", "Points of the plane where the motion in it is zero, of any kind."),
            "stable": count("Stable fixed points", "Nodes and foci that attract the flow."),
            "centers": count("Centres", "Fixed points that the flow circles."),
            "unstable": count("Unstable fixed points", "Nodes and foci that repel the flow."),
            "saddles": count("Saddles", "Fixed points that attract along one line and repel along another."),
            "nearest_to_origin": MetricInfo(
                "Nearest fixed point", "Distance of the nearest fixed point from (0, 0).", "low", 0, None
            ),
            **smallest,
            "rough": MetricInfo(
                "Rough share",
                f"Share of arrows more than {ROUGH:g} degrees off the field of the same game with exact expectations.",
                "low", 0, 1
            ),
            "sampled_zeros": count(
                "Zeros between samples",
                f"Fixed points with w_d b_g + b_d between consecutive poles -w_d w_g z_i, anywhere in the plane b; up "
                f"to {COUNTED} samples.",
            ),
            "sampled_saddles": count("Saddles between samples", "Saddles among them."),
            "sampled_stable": count("Stable zeros between samples", "Stable ones among them."),
            "sampled_saddle_distance": MetricInfo(
                "Nearest saddle between samples",
                f"Distance of the nearest of these saddles from {self.reference_point}, in the coordinates of the "
                "plane b.",
                "none", 0, None
            ),
        }  # fmt: skip

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        alone = not self.perturbations and sum(trajectories.match.sizes.values()) == 2
        return (
            plane_fields.measure_once(trajectories, self._measure, by_rate=False)
            if alone
            else self._measure(trajectories)
        )

    def _measure(self, trajectories: Trajectories) -> DiagnosticResult:
        plane = plane_fields.coordinate_plane(trajectories, self.x, self.y, self.at, self._shifts(trajectories))
        line, grid = plane_fields.square_grid(self.low, self.high, self.points, plane.base)
        motion = plane.over(grid, plane.inside)  # (K, y, x, 2)
        fixed = fixed_points(plane, grid, motion)

        counts = {
            "fixed_points": tuple(range(7)),
            "stable": (STABLE_NODE, STABLE_FOCUS),
            "centers": (CENTER,),
            "unstable": (UNSTABLE_NODE, UNSTABLE_FOCUS),
            "saddles": (SADDLE,),
        }
        known = _known(motion)
        values = {
            name: np.where(known, [float(each.count(*kinds)) for each in fixed], np.nan)
            for name, kinds in counts.items()
        }
        values["nearest_to_origin"] = np.array(
            [np.hypot(*each.at.T).min() if len(each.at) else np.nan for each in fixed], dtype=float
        )
        least = torch.where(motion.isfinite(), motion, torch.inf).flatten(1, 2).amin(1).double().cpu().numpy()
        for index, name in enumerate(plane_fields.plane_names(trajectories.match.game, self.x, self.y)):
            values[f"min_motion_{name}"] = np.where(np.isfinite(least[:, index]), least[:, index], np.nan)
        values["rough"] = self._rough(trajectories, plane, grid, motion)
        values |= {
            f"sampled_{name}": each for name, each in zeros_between_poles(trajectories, self.reference_point).items()
        }

        at, kinds = (np.stack(each) for each in zip(*(each.listed for each in fixed), strict=True))
        lines = np.tile(line.double().cpu().numpy(), (plane.members, 1))
        u, v = motion.double().cpu().numpy().transpose(3, 0, 1, 2)
        arrays = {"x": lines, "y": lines, "u": u, "v": v}
        return DiagnosticResult(values, arrays | {"fixed_x": at[..., 0], "fixed_y": at[..., 1], "fixed_kind": kinds})

    def _shifts(self, trajectories: Trajectories) -> Tensor | None:
        """(K, perturbations, 2)."""
        if not self.perturbations:
            return None
        drawn = [
            stream(member.seed, "vector_field").normal(size=(self.perturbations, 2))
            for member in trajectories.match.members
        ]
        return torch.as_tensor(
            self.sigma * np.stack(drawn), dtype=trajectories.match.dtype, device=trajectories.match.device
        )

    def _rough(self, trajectories: Trajectories, plane: Plane, grid: Tensor, motion: Tensor) -> np.ndarray:
        """The share of the arrows defined in both fields whose direction is wrong in the sampled field."""
        match = trajectories.match
        exactly = {name: value for name, value in EXACTLY.items() if name in options_of(match.game)}
        if "samples" not in exactly:
            return np.full(plane.members, np.nan)
        try:
            game = dataclasses.replace(match.game, **exactly)
        except GanbenchError:  # a game without exact expectations, such as one with noise in its examples
            return np.full(plane.members, np.nan)
        exact = Match(game, match.members, match.device, match.dtype)
        # The exact field of a plane that holds all parameters is the same for every member.
        distinct = 1 if plane.base.shape[1] == 2 else plane.members
        base, axes = plane.base[:distinct], plane.axes[:distinct]
        batch = jacobians.select_members(
            exact.draw(0, trajectories.dynamics.batches_per_step)[0], torch.arange(distinct)
        )
        true = Plane(exact.select(range(distinct)), batch, base, axes)
        true = true.over(grid, true.inside)
        cosine = (motion * true).sum(-1) / (motion.norm(dim=-1) * true.norm(dim=-1))
        cosine = cosine.flatten(1).double().cpu().numpy()
        known = np.isfinite(cosine)
        with np.errstate(invalid="ignore"):
            return (known & (cosine < np.cos(np.radians(ROUGH)))).sum(1) / np.where(known.any(1), known.sum(1), np.nan)


def _known(motion: Tensor) -> np.ndarray:
    """Mask (K,) of the members whose motion is finite somewhere in the plane."""
    return motion.isfinite().all(-1).flatten(1).any(1).cpu().numpy()
