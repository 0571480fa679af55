"""What the discriminator's pooling indices do to a generator's examples, and whether they carry the images along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from ganbench.core.dotted_names import under
from ganbench.core.evenly_spaced import evenly_spaced
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.pixels import floats, shown
from ganbench.core.random_streams import stream
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game, TrainingExamples
from ganbench.nn.sample import named_outputs
from ganbench.numerics.generator import TrainedGenerator

PICTURES = 8  # latent points, and sources of indices, of the arrays


@dataclass(frozen=True)
class PoolingIndices(Diagnostic):
    """A generator that unpools at the indices of the discriminator's pooling sees something of real images. At the last
    snapshot, `latents` latent points are crossed with the indices of `sources` real images that the run could see: an
    example x_ij of every pair, in evaluation mode.

    The variance of the numbers of all examples, summed over pixels, has three orthogonal parts (a two-way analysis of
    variance with one example a cell): the variance of the means over latent points is due to the indices, that of the
    means over sources to the latent points, and the rest to what the two do together. The shares are eta squared
    (Fisher 1925; Cohen 1973) and add up to 1.

    If indices carry an image along, an example is nearer to the very image that its indices are of than to the other
    sources. The statistic is the mean distance d(x_ij, image_j) of pixels, in units of the mean over all pairs of
    sources and images: 1 if they do not. Its p-value is the share of `permutations` of the images with a mean distance
    at most as large, the one without a permutation among them. A permutation pairs every source and every image once,
    so that images near to all examples, and indices whose examples are near to all images, count for nothing. The size
    of the effect is how much nearer the own image is than the others, over their mean distance. If examples and own
    images have the correlation r, examples and others none, and all the same deviation, it is 1 - sqrt(1 - r), about
    r / 2.

    Runs whose indices are fixed are measured in the same way, though they never saw others.

    Arrays: `examples` (8, 8, *shape), latent points by sources, and `images` (8, *shape), the sources.
    """

    latents: Annotated[int, Interval(ge=8, le=1000)] = 16
    """Number of latent points."""
    sources: Annotated[int, Interval(ge=8, le=1000)] = 32
    """Number of real images whose indices are taken."""
    permutations: Annotated[int, Interval(ge=99, le=1_000_000)] = 9999
    """Number of random permutations of the images by which the p-value is computed, beside the identity."""

    def unsupported(self, game: Game) -> str | None:
        if "architecture" in game.families and game.architecture.passed_to_generator:
            return None
        return "its generator takes no indices of the discriminator's pooling; take a GAN with the architecture unpool"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def share(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, f"Share of the variance of examples that is due to {what}.", "none", 0, 1)

        return {
            "indices_share": share("Due to the indices", "the indices alone"),
            "latent_share": share("Due to the latent points", "the latent points alone"),
            "joint_share": share("Due to both together", "what indices and latent points do together"),
            "source_distance": MetricInfo(
                "Distance to the source",
                "Mean distance of examples to the image that their indices are of, over that to all sources' images; 1 "
                "if indices carry nothing of it along.",
                "none",
                0,
                None,
            ),
            "source_effect": MetricInfo(
                "Nearer to the source",
                "Mean distance of examples to the images that their indices are not of, less that to the one that they "
                "are of, over the former; 0 if indices carry nothing of it along, 1 for copies.",
                "none",
                None,
                1,
            ),
            "source_p_value": MetricInfo(
                "p-value of the distance",
                "Share of permutations of the images with a mean distance at most as large.",
                "none",
                0,
                1,
            ),
            "source_nearest": MetricInfo(
                "Sources that are nearest",
                "Share of examples nearer to the image that their indices are of than to that of any other source.",
                "none",
                0,
                1,
            ),
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        found = [self._of_run(trajectories, run) for run in range(len(trajectories.match.members))]
        values = {name: np.array([each[0][name] for each in found]) for name in self.columns(None)}
        arrays = {name: np.stack([each[1][name] for each in found]) for name in ("examples", "images")}
        return DiagnosticResult(values, arrays)

    def _of_run(self, trajectories: Trajectories, run: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """The values and arrays of a run; NaN if it did not reach the last snapshot, or saw too few images."""
        samples, parameters = trajectories.samples, trajectories.at(-1)
        rows = np.sort(samples.seen(run))
        rows = rows[evenly_spaced(len(rows), self.sources)]
        stored = samples.real.train[rows]
        made = np.array(np.nan)
        if len(rows) >= PICTURES and all(theta[run].isfinite().all() for theta in parameters.values()):
            with torch.no_grad():
                made = crossed(trajectories, run, stored, samples.latent_points(run, self.latents))
        if not np.isfinite(made).all():
            nothing = np.full((PICTURES, PICTURES, *stored.shape[1:]), np.nan, np.float32)
            return dict.fromkeys(self.columns(None), np.nan), {"examples": nothing, "images": nothing[0]}
        images = floats(stored)
        values = variance_shares(made.reshape(*made.shape[:2], -1)) | self._nearness(distances(made, images))
        pictures = made[:PICTURES, :PICTURES].astype(np.float32)
        return values, {"examples": pictures, "images": images[:PICTURES].astype(np.float32)}

    def _nearness(self, apart: np.ndarray) -> dict[str, float]:
        """The values of distances (latents, sources, images): how near examples are to their own sources' images."""
        table = apart.mean(axis=0)  # of the examples of each source, to each image
        own = np.arange(len(table))
        found, random = table.trace() / len(table), stream(0, "pooling-indices")
        permuted = [table[own, random.permutation(own)].mean() for _ in range(self.permutations)]
        as_near = np.sum(np.array(permuted) <= found * (1 + 1e-12))  # but for rounding
        others = (table.sum() - table.trace()) / (len(table) * (len(table) - 1))
        return {
            "source_distance": found / table.mean() if table.any() else np.nan,
            "source_effect": 1 - found / others if others else np.nan,
            "source_p_value": (1 + as_near) / (1 + self.permutations),
            "source_nearest": float((apart.argmin(axis=2) == own).mean()),
        }


