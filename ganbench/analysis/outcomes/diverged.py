"""Diverged: a loss, a gradient or a parameter was not finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, OutcomeInfo, RunEvidence


class Diverged(Detector):
    """What the engine found: it ends such a run at the step, with the name of what was not finite."""

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="diverged",
            what="a loss, gradient or parameter became infinite or not a number, which ended the run",
            kind="failure",
            severity=100,
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding]:
        if run.diverged is None:
            return ()
        step, cause = run.diverged
        return (Finding("diverged", step, cause, 1.0),)
