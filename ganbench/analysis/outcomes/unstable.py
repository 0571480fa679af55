"""Unstable: losses that run off, or spikes without recovery; in a game of a few numbers, parameters that spiral out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._games import TOO_FEW, GameTrend, trend_of
from ganbench.analysis.outcomes._run import Series
from ganbench.analysis.outcomes._spikes import bins_for_spikes, spikes

NAT = 1.0  # a loss of probabilities has a natural unit: below one nat it is no loss to speak of


class Unstable(Detector):
    """Losses are compared with the run's own first steps, since their scale is the objective's. Norms of parameters are
    not: under Adam they grow with the rate and the number of steps, and with normalised layers at no cost at all.

    A run-off holds in the last share of training; what returns was a spike. Spikes count if there are several, or if
    the loss stays where the last of them took it. A generator's loss in probabilities that stays high says that the
    discriminator is sure of itself, which is another outcome: it must stay as high as a run-off. In a game of a few
    numbers the norms decide: it is unstable if they have grown `norm_growth`-fold, or still grow together with the
    gradients. A run in bins that are too few to show spikes, or a trend, is not judged unless it is seen to be
    unstable.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="unstable",
            what="a loss ran off to many times its early size, or spiked again and again or without recovery",
            kind="failure",
            severity=90,
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if not run.has_data:
            trend = trend_of(run)
            if trend is not None:
                return list(_spirals_out(run, trend))
            return () if run.cut_short else NotJudged(TOO_FEW)
        losses = _losses(run)
        if not losses:
            return NotJudged("no loss was recorded")
        found = self.check_curves(run)
        if found or run.cut_short:
            return found
        for player, series in losses.items():
            if len(series.mean) < (needed := bins_for_spikes(series.width)):
                return NotJudged(f"the {player}'s loss has {len(series.mean)} bins of steps, and spikes need {needed}")
        return ()

    def check_curves(self, run: RunEvidence) -> Sequence[Finding]:
        found = [each for player, series in _losses(run).items() for each in _of_loss(run, player, series)]
        return [max(found, key=lambda each: each.confidence)] if found else ()


def _losses(run: RunEvidence) -> dict[str, Series]:
    """The recorded loss of each player."""
    return {player: run.series[name] for player in run.players if (name := f"{player}_loss") in run.series}


def _of_loss(run: RunEvidence, player: str, series: Series) -> Iterator[Finding]:
    settings = run.settings
    size = np.abs(series.mean)
    first = series.early(settings.early_share)
    if run.probabilities:
        floor = NAT
        early = max(float(np.median(size[first])), floor)
    else:  # a critic's loss begins near zero, which is no scale; its largest early one is
        early = floor = float(size[first].max())
    late = series.late(settings.late_share, run.steps)
    if early > 0 and late.any() and (growth := float(np.median(size[late])) / early) >= settings.loss_growth:
        beyond = np.flatnonzero(size >= settings.loss_growth * early)
        # The first crossing after which most of the rest stays beyond: single dips do not move it to the end.
        onset = next(int(series.first[at]) for at in beyond if np.median(size[at:]) >= settings.loss_growth * early)
        text = f"the {player}'s loss was {growth:.3g} times its early {early:.3g} in the last part of training"
        yield Finding("unstable", onset, text, margin(growth, settings.loss_growth))
    every = spikes(series, deviations=settings.spike_deviations, gap=settings.spike_gap, floor=floor)
    large = [spike for spike in every if spike.size >= settings.spike_size]
    if not large:
        return
    largest = max(spike.size for spike in large)
    if len(large) >= settings.spike_count:
        text = f"the {player}'s loss spiked {len(large)} times, up to {largest:.3g} times its usual size"
        yield Finding("unstable", large[0].start, text, margin(len(large), settings.spike_count))
    last = large[-1]
    if not last.recovered:
        before = np.median(size[series.last < last.start][-20:]) if (series.last < last.start).any() else floor
        after = series.first >= last.start
        after = after & late if (after & late).any() else after  # a level that was left since is none
        stayed = float(np.median(size[after])) / max(float(before), floor, 1e-12)
        sure = run.probabilities and player == "generator"
        threshold = settings.loss_growth if sure else settings.spike_size
        if stayed >= threshold:
            text = f"a spike took the {player}'s loss to {stayed:.3g} times its size before, where it stayed"
            yield Finding("unstable", last.start, text, margin(stayed, threshold))


def _spirals_out(run: RunEvidence, trend: GameTrend) -> Iterator[Finding]:
    if trend.norm_growth >= run.settings.norm_growth:
        text = f"the norm of the parameters grew {trend.norm_growth:.3g}-fold"
        yield Finding("unstable", trend.norm_onset, text, margin(trend.norm_growth, run.settings.norm_growth))
    elif trend.grows:
        text = (
            f"in the second half of the steps gradients grew {trend.gradient_change:.3g}-fold and parameters"
            f" {trend.norm_change:.3g}-fold"
        )
        yield Finding("unstable", trend.half, text, trend.confidence)