def crossed(trajectories: Trajectories, run: int, stored: np.ndarray, latent: np.ndarray) -> np.ndarray:
    """The examples of a run at its last snapshot of every latent point with the indices of every image, as judges and
    pictures see them, (latents, images, *shape).

    Args:
        trajectories: the runs.
        run: index of the run.
        stored: real images as they are stored, (images, *shape).
        latent: latent points, (latents, latent_size).
    """
    match, game = trajectories.match_at(-1), trajectories.match.game
    theta = trajectories.at(-1)
    like = theta["discriminator"]
    real = TrainingExamples.placed(stored, like.device, like.dtype, game.data.mean, game.data.std)
    points = real.read(real.choose(torch.arange(len(stored))[None]))
    of_discriminator = under("discriminator", match.buffers)
    buffers = {name: values[run : run + 1] for name, values in of_discriminator.items()}
    outputs, _ = game.networks["discriminator"].apply(like[run : run + 1], buffers, None, points, training=False)
    passed: dict[str, Tensor] = named_outputs(outputs)
    of_generator = {name: values[run] for name, values in under("generator", match.buffers).items()}
    generator = TrainedGenerator(
        architecture=game.architecture,
        data=game.data,
        network=game.networks["generator"],
        parameters=theta["generator"][run],
        buffers=of_generator | {name: passed[name][0] for name in game.architecture.passed_to_generator},
        seed=match.members[run].seed,
    )
    made = []
    for point in torch.as_tensor(latent).to(like):  # one after the other: each with the indices of all images
        made.append(generator(point.expand(len(stored), -1)))
    return shown(torch.stack(made), game.data.mean, game.data.std).cpu().numpy()


def variance_shares(values: np.ndarray) -> dict[str, float]:
    """The shares of the variance of values (latents, sources, numbers) that are due to each factor and to both, summed
    over numbers; NaN if they do not vary."""
    centred = values.astype(np.float64) - values.mean(axis=(0, 1), dtype=np.float64)
    total = np.square(centred).sum(axis=2).mean()
    indices = np.square(centred.mean(axis=0)).sum(axis=1).mean()
    latent = np.square(centred.mean(axis=1)).sum(axis=1).mean()
    with np.errstate(invalid="ignore"):
        shares = np.array([indices, latent, max(0.0, total - indices - latent)]) / total
    return dict(zip(("indices_share", "latent_share", "joint_share"), shares.tolist(), strict=True))


def distances(examples: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The distance of every example (latents, sources, *shape) to every image (images, *shape): the root of the mean
    squared difference of their numbers, (latents, sources, images)."""
    flat, against = examples.reshape(*examples.shape[:2], -1), images.reshape(len(images), -1)
    return np.stack([np.sqrt(np.square(flat - each, dtype=np.float64).mean(axis=2)) for each in against], axis=2)
