"""Generated examples on a grid of latent points: how evenly they change along it, and which classes they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.numerics.run_examples import RunExamples

PLANE, SQUARE, LINES = 10, 16, 10  # points along an edge of the plane, of the square, and number of lines and arcs
EDGE = 2.0  # half the edge of the square
SIGNS = ((1, 0), (0, -1), (1, 0), (0, -1), (0, 1))  # of i and j in the five blocks of coordinates of the plane


@dataclass(frozen=True)
class LatentGrid(Diagnostic):
    """Examples of the generator as it was `at` the start or the end, at the points of a `path` through latent space:

    - `plane`, 10 x 10 points: point (i, j), i and j from 0 to 9, is z + scale / 4 times (i, -j, i, -j, j) in five equal
      blocks of coordinates, of 20 each where the latent size is 100, and otherwise as equal as can be. z is the first
      latent point of the run's evaluation. Its last corner is sqrt(40 * 81 + 60 * 81) / 4 = 22.5 away from z, where the
      norm of a normal point of 100 coordinates is 10 or so: the walk leaves the prior unless `scale` is small.
    - `square`, 16 x 16 points: the first two coordinates take evenly spaced values from -2 scale to 2 scale, both ends
      included, the others are 0. With a latent size of 2 this is the whole space but for the tails.
    - `line`, ten rows of 10 points: straight lines between pairs of latent points of the run's evaluation. Where there
      are many coordinates, their middles are nearer to the origin than latent points ever are.
    - `arc`, the same pairs: the direction moves evenly along the great circle from that of z_0 to that of z_1, as
      sin((1 - t) w) u_0 / sin(w) + sin(t w) u_1 / sin(w) for unit vectors u at an angle w (Shoemake 1985), and the norm
      from one to the other. White (2016) takes z in place of u. With many coordinates the two are nearly the same; with
      two, his curve runs far off where points lie nearly opposite.

    Steps are distances of neighbouring points' examples in the features of the judge, along rows and columns of a plane
    or square and along lines. Where a layer normalises by the batch, examples depend on their neighbours too.

    Arrays: `pictures` (rows, columns, *shape); `classes` (rows, columns), the judge's class, and
    `confident` (rows, columns), 1 where it is certain of it; -1 where it tells no classes apart or cannot judge.
    """

    needs_judge: ClassVar[bool] = True

    path: Literal["plane", "square", "line", "arc"] = "plane"
    """The latent points: 'plane', a walk of 10 x 10 from one of them, 'square', 16 x 16 around the origin, and 'line'
    or 'arc', ten straight lines or arcs of great circles between pairs."""
    scale: Annotated[float, Interval(gt=0, le=100)] = 1.0
    """Factor of the extent of the plane and of the square; lines and arcs do not depend on it."""
    at: Literal["start", "end"] = "end"
    """Snapshot at which examples are generated: the first or the last."""

    def unsupported(self, game: Game) -> str | None:
        if "architecture" not in game.families:
            return "it has no network that generates examples; take a GAN"
        if "generator" in game.architecture.conditional:
            return "its generator is conditional, so that its classes are those it is told; take one that is not"
        fewest = {"plane": len(SIGNS), "square": 2}.get(self.path, 1)
        if game.architecture.latent_size < fewest:
            size = game.architecture.latent_size
            return f"its latent points have {size} coordinates, and path={self.path} needs {fewest}; take another path"
        return None

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        steps = "between the examples of neighbouring points of the grid, in the features of the judge"
        return {
            "max_step": MetricInfo("Largest step", f"Largest distance {steps}.", "none", 0, None),
            "median_step": MetricInfo("Median step", f"Median distance {steps}.", "none", 0, None),
            "step_ratio": MetricInfo(
                "Largest step over the median", "Largest distance between neighbours over the median: how evenly "
                "examples change; a jump stands out.", "low", 1, None,
            ),
            "classes_found": MetricInfo(
                "Classes found", "Classes that the judge is certain of at one of the points or more.", "high", 0, None
            ),
            "confident_share": MetricInfo(
                "Confident share", "Share of the grid's examples of whose class the judge is certain.", "high", 0, 1
            ),
            "displacement": MetricInfo(
                "Displacement", "Largest distance of a point from where its walk begins (the square: at the origin), "
                "over the norm of a latent point, the root of the latent size.", "none", 0, None,
            ),
            "min_norm": MetricInfo(
                "Smallest norm", "Smallest norm of a point of the grid over that of a latent point.", "none", 0, None
            ),
            "max_norm": MetricInfo(
                "Largest norm", "Largest norm of a point of the grid over that of a latent point.", "none", 0, None
            ),
        }  # fmt: skip

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        samples, snapshot = trajectories.samples, 0 if self.at == "start" else -1
        rows = [self._measured(samples, run, snapshot) for run in range(len(trajectories.match.members))]
        values = {name: np.array([row[0][name] for row in rows]) for name in rows[0][0]}
        return DiagnosticResult(values, {name: np.stack([row[1][name] for row in rows]) for name in rows[0][1]})

    def _measured(
        self, samples: RunExamples, run: int, snapshot: int
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """The numbers and the arrays of one run."""
        points, starts = self.points(samples.latent_points(run, 2 * LINES).astype(np.float64))
        shape = points.shape[:2]
        examples = samples.generated(run, snapshot, points.reshape(-1, points.shape[2]))
        norm = np.sqrt(points.shape[2])
        norms = np.linalg.norm(points, axis=2) / norm
        values = {
            **dict.fromkeys(self.columns(None), np.nan),
            "displacement": float(np.linalg.norm(points - starts, axis=2).max() / norm),
            "min_norm": float(norms.min()),
            "max_norm": float(norms.max()),
        }
        kept = np.float16 if examples.ndim == 4 else np.float32  # of images, finer than a byte
        arrays = {
            "pictures": examples.reshape(*shape, *examples.shape[1:]).astype(kept),
            "classes": np.full(shape, -1, np.int16),
            "confident": np.full(shape, -1, np.int8),
        }
        judged = samples.judged(examples)
        if judged is None:
            return dict.fromkeys(values, np.nan), arrays
        values |= steps(judged.features.reshape(*shape, -1), both=self.path in ("plane", "square"))
        if judged.mode is not None:
            arrays["classes"][:] = judged.mode.reshape(shape)
            arrays["confident"][:] = judged.confident.reshape(shape)
            values["classes_found"] = float(len(np.unique(judged.mode[judged.confident])))
            values["confident_share"] = float(judged.confident.mean())
        return values, arrays

    def points(self, latent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The latent points of the grid, and where the walk to each of them begins.

        Args:
            latent: latent points of a run's evaluation, (20, latent_size).

        Returns:
            Points (rows, columns, latent_size), and starts that broadcast with them.
        """
        size = latent.shape[1]
        if self.path == "plane":
            start = latent[:1, None]
            return start + self.scale / 4 * plane_moves(size), start
        if self.path == "square":
            points = np.zeros((SQUARE, SQUARE, size))
            line = np.linspace(-EDGE * self.scale, EDGE * self.scale, SQUARE)
            points[..., 0], points[..., 1] = line, line[::-1, None]  # the second coordinate grows upwards
            return points, np.zeros((1, 1, size))
        first, last = latent[:LINES, None], latent[LINES:, None]
        along = np.linspace(0, 1, LINES)[None, :, None]
        if self.path == "line":
            return (1 - along) * first + along * last, first
        return arc(first, last, along), first


