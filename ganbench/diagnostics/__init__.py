"""Diagnostics, one file each: they say why a method rotates, diverges or settles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from ganbench.core.metric_info import MetricInfo
from ganbench.games import Game
from ganbench.numerics.trajectories import DiagnosticResult, Trajectories

__all__ = ["Diagnostic", "DiagnosticResult", "Trajectories"]


class Diagnostic(ABC):
    """An instrument that looks at runs of one game as training left them, all members of a pack at once: at the game
    itself, at the path that training took, and at the dynamics that took it.

    Shapes begin with the member axis K. A member is a frozen dataclass whose fields are its options. What looks at no
    runs at all (a calculator) sets `of` to "study" and is asked once.
    """

    of: ClassVar[Literal["runs", "study"]] = "runs"

    def supports(self, game: Game) -> str | None:
        """None, or why the instrument cannot look at this game, and what it could look at."""
        return None

    @abstractmethod
    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        """What each of its numbers means, by name."""

    @abstractmethod
    def measure(self, played: Trajectories | None) -> DiagnosticResult:
        """Look; at None if it looks at the study."""
