"""The training examples that generated ones are most like: how many of them there are, how near, and pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from ganbench.core.evenly_spaced import evenly_spaced
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.pixels import floats
from ganbench.core.tree import Tree
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.judges import JudgedExamples
from ganbench.metrics._neighbors import nearest
from ganbench.metrics.memorization import Memorization
from ganbench.numerics.run_examples import RunExamples

SPACES = {"features": "the features of the data set's judge", "pixels": "pixels, or coordinates of points"}
SHARE = 0.95  # of the samples, whose nearest neighbours are counted
CURVE = 50  # training examples of the curve of covered samples
PIXEL_SIDE, PICTURE_SIDE = 32, 64  # to which larger images are averaged, for distances and for pictures


@dataclass(frozen=True)
class NearestNeighbors(Diagnostic):
    """Of `samples` examples of the last snapshot, drawn as those for evaluation, the nearest training examples among
    those that the run could see, in the features of the data set's judge and in pixels.

    The metric `memorization` compares with all training examples of a data set, in features, and gives one number; here
    the same ratio is of the examples that the run saw, in features and in pixels. New are the number of training
    examples that together are nearest to 95% of the samples, which is small for a generator of few images whether it
    copies or not, and the pictures, by which a reader can tell a copy from a likeness. Held-out examples, which no run
    has seen, show what that number is without any generator; it grows with the number of examples.

    Images of more than 32 pixels a side are averaged to 32 for distances of pixels, which blur brings nearer than
    detail does.

    Arrays: `generated` (pictures, *shape), `training` (pictures, neighbors, *shape) and `heldout` (pictures, *shape),
    the samples with their nearest neighbours in features, images of at most 64 pixels a side; `covered` and
    `heldout_covered` (50,), the share of the samples, and of the held-out examples, whose nearest neighbour in features
    is one of the 1, 2, 3 ... most frequent ones.
    """

    samples: Annotated[int, Interval(ge=8, le=100_000)] = 1000
    """Number of generated examples."""
    pictures: Annotated[int, Interval(ge=1, le=8)] = 8
    """Number of generated and of held-out examples that are shown with their neighbours."""
    neighbors: Annotated[int, Interval(ge=1, le=10)] = 3
    """Number of nearest training examples that are shown of each."""
    max_examples: Annotated[int, Interval(ge=10, le=100_000)] = 5000
    """Largest number of training and of held-out examples that are compared with; of more, as many, evenly spaced."""

    needs_judge: ClassVar[bool] = True

    def unsupported(self, game: Game) -> str | None:
        return None if "architecture" in game.families else "it has no network that generates examples; take a GAN"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        found = {}
        for space, words in SPACES.items():
            for who, title in (("", "samples"), ("heldout_", "held-out examples")):
                found[f"{who}covering_{space}"] = MetricInfo(
                    f"Training examples nearest to 95% of {title}, {space}",
                    f"Number of training examples that are, together, nearest to 95% of the {title}, in {words}.",
                    "none",
                    1,
                    None,
                    unit="examples",
                )
            for name, info in Memorization.columns.items():
                what = (
                    f"{info.what[0].upper()}{info.what[1:]}; of training examples that the run could see, in {words}."
                )
                found[f"{name}_{space}"] = replace(info, title=f"{info.title}, {space}", what=what)
        return found

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        samples, known = trajectories.samples, {}
        found = [self._of_run(samples, run, known) for run in range(len(trajectories.match.members))]
        values = {name: np.array([each[0][name] for each in found]) for name in self.columns(trajectories.match.game)}
        arrays = {name: np.stack([each[1][name] for each in found]) for name in found[0][1]}
        return DiagnosticResult(values, arrays)

    def _of_run(self, samples: RunExamples, run: int, known: dict[bytes, _Real]) -> tuple[dict[str, float], Tree]:
        """The values and arrays of a run; the real examples of runs that saw the same ones are judged once."""
        rows = np.sort(samples.seen(run))
        rows = rows[evenly_spaced(len(rows), self.max_examples)]
        generated = samples.judged(samples.generated(run, -1, samples.latent_points(run, self.samples)))
        if generated is None or len(rows) < 2:  # it diverged, or nothing has a neighbour
            values = dict.fromkeys(self.columns(None), np.nan)
            return values, self._pictures(small(samples.real.train[:1], PICTURE_SIDE)[0])
        if rows.tobytes() not in known:
            known[rows.tobytes()] = _Real.of(samples, rows, self.max_examples)
        real, values = known[rows.tobytes()], {}
        for space in SPACES:
            mine = in_space(generated, space)
            covered = covering_shares(mine, real.train[space])
            values |= {
                f"covering_{space}": _number_covering(covered),
                f"heldout_covering_{space}": _number_covering(real.heldout_covered[space]),
            }
            scores = Memorization().score(mine, real.references[space])
            values |= {f"{name}_{space}": value for name, value in scores.items()}
            if space == "features":
                curves = {"covered": covered, "heldout_covered": real.heldout_covered[space]}
        return values, self._pictures(small(generated.stored[:1], PICTURE_SIDE)[0], generated, real) | {
            name: _first(curve, CURVE, 1.0) for name, curve in curves.items()
        }

    def _pictures(self, like: np.ndarray, generated: JudgedExamples | None = None, real: _Real | None = None) -> Tree:
        """The arrays of a run; NaN without examples.

        Args:
            like: a picture of the shape of all.
            generated, real: the judged examples.
        """
        arrays = {
            "generated": np.full((self.pictures, *like.shape), np.nan, np.float32),
            "training": np.full((self.pictures, self.neighbors, *like.shape), np.nan, np.float32),
            "heldout": np.full((self.pictures, *like.shape), np.nan, np.float32),
            "covered": np.full(CURVE, np.nan),
            "heldout_covered": np.full(CURVE, np.nan),
        }
        if generated is None:
            return arrays
        shown = generated.take(np.arange(self.pictures))
        count = min(self.neighbors, len(real.train["features"]))
        near, _ = nearest(shown.features, real.train["features"].features, count)
        other, _ = nearest(shown.features, real.heldout["features"].features, 1)
        arrays["generated"][:] = small(shown.stored, PICTURE_SIDE)
        training, heldout = (real.train["features"].stored, real.heldout["features"].stored)
        arrays["training"][:, :count] = small(training[near.ravel()], PICTURE_SIDE).reshape(*near.shape, *like.shape)
        arrays["heldout"][:] = small(heldout[other[:, 0]], PICTURE_SIDE)
        return arrays


@dataclass(frozen=True, eq=False)
class _Real:
    """The real examples that runs are compared with, by space.

    Attributes:
        train, heldout: the judged examples, their features those of the space.
        references: what `Memorization` knows of them.
        heldout_covered: the curve of `covering_shares` of the held-out examples.
    """

    train: dict[str, JudgedExamples]
    heldout: dict[str, JudgedExamples]
    references: dict[str, Tree]
    heldout_covered: dict[str, np.ndarray]

    @classmethod
    def of(cls, samples: RunExamples, rows: np.ndarray, max_examples: int) -> _Real:
        """The training examples with these indices, and at most so many held-out ones."""
        real = samples.real
        kept = real.train[rows], real.heldout[evenly_spaced(len(real.heldout), max_examples)]
        judged = [samples.judged(examples) for examples in kept]
        train, heldout = ({space: in_space(each, space) for space in SPACES} for each in judged)
        references = {space: Memorization().reference(train[space], heldout[space]) for space in SPACES}
        covered = {space: covering_shares(heldout[space], train[space]) for space in SPACES}
        return cls(train, heldout, references, covered)


def in_space(judged: JudgedExamples, space: str) -> JudgedExamples:
    """Judged examples whose features are the judge's, or the numbers of the examples in `pixels`."""
    if space == "features":
        return judged
    return replace(judged, features=small(judged.stored, PIXEL_SIDE).reshape(len(judged), -1).astype(np.float64))


