"""Steps that are not all alike: an executor for each of the phases of a game, see `Game.phase`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ganbench.engine.step import Executor, Result, Variables
from ganbench.games import Batch, LearningRates, Match


class PhasedExecutor:
    """Executes the steps of a pack, each in its phase.

    Args:
        match: the game with its members.
        executor: makes the executor of a phase, from the match as it is in this phase.
    """

    def __init__(self, match: Match, executor: Callable[[Match], Executor]) -> None:
        self._match, self._executor = match, executor
        self._executors: dict[tuple[Any, ...], Executor] = {}

    def __call__(self, step: int, variables: Variables, batches: list[Batch], rates: LearningRates) -> Result:
        """The result of a step.

        Args:
            step: index of the step, from 0. The phase depends on it alone, also after an interruption.
            variables, batches, rates: as of `Executor`.
        """
        phase = self._match.game.phase(step)
        if phase not in self._executors:
            self._executors[phase] = self._executor(self._match.in_phase(phase))
        return self._executors[phase](variables, batches, rates)
