"""What metrics see of missing modes: real examples without some classes, scored as if they were generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.evenly_spaced import evenly_spaced
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.judges import JudgedExamples
from ganbench.metrics.fd import FD
from ganbench.metrics.prdc import PRDC
from ganbench.numerics.run_examples import RunExamples

WORSE = {"fd": 1, "recall": -1, "coverage": -1}  # the sign of a change for the worse
TITLES = {"fd": "Fréchet distance", "recall": "Recall", "coverage": "Coverage"}
PARTS = 4  # of the held-out examples, that have none in common
SEEN = 2.0  # standard deviations from which a change is seen


@dataclass(frozen=True)
class MissingModes(Diagnostic):
    """Held-out examples of a labelled data set are scored in place of generated ones: all classes, then without 1, 2,
    ... classes, up to half of them. Scored are the Fréchet distance, the recall and the coverage in the features of the
    data set's judge: the distance to all training examples, recall and coverage against as many as are scored, as
    their authors compare equal numbers.

    Every score is of equally many examples, a quarter of the held-out ones or less. In each of `draws` repetitions the
    classes go in an order, and for every number of deleted classes a part of the examples that are left is drawn. An
    order is drawn for as many repetitions as there are classes, each of which begins with another class.
    With all classes there, four parts without a common example are scored in each repetition: the variance of a score
    is the mean variance within such groups, since parts of different repetitions share examples. Halves would not do:
    one is as far from the whole as the other, so that their distances to the training examples are much alike.

    A response is the change of the mean score for the worse, over the standard deviation with all classes there: how
    clearly one sample of this size shows what is missing.

    Without one class, responses and their differences have 95% intervals (Student 1908) over the classes, each with the
    mean response of the repetitions that it goes first in, against the whole in the same repetitions. The standard
    deviation with all classes there is taken as known. What an interval decides is its bound that is nearer to a limit,
    `..._certain`, which is NaN where the limit is in the interval.

    The numbers are of the data set and its judge alone, the same for all runs on it: one run is enough to measure.

    Arrays: `deleted` (levels + 1,), and for each of `fd`, `recall` and `coverage` the mean score (levels + 1,) by that
    name, its standard deviation over repetitions `<name>_deviation`, and `<name>_response`.
    """

    draws: Annotated[int, Interval(ge=2, le=1000)] = 30
    """Number of repetitions, each with its own parts of the held-out examples."""
    levels: Annotated[int, Interval(ge=1, le=100)] = 5
    """Largest number of degrees of deletion: numbers of deleted classes, evenly spaced from 1 to half of all."""
    neighbors: Annotated[int, Interval(ge=1, le=100)] = 5
    """Rank k of the neighbour that a ball of recall and coverage reaches to."""
    max_examples: Annotated[int, Interval(ge=10, le=100_000)] = 4000
    """Largest number of training and of held-out examples; of more, as many, evenly spaced, are taken."""

    needs_judge: ClassVar[bool] = True

    def unsupported(self, game: Game) -> str | None:
        if "dataset" in game.families and game.data.modes > 1:
            return None
        return "it has no data with labels, whose classes could be left out; take a GAN on a labelled data set"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        found = {}
        for name, title in TITLES.items():
            for key, short, words in (
                ("one", "one missing", "one class"),
                ("half", "half missing", "half of the classes"),
            ):
                found[f"{name}_response_{key}"] = MetricInfo(
                    f"{title}, {short}",
                    f"Change of the score for the worse without {words}, over its standard deviation with all there.",
                    "none",
                    None,
                    None,
                )
            found |= _interval(f"{name}_response_one", f"{title}, one missing", "that response", SEEN)
            found[f"{name}_seen_from"] = MetricInfo(
                f"{title}, seen from",
                "Smallest number of missing classes, of those tried, at which that response is 2 or more.",
                "low",
                1,
                None,
                unit="classes",
            )
        for name in ("recall", "coverage"):
            title = f"{TITLES[name]} less Fréchet distance"
            found[f"{name}_less_fd"] = MetricInfo(
                title,
                f"Response of the {name} less that of the Fréchet distance, without one class; above 0 where it shows "
                "more clearly that one is missing.",
                "none",
                None,
                None,
            )
            found |= _interval(f"{name}_less_fd", title, "that difference", 0.0)
        return found

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        everyone, game = len(trajectories.match.members), trajectories.match.game
        half = np.linspace(1, game.data.modes // 2, self.levels).round().astype(int)
        deleted = np.concatenate([[0], np.unique(half)])
        orders = self._orders(game.data.modes)
        scores = self._scores(trajectories.samples, orders, deleted)
        values, arrays = responses(scores, deleted, orders[:, 0])
        return DiagnosticResult(
            {name: np.full(everyone, value) for name, value in values.items()},
            {name: np.repeat(each[None], everyone, axis=0) for name, each in arrays.items()},
        )

    def _orders(self, modes: int) -> np.ndarray:
        """The order in which classes go in each repetition, (draws, modes)."""
        random = stream(0, "missing-modes-orders")
        rounds = [random.permutation(modes) for _ in range(-(-self.draws // modes))]
        return np.stack([np.roll(rounds[draw // modes], -(draw % modes)) for draw in range(self.draws)])

    def _scores(self, samples: RunExamples, orders: np.ndarray, deleted: np.ndarray) -> dict[str, np.ndarray]:
        """The score of each repetition, number of deleted classes, and part, by metric: (draws, levels + 1, PARTS); NaN
        in all parts but the first where classes are missing, and everywhere without examples enough."""
        found = {name: np.full((self.draws, len(deleted), PARTS), np.nan) for name in WORSE}
        real = samples.real
        train, heldout = (evenly_spaced(len(each), self.max_examples) for each in (real.train, real.heldout))
        known, shown = samples.judged(real.train[train]), samples.judged(real.heldout[heldout])
        labels = real.heldout_modes[heldout]
        random = stream(0, "missing-modes")
        left = [[np.flatnonzero(~np.isin(labels, order[:count])) for count in deleted] for order in orders]
        count = min(len(labels) // PARTS, *(len(rows) for each in left for rows in each))
        metrics = (FD(), PRDC(k=self.neighbors, max_examples=self.max_examples))
        if known is None or shown is None or min(count, len(train)) < max(each.fewest for each in metrics):
            return found
        equally_many = known.take(np.sort(random.permutation(len(train))[:count]))
        references = [each.reference(real, shown) for each, real in zip(metrics, (known, equally_many), strict=True)]

        def score(examples: JudgedExamples) -> dict[str, float]:
            given: dict[str, float] = {}
            for metric, reference in zip(metrics, references, strict=True):
                given |= metric.score(examples, reference)
            return given

        for draw, each in enumerate(left):
            for level, rows in enumerate(each):
                rows = random.permutation(rows)
                for part in range(1 if level else PARTS):
                    given = score(shown.take(np.sort(rows[part * count : (part + 1) * count])))
                    for name, values in found.items():
                        values[draw, level, part] = given[name]
        return found


def responses(
    scores: dict[str, np.ndarray], deleted: Sequence[int], first: Sequence[int]
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The values and arrays of a diagnosis.

    Args:
        scores: by metric, (draws, levels + 1, parts); where classes are missing, the first part alone counts.
        deleted: the numbers of deleted classes, ascending from 0.
        first: the class that goes first in each repetition, (draws,), with two different ones at least.
    """
    deleted, (_, classes) = np.asarray(deleted), np.unique(first, return_inverse=True)
    values, arrays, one = {}, {"deleted": deleted.astype(np.float64)}, {}
    for name, each in scores.items():
        groups = each[:, 0]  # (draws, parts)
        spread = np.sqrt(np.var(groups, axis=1, ddof=1).mean())
        unit = WORSE[name] * spread if spread > 0 else np.nan
        mean = np.concatenate([[groups.mean()], each[:, 1:, 0].mean(axis=0)])
        response = (mean - mean[0]) / unit
        mine = (each[:, 1, 0] - groups.mean(axis=1)) / unit  # (draws,)
        one[name] = np.bincount(classes, mine) / np.bincount(classes)
        clear = np.flatnonzero(response >= SEEN)
        values |= {
            f"{name}_response_one": one[name].mean(),
            f"{name}_response_half": response[-1],
            f"{name}_seen_from": deleted[clear[0]] if len(clear) else np.nan,
        }
        values |= interval(f"{name}_response_one", one[name], np.zeros_like(one[name]), SEEN)
        deviation = np.concatenate([[spread], each[:, 1:, 0].std(axis=0, ddof=1)])
        arrays |= {name: mean, f"{name}_deviation": deviation, f"{name}_response": response}
    for name in ("recall", "coverage"):
        values[f"{name}_less_fd"] = (one[name] - one["fd"]).mean()
        values |= interval(f"{name}_less_fd", one[name], one["fd"], 0.0)
    return values, arrays


def interval(name: str, first: np.ndarray, second: np.ndarray, limit: float) -> dict[str, float]:
    """The bounds of the mean difference of responses (classes,), and the one that is nearer to a limit."""
    from ganbench.analysis.statistics.means import paired_mean_difference  # here, since it needs SciPy, as scores do

    low, high = paired_mean_difference(first, second).interval()
    certain = low if low > limit else high if high < limit else np.nan
    return {f"{name}_low": low, f"{name}_high": high, f"{name}_certain": certain}


def _interval(name: str, title: str, what: str, limit: float) -> dict[str, MetricInfo]:
    """The columns of `interval`."""
    words = {
        "low": ("lower bound", f"Lower bound of the 95% interval of {what}, over the classes."),
        "high": ("upper bound", f"Upper bound of the 95% interval of {what}, over the classes."),
        "certain": ("certain", f"The bound that is nearer to {limit:g}; none where {limit:g} is in the interval."),
    }
    return {
        f"{name}_{key}": MetricInfo(f"{title}, {short}", text, "none", None, None)
        for key, (short, text) in words.items()
    }
