"""Partial mode collapse: examples that were once good lack a large part of the modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._filled_share import KL, collapse, over_modes
from ganbench.analysis.outcomes._learning import NO_HALF, Progress, near_half
from ganbench.analysis.outcomes._run import dense_onset, onset_of

SETTLED = 1.15  # times as many modes as at half of training: a run that still fills modes has not lost them


class PartialCollapse(Detector):
    """By the share of the modes that the examples fill, see `over_modes`: at most `partial_mode_share`, of a run that
    has not collapsed, whose examples have been good, and which neither fills further modes nor gets better by the
    primary metric.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="partly-collapsed",
            what="the examples have been good and lack a large part of the modes of the data",
            kind="failure",
            severity=55,
            needs={KL: "mode_coverage"},
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            return NotJudged("a game without data has no such failure", impossible=True)
        modes = over_modes(run)
        if isinstance(modes, NotJudged):
            return modes
        steps, filled, settings = modes.steps, modes.share, run.settings
        few = (filled <= settings.partial_mode_share) & run.had_learned_at(steps)
        if not few[-1] or run.cut_short or collapse(run) is not None:
            return ()
        half = near_half(steps, run.steps)
        improves = isinstance(run.progress, Progress) and run.progress.improves(settings.improving_ratio, run.steps)
        if half is None or improves is None:
            return NotJudged(f"the examples lack modes at the end, and {NO_HALF}")
        if filled[-1] > SETTLED * filled[half] or improves:
            return ()
        confidence = margin(settings.partial_mode_share, float(filled[-1]))
        return (Finding("partly-collapsed", dense_onset(run, steps, onset_of(steps, few)), modes.text, confidence),)
