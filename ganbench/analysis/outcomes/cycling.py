"""Cycling: a generator hops from mode to mode; the players of a game of a few numbers turn around an equilibrium."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ganbench.analysis.outcomes import Detector, Finding, NotJudged, OutcomeInfo, RunEvidence, margin
from ganbench.analysis.outcomes._games import TOO_FEW, trend_of
from ganbench.analysis.outcomes._hops import DOMINANT, SHARE, hops

RETURNS = 1.05  # the largest factor between the largest norms of quarters that are those of an orbit


class Cycling(Detector):
    """By the hops that snapshots show, see `hops`: snapshots are sparse, so there are at least as many. `hops` of them
    must be seen, the last in the second half of the steps that the run reached, at most of whose snapshots one mode
    must dominate: a generator that has come to spread over modes has stopped.

    A game of a few numbers cycles where its gradients neither fall nor grow together with its parameters, and where the
    largest norms of both are the same within `RETURNS` in each of the last three quarters of the steps, as on an orbit.
    Those of noise are not: on xy with damping and noisy gradients, at rest for 400 to 10,000 steps, at most 3% of runs
    cycle in 10, 40 or 200 bins, where all would by their gradients alone. What neither rests nor returns is not judged:
    it may be noise, a slow course, or an orbit of which not enough was seen.
    """

    outcomes: ClassVar[tuple[OutcomeInfo, ...]] = (
        OutcomeInfo(
            name="cycling",
            what="most examples fall on one mode, and on another one every few snapshots; or the players of a game"
            " without data turn around an equilibrium",
            kind="failure",
            severity=82,
            needs=dict.fromkeys((DOMINANT, SHARE), "mode_coverage"),
        ),
    )

    def judge(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        return self._of_game(run) if not run.has_data else self._of_networks(run)

    def _of_networks(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        if run.modes == 1:
            return NotJudged("data of one mode have no other to hop to", impossible=True)
        if run.modes == 0:
            return NotJudged("the data have no labels, or their judge tells no modes apart")
        measured = run.measured(DOMINANT, SHARE)
        if isinstance(measured, str):
            return NotJudged(measured)
        steps, mode, _ = measured
        seen, late = hops(run), mode[steps >= run.last_step / 2]
        if len(seen) < run.settings.hops or seen[-1].step < run.last_step / 2 or (late >= 0).mean() <= 0.5:
            return ()
        path = " ".join(str(each) for each in (seen[0].source, *(hop.target for hop in seen)))
        text = f"the mode with most examples changed {len(seen)} times between snapshots ({path})"
        return (Finding("cycling", seen[0].step, text, margin(len(seen) + 1, run.settings.hops)),)

    def _of_game(self, run: RunEvidence) -> Sequence[Finding] | NotJudged:
        trend = trend_of(run)
        if trend is None:
            return NotJudged(TOO_FEW)
        beyond = trend.norm_growth >= run.settings.norm_growth
        if run.cut_short or beyond or trend.grows or trend.shrinks:
            return ()
        if trend.gradient_share <= run.settings.settled_gradient:
            return ()
        spread = max(trend.gradient_spread, trend.norm_spread)
        if spread > RETURNS:
            return NotJudged(
                f"the largest norm of its gradients or parameters differs by a factor of {spread:.3g} among the last"
                " three quarters of the steps, as in noise or on a slow course"
            )
        text = (
            f"in each of the last three quarters of the steps the largest norm of the gradients was the same within a"
            f" factor of {trend.gradient_spread:.3g}, and that of the parameters within {trend.norm_spread:.3g}"
        )
        return (Finding("cycling", trend.half, text, margin(RETURNS - 1, spread - 1)),)
