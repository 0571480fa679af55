"""Adaptive discriminator augmentation: as many changed images as overfitting asks for (ADA, Karras et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Annotated, Any, ClassVar

import torch
from torch import Generator, Tensor

from ganbench.core.interval import Interval
from ganbench.nn.sample import Outputs
from ganbench.regularizers import Noise, Regularizer, State
from ganbench.regularizers import _images as change

CHANGES = 11
UNIFORM, NORMAL = 6, 7  # numbers by which the changes of an image are drawn


@dataclass(frozen=True)
class AdaptiveAugmentation(Regularizer):
    """T(x) in place of every image x, real or generated, in both players' losses, where T is a sequence of changes of
    which each is applied with probability p. p is a state of the run, recorded as `augmentation_probability`: it begins
    at `initial_probability`, and after every `interval` losses of the discriminator it rises if r =
    E[sign(D(x_real))] of these is above `target` and falls if r is below, by so much that it goes from 0 to 1 in
    `ramp_images` real images. p stays within [0, 1].

    The changes are those of the authors' settings "bgc", but for rotations by arbitrary angles: mirroring, turns by 90
    degrees (of square images), translation by whole pixels up to 1/8 of the sides, scaling by 2^N(0, 0.2^2), stretching
    of the width by 2^N(0, 0.2^2) and of the height by its inverse, translation by N(0, 1/8^2) of the sides; brightness
    + N(0, 0.2^2), contrast times 2^N(0, 0.5^2), inverted lightness, and of colours a rotation of the hue (of three
    channels) and saturation times 2^N(0, 1). Outside of an image lies its mirror image. Values between pixels are
    interpolated linearly, without the filters of the authors' code.
    """

    images: ClassVar[bool] = True
    series: ClassVar[tuple[str, ...]] = ("augmentation_probability",)

    target: Annotated[float, Interval(gt=-1, lt=1)] = 0.6
    """Value of r = E[sign(D(x_real))] above which p rises, and below which it falls."""
    interval: Annotated[int, Interval(ge=1, le=1_000_000)] = 4
    """Number of losses of the discriminator after which p is changed."""
    ramp_images: Annotated[int, Interval(ge=1, le=1_000_000_000)] = 500_000
    """Number of real images shown to the discriminator in which p goes from 0 to 1. The two batches of a step of
    extragradient both count; further losses on one batch, of a look-ahead as in unrolling, do not."""
    initial_probability: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Probability p at the first step."""

    def unsupported(self, game: Any) -> str | None:
        if game.objective.probability or game.objective.decides_by_sign:
            return super().unsupported(game) or change.range_fault(game)
        return (
            "it goes by the signs of logits, which decide nothing for the scores of this objective; take an objective "
            "of probabilities, such as non_saturating, or hinge"
        )

    def start(self) -> State:
        return {
            "augmentation_probability": torch.tensor(self.initial_probability, dtype=torch.float64),
            "signs": torch.zeros((), dtype=torch.float64),
            "losses": torch.zeros((), dtype=torch.int64),
        }

    def update(self, noise: Noise, real: Outputs, fake: Outputs) -> State:
        p, losses = noise["augmentation_probability"], noise["losses"] + 1
        signs = noise["signs"] + real.mean(real.logits.sign())
        due = losses == self.interval
        # The adjustment goes by images, not by logits, of which a group of images has one.
        adjustment = self.interval * real.sample.points.shape[1] / self.ramp_images
        moved = (p + adjustment * (signs / self.interval - self.target).sign()).clamp(0, 1)
        return {
            "augmentation_probability": torch.where(due, moved, p),
            "signs": torch.where(due, 0.0, signs),
            "losses": torch.where(due, 0, losses),
        }

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        uniform = torch.rand((2, count, shape[0], CHANGES + UNIFORM), generator=generator, dtype=like.dtype)
        normal = torch.randn((2, count, shape[0], NORMAL), generator=generator, dtype=like.dtype)
        return {"real": uniform[0], "fake": uniform[1], "real_normal": normal[0], "fake_normal": normal[1]}

    def perturb(self, examples: Tensor, kind: str, noise: Noise) -> Tensor:
        decided, uniform = noise[kind].split((CHANGES, UNIFORM), dim=-1)
        applied = iter((decided < noise["augmentation_probability"][:, None, None]).unbind(-1))
        free, normal = iter(uniform.unbind(-1)), iter(noise[f"{kind}_normal"].unbind(-1))

        def unless(neutral: float, *values: Tensor) -> list[Tensor]:
            """The values of the next change, or a neutral one where it is not applied."""
            here = next(applied)
            return [torch.where(here, value, neutral) for value in values]

        height, width = examples.shape[-2:]
        (mirrored,), (quarters,) = unless(0.0, next(free)), unless(0.0, (4 * next(free)).floor())
        examples = change.chosen(mirrored >= 0.5, examples, examples.flip(-1))
        if height == width:
            examples = change.chosen(quarters % 2 == 1, examples, examples.mT.flip(-1))
            examples = change.chosen(quarters >= 2, examples, examples.flip(-1, -2))
        whole = unless(0.0, *(((2 * next(free) - 1) * side / 8).round() for side in (height, width)))
        (scale,), (stretch,) = (unless(1.0, (0.2 * next(normal)).exp2()) for _ in range(2))
        part = unless(0.0, *(next(normal) * side / 8 for side in (height, width)))
        rows = _sources(height, examples, part[0], scale / stretch, whole[0])
        columns = _sources(width, examples, part[1], scale * stretch, whole[1])
        examples = change.resampled(examples, rows, columns)

        examples = change.brightened(examples, *unless(0.0, 0.2 * next(normal)))
        examples = change.contrasted(examples, *unless(1.0, (0.5 * next(normal)).exp2()), 0.0)
        (inverted,) = unless(0.0, next(free))
        examples = change.chosen(inverted >= 0.5, examples, examples - 2 * examples.mean(2, keepdim=True))
        if examples.shape[2] == 3:
            examples = change.hue_rotated(examples, *unless(0.0, (2 * next(free) - 1) * pi))
        return examples if examples.shape[2] == 1 else change.saturated(examples, *unless(1.0, next(normal).exp2()))


def _sources(size: int, images: Tensor, part: Tensor, scale: Tensor, whole: Tensor) -> Tensor:
    """The positions from which rows or columns come, (K, n, size), if these are moved by whole pixels, then scaled
    around the centre, then moved by parts of pixels."""
    centre = (size - 1) / 2
    scaled = change.pixels(size, images) - centre - part[..., None]
    return change.reflected(scaled / scale[..., None] - whole[..., None] + centre, size)
