"""Examples of a trained generator."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ganbench.architectures import Architecture
from ganbench.core.random_streams import stream_seed
from ganbench.data import DataSpec
from ganbench.games.gan import balanced_labels, initial_module, latent_points, trial_inputs
from ganbench.nn.network import EXAMPLES, Network
from ganbench.nn.random_numbers import subkey

BATCH = 500  # examples generated together where they do not depend on one another


class Sampler:
    """Generates examples in evaluation mode: without dropout, and with running statistics where a layer has them.
    Noise that a generator draws in evaluation too comes from a stream of the run.

    A layer of batch normalisation without running statistics normalises by the batch. Such a generator is given batches
    of the size that it was trained with, since its examples depend on it.

    Args:
        architecture, data: the architecture and the data set of the generator.
        batch_size: number of examples in a batch of its training.
        device: device to generate on.
    """

    def __init__(self, architecture: Architecture, data: DataSpec, batch_size: int, device: torch.device) -> None:
        self._latent_size, self._batch_size, self._device = architecture.latent_size, batch_size, device
        self._classes = data.modes if "generator" in architecture.conditional else None
        self._network = Network(
            initial_module(architecture, "generator", data, seed=0),
            trial_inputs(architecture, "generator", data, EXAMPLES),
            architecture.passed_to_generator,
        ).to(device, torch.float32)

    def examples(self, theta: np.ndarray, buffers: Mapping[str, np.ndarray], seed: int, count: int) -> np.ndarray:
        """Examples from the latent points for evaluation, which are the same for all generators of a run; those of a
        conditional generator have the labels 0, 1, 2 ... in turn.

        Args:
            theta: the generator's parameters, (P,).
            buffers: its buffers by name.
            seed: seed of the run.
            count: number of examples.

        Returns:
            Examples, (count, *shape), float32.
        """
        parameters = torch.as_tensor(theta, dtype=torch.float32, device=self._device)[None]
        kept = {name: torch.as_tensor(np.asarray(value), device=self._device)[None] for name, value in buffers.items()}
        kept = {name: value.float() if value.is_floating_point() else value for name, value in kept.items()}

        key = torch.tensor([stream_seed(seed, "evaluation-network")], device=self._device)
        # Most generators draw nothing, and a key for each of many small batches takes a tenth of their time.
        key_of = partial(subkey, key) if self._network.random else lambda batch: None

        def inputs(count: int) -> list[Tensor]:
            labels = [] if self._classes is None else [balanced_labels(count, self._classes)]
            return [x.to(self._device) for x in (latent_points(seed, count, self._latent_size), *labels)]

        def generate(*part: Tensor, batch: int = 0) -> Tensor:
            inputs = (x[None] for x in part)
            return self._network.apply(parameters, kept, key_of(batch), *inputs, training=False)[0][0]

        with torch.no_grad():
            few = inputs(EXAMPLES)
            together, apart = generate(*few), generate(*(x[: EXAMPLES // 2] for x in few))
            alone = torch.allclose(together[: EXAMPLES // 2], apart, rtol=1e-3, atol=1e-4, equal_nan=True)
            size = BATCH if alone else self._batch_size
            whole = count if alone else -(-count // size) * size  # no last batch of another size
            parts = zip(*(x.split(size) for x in inputs(whole)), strict=True)
            made = [generate(*part, batch=batch).cpu() for batch, part in enumerate(parts)]
            return torch.cat(made)[:count].numpy()
