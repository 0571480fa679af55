"""Judge of a mixture of isotropic Gaussians: the nearest centre, and whether it lies within three sigma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.judges import Judge, JudgedExamples, Report, silent


@dataclass(frozen=True)
class MixtureJudge(Judge):
    """High quality means within `sigmas` standard deviations of the nearest centre (Srivastava et al. 2017, 4.1). A
    perfect sampler in the plane reaches a share of 1 - exp(-sigmas^2 / 2): 98.89% at three."""

    axes: ClassVar[int] = 1
    knows_noise: ClassVar[bool] = True

    sigmas: Annotated[float, Interval(gt=0)] = 3.0

    def untrained(self, examples: Examples) -> Tree:
        return {"centres": examples.facts["centres"], "sigma": float(examples.facts["sigma"])}

    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        state = self.untrained(examples)
        judged = self.judge(state, examples.heldout)
        return state | {"accuracy": float(np.mean(judged.mode == examples.heldout_modes))}

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        centres = state["centres"]
        distance = np.linalg.norm(examples[:, None, :].astype(np.float64) - centres, axis=2)
        mode = distance.argmin(axis=1)
        confident = distance[np.arange(len(mode)), mode] <= self.sigmas * state["sigma"]
        return JudgedExamples(examples, examples.astype(np.float64), mode, confident, len(centres))
