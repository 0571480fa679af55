"""What data sets take: loading their examples, fitting their judges, and computing references and nulls."""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any, NamedTuple

from ganbench.core.pixels import floats
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.engine.scoring import Scorer, reference_examples
from ganbench.judges import inception, judge_stored
from ganbench.pipeline.execution.instantiation import examples
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources import sample_times, timing
from ganbench.pipeline.resources.stand_in_judge import StandIn
from ganbench.study.choices import Choice
from ganbench.study.judging import needs_weights
from ganbench.study.names import dataset_name

LOADED = 2  # number of times that `prepare` loads a user's data set, to see whether both loads agree
FEATURES_HELD = 5  # copies of the features of all real examples, at most
MATRICES = 6  # of all pairs of features
JUDGED = 4000  # real examples that judging and references are timed on, at most
JUDGED_SECONDS = 0.5  # time of judging that many real examples, approximately
TIMED = 32  # real examples by which the speed of judging is found
SCORED = 200  # real examples that stand for generated ones
FID_SECONDS = 0.25  # time of one image in the Inception network, on one core
FID_BYTES = 3 * 2**30  # memory of the Inception network


class Loaded(NamedTuple):
    """The examples of a data set, and the processor time of loading them."""

    examples: Examples
    seconds: float


class DatasetCosts:
    """What a data set of a study takes before any run is scored, from its examples and its judge, which is not trained.

    Attributes:
        examples: the examples, prepared or newly loaded.
        loading: seconds of processor time for loading them.
        slow: whether the judge's network is too slow to be timed.
        inception: whether the Inception network judges examples, for the judge or for a metric.

    Args:
        plan: the study's plan.
        choice: the data set.
        loaded: its examples if they have been loaded already.
    """

    def __init__(self, plan: Plan, choice: Choice, loaded: Loaded | None = None) -> None:
        self._plan, self._dataset = plan, choice.build()
        if loaded is None:
            prepared, began = plan.prepare[dataset_name(choice)], time.process_time()
            found = examples(prepared.path) if prepared.done else self._dataset.load()
            loaded = Loaded(found, time.process_time() - began)
        self.examples = loaded.examples
        self.loading = loaded.seconds * (1 if choice.component.shipped else LOADED)
        self.judge, self.slow = plan.grid.judge_of(choice).build(), needs_weights(plan.grid.judge_of(choice))
        self.inception = self.slow or any(map(needs_weights, plan.study.evaluate.metrics))

    @cached_property
    def scorer(self) -> Scorer:
        """The scorer, without slow networks, of metrics or of the judge, and with references of few examples."""
        return Scorer.of(*self._judging, self._metrics, self._dataset.spec, self._few)

    @cached_property
    def _judging(self) -> tuple[Any, Tree]:
        """The judge and its state, or another judge in place of a slow one."""
        return (StandIn(0), {}) if self.slow else (self.judge, self.judge.untrained(self.examples))

    @cached_property
    def _metrics(self) -> list[Any]:
        return [each.build() for each in self._plan.study.evaluate.metrics if not needs_weights(each)]

    @cached_property
    def scoring_seconds(self) -> float:
        """The seconds to score the generated examples of one snapshot, whatever has generated them."""
        samples = self._plan.study.evaluate.samples
        return sample_times.scoring_seconds(self.scorer, floats(self.examples.train[:SCORED]), samples)

    @property
    def judge_seconds(self) -> float:
        """The seconds to fit the judge."""
        if self.slow:
            return FID_SECONDS * len(self.examples.train)
        return timing.judge_seconds(self.judge, self.examples)

    @property
    def reference_seconds(self) -> float:
        """The seconds to judge the real examples, and to compute references and nulls of them."""
        train, heldout = (reference_examples(part) for part in (self.examples.train, self.examples.heldout))
        evaluate = self._plan.study.evaluate
        seconds = timing.reference_seconds(self.scorer, self._few, len(train), evaluate.samples)
        return seconds + self.inception * FID_SECONDS * (len(train) + len(heldout))

    @property
    def reference_memory(self) -> int:
        """The bytes that references and nulls take: features of all real examples, with those of a split of them and
        copies in references; the examples of a split; and matrices of pairs of features."""
        few = [reference_examples(part) for part in (self.examples.train, self.examples.heldout)]
        some = floats(few[0][:2])
        features = self.inception * inception.FEATURES
        features += inception.FEATURES if self.slow else self.judge.judge(self.scorer.state, some).features.shape[1]
        of_each = 8 * FEATURES_HELD * features + few[0][0].nbytes
        return sum(map(len, few)) * of_each + 8 * MATRICES * features**2 + self.inception * FID_BYTES

    @cached_property
    def _few(self) -> Examples:
        """As many real examples as are judged in `JUDGED_SECONDS`, within bounds."""
        least = max((2 * metric.fewest for metric in self._metrics), default=TIMED)
        some = self.examples.train[:TIMED]
        each = timing.seconds_of(lambda: judge_stored(*self._judging, some)) / len(some)
        count = int(min(JUDGED, max(least, JUDGED_SECONDS / max(each, 1e-9))))
        return Examples(self.examples.train[:count], None, self.examples.heldout[:count], None)
