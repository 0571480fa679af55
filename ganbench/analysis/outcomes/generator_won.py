"""Generator won: the discriminator is blind to examples that are still far from real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._learning import NO_HALF, Unmeasured


class GeneratorWon(Detector):
    """At the equilibrium the discriminator cannot tell real from generated examples either. What tells a win from it
    are the examples: here they are still as bad as the untrained generator's, by the primary metric, and get no
    better. Without such a metric this outcome is not judged.

    The discriminator is blind where the mean outputs on real and generated examples are within `won_output_gap` of one
    another, or the generated ones above, throughout the last share of training. A critic's scores have no unit, and the
    gap is relative to the largest that it had.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="generator-won",
            what="the discriminator did not tell real from generated examples, though these were not much nearer to"
            " real ones than an untrained generator's and got no better",
            kind="failure",
            severity=84,
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            return NotJudged("a game without data has no such failure", impossible=True)
        if not {"real_output", "fake_output"} <= run.series.keys():
            return NotJudged("the discriminator's outputs were not recorded")
        progress, settings = run.progress, run.settings
        if isinstance(progress, Unmeasured):
            return NotJudged(progress.reason)
        if run.learned_at(progress.steps)[-1]:
            return ()
        real, fake = run.series["real_output"], run.series["fake_output"]
        unit = 1.0 if run.probabilities else max(float(np.abs(real.mean - fake.mean).max()), 1e-12)
        gap = (real.mean - fake.mean) / unit
        late = real.late(settings.late_share, run.steps)
        blind = gap <= settings.won_output_gap
        if not (late.any() and blind[late].all()):
            return ()
        improves = progress.improves(settings.improving_ratio, run.steps)
        if improves is None:
            return NotJudged(NO_HALF)
        if improves:
            return ()
        widest = float(np.abs(gap[late]).max())
        text = (
            f"mean outputs {real.mean[-1]:.4f} on real and {fake.mean[-1]:.4f} on generated examples at the end, which"
            f" have {progress.words(-1)}, {progress.standing(progress.last)}"
        )
        confidence = margin(settings.won_output_gap, widest) if (gap[late] >= 0).all() else 0.9
        return (Finding("generator-won", real.since(blind), text, confidence),)
