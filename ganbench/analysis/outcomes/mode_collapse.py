"""Mode collapse, full or partial: examples that were once good, or that spread at first, fall on few of the modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._learning import NO_HALF, Progress, near_half
from ganbench.analysis.outcomes._run import dense_onset, onset_of

KL = "mode_kl"  # the column of the metric `mode_coverage` that says how unevenly examples fall on the modes
SETTLED = 1.15  # times as many modes as at half of training: a run that still fills modes has not lost them


class ModeCollapse(Detector):
    """By the share of modes that the examples fill, exp(-KL) of their histogram against that of real examples. If n of
    m equally frequent modes are filled evenly, it is n / m, whatever the quality of the examples.

    Few modes alone are no collapse: the histogram of noise says nothing. Examples must have been good at some snapshot;
    or they fill fewer modes, throughout the second half of training, than those of the untrained generator did. The
    collapse is partial between `collapsed_mode_share` and `partial_mode_share`, for examples that have been good, and
    if the run neither fills further modes nor gets better by the leading metric.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="collapsed",
            what="the examples fall on very few of the modes of the data, having been good, or more spread, before",
            kind="failure",
            severity=80,
            needs={KL: "mode_coverage"},
        ),
        OutcomeInfo(
            name="partly-collapsed",
            what="the examples have been good and lack a large part of the modes of the data",
            kind="failure",
            severity=40,
            needs={KL: "mode_coverage"},
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            return NotJudged("a game without data has no such failure", impossible=True)
        if run.modes == 1:
            return NotJudged("data of one mode have no fewer to collapse onto", impossible=True)
        if run.modes == 0:
            return NotJudged("the data have no labels, or their judge tells no modes apart")
        if KL not in run.snapshots:
            return NotJudged("the metric mode_coverage was not evaluated")
        measured = run.measured(KL)
        if isinstance(measured, str):
            return NotJudged(measured)
        steps, kl = measured
        filled, settings = np.exp(-kl), run.settings
        good = run.learned_at(steps).any()
        late = filled[steps >= run.steps / 2]
        concentrated = len(late) > 0 and (late <= settings.concentrated_ratio * filled[0]).all()
        text = f"examples fill the equivalent of {filled[-1] * run.modes:.1f} of {run.modes} modes at the end"
        if filled.argmax() < len(filled) - 1:
            text += f" and filled {filled.max() * run.modes:.1f} at step {steps[filled.argmax()]}"
        if filled[-1] <= settings.collapsed_mode_share and (good or concentrated):
            few = (filled <= settings.collapsed_mode_share) & (steps > 0)
            onset = dense_onset(run, steps, onset_of(steps, few))
            text += "" if good else ", and none were ever good"
            confidence = margin(settings.collapsed_mode_share, float(filled[-1])) * (1 if good else 0.8)
            return (Finding("collapsed", onset, text, confidence),)
        few = (filled <= settings.partial_mode_share) & run.had_learned_at(steps)
        if not few[-1] or run.cut_short:
            return ()
        half = near_half(steps, run.steps)
        improves = isinstance(run.progress, Progress) and run.progress.improves(settings.improving_ratio, run.steps)
        if half is None or improves is None:
            return NotJudged(f"the examples lack modes at the end, and {NO_HALF}")
        if filled[-1] <= SETTLED * filled[half] and not improves:
            confidence = margin(settings.partial_mode_share, float(filled[-1]))
            onset = dense_onset(run, steps, onset_of(steps, few))
            return (Finding("partly-collapsed", onset, text, confidence),)
        return ()
