"""The long-term behaviour of a run, from the growth of small distances to it and from its own speed."""

from __future__ import annotations

from ganbench.numerics.orbits import RESOLVED, OrbitStatistics

FIXED_POINT, CYCLE, CHAOS, RUN_OFF = 0, 1, 2, 3

STOPPED = 1e-9  # ratio of the last speed to the top speed below which a run has arrived
CERTAIN = 3.0  # e-foldings that neighbours must have gained or lost for the exponent to decide alone


def regime(orbit: OrbitStatistics, largest: float, low: float, high: float) -> int:
    """The regime of a run: 0 a fixed point, 1 a cycle, 2 chaos, 3 off to infinity.

    In this order:

    1. Its parameters became non-finite: run-off. It stands still, or moves `STOPPED` times its top speed: fixed point.
    2. The neighbours' exponent is positive and the speed grows at half its rate or more, so that the run is leaving as
       they are (a saddle, an unstable focus): run-off. Negative, and the speed falls at half its rate or more: fixed
       point. Both only if neighbours gained or lost `RESOLVED` e-foldings, and the latter, unless they lost `CERTAIN`,
       only if this is no endless drift: on one, neighbours in line meet as their speed falls.
    3. A drift (`STRAIGHT` and not `BENT`) is a run-off if endless, else on its way to a fixed point.
    4. It comes back, at a steady speed: chaos if the exponent is positive and neighbours gained `CERTAIN` e-foldings; a
       fixed point blurred by noise if they lost as many and batches differ; else a cycle, be it neutral (exponent 0) or
       an attracting one of a map.

    Args:
        orbit: statistics of the run's orbit.
        largest, low, high: the largest Lyapunov exponent, 1/step, and its 95% interval.

    Returns:
        `FIXED_POINT`, `CYCLE`, `CHAOS` or `RUN_OFF`.
    """
    gained = largest * orbit.steps
    quarter = gained / 4  # growth of log speed from one quarter to the next, if speed grew as distances do
    if orbit.diverged:
        return RUN_OFF
    if orbit.top_speed == 0 or orbit.last_speed <= STOPPED * orbit.top_speed:
        return FIXED_POINT
    if low > 0 and gained > RESOLVED and orbit.speeding >= quarter / 2:
        return RUN_OFF
    meeting = high < 0 and gained < -RESOLVED and orbit.speeding <= quarter / 2
    if meeting and (gained < -CERTAIN or not orbit.endless):
        return FIXED_POINT
    if orbit.drifts:
        return RUN_OFF if orbit.endless else FIXED_POINT
    if low > 0 and gained > CERTAIN:
        return CHAOS
    if high < 0 and gained < -CERTAIN and orbit.noisy:
        return FIXED_POINT
    return CYCLE
