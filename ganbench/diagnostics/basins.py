"""Basins of attraction: where the run's dynamics leads from thousands of starting points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.dynamics import scaled
from ganbench.games import Batch, Game
from ganbench.numerics import jacobians, plane_fields
from ganbench.numerics.fixed_points import LISTED, STABLE_FOCUS, STABLE_NODE, fixed_points
from ganbench.numerics.jacobians import join, split
from ganbench.numerics.plane_fields import Plane

DIVERGED, MOVING = -1, -2
ATTRACTOR_SHARE = 0.01  # share of the starting points that must belong to a fixed point for it to count as an attractor


@dataclass(frozen=True)
class Basins(Diagnostic):
    """`points` by `points` starting points in the plane of `vector_field`, each trained for `steps` steps with the
    dynamics, optimizer and learning rates of its run, on the random numbers of the run's training.

    A starting point belongs to a fixed point of the plane (one that `vector_field` would find) if in the last tenth of
    the steps it was never farther from it than `tolerance`, nor than half of its largest distance in the first tenth: a
    path that merely circles it closely is still moving. With a stable fixed point that may happen in any tenth, and the
    point is not trained on. It diverged if it ends more than `escape_radius` half-widths of the plane from its middle.

    Arrays: `labels` (points, points) with rows of equal y: the index of a fixed point, -1 diverged, -2 still moving;
    `x`, `y` (points,); `fixed_x`, `fixed_y` and `fixed_kind` (64,) as of `vector_field`.

    Raises:
        GanbenchError: `low` is not below `high`, or the game has no parameter `x` or `y`.
    """

    low: float = -5.0
    """Lower end of the plane in both parameters."""
    high: float = 5.0
    """Upper end of the plane in both parameters."""
    points: Annotated[int, Interval(ge=2, le=1000)] = 50
    """Number of starting points along each axis."""
    x: str = ""
    """Name of the parameter along the horizontal axis; '' for the first parameter of the first player."""
    y: str = ""
    """Name of the parameter along the vertical axis; '' for the first parameter of the second player."""
    at: Literal["start", "end"] = "end"
    """Snapshot from which all other parameters, and the networks' buffers, start: the first or the last."""
    steps: Annotated[int, Interval(ge=1, le=1_000_000)] = 500
    """Number of training steps from each starting point."""
    tolerance: Annotated[float, Interval(gt=0)] = 0.05
    """Largest distance from a fixed point in the last tenth of the steps of a path that belongs to it."""
    escape_radius: Annotated[float, Interval(gt=1)] = 3.0
    """Distance from the middle of the plane beyond which a path has diverged, in half-widths of the plane."""

    def __post_init__(self) -> None:
        plane_fields.check_square("basins", self.low, self.high)

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def share(title: str, what: str, best: str) -> MetricInfo:
            return MetricInfo(title, f"Share of the starting points {what}", best, 0, 1)

        return {
            "converged_share": share("Converged", "that settle at a fixed point of the plane.", "high"),
            "escaped_share": share("Diverged", "that leave the plane for good.", "low"),
            "moving_share": share("Still moving", "that do neither: they circle, or are on their way.", "low"),
            "attractors": MetricInfo(
                "Attractors",
                f"Fixed points that at least {ATTRACTOR_SHARE:.0%} of the starting points settle at.",
                "none",
                0,
                None,
            ),
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        alone = sum(trajectories.match.sizes.values()) == 2
        return (
            plane_fields.measure_once(trajectories, self._measure, by_rate=True)
            if alone
            else self._measure(trajectories)
        )

    def _measure(self, trajectories: Trajectories) -> DiagnosticResult:
        plane = plane_fields.coordinate_plane(trajectories, self.x, self.y, self.at)
        line, grid = plane_fields.square_grid(self.low, self.high, self.points, plane.base)
        fixed = fixed_points(plane, grid, plane.over(grid, plane.inside))
        at, kinds = (np.stack(each) for each in zip(*(each.listed for each in fixed), strict=True))
        listed = max(1, *(min(len(each.at), at.shape[1]) for each in fixed))
        known = torch.as_tensor(at[:, :listed]).to(plane.base)  # (K, n, 2)
        stable = torch.as_tensor(np.isin(kinds[:, :listed], (STABLE_NODE, STABLE_FOCUS)), device=known.device)

        def destinations(indices: Tensor, start: Tensor) -> Tensor:
            size = plane_fields.piece_size(trajectories.match, plane.batch)
            pieces = zip(indices.split(size), start.split(size), strict=True)
            return torch.cat([self._labels(trajectories, plane, known, stable, *each) for each in pieces])

        labels = plane.over(grid, destinations).cpu().numpy()
        flat = labels.reshape(plane.members, -1)
        exists = np.array([bool(torch.isfinite(base).all()) for base in plane.base])

        def share(values: np.ndarray) -> np.ndarray:
            return np.where(exists, values.mean(1), np.nan)

        drawn_in = np.stack([(flat == index).mean(1) for index in range(LISTED)], axis=1)
        values = {
            "converged_share": share(flat >= 0),
            "escaped_share": share(flat == DIVERGED),
            "moving_share": share(flat == MOVING),
            "attractors": np.where(exists, (drawn_in >= ATTRACTOR_SHARE).sum(1), np.nan),
        }
        lines = np.tile(line.double().cpu().numpy(), (plane.members, 1))
        arrays = {"labels": labels, "x": lines, "y": lines}
        return DiagnosticResult(values, arrays | {"fixed_x": at[..., 0], "fixed_y": at[..., 1], "fixed_kind": kinds})

    def _labels(
        self, trajectories: Trajectories, plane: Plane, known: Tensor, stable: Tensor, indices: Tensor, start: Tensor
    ) -> Tensor:
        """The labels (M,) of starting points (M, 2) of the members with these indices."""
        dynamics, optimizer, tenth = trajectories.dynamics, trajectories.optimizer, -(-self.steps // 10)
        labels, active = torch.full_like(indices, MOVING), torch.arange(len(indices), device=indices.device)
        match, base, axes = plane.match.select(indices.tolist()), plane.base[indices], plane.axes[indices]
        players = split(match, base + torch.einsum("mi,mip->mp", start, axes))
        states = dynamics.init(match, players, optimizer)
        first, farthest = None, torch.zeros_like(known[indices, :, 0])  # from each fixed point in a tenth, (M, n)
        for step in range(self.steps):
            batches = self._batches(trajectories, step, indices)
            rates = scaled(jacobians.select_members(trajectories.rates, indices), trajectories.schedule(step))
            with match.in_training(step) as training:
                result = dynamics.step(training, players, states, batches, optimizer, rates)
            players, states = result.players, result.states
            snapshot = dynamics.snapshot(players, states)
            here = torch.einsum("mip,mp->mi", axes, join({each: snapshot[each] for each in match.players}) - base)
            distances = (here[:, None] - known[indices]).norm(dim=-1)
            farthest = torch.maximum(farthest, distances)
            last = step == self.steps - 1
            if (step + 1) % tenth and not last:
                continue
            first = farthest if first is None else first
            # A start may be the fixed point itself.
            closer = (farthest <= first / 2) | (farthest <= 1e-6 * self.tolerance)
            settled = (farthest <= self.tolerance) & closer & (last | stable[indices])
            nearest = torch.where(settled, distances, torch.inf).min(dim=1)
            labels[active] = torch.where(nearest.values.isfinite(), nearest.indices, MOVING)
            goes_on = ~nearest.values.isfinite()
            if not goes_on.any():
                return labels
            # Starting points that have settled at a stable fixed point are not trained any further.
            kept = [each[goes_on] for each in (active, indices, base, axes, first, here)]
            active, indices, base, axes, first, here = kept
            match, farthest = match.select(goes_on.nonzero()[:, 0].tolist()), torch.zeros_like(first)
            players = {name: theta[goes_on] for name, theta in players.items()}
            states = {owner: {name: each[goes_on] for name, each in state.items()} for owner, state in states.items()}
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        # Positions that are not finite count as far away.
        away = ~((here - middle).abs().amax(1) <= self.escape_radius * half)
        labels[active[away]] = DIVERGED
        return labels

    @staticmethod
    def _batches(trajectories: Trajectories, step: int, indices: Tensor) -> list[Batch]:
        """The batches of a step, drawn once per member; for starting points of a single member they are views, not
        copies."""
        drawn = trajectories.match.draw(step, trajectories.dynamics.batches_per_step)
        first = int(indices[0])
        if bool((indices == first).all()):
            return [
                {
                    name: values[first : first + 1].expand(len(indices), *values.shape[1:])
                    for name, values in each.items()
                }
                for each in drawn
            ]
        return [jacobians.select_members(each, indices) for each in drawn]
