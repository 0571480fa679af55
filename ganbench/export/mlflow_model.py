"""What MLflow calls to load a generator that `track` logged as a model; the model's file `MLmodel` names this module.

MLflow gives a folder of `ganbench.pipeline.network_folder`, which holds no pickles: parameters are in safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ganbench.core.errors import GanbenchError
from ganbench.pipeline.network_folder import MODEL, load
from ganbench.tracking.models import LABELS, LATENT


class GeneratorModel:
    """A generator as MLflow's users call models: arrays in, arrays out.

    Args:
        module: the generator, in evaluation mode.
        latent_size: size of a latent point.
        conditional: whether the generator reads a label beside each latent point.
        batch_size: largest number of examples that pass the network together, as in training, by which a layer may
            normalise.
    """

    def __init__(self, module: nn.Module, latent_size: int, conditional: bool, batch_size: int) -> None:
        self.module, self._latent_size, self._conditional, self._batch_size = (
            module,
            latent_size,
            conditional,
            batch_size,
        )

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> np.ndarray:
        """The examples of latent points.

        Args:
            model_input: latent points (n, latent_size), as an array or a data frame; of a conditional generator, a
                mapping of `latent` to these and of `labels` to whole numbers (n,).
            params: unused; MLflow passes it.

        Returns:
            Examples, shape (n, *example), float32, standardised as in training.

        Raises:
            GanbenchError: latent points of another shape, or labels that are missing.
        """
        named = model_input if isinstance(model_input, Mapping) else {LATENT: model_input}
        if self._conditional and LABELS not in named:
            raise GanbenchError(
                f"this generator is conditional, and the input has no labels. Give {{'{LATENT}': (n, "
                f"{self._latent_size}), '{LABELS}': (n,)}}."
            )
        points = named[LATENT]
        points = np.asarray(points.to_numpy() if isinstance(points, pd.DataFrame) else points, dtype=np.float32)
        if points.ndim != 2 or points.shape[1] != self._latent_size:
            raise GanbenchError(
                f"latent points have the shape (n, {self._latent_size}) for this generator; received {points.shape}."
            )
        inputs = [torch.from_numpy(points)]
        if self._conditional:
            inputs.append(torch.from_numpy(np.asarray(named[LABELS], dtype=np.int64).reshape(-1)))
        with torch.no_grad():
            parts = zip(*(each.split(self._batch_size) for each in inputs), strict=True)
            return torch.cat([self.module(*part) for part in parts]).numpy()


def _load_pyfunc(data_path: str) -> GeneratorModel:
    """The model in a folder of exported networks; MLflow looks for a function of this name."""
    model = json.loads((Path(data_path) / MODEL).read_text())
    return GeneratorModel(
        load(data_path), model["latent_size"], "generator" in model["conditional"], model["batch_size"]
    )
