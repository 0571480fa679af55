"""Fréchet Inception distance, through pytorch-fid's Inception network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from ganbench.core.errors import GanbenchError
from ganbench.core.metric_info import MetricInfo
from ganbench.core.pixels import floats
from ganbench.core.tree import Tree
from ganbench.data import DataSpec
from ganbench.judges import JudgedExamples
from ganbench.metrics import Metric
from ganbench.metrics._frechet import Moments, frechet_distance, moments

BATCH = 32


@dataclass(frozen=True)
class FID(Metric):
    """Heusel et al. 2017. Features are the 2,048 activations of the last pooling layer, of images resized to 299x299 by
    the network itself; grey images are shown in three equal channels."""

    draws: ClassVar[int] = 5  # each decomposes three covariances of 2,048 features

    columns: ClassVar[dict[str, MetricInfo]] = {
        "fid": MetricInfo(
            title="FID",
            what="Fréchet distance between generated and real training images in Inception features (pytorch-fid's "
            "weights); 0 is best; depends on the sample size",
            best="low",
            lower=0.0,
            upper=None,
        )
    }

    def supports(self, data: DataSpec) -> str | None:
        if len(data.shape) != 3 or data.shape[0] not in (1, 3) or not data.bounded:
            return "FID is for grey or colour images with values in [-1, 1]"
        return None

    def reference(self, real: JudgedExamples, heldout: JudgedExamples) -> Tree:
        return moments(_features(real.stored)).tree()

    def score(self, generated: JudgedExamples, reference: Tree) -> dict[str, float]:
        return {"fid": frechet_distance(moments(_features(generated.stored)), Moments.of(reference))}


def _features(images: np.ndarray) -> np.ndarray:
    """Inception features (n, 2048) of images (n, channels, height, width), stored as numbers in [-1, 1] or as bytes."""
    network = _inception()
    device = next(network.parameters()).device
    features = []
    with torch.no_grad():
        for start in range(0, len(images), BATCH):
            part = torch.from_numpy(floats(images[start : start + BATCH])).float()
            colour = ((part + 1) / 2).expand(-1, 3, -1, -1).to(device)
            features.append(network(colour)[0].flatten(1).cpu())
    return torch.cat(features).numpy()


@cache
def _inception() -> nn.Module:
    """pytorch-fid's network, with weights from the folder of torch.hub; they are not downloaded here."""
    from pytorch_fid.inception import FID_WEIGHTS_URL, InceptionV3

    path = Path(torch.hub.get_dir()) / "checkpoints" / FID_WEIGHTS_URL.rsplit("/", 1)[-1]
    if not path.is_file():
        raise GanbenchError(f"the Inception weights are not at {path}; the rule 'weights' fetches them.")
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"  # loads weights only, never code
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval().to(device)
