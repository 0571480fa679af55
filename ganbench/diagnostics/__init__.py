"""Diagnostics, one file each: measurements of trained runs, which say why a method rotates, diverges or settles, and
calculations, which a study has once and which need no run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from ganbench.core.metric_info import MetricInfo
from ganbench.games import Game
from ganbench.numerics.trajectories import DiagnosticResult, Trajectories

__all__ = ["Diagnostic", "DiagnosticResult", "Trajectories"]


class Diagnostic(ABC):
    """A diagnostic derives from Diagnostic: measure() returns a number per run, within its bounds or NaN, for each of
    its columns(), the same at every call.

    It measures trained runs of one game, all members of a pack at once: the game, the trajectory of its parameters, and
    the dynamics that produced it. A subclass is a frozen dataclass whose fields are its options.

    Attributes:
        of: "runs", or "study" for a calculation, which has no runs and is made once per study.
        needs_judge: whether it judges examples (`Trajectories.samples.judged`), so that the judge of the data set is
            fitted before it. A literal, since it is read from the source.
    """

    of: ClassVar[Literal["runs", "study"]] = "runs"
    needs_judge: ClassVar[bool] = False

    def unsupported(self, game: Game) -> str | None:
        """Whether the diagnostic is defined for a game.

        Args:
            game: the game.

        Returns:
            None if it is defined; otherwise a sentence that names the games for which it is.
        """
        return None

    @abstractmethod
    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        """The numbers that `measure` returns.

        Args:
            game: the game of the runs; None for a diagnostic of the study.

        Returns:
            What each number means, by name.
        """

    @abstractmethod
    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        """Measure the runs.

        Args:
            trajectories: the K runs; None for a diagnostic of the study.

        Returns:
            Numbers (K,) for each column and arrays (K, ...) to draw. A diagnostic of the study has no axis of runs.

        Raises:
            GanbenchError: the game lacks what the diagnostic needs, such as a second derivative.
        """

    def compared(self, game: Game) -> dict[str, MetricInfo]:
        """The numbers that `compare` returns, under other names than those of `columns`; none unless it compares runs.

        Args:
            game: the game of the runs.
        """
        return {}

    def compare(self, results: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Compare the runs of one setting, which differ in their seed alone, whatever packs they were measured in.

        It is called when results are collected, wherever a setting has two runs or more: in an unfinished study of
        those that were measured.

        Args:
            results: the arrays that `measure` returned, of K >= 2 runs in the order of their seeds, (...) each.

        Returns:
            Numbers (K,) for each column of `compared`; NaN where one does not exist.
        """
        return {}
