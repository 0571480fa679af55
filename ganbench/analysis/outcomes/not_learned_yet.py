"""Not learned yet: the examples are about as far from real ones as those of the untrained generator, or as noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._learning import Unmeasured, lost_again


class NotLearnedYet(Detector):
    """The last snapshot is not nearer to real data than `learned_share` of the untrained generator's distance and than
    noise, nor has examples of high quality by a judge that knows noise, and none before it was far better, which would
    have been forgotten. Pictures of such a run are noise or blots. It is no failure of training: at this rate the
    budget ended before anything was learned, and what a histogram over modes says of such pictures says nothing of
    collapse.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="not-learned-yet",
            what="within its steps the examples did not come to be much nearer to real ones than those of the untrained"
            " generator, or nearer than noise, by the primary metric",
            kind="open",
            severity=20,
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            return NotJudged("a game without data has nothing to learn", impossible=True)
        if run.cut_short:  # it has not come to an end, whatever was measured before
            return ()
        progress, settings = run.progress, run.settings
        if isinstance(progress, Unmeasured):
            return NotJudged(progress.reason)
        lost = lost_again(progress, run.had_learned_at(progress.steps), settings)
        if run.learned_at(progress.steps)[-1] or lost[-1]:
            return ()
        text = f"{progress.words(-1)} at the end, {progress.standing(progress.last)}"
        if progress.best < progress.last:
            text += f" (at best {progress.values[progress.distances.argmin()]:.4g})"
        confidence = margin(progress.best, progress.threshold(settings.learned_share))
        return (Finding("not-learned-yet", run.steps, text, confidence),)
