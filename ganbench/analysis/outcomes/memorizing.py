"""Memorising: generated examples are copies of training examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._run import onset_of

RATIO = "memorization_ratio"


class Memorizing(Detector):
    """By the distance to the nearest training example over that to the nearest of as many held-out examples: 1 for a
    generator that has learned the distribution, 0 for one that replays its training set.

    The threshold is `memorized_ratio`, or the lower end of the null where that is smaller: real examples that are as
    near to the training set by chance are no sign of copying.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="memorizing",
            what="at the end generated examples lie much nearer to training examples than to held-out ones",
            kind="failure",
            severity=65,
            needs={RATIO: "memorization"},
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            return NotJudged("a game without data has no such failure", impossible=True)
        measured = run.measured(RATIO)
        if isinstance(measured, str):
            return NotJudged(measured)
        steps, ratio = measured
        threshold = run.settings.memorized_ratio
        if run.nulls and RATIO in run.nulls:
            threshold = min(threshold, run.nulls[RATIO][0])
        copies = ratio < threshold
        if not copies[-1]:
            return ()
        text = f"generated examples are {ratio[-1]:.2f} times as far from training as from held-out examples"
        return (Finding("memorizing", onset_of(steps, copies), text, margin(threshold, float(ratio[-1]))),)
