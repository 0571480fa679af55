"""Judge of natural images: the features of pytorch-fid's Inception network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from ganbench.core.errors import GanbenchError
from ganbench.core.pixels import floats
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.judges import Judge, JudgedExamples, Report, silent
from ganbench.judges._standard import standardised, unscaled, with_standard

NAME = "inception"  # under which the features are kept with judged examples
FEATURES = 2048  # activations of the last pooling layer
BATCH = 32
CHANNELS = (1, 3)  # of images that it can be shown
SUPPORTED = "grey or colour images with values in [-1, 1]"


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
        return unscaled(FEATURES)

    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        channels = examples.train.shape[1]
        if channels not in CHANNELS:
            raise GanbenchError(
                f"inception judges {SUPPORTED}, and these have {channels} channels. Set "
                "another judge of images by evaluate.judge; `ganbench list judge` shows all."
            )
        return with_standard(self, self.untrained(examples), examples.train)

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        found = features(examples)
        judged = JudgedExamples(examples, standardised(state, found.astype(np.float64)), None, None, 0)
        judged.embeddings.keep(NAME, found)  # for the FID
        return judged


def features(images: np.ndarray) -> np.ndarray:
    """Inception features of images, which the network itself resizes to 299x299; grey ones have equal channels.

    Args:
        images: images (n, channels, height, width) of one or three channels: numbers in [-1, 1] or bytes.

    Returns:
        The features, (n, FEATURES), float32.

    Raises:
        GanbenchError: the weights are not in the folder of torch.hub.
    """
    network = pretrained()
    device = next(network.parameters()).device
    found = []
    with torch.no_grad():
        for start in range(0, len(images), BATCH):
            part = torch.from_numpy(floats(images[start : start + BATCH])).float()
            colour = ((part + 1) / 2).expand(-1, 3, -1, -1).to(device)
            found.append(network(colour)[0].flatten(1).cpu())
    return torch.cat(found).numpy()


@cache
def pretrained() -> nn.Module:
    """The network, with weights from the folder of torch.hub; they are not downloaded here.

    Raises:
        GanbenchError: the weights are not there.
    """
    from pytorch_fid.inception import FID_WEIGHTS_URL, InceptionV3

    path = Path(torch.hub.get_dir()) / "checkpoints" / FID_WEIGHTS_URL.rsplit("/", 1)[-1]
    if not path.is_file():
        raise GanbenchError(f"the Inception weights are not at {path}; the rule 'weights' fetches them.")
    with _weights_only():
        network = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[FEATURES]]).eval()
    if torch.cuda.is_available():
        return network.to("cuda")
    # A third less time on a CPU, with the same numbers but for rounding. With bfloat16 products, where a processor has
    # units for them, it would be a quarter of the time; but an FID moved by 1 to 3% (random weights, 96 photographs).
    return network.to(memory_format=torch.channels_last)


@contextmanager
def _weights_only() -> Iterator[None]:
    """PyTorch loads weights within the block, never code, whatever its caller asks for."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
