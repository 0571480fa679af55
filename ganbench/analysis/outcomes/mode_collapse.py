"""Mode collapse: examples that were once good, or that spread at first, fall on very few modes, or are all alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence
from ganbench.analysis.outcomes._filled_share import KL, FilledShare, collapse, of_examples, over_modes


class ModeCollapse(Detector):
    """By the share of the modes that the examples fill, and by their diversity, see `over_modes` and `of_examples`.

    Few modes alone are no collapse: the histogram of noise says nothing. Nor is little diversity alone, since untrained
    generators have little as well. Examples must have been good at some snapshot; or, throughout the second half of
    training, they fill fewer modes or vary less than those of the untrained generator did. Of data without labels, or
    of one mode, diversity alone tells.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="collapsed",
            what="the examples fall on very few of the modes of the data, or are all alike, having been good, or more"
            " spread, before",
            kind="failure",
            severity=70,
            needs={KL: "mode_coverage"},
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            return NotJudged("a game without data has no such failure", impossible=True)
        if (finding := collapse(run)) is not None:
            return (finding,)
        modes = over_modes(run)
        known = isinstance(modes, FilledShare) or (run.modes < 2 and isinstance(of_examples(run), FilledShare))
        return () if known else modes
