"""Mode collapse, full or partial: examples that were once good, or that spread at first, fall on few of the modes, or
are all alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._learning import NO_HALF, Progress, near_half
from ganbench.analysis.outcomes._run import DIVERSITY, dense_onset, onset_of

KL = "mode_kl"  # the column of the metric `mode_coverage` that says how unevenly examples fall on the modes
SETTLED = 1.15  # times as many modes as at half of training: a run that still fills modes has not lost them


@dataclass(frozen=True)
class Spread:
    """How much of the data the examples fill, by one measure, at the snapshots that have it.

    Attributes:
        steps: steps of the snapshots, (S,).
        share: 1 for real data, towards 0 for examples on ever less of it, (S,).
        least: the share up to which examples that were good have collapsed.
        text: what the examples do at the last snapshot, a clause.
    """

    steps: np.ndarray
    share: np.ndarray
    least: float
    text: str

    def collapsed(self, run: RunEvidence) -> Finding | None:
        """The collapse by this measure, if the examples end with one: they were good before, or they filled less
        throughout the second half of training than those of the untrained generator did."""
        good = run.learned_at(self.steps).any()
        late = self.share[self.steps >= run.steps / 2]
        less = len(late) > 0 and (late <= run.settings.concentrated_ratio * self.share[0]).all()
        if self.share[-1] > self.least or not (good or less):
            return None
        onset = dense_onset(run, self.steps, onset_of(self.steps, (self.share <= self.least) & (self.steps > 0)))
        text = self.text + ("" if good else ", and none were ever good")
        return Finding("collapsed", onset, text, margin(self.least, float(self.share[-1])) * (1 if good else 0.8))


class ModeCollapse(Detector):
    """By the share of modes that the examples fill, exp(-KL) of their histogram against that of real examples. If n of
    m equally frequent modes are filled evenly, it is n / m, whatever the quality of the examples. And by diversity: the
    examples of a generator that makes nothing of its latent points are all alike, whatever mode a judge finds them in.

    Few modes alone are no collapse: the histogram of noise says nothing. Nor is little diversity alone, since untrained
    generators have little as well. Examples must have been good at some snapshot; or, throughout the second half of
    training, they fill fewer modes or vary less than those of the untrained generator did. The collapse is partial
    between `collapsed_mode_share` and `partial_mode_share`, for examples that have been good, and if the run neither
    fills further modes nor gets better by the leading metric.
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
        modes, examples = self._over_modes(run), self._of_examples(run)
        for spread in (modes, examples):
            if isinstance(spread, Spread) and (finding := spread.collapsed(run)) is not None:
                return (finding,)
        if isinstance(modes, Spread):
            return self._partial(run, modes)
        # Of data without modes, diversity alone tells whether all is lost; it does not tell whether modes are.
        return () if isinstance(examples, Spread) and run.modes < 2 else modes

    def _over_modes(self, run: RunEvidence) -> Spread | NotJudged:
        """The spread of the examples over the modes."""
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
        filled = np.exp(-kl)
        text = f"examples fill the equivalent of {filled[-1] * run.modes:.1f} of {run.modes} modes at the end"
        if filled.argmax() < len(filled) - 1:
            text += f" and filled {filled.max() * run.modes:.1f} at step {steps[filled.argmax()]}"
        return Spread(steps, filled, run.settings.collapsed_mode_share, text)

    def _of_examples(self, run: RunEvidence) -> Spread | NotJudged:
        """The variance of the examples."""
        measured = run.measured(DIVERSITY)
        if isinstance(measured, str):
            return NotJudged(measured)
        steps, diversity = measured
        text = f"examples are all alike: they vary by {diversity[-1]:.2g} of what real ones do"
        return Spread(steps, diversity, run.settings.alike_diversity, text)

    def _partial(self, run: RunEvidence, modes: Spread) -> Sequence[Finding] | NotJudged:
        """The partial collapse, of a run that has not collapsed."""
        steps, filled, settings = modes.steps, modes.share, run.settings
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
            return (Finding("partly-collapsed", onset, modes.text, confidence),)
        return ()
