"""The path that training took: radius, rotation, growth or decay, and whether it arrived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.dynamics import simultaneous_gradient
from ganbench.games import Game

MAX_PARAMETERS = 8  # most parameters for which the last value of each has a column


@dataclass(frozen=True)
class TrainingPath(Diagnostic):
    """Statistics of the distance r = |theta| from the origin at the snapshots, and in games of two parameters of the
    angle of (theta_1, theta_2).

    Numbers that do not exist are NaN. Rates (`step_ratio`, `decay_rate`, `angular_speed`, `turns`) are taken over the
    part of the path with finite positive r, so a run that overflowed still has them; what speaks of the end or of the
    whole path is NaN for it, but for `converged`, which is 0. Columns that compare one step with the next (the spread
    of the ratio, the angle) or name a step (`steps_to_tenfold`) need a snapshot of every step.
    """

    tolerance: Annotated[float, Interval(gt=0)] = 1e-3
    """Largest final norm of the gradient |F| of a run that converged, as a share of the initial one."""

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def info(title: str, what: str, best: str = "none", lower: float | None = 0, upper: float | None = None):
            return MetricInfo(title, what, best, lower, upper)

        return {
            "step_ratio": info("Ratio of radii", "Radius after a step over that before it, geometric mean.", "low"),
            "step_ratio_spread": info("Spread of the ratio", "Largest less smallest of these ratios; 0 is a spiral."),
            "growth": info("Growth", "Last radius over the first.", "low"),
            "decay_rate": info(
                "Slope of ln r",
                "Slope of the logarithm of the radius over the last half of the path, 1/step; below "
                "0 the run draws nearer.",
                "low",
                None,
            ),
            "decay_error": info("Error of the slope", "Standard error of this slope by least squares, 1/step."),
            "angular_speed": info("Angular speed", "Mean angle that a step turns by, radians/step.", upper=np.pi),
            "turns": info("Turns", "Rounds made in all, net."),
            "start_radius": info("First radius", "Distance from the origin at the start."),
            "final_radius": info("Last radius", "Distance from the origin at the end.", "low"),
            "min_radius": info("Smallest radius", "Smallest distance from the origin on the path."),
            "max_radius": info("Largest radius", "Largest distance from the origin on the path."),
            "steps_to_tenfold": info("Steps to tenfold", "First step with ten times the first radius or more.", "high"),
            "average_radius": info(
                "Radius of the average",
                "Distance of the mean of all iterates from the origin over the first radius.",
                "low",
            ),
            "gradient_norm_ratio": info(
                "Gradient norm left", "Norm of the field at the end over that at the start.", "low"
            ),
            "converged": info(
                "Converged", f"1 if the field fell to {self.tolerance:g} of its start, 0 if not.", "high", upper=1
            ),
            **{
                f"final_{name}": info(f"Last {name}", f"Where the parameter {name} ended.", lower=None)
                for name in _named(game)
            },
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        path = trajectories.theta.detach().cpu().double().numpy()
        steps = np.asarray(trajectories.steps)
        every = len(steps) > 1 and bool((np.diff(steps) == 1).all())
        runs = [_geometry(run, steps, every) for run in path]
        values = {name: np.array([run[name] for run in runs]) for name in runs[0]}

        first, last = (_field_norm(trajectories, index) for index in (0, -1))
        with np.errstate(all="ignore"):
            values["gradient_norm_ratio"] = np.where(np.isfinite(last) & (first > 0), last / first, np.nan)
        arrived = np.isfinite(last) & (last <= self.tolerance * first)
        values["converged"] = np.where(np.isfinite(first), arrived.astype(float), np.nan)
        for index, name in enumerate(_named(trajectories.match.game)):
            values[f"final_{name}"] = _finite(path[:, -1, index])
        # With few parameters, the whole path is kept, to be drawn.
        if path.shape[2] > MAX_PARAMETERS:
            return DiagnosticResult(values)
        return DiagnosticResult(values, {"trajectory": path, "step": np.tile(steps.astype(float), (len(path), 1))})


def _named(game: Game) -> list[str]:
    """The parameters of a game with few of them."""
    if sum(game.sizes.values()) > MAX_PARAMETERS:
        return []
    return [name for player in game.players for name in game.parameters[player]]


def _field_norm(trajectories: Trajectories, snapshot: int) -> np.ndarray:
    """|F| at a snapshot, (K,)."""
    match, players = trajectories.match_at(snapshot), trajectories.at(snapshot)
    gradients = simultaneous_gradient(match, players, trajectories.batch()).gradients
    return _lengths(
        torch.cat([gradients[player] for player in trajectories.match.players], dim=1).cpu().double().numpy()
    )


def _geometry(path: np.ndarray, steps: np.ndarray, every: bool) -> dict[str, float]:
    """The geometric columns of one run from its path (S, P)."""
    with np.errstate(all="ignore"):  # a run may overflow; values that are not finite are handled below
        return _columns(path, steps, every)


def _columns(path: np.ndarray, steps: np.ndarray, every: bool) -> dict[str, float]:
    radius = _lengths(path)
    fine = np.isfinite(radius) & (radius > 0)
    good = len(fine) if fine.all() else int(fine.argmin())  # snapshots before the first one without a direction
    whole = bool(np.isfinite(radius).all())
    log, when, nan = np.log(radius[:good]), steps[:good].astype(float), np.nan
    span = when[-1] - when[0] if good > 1 else nan

    ratios = radius[1:good] / radius[: good - 1] if every and good > 1 else np.array([nan])
    turned = np.abs(np.subtract(*_angles(path[:good])[[-1, 0]])) if every and good > 1 and path.shape[1] == 2 else nan
    slope, error = _linear_fit(when[good // 2 :], log[good // 2 :])
    # A run that overflowed was ten times as far out before that; it counts from where it began.
    far = np.flatnonzero(radius >= 10 * radius[0]) if every and good else np.array([], dtype=int)
    return {
        "step_ratio": float(np.exp((log[-1] - log[0]) / span)) if good > 1 else nan,
        "step_ratio_spread": float(ratios.max() - ratios.min()),
        "growth": float(radius[-1] / radius[0]) if whole and good else nan,
        "decay_rate": slope,
        "decay_error": error,
        "angular_speed": float(turned / span),
        "turns": float(turned / (2 * np.pi)),
        "start_radius": float(_finite(radius[0])),
        "final_radius": float(_finite(radius[-1])),
        "min_radius": float(radius.min()) if whole else nan,
        "max_radius": float(radius.max()) if whole else nan,
        "steps_to_tenfold": float(steps[far[0]]) if len(far) else nan,
        "average_radius": float(_lengths(path.mean(0)[None])[0] / radius[0]) if whole and good else nan,
    }


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Norms (N,) of vectors (N, P), scaled so that squares do not overflow; NaN or inf where an entry is."""
    largest = np.abs(vectors).max(-1)
    usable = np.isfinite(largest) & (largest > 0)
    scale = np.where(usable, largest, 1.0)
    lengths = scale * np.sqrt(np.square(np.where(usable[:, None], vectors, 0) / scale[:, None]).sum(-1))
    return np.where(usable, lengths, largest)


def _angles(path: np.ndarray) -> np.ndarray:
    """Angles of a path (S, 2), followed round; exact as long as no step turns by more than half a round."""
    return np.unwrap(np.arctan2(path[:, 1], path[:, 0]))


def _linear_fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope of the least-squares line and its standard error, s^2 / sum (x - mean)^2 with s^2 of n - 2 residuals. The
    residuals of an oscillating path are no independent errors, so the error is a measure of fit only."""
    if len(x) < 3:
        return np.nan, np.nan
    x, y = x - x.mean(), y - y.mean()
    spread = np.square(x).sum()
    slope = (x * y).sum() / spread
    return float(slope), float(np.sqrt(np.square(y - slope * x).sum() / (len(x) - 2) / spread))


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)
