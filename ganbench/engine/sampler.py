"""Examples of a trained generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from ganbench.architectures import Architecture, initial_module, trial_inputs
from ganbench.core.pixels import shown
from ganbench.data import DataSpec
from ganbench.nn.evaluation_inputs import balanced_labels
from ganbench.nn.network import EXAMPLES, Network
from ganbench.numerics.generator import TrainedGenerator

BATCH = 500  # examples generated together where they do not depend on one another


class Sampler:
    """Generates examples as `TrainedGenerator` does.

    A layer of batch normalisation without running statistics normalises by the batch. Such a generator is given batches
    of the size that it was trained with, since its examples depend on it.

    Args:
        architecture, data: the architecture and the data set of the generator.
        batch_size: number of examples in a batch of its training.
        device: device to generate on.
    """

    def __init__(self, architecture: Architecture, data: DataSpec, batch_size: int, device: torch.device) -> None:
        self._architecture, self._data, self._batch_size, self._device = architecture, data, batch_size, device
        self._network = Network(
            initial_module(architecture, "generator", data, seed=0),
            trial_inputs(architecture, "generator", data, EXAMPLES),
            architecture.passed_to_generator,
        ).to(device, torch.float32)

    def examples(self, theta: np.ndarray, buffers: Mapping[str, np.ndarray], seed: int, count: int) -> np.ndarray:
        """Examples from the latent points for evaluation, which are the same for all generators of a run; those of a
        conditional generator have the labels of `balanced_labels`.

        Args:
            theta: the generator's parameters, (P,).
            buffers: its buffers by name.
            seed: seed of the run.
            count: number of examples.

        Returns:
            Examples, (count, *shape), float32: numbers as judges, metrics and pictures see them. Where stored examples
            lie in [-1, 1], as images do, what a generator makes beyond is cut to it, as published pipelines do before
            they store bytes; numbers that are not finite stay so.
        """
        generator = self._generator(theta, buffers, seed)
        return self._made(generator, generator.inputs, count)

    def at(
        self,
        theta: np.ndarray,
        buffers: Mapping[str, np.ndarray],
        seed: int,
        latent: Tensor,
        labels: Tensor | None = None,
    ) -> np.ndarray:
        """Examples from given latent points.

        Args:
            theta, buffers, seed: as of `examples`.
            latent: the latent points, (count, latent_size).
            labels: the labels of a conditional generator, (count,) of int64; those of `balanced_labels` if None.

        Returns:
            Examples, as of `examples`.
        """
        generator = self._generator(theta, buffers, seed)
        given = [latent.to(generator.parameters)]
        if "generator" in self._architecture.conditional:
            labels = balanced_labels(len(latent), self._data.modes) if labels is None else labels
            given.append(labels.to(self._device))

        def inputs(whole: int) -> tuple[Tensor, ...]:
            again = torch.arange(whole, device=self._device) % len(latent)
            return tuple(x[again] for x in given)

        return self._made(generator, inputs, len(latent))

    def _generator(self, theta: np.ndarray, buffers: Mapping[str, np.ndarray], seed: int) -> TrainedGenerator:
        kept = {name: torch.as_tensor(np.asarray(value), device=self._device) for name, value in buffers.items()}
        return TrainedGenerator(
            architecture=self._architecture,
            data=self._data,
            network=self._network,
            parameters=torch.as_tensor(theta, dtype=torch.float32, device=self._device),
            buffers={name: value.float() if value.is_floating_point() else value for name, value in kept.items()},
            seed=seed,
        )

    def _made(self, generator: TrainedGenerator, inputs: Callable[[int], tuple[Tensor, ...]], count: int) -> np.ndarray:
        """The first `count` examples of as many inputs as whole batches have."""
        with torch.no_grad():
            size, whole = BATCH, count
            if self._architecture.passed_to_generator:  # which serve in turn: the first again after a whole batch
                size = self._batch_size * max(1, BATCH // self._batch_size)
            if generator.depends_on_batch:
                size = self._batch_size
                whole = -(-count // size) * size  # no last batch of another size
            parts = zip(*(x.split(size) for x in inputs(whole)), strict=True)
            made = [generator(*part, batch=batch).cpu() for batch, part in enumerate(parts)]
            examples = shown(torch.cat(made)[:count], self._data.mean, self._data.std)
            if self._data.stored_bounded:
                examples = torch.where(examples.isfinite(), examples.clamp(-1, 1), examples)
            return examples.numpy()
