"""Consistency regularization: the discriminator's logit of an image and of a changed copy agree (Zhang et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Generator, Tensor

from ganbench.core.interval import Interval
from ganbench.nn.sample import Sample
from ganbench.regularizers import Discriminator, Noise, Regularizer
from ganbench.regularizers import _images as change


@dataclass(frozen=True)
class Consistency(Regularizer):
    """gamma E[ (D(x) - D(T(x)))^2 ] over real images x, with D the logit (CR-GAN), and fake_gamma times the same over
    generated images (balanced consistency, bCR, of Zhao et al. 2021), in the discriminator's loss alone.

    T mirrors and moves an image. Every image has changes of its own, drawn anew for each batch. The discriminator sees
    images and copies in one pass: one with batch normalisation has the statistics of both.
    """

    images: ClassVar[bool] = True

    gamma: Annotated[float, Interval(ge=0)] = 10.0
    """Weight of the penalty, gamma, on real images."""
    fake_gamma: Annotated[float, Interval(ge=0)] = 0.0
    """Weight of the penalty on generated images; 0 for none."""
    horizontal_flip: bool = True
    """Whether T mirrors an image with probability 1/2."""
    translation: Annotated[float, Interval(ge=0, le=1)] = 0.125
    """Largest translation, as a fraction of the side; pixels that nothing is moved to are 0."""
    every: Annotated[int, Interval(ge=1, le=1_000_000)] = 1

    def unsupported(self, game: Any) -> str | None:
        return super().unsupported(game) or change.range_fault(game)

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        drawn = torch.rand((2, count, shape[0], 3), generator=generator, dtype=like.dtype)
        return {"real": drawn[0], "fake": drawn[1]}

    def penalty(self, discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise) -> Tensor | None:
        penalty = self.gamma * self._apart(discriminator, real, noise["real"])
        if self.fake_gamma:
            penalty = penalty + self.fake_gamma * self._apart(discriminator, fake, noise["fake"])
        return penalty

    def changed(self, images: Tensor, drawn: Tensor) -> Tensor:
        """T(x).

        Args:
            images: images, (K, n, channels, height, width).
            drawn: uniform numbers, (K, n, 3).
        """
        mirrored, down, across = drawn.unbind(-1)
        if self.horizontal_flip:
            images = change.chosen(mirrored < 0.5, images, images.flip(-1))
        rows, columns = (int(side * self.translation + 0.5) for side in images.shape[-2:])
        return change.shifted(images, change.integers(down, rows), change.integers(across, columns))

    def _apart(self, discriminator: Discriminator, sample: Sample, drawn: Tensor) -> Tensor:
        """The mean square of the differences of logits, (K,)."""
        points = torch.cat([sample.points, self.changed(sample.points, drawn)], dim=1)
        labels = () if sample.labels is None else (torch.cat([sample.labels, sample.labels], dim=1),)
        before, after = discriminator(points, *labels).chunk(2, dim=1)
        return sample.mean((before - after).square())
