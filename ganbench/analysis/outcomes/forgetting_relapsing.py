"""Forgetting and relapsing: what was learned is lost at the end, or lost and learned again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._learning import Unmeasured, lost_again, relapses
from ganbench.analysis.outcomes._run import dense_onset


class ForgettingRelapsing(Detector):
    """By the relapses of the primary metric, see `relapses`. A run that ends in one, still as far from its best as
    where one begins, has forgotten. One that came back from two or more has relapsed: what it ends with is chance. It
    may have forgotten too.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="forgetting",
            what="at the end the examples are far worse than they once were, by the primary metric",
            kind="failure",
            severity=50,
        ),
        OutcomeInfo(
            name="relapsing",
            what="the examples became far worse and recovered twice or more, by the primary metric",
            kind="failure",
            severity=45,
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            return NotJudged("a game without data has nothing to forget", impossible=True)
        progress = run.progress
        if isinstance(progress, Unmeasured):
            return NotJudged(progress.reason)
        learned = run.had_learned_at(progress.steps)
        found = relapses(progress, learned, run.settings)
        if not found:
            return ()
        holds, last = [], found[-1]
        if last.end is None and lost_again(progress, learned, run.settings)[-1]:
            best = progress.distances[last.best]
            text = (
                f"{progress.name} was {progress.values[last.best]:.4g} at step {progress.steps[last.best]} and is"
                f" {progress.values[-1]:.4g} at the end"
            )
            confidence = margin(progress.last, run.settings.relapsed_ratio * best)
            onset = dense_onset(run, progress.steps, int(progress.steps[last.start]))
            holds.append(Finding("forgetting", onset, text, confidence))
        back = [each for each in found if each.end is not None]
        if len(back) >= 2:
            worst = max(each.worst for each in back)
            text = f"{progress.name} relapsed and recovered {len(back)} times, at worst to {worst:.4g} times its best"
            onset = int(progress.steps[back[0].start])
            holds.append(Finding("relapsing", onset, text, margin(len(back) + 1, 2)))
        return holds
