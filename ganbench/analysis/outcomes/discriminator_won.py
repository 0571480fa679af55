"""Discriminator won: it tells real from generated examples all but surely, or starves the generator of gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._learning import NO_HALF, Progress

SUSPECT = 0.8  # of the confidence where no metric says what the generator draws


class DiscriminatorWon(Detector):
    """Two signs, each of which must hold throughout the last share of training:

    - saturation: a discriminator of probabilities gives real examples `won_real_output` and generated ones
      `won_fake_output` in the mean;
    - starvation, also for critics: the generator's gradient is below `starved_gradient` of what it was at first, while
      the outputs on real and generated examples are apart.

    A generator that has learned and still improves, or whose examples cannot be told from real ones, has not lost,
    however sure the discriminator is: with few training examples it is sure because it knows them by heart.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="discriminator-won",
            what="the discriminator told real from generated examples all but surely, or starved the generator of"
            " gradients, to the end, and the generator had not learned or no longer improved",
            kind="failure",
            severity=86,
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            return NotJudged("a game without data has no such failure", impossible=True)
        if not {"real_output", "fake_output"} <= run.series.keys():
            return NotJudged("the discriminator's outputs were not recorded")
        found = [*_saturated(run), *_starved(run)]
        if not found:
            return ()
        progress = run.progress
        if isinstance(progress, Progress):
            learned = run.learned_at(progress.steps)[-1]
            improves = progress.improves(run.settings.improving_ratio, run.steps)
            if progress.as_real[-1] or (improves and learned):
                return ()
            if improves is None and learned:
                return NotJudged(NO_HALF)
            trust, text = 1.0, f"; {progress.words(-1)} {_standing(progress, improves, learned)}"
        else:
            trust, text = SUSPECT, ""
        clearest, onset = max(found, key=lambda each: each.confidence), min(each.onset for each in found)
        return (Finding(clearest.outcome, onset, clearest.evidence + text, trust * clearest.confidence),)

    def check_curves(self, run: RunEvidence) -> Sequence[Finding]:
        """A generator without gradients is found. A discriminator that is sure is not: of few training examples it is,
        and the generator may learn all the same, which no series shows."""
        recorded = {"real_output", "fake_output"} <= run.series.keys()
        return list(_starved(run)) if recorded else ()


def _standing(progress: Progress, improves: bool | None, learned: bool) -> str:
    """What the last distance says of a generator that has lost, as the rest of a clause."""
    share = progress.standing(progress.last)
    if improves:
        return f"is better than until half of the steps, and still {share}"
    return f"is {'the best of all' if improves is None else 'not much better than before'}, and {share}"


def _saturated(run: RunEvidence) -> Iterator[Finding]:
    settings, real, fake = run.settings, run.series["real_output"], run.series["fake_output"]
    if not run.probabilities:
        return
    apart = (real.mean >= settings.won_real_output) & (fake.mean <= settings.won_fake_output)
    late = real.late(settings.late_share, run.steps)
    if not (late.any() and apart[late].all()):
        return
    unsure = max(1 - float(real.mean[late].mean()), float(fake.mean[late].mean()))
    allowed = max(1 - settings.won_real_output, settings.won_fake_output)
    text = f"mean outputs {real.mean[-1]:.4f} on real and {fake.mean[-1]:.4f} on generated examples at the end"
    yield Finding("discriminator-won", real.since(apart), text, margin(allowed, unsure))


def _starved(run: RunEvidence) -> Iterator[Finding]:
    settings = run.settings
    gradient, gap = run.series.get("generator_gradient_norm"), _gap(run)
    if gradient is None:
        return
    first = gradient.mean[gradient.early(settings.early_share)]
    # Of the bins with a gradient: at a rate that is much too high it is exactly 0 after a few steps.
    early = float(np.median(first[first > 0])) if (first > 0).any() else 0.0
    starved = gradient.mean <= settings.starved_gradient * early
    late = gradient.late(settings.late_share, run.steps)
    apart = gap >= (0.5 if run.probabilities else 0.5 * gap.max())
    if not (early > 0 and late.any() and starved[late].all() and apart[late].all()):
        return
    share = float(np.median(gradient.mean[late])) / early
    text = f"the generator's gradient fell to {share:.2g} of its early norm, with real and generated examples apart"
    yield Finding("discriminator-won", gradient.since(starved), text, margin(settings.starved_gradient, share))


def _gap(run: RunEvidence) -> np.ndarray:
    """Mean output on real less that on generated examples, (bins,)."""
    return run.series["real_output"].mean - run.series["fake_output"].mean
