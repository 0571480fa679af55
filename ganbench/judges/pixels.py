"""Judge of anything by its own numbers: the pixels of an image, the coordinates of a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from ganbench.core.interval import Interval
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.judges import Judge, JudgedExamples, Report, silent
from ganbench.judges._standard import standardised, unscaled, with_standard


@dataclass(frozen=True)
class PixelsJudge(Judge):
    """Nothing is learned, and no mode is told apart. A larger image is averaged down to `max_image_size` pixels, since
    Fréchet distances take the cube of the number of features. All features are in units of one spread, the root of
    their mean variance over the training examples, so distances are those of pixels: they see colours and places,
    prefer blur to small shifts (Theis et al. 2016), and say little of what is shown. Never to be compared with an FID.
    """

    axes: ClassVar[int | None] = None
    tells_modes: ClassVar[bool] = False

    max_image_size: Annotated[int, Interval(ge=2, le=64)] = 16
    """Largest height and width, in pixels, to which images are averaged down."""

    def untrained(self, examples: Examples) -> Tree:
        return unscaled(self._features(np.zeros((1, *examples.train.shape[1:]), np.float32)).shape[1])

    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        return with_standard(self, self.untrained(examples), examples.train, together=True)

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        return JudgedExamples(examples, standardised(state, self._features(examples)), None, None, 0)

    def _features(self, examples: np.ndarray) -> np.ndarray:
        """The numbers of each example, (n, F), float64."""
        numbers = examples.astype(np.float64)
        if examples.ndim == 4 and max(examples.shape[2:]) > self.max_image_size:
            small = [min(self.max_image_size, size) for size in examples.shape[2:]]
            numbers = adaptive_avg_pool2d(torch.from_numpy(numbers), small).numpy()
        return numbers.reshape(len(examples), -1)
