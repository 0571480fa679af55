"""What metrics see of missing modes: real examples without some classes, scored as if they were generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.judges import JudgedExamples
from ganbench.metrics._few import evenly_spaced
from ganbench.metrics.fcd import FCD
from ganbench.metrics.prdc import PRDC
from ganbench.numerics.run_examples import RunExamples

WORSE = {"fcd": 1, "recall": -1, "coverage": -1}  # the sign of a change for the worse
TITLES = {"fcd": "Fréchet distance", "recall": "Recall", "coverage": "Coverage"}
PARTS = 4  # of the held-out examples, that have none in common
SEEN = 2.0  # standard deviations from which a change is seen


@dataclass(frozen=True)
class MissingModes(Diagnostic):
    """Held-out examples of a labelled data set are scored in place of generated ones: all classes, then without 1, 2,
    ... classes, up to half of them. Scored are the Fréchet distance, the recall and the coverage in the features of the
    data set's judge: the distance to all training examples, recall and coverage against as many as are scored, as
    their authors compare equal numbers.

    Every score is of equally many examples, a quarter of the held-out ones or less. In each of `draws` repetitions the
    order in which classes go is drawn, and for every number of deleted classes a part of the examples that are left.
    With all classes there, four parts without a common example are scored in each repetition: the variance of a score
    is the mean variance within such groups, since parts of different repetitions share examples. Halves would not do:
    one is as far from the whole as the other, so that their distances to the training examples are much alike.

    A response is the change of the mean score for the worse, over the standard deviation with all classes there: how
    clearly one sample of this size shows what is missing. `levels` numbers of deleted classes are tried at most, evenly
    spaced from 1 to half of all. Of more than `most` training or held-out examples, as many, evenly spaced, are taken.

    The numbers are of the data set and its judge alone, the same for all runs on it: one run is enough to measure.

    Arrays: `deleted` (levels + 1,), and for each of `fcd`, `recall` and `coverage` the mean score (levels + 1,) by that
    name, its standard deviation over repetitions `<name>_deviation`, and `<name>_response`.
    """

    draws: Annotated[int, Interval(ge=2, le=1000)] = 10
    levels: Annotated[int, Interval(ge=1, le=100)] = 5
    neighbours: Annotated[int, Interval(ge=1, le=100)] = 5  # k of recall and coverage
    most: Annotated[int, Interval(ge=10, le=100_000)] = 4000

    needs_judge: ClassVar[bool] = True

    def supports(self, game: Game) -> str | None:
        if "dataset" in game.components and game.data.modes > 1:
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
            found[f"{name}_seen_from"] = MetricInfo(
                f"{title}, seen from",
                "Smallest number of missing classes, of those tried, at which that response is 2 or more.",
                "low",
                1,
                None,
                unit="classes",
            )
        for name in ("recall", "coverage"):
            found[f"{name}_over_fcd"] = MetricInfo(
                f"{TITLES[name]} over Fréchet distance",
                f"Response of the {name} over that of the Fréchet distance, without one class; above 1 where it shows "
                "more clearly that one is missing.",
                "none",
                None,
                None,
            )
        return found

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        everyone, game = len(trajectories.match.members), trajectories.match.game
        half = np.linspace(1, game.data.modes // 2, self.levels).round().astype(int)
        deleted = np.concatenate([[0], np.unique(half)])
        scores = self._scores(trajectories.samples, game.data.modes, deleted)
        values, arrays = responses(scores, deleted)
        return DiagnosticResult(
            {name: np.full(everyone, value) for name, value in values.items()},
            {name: np.repeat(each[None], everyone, axis=0) for name, each in arrays.items()},
        )

    def _scores(self, samples: RunExamples, modes: int, deleted: np.ndarray) -> dict[str, np.ndarray]:
        """The score of each repetition, number of deleted classes, and part, by metric: (draws, levels + 1, PARTS); NaN
        in all parts but the first where classes are missing, and everywhere without examples enough."""
        found = {name: np.full((self.draws, len(deleted), PARTS), np.nan) for name in WORSE}
        real = samples.real
        train, heldout = (evenly_spaced(len(each), self.most) for each in (real.train, real.heldout))
        known, shown = samples.judged(real.train[train]), samples.judged(real.heldout[heldout])
        labels = real.heldout_modes[heldout]
        random = stream(0, "missing-modes")
        orders = [random.permutation(modes) for _ in range(self.draws)]
        left = [[np.flatnonzero(~np.isin(labels, order[:count])) for count in deleted] for order in orders]
        count = min(len(labels) // PARTS, *(len(rows) for each in left for rows in each))
        metrics = (FCD(), PRDC(k=self.neighbours, most=self.most))
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


def responses(scores: dict[str, np.ndarray], deleted: Sequence[int]) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The values and arrays of a diagnosis.

    Args:
        scores: by metric, (draws, levels + 1, parts); where classes are missing, the first part alone counts.
        deleted: the numbers of deleted classes, ascending from 0.
    """
    deleted = np.asarray(deleted)
    values, arrays = {}, {"deleted": deleted.astype(np.float64)}
    for name, each in scores.items():
        groups = each[:, 0]  # (draws, parts)
        spread = np.sqrt(np.var(groups, axis=1, ddof=1).mean())
        mean = np.concatenate([[groups.mean()], each[:, 1:, 0].mean(axis=0)])
        change = WORSE[name] * (mean - mean[0])
        response = change / spread if spread > 0 else np.full(len(mean), np.nan)
        clear = np.flatnonzero(response >= SEEN)
        values |= {
            f"{name}_response_one": response[1],
            f"{name}_response_half": response[-1],
            f"{name}_seen_from": deleted[clear[0]] if len(clear) else np.nan,
        }
        deviation = np.concatenate([[spread], each[:, 1:, 0].std(axis=0, ddof=1)])
        arrays |= {name: mean, f"{name}_deviation": deviation, f"{name}_response": response}
    base = values["fcd_response_one"]
    values |= {
        f"{name}_over_fcd": values[f"{name}_response_one"] / base if base > 0 else np.nan
        for name in ("recall", "coverage")
    }
    return values, arrays
