"""Checkerboard artefacts in generated images that training does not remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._run import onset_of

EXCESS = "checkerboard_excess"


class CheckerboardArtifacts(Detector):
    """By the excess of spectral power at the frequencies of a checkerboard over that of real images, in decibels.

    An untrained network with transposed convolutions has one too (Odena, Dumoulin and Olah 2016), and most lose it. It
    has stayed where it is beyond `checkerboard_decibels` (and beyond the null, where that is known) throughout the last
    share of the snapshots' steps, in a run that has learned: a generator that has not, as far as is known, had no time
    to lose it.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="checkerboard-artifacts",
            what="generated images kept a checkerboard that real images do not have, to the end",
            kind="failure",
            severity=35,
            needs={EXCESS: "checkerboard"},
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            return NotJudged("a game without data has no such failure", impossible=True)
        measured = run.measured(EXCESS)
        if isinstance(measured, str):
            return NotJudged(measured)
        steps, excess = measured
        threshold = run.settings.checkerboard_decibels
        if run.nulls and EXCESS in run.nulls:
            threshold = max(threshold, run.nulls[EXCESS][1])
        above = excess >= threshold
        late = steps >= (1 - run.settings.late_share) * run.steps
        if not (late.any() and above[late].all()) or (run.learned is not None and not run.learned.any()):
            return ()
        text = f"the checkerboard stands {excess[-1]:.1f} dB above that of real images at the end"
        return (Finding("checkerboard-artifacts", onset_of(steps, above), text, margin(float(excess[-1]), threshold)),)
