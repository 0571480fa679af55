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

FEWEST = 50  # images in effect; the largest of 63 peaks of as many is about 1.5 dB of noise
COMPARED = 500  # images that are compared with one another


@dataclass(frozen=True)
class Lattice(Metric):
    """The power spectrum of the images, averaged over them, has a peak at each frequency of a pattern that all of them
    have in place. A peak is how far, in decibels, the power at a multiple of 1/2, 1/4 or 1/8 cycles per pixel lies
    above the mean of its neighbours, which takes the slope of natural spectra away. The excess is the largest peak over
    all such frequencies after that of the real images is taken off: JPEG images, for one, have peaks at 1/8.

    Of few different images the peaks are noise: the spectrum of a single one lies several decibels off its mean at
    every frequency, and the largest of many such errors looks like a lattice. So fewer than 50 images in effect, and
    fewer than half of those that the real images are in effect, have no excess: 0. Images count as the same where their
    spectra, of equal power at all frequencies but the lattice's, correlate by more than 1/2; the number in effect is
    that of all pairs over that of pairs of the same, of at most 500 images.

    Transposed convolutions and upsampling can both leave a lattice (Odena et al. 2016; Durall et al. 2020). Frequencies
    are left out that do not lie two steps apart at the images' size: 28 pixels have those of 1/2 and 1/4.

    Options:
        levels: number of halvings: 3 for frequencies down to 1/8.
        most: number of images at most, real and generated ones each; of more, as many that stand evenly spaced are
            taken.
    """

    levels: Annotated[int, Interval(ge=1, le=6)] = 3
    most: Annotated[int, Interval(ge=100, le=100_000)] = 10_000

    cost: ClassVar[str] = "a Fourier transform for each image"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "lattice_excess": MetricInfo(
            title="Lattice excess",
            what="largest peak of the generated images' mean power spectrum over its neighbours, at multiples of 1/2, "
            "1/4 and 1/8 cycles per pixel, less that of the real images; 0 is best, 10 means ten times the power; 0, "
            "too, of fewer than 50 images that differ, whose peaks are noise",
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
        return {"peaks": self._peaks(real.stored), "different": self._different(real.stored)}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        if self._different(generated.stored) < min(FEWEST, reference["different"] / 2):
            return {"lattice_excess": 0.0}
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
        rows, columns = self._places(height, width)
        return np.array([_peak(power, row, column) for row, column in zip(rows, columns, strict=True)])

    def _places(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows and columns of a spectrum at which the frequencies of the lattice lie, but for the constant."""
        periods = [2**level for level in range(1, self.levels + 1)]
        finest = max(p for p in periods if height % p == width % p == 0 and min(height, width) >= 2 * p)
        down, right = np.divmod(np.arange(1, finest * finest), finest)
        return down * (height // finest), right * (width // finest)

    def _different(self, stored: np.ndarray) -> float:
        """How many different images there are in effect, see the class; at most `COMPARED`."""
        images = np.concatenate([*brightness(stored, COMPARED)])
        waves = np.fft.fft2(images)
        waves[:, *self._places(*images.shape[1:])] = 0
        power = (np.square(waves.real) + np.square(waves.imag)).mean(axis=0) + images[0].size * ROUNDING
        waves = (waves / np.sqrt(power)).reshape(len(images), -1)
        parts = np.concatenate([waves.real, waves.imag], axis=1)
        size = np.sqrt(np.square(parts).sum(axis=1))
        parts /= np.where(size > 0, size, 1.0)[:, None]  # images without contrast are like no other, or themselves
        same = np.count_nonzero(parts @ parts.T > 0.5)
        return len(images) ** 2 / same if same else 1.0


def _peak(power: np.ndarray, row: int, column: int) -> float:
    """How far a place of a spectrum lies above the mean of its eight neighbours, in decibels.

    By Python's logarithm: NumPy has several, for different processors, which differ in the last bit.
    """
    around = [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    height, width = power.shape
    levels = [10 * math.log10(power[i % height, j % width]) for i, j in around]
    return 10 * math.log10(power[row, column]) - math.fsum(levels) / len(levels)
