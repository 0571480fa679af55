"""The outcome of a run, by thresholds that a study can set.

Failures are results: every failure is named, and a failure that was not measured never counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ganbench.analysis.columns import FAILURES, FINISHED, UNDETERMINED
from ganbench.core.formatting import join_words

KL = "mode_kl"  # the column of the metric `mode_coverage` that says how unevenly examples fall on the modes


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of the failures, documented in the study's section `outcome`."""

    norm_growth: float
    won_real_output: float
    won_fake_output: float
    won_last_share: float
    collapsed_mode_share: float


@dataclass(frozen=True)
class OutcomeDecision:
    """The outcome of a run, the step at which it was first seen, and the measurement that decided it."""

    outcome: str
    step: int
    why: str
    judged: tuple[str, ...] = ()  # failures that could be seen
    not_judged: Mapping[str, str] = field(default_factory=dict)  # by each other failure: the reason


def decide_outcome(
    thresholds: Thresholds,
    *,
    steps: int,
    diverged: tuple[int, str] | None,
    initial_norms: Mapping[str, float],
    curves: pd.DataFrame,
    snapshots: pd.DataFrame,
    modes: int | None,
    probabilities: bool = True,
) -> OutcomeDecision:
    """Decide the outcome of one run by the first failure found, in the order diverged, discriminator-won, collapsed.

    Some failures are impossible for a kind of run: a game without data cannot collapse, and a critic, whose score is
    not a probability, cannot win. Such a failure is not judged, and the outcome is known without it. A failure that is
    possible but was not measured leaves the outcome undetermined, unless another failure was found.

    Args:
        thresholds: The thresholds of the failures.
        steps: The number of training steps asked for.
        diverged: The step and the cause, if the engine found a value that is not finite; otherwise None.
        initial_norms: By player, the norm of its parameters before the first step.
        curves: The run's rows of the table `curves`.
        snapshots: The run's snapshots, with `step` and metric columns, in the order of steps.
        modes: The number of modes that the judge tells apart in the data, 0 if it tells none; None for a game without
            data, which can only diverge.
        probabilities: Whether outputs are probabilities of being real, by which a discriminator can be seen to win.

    Returns:
        The outcome with its step and measurement, and the failures that were and were not judged.
    """
    impossible = _impossible(modes, probabilities)
    unmeasured = {} if modes is None else _unmeasured(snapshots, modes)
    not_judged = {name: why for name in FAILURES for why in [impossible.get(name) or unmeasured.get(name)] if why}
    judged = tuple(name for name in FAILURES if name not in not_judged)
    verdict = _find_failure(thresholds, steps, diverged, initial_norms, curves, snapshots, modes, judged)
    if verdict is None and unmeasured:
        why = join_words([f"{name} was not judged, since {reason}" for name, reason in unmeasured.items()])
        verdict = OutcomeDecision(UNDETERMINED, steps, f"trained all {steps} steps; {why}")
    if verdict is None and modes is None:
        verdict = OutcomeDecision(FINISHED, steps, f"played all {steps} steps without running off")
    if verdict is None:
        verdict = OutcomeDecision(FINISHED, steps, f"trained all {steps} steps without one of the failures")
    return replace(verdict, judged=judged, not_judged=not_judged)


def _impossible(modes: int | None, probabilities: bool) -> dict[str, str]:
    """Failures that a run of this kind cannot have, each with the reason."""
    if modes is None:
        return {name: "a game without data has no such failure" for name in ("discriminator-won", "collapsed")}
    return {} if probabilities else {"discriminator-won": "the output of a critic is a score and no probability"}


def _unmeasured(snapshots: pd.DataFrame, modes: int) -> dict[str, str]:
    """Failures that a run on data may have had but that could not be seen, each with the reason."""
    if modes == 0:
        return {"collapsed": "the data have no labels, or their judge tells no modes apart"}
    if KL not in snapshots:
        return {"collapsed": "the metric mode_coverage was not evaluated"}
    if not len(snapshots):
        return {"collapsed": "no snapshot was evaluated"}
    if np.isnan(snapshots[KL].iloc[-1]):
        return {"collapsed": f"{KL} has no value at the last snapshot"}
    if modes < 2:
        return {"collapsed": "data of one mode do not show a collapse onto few"}
    return {}


