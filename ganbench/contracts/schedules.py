"""The contract of schedules: a finite factor from 0 on for every step."""

from __future__ import annotations

import math
from typing import Any

from ganbench.contracts.repeatability import call_twice
from ganbench.core.escaping import short_repr
from ganbench.core.formatting import join_words

LENGTHS = (1, 2, 10, 997, 20_000)  # numbers of training steps


def schedule_fault(schedule: Any) -> str | None:
    """The fault of a schedule, as a clause; None if its factors are finite numbers from 0 on, the same at every call.

    Args:
        schedule: the schedule. Lengths of training that it refuses are left out.
    """
    lengths = [steps for steps in LENGTHS if schedule.fault(steps) is None]
    if not lengths:
        tried = join_words([str(steps) for steps in LENGTHS])
        return f"its fault() refuses every training that it is tried on, of {tried} steps"
    for steps in lengths:
        factors, fault = call_twice(lambda steps=steps: [schedule.factor(step, steps) for step in range(steps)])
        if fault:
            return f"its decay() {fault}"
        for step, factor in enumerate(factors):
            if not isinstance(factor, int | float) or isinstance(factor, bool):
                return f"its decay() gives {short_repr(factor)} for step {step} of {steps}; must be a number"
            if not math.isfinite(factor) or factor < 0:
                return f"its decay() makes the factor {factor:g} in step {step} of {steps}; must be finite, from 0 on"
    return None
