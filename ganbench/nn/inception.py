"""pytorch-fid's Inception network, whose features the FID and the judge `inception` share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ganbench.core.errors import GanbenchError
from ganbench.core.pixels import floats

NAME = "inception"  # under which the features are kept with judged examples
FEATURES = 2048  # activations of the last pooling layer
BATCH = 32
CHANNELS = (1, 3)  # of images that it can be shown
SUPPORTED = "grey or colour images with values in [-1, 1]"


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
