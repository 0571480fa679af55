"""How unevenly a generator stretches its latent space: condition numbers of its Jacobian, and directions it ignores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from ganbench.core.dotted_names import under
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.numerics.along_path import WHEN, spaced_snapshots, summaries
from ganbench.numerics.generator import TrainedGenerator
from ganbench.numerics.step_maps import in_double_precision

# Latent points, and latent directions, of which derivatives are computed together: each direction takes the memory of
# a batch, and each point that of a Jacobian.
TOGETHER = 16


@dataclass(frozen=True)
class Conditioning(Diagnostic):
    """At up to `max_snapshots` snapshots, evenly spaced among those kept, J = dG/dz is the Jacobian of the generator in
    evaluation mode, (numbers of an example, latent_size), at `latents` points drawn as those for evaluation.
    Odena et al. (2018) found that generators whose metric tensor J'J has a low condition number score better.

    A latent direction is singular if J stretches it by less than the rounding of the largest stretch, as NumPy tells
    ranks: always, where examples have fewer numbers than the latent space, and in units that died. J'J would have an
    infinite condition number there, so the ratio is that of the largest and the smallest eigenvalue of the other
    directions, and the singular ones are counted beside it. J is computed in double precision whatever that of
    training: the limit is the larger side of J times the machine epsilon, in single precision more than a thousandth of
    the largest stretch for colour images of 64 x 64 pixels, which would hide what is to be measured.

    Where a layer normalises by the batch, an example depends on others. Then each latent point is moved alone, in a
    batch of the size of training.

    Means are over the snapshots that a run reached; a generator that is constant has no condition number.

    Arrays: `steps`, `log_condition`, `singular_share` (snapshots,).
    """

    max_snapshots: Annotated[int, Interval(ge=1, le=10_000)] = 11
    """Largest number of snapshots that are measured, evenly spaced among those kept."""
    latents: Annotated[int, Interval(ge=1, le=10_000)] = 16
    """Number of latent points at which the Jacobian is taken."""

    def unsupported(self, game: Game) -> str | None:
        return None if "architecture" in game.families else "it has no network that generates examples; take a GAN"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        condition = (
            "Natural logarithm of the ratio of the largest to the smallest eigenvalue of J'J but the singular ones, J "
            "the Jacobian of the generator, mean over latent points"
        )
        share = "Share of the latent directions that do not move the generator's examples, mean over latent points"
        return {
            f"{name}_{when}": MetricInfo(f"{title}, {when}", f"{what}, {words}.", best, 0, upper, source=source)
            for name, title, what, best, upper, source in (
                ("log_condition", "Log condition number", condition, "low", None, "Odena et al. 2018"),
                ("singular_share", "Singular directions", share, "none", 1, ""),
            )
            for when, words in WHEN.items()
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        everyone, indices = len(trajectories.match.members), spaced_snapshots(trajectories, self.max_snapshots)
        along = {name: np.full((everyone, len(indices)), np.nan) for name in ("log_condition", "singular_share")}
        game = in_double_precision(trajectories.match).game
        for k in range(everyone):
            for column, index in enumerate(indices):
                generator = _generator(trajectories, game, k, int(index))
                if not generator.parameters.isfinite().all():
                    continue
                found = spread(self._jacobians(generator, game.batch_size))
                for values, value in zip(along.values(), found, strict=True):
                    values[k, column] = value
        steps = np.tile(np.asarray(trajectories.steps)[indices].astype(float), (everyone, 1))
        return DiagnosticResult(summaries(along), {"steps": steps} | along)

    def _jacobians(self, generator: TrainedGenerator, batch_size: int) -> Iterator[np.ndarray]:
        """J at one latent point after the other, (numbers of an example, latent_size)."""
        if generator.depends_on_batch:
            every = generator.inputs(self.latents + batch_size - 1)
            batches = ([x[start : start + batch_size] for x in every] for start in range(self.latents))
            moved = 1
        else:
            batches = zip(*(x.split(TOGETHER) for x in generator.inputs(self.latents)), strict=True)
            moved = TOGETHER
        for batch in batches:
            yield from jacobians(generator, batch, moved).cpu().numpy()


def jacobians(generator: TrainedGenerator, batch: Sequence[Tensor], moved: int) -> Tensor:
    """The Jacobians at the first latent points of a batch, which are moved together.

    Args:
        generator: the generator.
        batch: its inputs, latent points (n, latent_size) first.
        moved: number of latent points that are moved, of a smaller batch all; no example of theirs may depend on
            another of them.

    Returns:
        Shape (moved, numbers of an example, latent_size).
    """
    latent, *labels = batch
    moved = min(moved, len(latent))
    with torch.enable_grad():
        points = latent[:moved].clone().requires_grad_()
        examples = generator(torch.cat([points, latent[moved:]]), *labels)[:moved].flatten(1)
        # J u is the derivative of J'v in v along u, whatever v. PyTorch's forward mode would need fewer passes, but not
        # every layer has it.
        cotangent = torch.zeros_like(examples, requires_grad=True)
        (pulled,) = torch.autograd.grad(examples, points, cotangent, create_graph=True)
        columns = [
            torch.autograd.grad(
                pulled, cotangent, part[:, None].expand(-1, moved, -1), retain_graph=True, is_grads_batched=True
            )[0]
            for part in torch.eye(latent.shape[1]).to(latent).split(TOGETHER)
        ]
    return torch.cat(columns).permute(1, 2, 0)


def spread(jacobians: Iterable[np.ndarray]) -> tuple[float, float]:
    """The mean log condition number of J'J without its singular directions, and the mean share of these.

    Args:
        jacobians: J at one latent point after the other, finite or not, (outputs, inputs) each, in double precision.

    Returns:
        Both means: NaN if an entry is not finite, and no condition number if all directions are singular.
    """
    logs, singular = [], []
    for jacobian in jacobians:
        if not np.isfinite(jacobian).all():
            return np.nan, np.nan
        stretches = np.linalg.svd(jacobian, compute_uv=False)  # largest first
        rank = int((stretches > max(jacobian.shape) * np.finfo(float).eps * stretches[0]).sum())
        singular.append(1 - rank / jacobian.shape[1])
        if rank:
            logs.append(2 * np.log(stretches[0] / stretches[rank - 1]))
    return float(np.mean(logs)) if logs else np.nan, float(np.mean(singular))


def _generator(trajectories: Trajectories, game: Game, member: int, snapshot: int) -> TrainedGenerator:
    """The generator of a run at a snapshot; the game is that of the runs, in double precision."""
    buffers = under("generator", trajectories.match_at(snapshot).buffers)
    return TrainedGenerator(
        architecture=game.architecture,
        data=game.data,
        network=game.networks["generator"],
        parameters=trajectories.path["generator"][member, snapshot].double(),
        buffers={
            name: values[member].double() if values.is_floating_point() else values[member]
            for name, values in buffers.items()
        },
        seed=trajectories.match.members[member].seed,
    )
