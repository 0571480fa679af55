"""Judge of images without labels: the features of a convolutional network with fixed random weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import nn

from ganbench.core.interval import Interval
from ganbench.core.random_streams import stream_seed
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.judges import Judge, JudgedExamples, Report, silent
from ganbench.judges._networks import feature_layers, features_of
from ganbench.judges._standard import standardised, unscaled, with_standard
from ganbench.nn.initialization import seeded
from ganbench.nn.network import Network


@dataclass(frozen=True)
class RandomFeaturesJudge(Judge):
    """Nothing is learned, so nothing is known of classes, and no mode is told apart. Distances in such features see
    colours, edges and their places, and little of what is shown. Naeem et al. (2020) recommend random embeddings for
    images unlike those that networks are pretrained on. Never to be compared with an FID.

    Weights are drawn as He et al. (2015) do, without biases, from a stream of their own: the same for all data of one
    shape. Every feature is standardised by the training examples, so a distance is in units of the spread of the data.
    """

    axes: ClassVar[int] = 3
    tells_modes: ClassVar[bool] = False

    features: Annotated[int, Interval(ge=1, le=4096)] = 64
    """Number of features, the network's outputs."""

    def untrained(self, examples: Examples) -> Tree:
        shape = examples.train.shape[1:]
        theta = Network.vector(self._module(shape)).numpy()
        return {"theta": theta, "shape": list(shape), **unscaled(self.features)}

    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        return with_standard(self, self.untrained(examples), examples.train)

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        network = Network(self._module(tuple(state["shape"])))
        features = features_of(network, torch.from_numpy(state["theta"]), examples).double().numpy()
        return JudgedExamples(examples, standardised(state, features), None, None, 0)

    def _module(self, shape: tuple[int, ...]) -> nn.Sequential:
        """The feature layers with their random weights."""
        with seeded(stream_seed(0, "judge-random-features")):
            module = nn.Sequential(*feature_layers(shape, self.features))
            for layer in module:
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                    nn.init.zeros_(layer.bias)
        return module