def plane_moves(size: int) -> np.ndarray:
    """The displacements of the plane's points in quarters, (10, 10, size): i down the rows, j along them."""
    i, j = np.mgrid[:PLANE, :PLANE]
    moves = np.empty((PLANE, PLANE, size))
    for block, (of_i, of_j) in zip(np.array_split(np.arange(size), len(SIGNS)), SIGNS, strict=True):
        moves[..., block] = (of_i * i + of_j * j)[..., None]
    return moves


def arc(first: np.ndarray, last: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Points on the arcs between two points; on the line between them where they point the same way or opposite ways,
    so that there is no arc or no single one.

    Args:
        first, last: the points, (..., size).
        along: the share of the way from the first to the last.
    """
    norms = [np.linalg.norm(each, axis=-1, keepdims=True) for each in (first, last)]
    units = first / norms[0], last / norms[1]
    angle = np.arccos(np.clip((units[0] * units[1]).sum(-1, keepdims=True), -1, 1))
    flat = np.sin(angle) < 1e-6
    safe = np.where(flat, 1.0, angle)
    direction = (np.sin((1 - along) * safe) * units[0] + np.sin(along * safe) * units[1]) / np.sin(safe)
    norm = (1 - along) * norms[0] + along * norms[1]
    return np.where(flat, (1 - along) * first + along * last, norm * direction)


def steps(features: np.ndarray, *, both: bool) -> dict[str, float]:
    """The largest and the median distance of neighbours, and their ratio; NaN of examples that are all the same.

    Args:
        features: of the grid's examples, (rows, columns, F).
        both: whether points above one another are neighbours too.
    """
    found = [np.linalg.norm(np.diff(features, axis=axis), axis=2).ravel() for axis in ((0, 1) if both else (1,))]
    lengths = np.concatenate(found)
    largest, median = float(lengths.max()), float(np.median(lengths))
    ratio = largest / median if median > 0 else (np.inf if largest > 0 else np.nan)
    return {"max_step": largest, "median_step": median, "step_ratio": ratio}