def _find_failure(
    thresholds: Thresholds,
    steps: int,
    diverged: tuple[int, str] | None,
    initial_norms: Mapping[str, float],
    curves: pd.DataFrame,
    snapshots: pd.DataFrame,
    modes: int | None,
    judged: tuple[str, ...],
) -> OutcomeDecision | None:
    """Find the first of the judged failures; the arguments are those of `decide_outcome`."""
    if diverged is not None:
        return OutcomeDecision("diverged", *diverged)
    series = {name: rows.sort_values("first_step") for name, rows in curves.groupby("series")}
    if modes is None:
        # In a game of a few numbers one player's growth starts from the other's size: the joint initial norm counts.
        joint = sum(norm**2 for norm in initial_norms.values()) ** 0.5
        initial_norms = dict.fromkeys(initial_norms, joint)
    return (
        _diverged(thresholds, series, initial_norms)
        or (_discriminator_won(thresholds, series, steps) if "discriminator-won" in judged else None)
        or (_collapsed(thresholds, snapshots, modes) if "collapsed" in judged else None)
    )


def _diverged(
    thresholds: Thresholds, series: Mapping[str, pd.DataFrame], initial_norms: Mapping[str, float]
) -> OutcomeDecision | None:
    """Find a player whose parameter norm ends beyond the allowed multiple of its initial norm."""
    for player, initial in initial_norms.items():
        norms = series[f"{player}_parameter_norm"]
        within = norms["mean"] <= thresholds.norm_growth * initial
        if initial > 0 and not within.iloc[-1]:  # a norm that starts at zero has no growth factor
            step = _after_last(norms, within)
            growth = norms["mean"].iloc[-1] / initial
            return OutcomeDecision("diverged", step, f"the {player}'s parameter norm grew {growth:.0f}-fold")
    return None


def _discriminator_won(
    thresholds: Thresholds, series: Mapping[str, pd.DataFrame], steps: int
) -> OutcomeDecision | None:
    """Find a discriminator that told real from generated examples almost surely throughout the end of training."""
    real, fake = series["real_output"], series["fake_output"]
    apart = (real["mean"] >= thresholds.won_real_output) & (fake["mean"].to_numpy() <= thresholds.won_fake_output)
    late = real["last_step"] > (1 - thresholds.won_last_share) * steps
    if not (late.any() and apart[late].all()):
        return None
    step = _after_last(real, ~apart)
    return OutcomeDecision(
        "discriminator-won",
        step,
        f"mean outputs {real['mean'].iloc[-1]:.4f} on real and {fake['mean'].iloc[-1]:.4f} on generated examples at "
        f"the end, and no closer since step {step}",
    )


def _collapsed(thresholds: Thresholds, snapshots: pd.DataFrame, modes: int) -> OutcomeDecision | None:
    """Find too few modes at the last snapshot, dated from the first snapshot since which this holds.

    The share of modes is exp(-KL) of the histogram over modes against the real histogram. If n of m equally frequent
    modes are filled evenly, the share is n / m, whatever the quality of the examples: a generator that is only blurred
    has not collapsed.
    """
    filled = np.exp(-snapshots[KL])
    if not filled.iloc[-1] < thresholds.collapsed_mode_share:
        return None
    fine = snapshots["step"][~(filled < thresholds.collapsed_mode_share)]  # excludes snapshots without a value
    since = snapshots["step"][snapshots["step"] > (fine.max() if len(fine) else -1)].min()
    before = f"at best {filled.max() * modes:.1f}"
    why = (
        f"examples fill the equivalent of {filled.iloc[-1] * modes:.1f} of {modes} modes at the last snapshot; {before}"
    )
    return OutcomeDecision("collapsed", int(since), why)


def _after_last(bins: pd.DataFrame, good: pd.Series) -> int:
    """The first step after the last good bin."""
    bad = ~good.to_numpy()[::-1]
    tail = int(bad.argmin()) if not bad.all() else len(bad)
    return int(bins["first_step"].iloc[len(bins) - tail])
