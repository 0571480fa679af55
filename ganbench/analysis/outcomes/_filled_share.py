"""How much of the data the examples of a run fill: of its modes, and of its variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganbench.analysis.outcomes import Finding, NotJudged, RunEvidence, margin
from ganbench.analysis.outcomes._run import DIVERSITY, dense_onset, onset_of

KL = "mode_reverse_kl"  # the column of `mode_coverage` that says how unevenly examples fall on the modes


@dataclass(frozen=True)
class FilledShare:
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
        less = len(late) > 0 and self.share[0] > 0 and (late <= run.settings.concentrated_ratio * self.share[0]).all()
        if self.share[-1] > self.least or not (good or less):
            return None
        onset = dense_onset(run, self.steps, onset_of(self.steps, (self.share <= self.least) & (self.steps > 0)))
        text = self.text + ("" if good else ", and none were ever good")
        return Finding("collapsed", onset, text, margin(self.least, float(self.share[-1])) * (1 if good else 0.8))


def over_modes(run: RunEvidence) -> FilledShare | NotJudged:
    """The share of the modes, exp(-KL) of the histogram of the examples against that of real ones: if n of m equally
    frequent modes are filled evenly, it is n / m, whatever the quality of the examples."""
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
    return FilledShare(steps, filled, run.settings.collapsed_mode_share, text)


def of_examples(run: RunEvidence) -> FilledShare | NotJudged:
    """The share of the variance, the metric `diversity`: the examples of a generator that makes nothing of its latent
    points are all alike, whatever mode a judge finds them in."""
    measured = run.measured(DIVERSITY)
    if isinstance(measured, str):
        return NotJudged(measured)
    steps, diversity = measured
    text = f"examples are all alike: they vary by {diversity[-1]:.2g} of what real ones do"
    return FilledShare(steps, diversity, run.settings.alike_diversity, text)


def collapse(run: RunEvidence) -> Finding | None:
    """The collapse of a run by either share, the first that shows one; None if none does."""
    shares = (share for share in (over_modes(run), of_examples(run)) if isinstance(share, FilledShare))
    return next((found for share in shares if (found := share.collapsed(run)) is not None), None)
