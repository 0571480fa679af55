"""Still improving: the examples got better to the end, so that more steps would tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._games import TOO_FEW, trend_of
from ganbench.analysis.outcomes._learning import NO_HALF, Unmeasured


class StillImproving(Detector):
    """The generator has learned, and its last distance from real data is its best, and `improving_ratio` or less of the
    best until half of training, without yet being within the null. A game of a few numbers still improves
    while the gradients fall.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="still-improving",
            what="the examples had come near to real ones and still got better in the second half of the steps, by the"
            " primary metric; or the gradients of a game without data still fell",
            kind="open",
            severity=15,
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if run.cut_short:  # it has not come to an end, whatever was measured before
            return ()
        return self._of_game(run) if not run.has_data else self._of_networks(run)

    def _of_networks(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        progress, settings = run.progress, run.settings
        if isinstance(progress, Unmeasured):
            return NotJudged(progress.reason)
        learned = run.learned_at(progress.steps)
        if not learned[-1] or progress.as_real[-1]:
            return ()
        improves = progress.improves(settings.improving_ratio, run.steps)
        if improves is None:
            return NotJudged(NO_HALF)
        if not improves:
            return ()
        ratio = progress.last / progress.best_by_half(run.steps)
        text = f"{progress.words(-1)} at the end, {ratio:.2f} of the best until half of the steps"
        onset = int(progress.steps[learned.argmax()])
        return (Finding("still-improving", onset, text, margin(settings.improving_ratio, ratio)),)

    def _of_game(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        trend = trend_of(run)
        if trend is None:
            return NotJudged(TOO_FEW)
        if not trend.shrinks or trend.gradient_share <= run.settings.settled_gradient:
            return ()
        text = f"in the second half of the steps gradients fell to {trend.gradient_change:.3g} of what they were"
        return (Finding("still-improving", trend.half, text, trend.confidence),)
