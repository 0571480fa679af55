"""Artefact lock-in: a lattice in generated images that training does not remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._run import onset_of

LATTICE = "lattice_excess"


class ArtefactLockIn(Detector):
    """By the excess of spectral power at the frequencies of a lattice over that of real images, in decibels.

    An untrained network with transposed convolutions has a lattice too, and most lose it. It is locked in where it is
    beyond `lattice_decibels` (and beyond the null, where that is known) throughout the last share of the snapshots'
    steps, in a run that has learned: a generator that has not, as far as is known, had no time to lose its lattice.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="artefact-lock-in",
            what="generated images kept a lattice that real images do not have, to the end",
            kind="failure",
            severity=35,
            needs={LATTICE: "lattice"},
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            return NotJudged("a game without data has no such failure", impossible=True)
        measured = run.measured(LATTICE)
        if isinstance(measured, str):
            return NotJudged(measured)
        steps, excess = measured
        threshold = run.settings.lattice_decibels
        if run.nulls and LATTICE in run.nulls:
            threshold = max(threshold, run.nulls[LATTICE][1])
        locked = excess >= threshold
        late = steps >= (1 - run.settings.late_share) * run.steps
        if not (late.any() and locked[late].all()) or (run.learned is not None and not run.learned.any()):
            return ()
        text = f"the lattice stands {excess[-1]:.1f} dB above that of real images at the end"
        return (Finding("artefact-lock-in", onset_of(steps, locked), text, margin(float(excess[-1]), threshold)),)
