"""Converged: the examples came near to real ones and stayed; a game of a few numbers came to rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._games import TOO_FEW, trend_of
from ganbench.analysis.outcomes._learning import NO_HALF, Unmeasured, lost_again
from ganbench.analysis.outcomes._run import onset_of


class Converged(Detector):
    """The generator has learned, no longer improves by much, and has not lost what it had learned, or its value
    is within the null. It has converged to something, which need not be the data: the evidence says
    what it scores, and whether that can be told from real examples. A game of a few numbers has converged where its
    gradients have fallen to `settled_gradient` of the first.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="converged",
            what="the examples came near to real ones and stayed there without getting much better, by the primary"
            " metric; or a game without data came to rest",
            kind="success",
            severity=10,
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
        learned = run.had_learned_at(progress.steps)
        lost = lost_again(progress, learned, settings)
        if not run.learned_at(progress.steps)[-1] or lost[-1]:
            return ()
        improves = False if progress.as_real[-1] else progress.improves(settings.improving_ratio, run.steps)
        if improves is None:
            return NotJudged(NO_HALF)
        if improves:
            return ()
        text = f"{progress.words(-1)} at the end, {progress.standing(progress.last)}"
        onset = max(onset_of(progress.steps, ~lost), int(progress.steps[learned.argmax()]))
        return (Finding("converged", onset, text, margin(progress.threshold(settings.learned_share), progress.last)),)

    def _of_game(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        trend, settled = trend_of(run), run.settings.settled_gradient
        if trend is None:
            return NotJudged(TOO_FEW)
        if trend.gradient_share > settled or trend.grows:
            return ()
        text = f"gradients fell to {trend.gradient_share:.2g} of the first"
        return (Finding("converged", trend.half, text, margin(settled, trend.gradient_share)),)
