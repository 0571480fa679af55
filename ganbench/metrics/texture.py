"""Texture repetition: the same patch again and again within an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from scipy.ndimage import uniform_filter

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._images import ROUNDING, brightness, images_only

MIN_SIDE = 16  # pixels a side


@dataclass(frozen=True)
class Texture(Metric):
    """An image that repeats a patch is like itself, moved by the distance of the copies. Its autocorrelation has a peak
    there, off the centre: how far it rises above its mean in a window of a quarter of the image's side, which takes
    away that neighbouring pixels are alike. The largest one, at shifts between an eighth and half of the side, is
    averaged over the images, and that of the real images is taken off: there are walls and fences in pictures too.
    """

    max_examples: Annotated[int, Interval(ge=100, le=100_000)] = 2000

    cost: ClassVar[str] = "two Fourier transforms of twice the side for each image"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "texture_repetition": MetricInfo(
            title="Texture repetition",
            what="largest peak of an image's autocorrelation off its centre, above its surroundings, on average over "
            "generated images, less that of real ones; 0 is best, about 1 means images of one tile",
            best="low",
            lower=None,
            upper=None,
            source="Lin et al. 1997",
        )
    }

    def unsupported(self, data: DataSpec) -> str | None:
        return images_only(data, MIN_SIDE, "texture repetition")

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return {"peak": self._peak(real.stored)}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        return {"texture_repetition": self._peak(generated.stored) - reference["peak"]}

    def _peak(self, stored: np.ndarray) -> float:
        """The mean over images of the largest peak of their autocorrelation."""
        found = np.concatenate([_peaks(images) for images in brightness(stored, self.max_examples)])
        return math.fsum(found) / len(found)


def _peaks(images: np.ndarray) -> np.ndarray:
    """The largest peak (n,) of the autocorrelation of each image (n, height, width)."""
    _, height, width = images.shape
    waves = np.fft.rfft2(images, (2 * height, 2 * width))  # with as many zeros, so that nothing wraps around
    products = np.fft.irfft2(np.square(waves.real) + np.square(waves.imag), (2 * height, 2 * width))
    products = np.fft.fftshift(products, axes=(1, 2))[:, height // 2 : -(height // 2), width // 2 : -(width // 2)]
    down, right = (np.arange(size) - size // 2 for size in products.shape[1:])
    overlap = (height - np.abs(down))[:, None] * (width - np.abs(right))  # pixels that a shift compares
    variance = np.square(images).mean(axis=(1, 2)) + ROUNDING
    correlation = products / overlap / variance[:, None, None]
    side = min(height, width)
    window = side // 8 * 2 + 1
    above = correlation - uniform_filter(correlation, window, mode="nearest", axes=(1, 2))
    squared = np.square(down)[:, None] + np.square(right)
    allowed = (squared >= (side / 8) ** 2) & (squared <= (side / 2) ** 2)
    return above[:, allowed].max(axis=1)
