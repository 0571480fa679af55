"""Judge of a mixture of isotropic Gaussians: the nearest centre, and whether it lies within three sigma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.judges import Judge, JudgedExamples, Report, silent
from ganbench.judges._standard import standardised, unscaled, with_standard


@dataclass(frozen=True)
class MixtureJudge(Judge):
    """The features are the coordinates, in units of the spread of the training examples over all of them. High quality
    means within `max_sigmas` standard deviations of the nearest centre (Srivastava et al. 2017, 4.1). A perfect sampler
    in the plane reaches a share of 1 - exp(-max_sigmas^2 / 2): 98.89% at three."""

    axes: ClassVar[int] = 1
    knows_noise: ClassVar[bool] = True

    max_sigmas: Annotated[float, Interval(gt=0)] = 3.0
    """Largest distance of an example of high quality from the nearest centre, in standard deviations of a Gaussian."""

    def untrained(self, examples: Examples) -> Tree:
        facts = {"centers": examples.facts["centers"], "sigma": float(examples.facts["sigma"])}
        return facts | unscaled(examples.train.shape[1])

    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        state = with_standard(self, self.untrained(examples), examples.train, together=True)
        judged = self.judge(state, examples.heldout)
        return state | {"accuracy": float(np.mean(judged.mode == examples.heldout_modes))}

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        centres = state["centers"]
        distance = np.linalg.norm(examples[:, None, :].astype(np.float64) - centres, axis=2)
        mode = distance.argmin(axis=1)
        confident = distance[np.arange(len(mode)), mode] <= self.max_sigmas * state["sigma"]
        features = standardised(state, examples.astype(np.float64))
        return JudgedExamples(examples, features, mode, confident, len(centres))
