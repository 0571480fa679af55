"""Lattice artefacts: patterns of a period of 2, 4 or 8 pixels, as layers that double the resolution leave behind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._images import ROUNDING, brightness, images_only


@dataclass(frozen=True)
class Lattice(Metric):
    """The power spectrum of the images, averaged over them, has a peak at each frequency of a pattern that all of them
    have in place. A peak is how far, in decibels, the power at a multiple of 1/2, 1/4 or 1/8 cycles per pixel lies
    above the mean of its neighbours, which takes the slope of natural spectra away. The excess is the largest peak over
    all such frequencies after that of the real images is taken off: JPEG images, for one, have peaks at 1/8.

    Transposed convolutions and upsampling can both leave a lattice (Odena et al. 2016; Durall et al. 2020). Frequencies
    are left out that do not lie two steps apart at the images' size: 28 pixels have those of 1/2 and 1/4.

    Options:
        levels: number of halvings: 3 for frequencies down to 1/8.
        most: number of images at most, real and generated ones each; of more, all that stand evenly spaced are taken.
    """

    levels: Annotated[int, Interval(ge=1, le=6)] = 3
    most: Annotated[int, Interval(ge=100, le=100_000)] = 10_000

    cost: ClassVar[str] = "a Fourier transform for each image"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "lattice_excess": MetricInfo(
            title="Lattice excess",
            what="largest peak of the generated images' mean power spectrum over its neighbours, at multiples of 1/2, "
            "1/4 and 1/8 cycles per pixel, less that of the real images; 0 is best, 10 means ten times the power",
            best="low",
            lower=None,
            upper=None,
            unit="dB",
            source="Odena et al. 2016; Durall et al. 2020",
        )
    }

    def supports(self, data: DataSpec) -> str | None:
        if fault := images_only(data, 4, "the lattice excess"):
            return fault
        if data.shape[1] % 2 or data.shape[2] % 2:
            return "the lattice excess is for images of even height and width"
        return None

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return {"peaks": self._peaks(real.stored)}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        return {"lattice_excess": float((self._peaks(generated.stored) - reference["peaks"]).max())}

    def _peaks(self, stored: np.ndarray) -> np.ndarray:
        """The height in decibels of the peak at each frequency of the lattice, but for the constant, (frequencies,)."""
        height, width = stored.shape[2:]
        power, count = np.zeros((height, width)), 0
        for images in brightness(stored, self.most):
            waves = np.fft.fft2(images)
            power += (np.square(waves.real) + np.square(waves.imag)).sum(axis=0)
            count += len(images)
        power = power / count + height * width * ROUNDING  # without contrast, a flat spectrum
        periods = [2**level for level in range(1, self.levels + 1)]
        finest = max(p for p in periods if height % p == width % p == 0 and min(height, width) >= 2 * p)
        down, right = height // finest, width // finest
        places = [(i * down, j * right) for i in range(finest) for j in range(finest) if i or j]
        return np.array([_peak(power, row, column) for row, column in places])


def _peak(power: np.ndarray, row: int, column: int) -> float:
    """How far a place of a spectrum lies above the mean of its eight neighbours, in decibels.

    By Python's logarithm: NumPy has several, for different processors, which differ in the last bit.
    """
    around = [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    height, width = power.shape
    levels = [10 * math.log10(power[i % height, j % width]) for i, j in around]
    return 10 * math.log10(power[row, column]) - math.fsum(levels) / len(levels)
