"""The discriminator of one loss: its parameters, and what the regularizer and the objective do to its examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ganbench.games._types import Batch
from ganbench.nn.sample import Outputs, Sample, named_outputs


class Discriminator:
    """The members' discriminators as a function from examples, and labels if any, to logits, as penalties take it.

    Args:
        game: the game, an `Adversarial`.
        theta: the discriminators' parameters, (K, P).
        noise: the random numbers and the state of the regularizer in this loss, (K, ...) each.
        flipped: where an example, or a group, has the label of the other kind, (K, n) by kind; without a kind of
            which none has.
    """

    def __init__(self, game: Any, theta: Tensor, noise: Batch, flipped: Mapping[str, Tensor]) -> None:
        self._game, self._theta, self._noise, self._flipped = game, theta, noise, flipped

    def __call__(self, points: Tensor, labels: Tensor | None = None) -> Tensor:
        """The logits, see `Adversarial.discriminate`."""
        return self._named(points, labels)["logits"]

    def _named(self, points: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        given = (points,) if labels is None else (points, labels)
        return named_outputs(self._game.discriminate(self._theta, *given))

    def outputs(self, **samples: Sample) -> list[Outputs]:
        """All outputs on samples, by kind, of one pass over all of them, with the regularizer's changes to examples.

        Args:
            samples: the samples by their kind, "real" or "fake".
        """
        game = self._game
        points = [game.regularizer.perturb(sample.points, kind, self._noise) for kind, sample in samples.items()]
        labels = [sample.labels for sample in samples.values() if sample.labels is not None]
        together = self._named(_joined(points), _joined(labels) if labels else None)
        sizes = [sample.points.shape[1] // game.packing_degree for sample in samples.values()]
        return [
            Outputs.of_named(named, sample, self._flipped.get(kind))
            for (kind, sample), named in zip(samples.items(), _separated(together, sizes), strict=True)
        ]


def _joined(batches: Sequence[Tensor]) -> Tensor:
    """Batches (K, n, ...) as one, (K, sum of n, ...)."""
    return batches[0] if len(batches) == 1 else torch.cat(list(batches), dim=1)


def _separated(outputs: dict[str, Tensor], sizes: list[int]) -> list[dict[str, Tensor]]:
    """What a discriminator gives for batches that were joined, (K, sum of n, ...) by name, of each batch."""
    if len(sizes) == 1:
        return [outputs]
    parts = [values.split(sizes, dim=1) for values in outputs.values()]
    return [dict(zip(outputs, of_batch, strict=True)) for of_batch in zip(*parts, strict=True)]