def small(stored: np.ndarray, side: int) -> np.ndarray:
    """Examples as numbers, images of more than `side` pixels averaged down to it.

    Args:
        stored: examples as they are stored, (n, *shape).
        side: pixels.
    """
    numbers = floats(stored)
    if numbers.ndim != 4 or max(numbers.shape[2:]) <= side:
        return numbers
    size = [min(side, each) for each in numbers.shape[2:]]
    return adaptive_avg_pool2d(torch.from_numpy(np.ascontiguousarray(numbers)), size).numpy()


def covering_shares(queries: JudgedExamples, points: JudgedExamples) -> np.ndarray:
    """The share of queries whose nearest point is one of the 1, 2, 3 ... points that are so most often, ascending to 1.

    Args:
        queries, points: examples with features of one space.
    """
    found, _ = nearest(queries.features, points.features, 1)
    counts = np.bincount(found[:, 0])
    return np.cumsum(np.sort(counts[counts > 0])[::-1]) / len(queries)


def _number_covering(shares: np.ndarray) -> int:
    """The smallest number of points whose share, as of `covering_shares`, is `SHARE` or more."""
    return int(np.argmax(shares >= SHARE - 1e-12)) + 1


def _first(values: np.ndarray, count: int, rest: float) -> np.ndarray:
    """The first values, `count` of them, with `rest` after the last."""
    return np.concatenate([values[:count], np.full(max(0, count - len(values)), rest)])
