"""Differentiable augmentation: real and generated images are changed alike for both players (Zhao et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Generator, Tensor

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.regularizers import Noise, Regularizer
from ganbench.regularizers import _images as change


@dataclass(frozen=True)
class DifferentiableAugmentation(Regularizer):
    """T(x) in place of every image x, real or generated, in both players' losses, so that the generator is trained
    through T (DiffAugment). Every image has changes of its own, drawn anew for each batch.

    In both players' losses a generated image has the numbers of its position in the batch.

    Raises:
        GanbenchError: an empty policy.
    """

    images: ClassVar[bool] = True

    policy: tuple[Literal["color", "translation", "cutout"], ...] = ("color", "translation", "cutout")
    """Changes that are made, in this order: 'color' (brightness + U(-1/2, 1/2), saturation times U(0, 2), contrast
    around the mean of the image times U(1/2, 3/2)), 'translation' and 'cutout'."""
    translation: Annotated[float, Interval(ge=0, le=1)] = 0.125
    """Largest translation, as a fraction of the side; pixels that nothing is moved to are 0."""
    cutout: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Sides of the rectangle that is set to 0, as a share of the image's."""

    def __post_init__(self) -> None:
        if not self.policy:
            raise GanbenchError(
                "regularizer 'differentiable_augmentation': option 'policy' must have at least one of 'color', "
                "'translation', 'cutout', but is []."
            )

    def unsupported(self, game: Any) -> str | None:
        return super().unsupported(game) or change.range_fault(game)

    def draw(self, generator: Generator, count: int, shape: tuple[int, ...], like: Tensor) -> Noise:
        drawn = torch.rand((2, count, shape[0], 7), generator=generator, dtype=like.dtype)
        return {"real": drawn[0], "fake": drawn[1]}

    def perturb(self, examples: Tensor, kind: str, noise: Noise) -> Tensor:
        light, colour, contrast, down, across, row, column = noise[kind].unbind(-1)
        if "color" in self.policy:
            examples = change.saturated(change.brightened(examples, light - 0.5), 2 * colour)
            examples = change.contrasted(examples, contrast + 0.5, examples.mean((2, 3, 4), keepdim=True))
        if "translation" in self.policy:
            rows, columns = (int(side * self.translation + 0.5) for side in examples.shape[-2:])
            examples = change.shifted(examples, change.integers(down, rows), change.integers(across, columns))
        return change.cut_out(examples, row, column, self.cutout) if "cutout" in self.policy else examples
