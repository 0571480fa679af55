"""Checkerboard artefacts: patterns of a period of 2, 4 or 8 pixels, which layers that double the resolution leave."""

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
class Checkerboard(Metric):
    """The power spectrum of the images, averaged over them, has a peak at each frequency of a pattern that all of them
    have in place. A peak is how far, in decibels, the power at a frequency lies above the mean of its neighbours, which
    takes the slope of natural spectra away, less the same of the real images: JPEG images, for one, have peaks at 1/8.
    The excess is the largest peak at the multiples of 1/2, 1/4 and 1/8 cycles per pixel, less the largest that as many
    of the other frequencies have: their quantile n / (n + 1), for n of these multiples.

    What chance does to the largest of n peaks it thus does to both. Of a few hundred images that is less than a
    decibel; the spectrum of a single one lies several decibels off its mean at every frequency. So of few different
    images, as a collapse leaves, the excess is about as often above 0 as below: of one to five photographs it is within
    4 decibels of 0 in nine cases of ten, and of fifty in nearly all.

    Transposed convolutions leave checkerboard artefacts (Odena, Dumoulin and Olah 2016), and upsampling can too (Durall
    et al. 2020). Frequencies are left out that do not lie two steps apart at the images' size: 28 pixels have those of
    1/2 and 1/4.
    """

    levels: Annotated[int, Interval(ge=1, le=6)] = 3
    """Number of halvings: 3 for frequencies down to 1/8 cycle per pixel."""
    max_examples: Annotated[int, Interval(ge=100, le=100_000)] = 10_000

    cost: ClassVar[str] = "a Fourier transform for each image"
    columns: ClassVar[dict[str, MetricInfo]] = {
        "checkerboard_excess": MetricInfo(
            title="Checkerboard excess",
            what="largest peak of the generated images' mean power spectrum over its neighbours, beyond that of real "
            "images, at multiples of 1/2, 1/4 and 1/8 cycles per pixel (`levels` halvings, 3 unless the study says "
            "otherwise), less the largest at as many other frequencies; "
            "about 0 without a checkerboard, and 10 means ten times the power",
            best="low",
            lower=None,
            upper=None,
            unit="dB",
            source="Odena et al. 2016; Durall et al. 2020",
        )
    }

    def unsupported(self, data: DataSpec) -> str | None:
        if fault := images_only(data, 4, "the checkerboard excess"):
            return fault
        if data.shape[1] % 2 or data.shape[2] % 2:
            return "the checkerboard excess is for images of even height and width"
        return None

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        """`peaks` (height, width) of the real images, in decibels."""
        return {"peaks": self._peaks(real.stored)}

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        beyond = self._peaks(generated.stored) - reference["peaks"]
        of_checkerboard = np.zeros(beyond.shape, dtype=bool)
        of_checkerboard[self._places(*beyond.shape)] = True
        largest, count = beyond[of_checkerboard].max(), np.count_nonzero(of_checkerboard)
        of_checkerboard[0, 0] = True  # nor is the mean brightness another frequency
        return {"checkerboard_excess": float(largest - np.quantile(beyond[~of_checkerboard], count / (count + 1)))}

    def _peaks(self, stored: np.ndarray) -> np.ndarray:
        """How far the mean power at each frequency lies above the mean of its eight neighbours, in decibels."""
        height, width = stored.shape[2:]
        power, count = np.zeros((height, width)), 0
        for images in brightness(stored, self.max_examples):
            waves = np.fft.fft2(images)
            power += (np.square(waves.real) + np.square(waves.imag)).sum(axis=0)
            count += len(images)
        power = power / count + height * width * ROUNDING  # without contrast, a flat spectrum
        # By Python's logarithm: NumPy has several, for different processors, which differ in the last bit.
        levels = np.array([10 * math.log10(value) for value in power.flat]).reshape(height, width)
        around = [np.roll(levels, (i, j), axis=(0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        return levels - sum(around) / len(around)

    def _places(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows and columns of a spectrum at which the frequencies of a checkerboard lie, but for the constant."""
        periods = [2**level for level in range(1, self.levels + 1)]
        finest = max(p for p in periods if height % p == width % p == 0 and min(height, width) >= 2 * p)
        down, right = np.divmod(np.arange(1, finest * finest), finest)
        return down * (height // finest), right * (width // finest)
