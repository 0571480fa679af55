"""The distance that training covers: of both players together, from their start to their end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MyDiagnostic(Diagnostic):
    """|theta_end - theta_0|, by the Euclidean norm, or by the largest change of any parameter.

    Arrays: `distance` (S,) at every snapshot.
    """

    norm: Literal["euclidean", "largest"] = "euclidean"
    """Norm of the change: Euclidean, or the largest of any parameter."""

    def unsupported(self, game: Game) -> str | None:
        return None  # or a sentence that names the games that it can measure

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        what = "Distance of the last parameters from the first; NaN for a run that diverged."
        return {"distance": MetricInfo("Distance covered", what, best="none", lower=0.0, upper=None)}

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        # `theta` is (K, S, P): both players' parameters of K runs at S snapshots, NaN from a divergence on. `match` is
        # the game, whose losses and gradients can be computed; `samples` has generated and real examples.
        moved = trajectories.theta - trajectories.theta[:, :1]
        order = 2.0 if self.norm == "euclidean" else float("inf")
        distance = moved.norm(p=order, dim=2).double().cpu().numpy()
        return DiagnosticResult({"distance": distance[:, -1]}, {"distance": distance})
