"""Training that stops and goes on: how far it ends from training without a stop, by what was saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from ganbench.core.dotted_names import under
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Buffers, Game
from ganbench.numerics.generator import TrainedGenerator
from ganbench.numerics.jacobians import join, scatter_members
from ganbench.numerics.resumption import BUFFERS, OPTIMIZER, PARTS, STREAMS, Resumption, Saved, resumption

LATENTS = 64  # latent points at which two generators are compared

FORMS: dict[str, tuple[Saved, str]] = {
    "weights": (frozenset(), "the weights alone"),
    "weights_optimizer": (frozenset({OPTIMIZER}), "weights and optimizer state"),
    "weights_streams": (frozenset({STREAMS}), "weights and random streams"),
    "without_optimizer": (frozenset({STREAMS, BUFFERS}), "all but the optimizer state"),
    "without_streams": (frozenset({OPTIMIZER, BUFFERS}), "all but the random streams"),
    "without_buffers": (frozenset({OPTIMIZER, STREAMS}), "all but buffers and moving average"),
    "complete": (frozenset(PARTS), "everything"),
}


@dataclass(frozen=True)
class Resuming(Diagnostic):
    """From the run's networks at its first or last snapshot, `steps` steps are trained and the state is saved; then
    `steps` more, and the same again by a process that starts with what was saved.

    Beside the weights, the parameters of both players, a state of training has three parts. What is not saved begins
    anew:

    - `optimizer`: the states of the optimizer and of the dynamics, such as moments, their bias correction and past
      gradients; anew, they are those of a first step.
    - `streams`: random numbers, that is the order of the data, latent points, noise, dropout. Anew, they are `fresh`
      ones, as in a script without a seed, or `repeated` ones, those since the snapshot once more, as in a script that
      sets its seed at the beginning.
    - `buffers`: what networks and regularizers keep beside parameters, such as running statistics, and the moving
      average of the parameters. Anew, those are the initial ones, and the average begins with the saved weights.

    The number of the step is always known: schedules and lazy regularizers go on where they were.

    Drift is |theta - theta'| / |theta' - theta_0|, with theta the parameters of both players at the end of the resumed
    training, theta' those of the training without a stop and theta_0 those at the snapshot: 0 if nothing was lost, 1 if
    the difference is as large as the way of all 2 `steps` steps. A method that does not move has none.

    The drift by the weights alone is divided among the parts by their Shapley values (Shapley 1953): the increase of
    the drift when a part is lost, mean over all orders in which the parts may be lost, of the 8 combinations. These
    shares add up to 1, a part that changes nothing has 0, and parts of equal effect have equal shares; one may be
    negative, where two losses partly cancel. They do not exist where nothing was lost by the weights alone.

    Computed in double precision by the steps of training. The state at the snapshot has no history: optimizer states
    are those of a first step, and the moving average is that of the parameters.

    Arrays: `steps` (steps + 1,), since the stop, and the drifts (steps + 1,) of the parameters by name.
    """

    at: Literal["start", "end"] = "end"
    """Snapshot at which training goes on: the first or the last."""
    steps: Annotated[int, Interval(ge=1, le=1_000_000)] = 100
    """Number of steps before the state is saved, and again after it."""
    streams: Literal["fresh", "repeated"] = "fresh"
    """Random numbers where they are not saved: 'fresh' ones, as in a script without a seed, or 'repeated' ones, those
    since the snapshot once more, as in a script that sets its seed at the beginning."""

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def drift(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, f"{what}, over the way of the training without a stop.", "low", 0, None)

        shares = {
            f"{part}_share": MetricInfo(
                f"Share of the {words}",
                f"Part of the drift by the weights alone that the loss of the {words} explains, by Shapley's value.",
                "none", None, None,
            )
            for part, words in zip(PARTS, ("optimizer state", "random streams", "buffers"), strict=True)
        }  # fmt: skip
        lost = "training resumed with all but buffers and moving average"
        return {
            **{
                name: drift(f"Drift with {words}", f"Distance of the parameters of training resumed with {words}")
                for name, (_, words) in FORMS.items()
            },
            **shares,
            "buffers_drift": drift("Drift of buffers", f"Distance of the buffers of {lost}"),
            "average_drift": drift("Drift of averages", f"Distance of the parameters' moving average of {lost}"),
            "examples_at_stop": MetricInfo(
                "Change of examples", "Root mean square difference between what the generator makes in evaluation mode "
                "with the saved weights and the initial buffers, and what it made at the stop, over the standard "
                "deviation of the latter.", "low", 0, None
            ),
        }  # fmt: skip

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        everyone = len(trajectories.match.members)
        values = {name: np.full(everyone, np.nan) for name in self.columns(trajectories.match.game)}
        arrays = {name: np.full((everyone, self.steps + 1), np.nan) for name in FORMS}
        arrays["steps"] = np.tile(np.arange(self.steps + 1.0), (everyone, 1))
        snapshot = {"start": 0, "end": -1}[self.at]
        indices = np.flatnonzero(join(trajectories.at(snapshot)).isfinite().all(1).cpu().numpy())
        if len(indices):
            found = resumption(trajectories, snapshot, indices, self.steps, repeated=self.streams == "repeated")
            curves = {name: found.drift(saved) for name, (saved, _) in FORMS.items()}
            without = FORMS["without_buffers"][0]
            numbers = {name: curve[:, -1] for name, curve in curves.items()}
            numbers |= {f"{part}_share": share for part, share in found.shares().items()}
            numbers |= {f"{kind}_drift": found.kept_drift(without, kind) for kind in ("buffers", "average")}
            numbers |= {"examples_at_stop": _examples_at_stop(found)}
            values |= {name: scatter_members(everyone, indices, numbers[name]) for name in values}
            arrays |= {name: scatter_members(everyone, indices, curve) for name, curve in curves.items()}
        return DiagnosticResult(values, arrays)


def _examples_at_stop(found: Resumption) -> np.ndarray:
    """The change of the generators' examples by the initial buffers, (k,); NaN without a network."""
    members = range(len(found.match.members))
    if "architecture" not in found.match.game.families:
        return np.full(len(members), np.nan)
    changes = []
    for row in members:
        made, other = (_examples(found, buffers, row) for buffers in (found.stopped.buffers, found.initial_buffers))
        change = (other - made).square().mean().sqrt() / made.std(correction=0)
        changes.append(float(change) if change.isfinite() else np.nan)
    return np.array(changes)


def _examples(found: Resumption, buffers: Buffers, row: int) -> Tensor:
    """The examples of a run's generator at the stop in evaluation mode, with these buffers."""
    game = found.match.game
    generator = TrainedGenerator(
        architecture=game.architecture,
        data=game.data,
        network=game.networks["generator"],
        parameters=found.stopped.players["generator"][row],
        buffers={name: value[row] for name, value in under("generator", buffers).items()},
        seed=found.match.members[row].seed,
    )
    with torch.no_grad():
        return generator(*generator.inputs(LATENTS))
