"""Judge of natural images: the features of pytorch-fid's Inception network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganbench.core.errors import GanbenchError
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.judges import Judge, JudgedExamples, Report, silent
from ganbench.judges._standard import standardised, unscaled, with_standard
from ganbench.nn import inception


@dataclass(frozen=True)
class InceptionJudge(Judge):
    """No mode is told apart. Each of the 2,048 features is standardised by the training examples, so that distances in
    them read like those of other judges; the metric `fid` takes the features as they are. They were learned on
    photographs, and say little of images unlike these. An image takes about 0.1 s of a core.
    """

    axes: ClassVar[int] = 3
    tells_modes: ClassVar[bool] = False
    pretrained: ClassVar[bool] = True

    def untrained(self, examples: Examples) -> Tree:
        return unscaled(inception.FEATURES)

    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        channels = examples.train.shape[1]
        if channels not in inception.CHANNELS:
            raise GanbenchError(
                f"inception judges {inception.SUPPORTED}, and these have {channels} channels. Set "
                "another judge of images by evaluate.judge; `ganbench list judge` shows all."
            )
        return with_standard(self, self.untrained(examples), examples.train)

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        features = inception.features(examples)
        judged = JudgedExamples(examples, standardised(state, features.astype(np.float64)), None, None, 0)
        judged.embeddings.keep(inception.NAME, features)  # for the FID
        return judged
