"""Constant learning rates, after a linear warm-up if there is one."""

from __future__ import annotations

from dataclasses import dataclass

from ganbench.schedules import Schedule


@dataclass(frozen=True)
class Constant(Schedule):
    """The factor is 1."""

    def decay(self, step: int, steps: int) -> float:
        return 1.0
