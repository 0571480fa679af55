"""A trained generator as a function of latent points, in evaluation mode."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ganbench.architectures import Architecture
from ganbench.core.random_streams import stream_seed
from ganbench.data import DataSpec
from ganbench.nn.evaluation_inputs import balanced_labels, latent_points
from ganbench.nn.network import EXAMPLES, Buffers, Network
from ganbench.nn.random_numbers import subkey


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedGenerator:
    """The generator of a run: without dropout, and with running statistics where a layer has them. Noise that it draws
    in evaluation too comes from a stream of the run.

    Attributes:
        architecture, data: the architecture and the data set.
        network: the network, on the device and in the precision of the parameters.
        parameters: the parameters, (P,).
        buffers: the buffers that a forward pass in training changes, by name, without an axis of members.
        seed: seed of the run.
    """

    architecture: Architecture
    data: DataSpec
    network: Network
    parameters: Tensor
    buffers: Buffers
    seed: int

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        """Inputs drawn as those for evaluation, the same for all generators of a run: latent points (count,
        latent_size), and for a conditional generator the labels 0, 1, 2 ... in turn."""
        latent = latent_points(self.seed, count, self.architecture.latent_size).to(self.parameters)
        if "generator" not in self.architecture.conditional:
            return (latent,)
        return latent, balanced_labels(count, self.data.modes).to(latent.device)

    def __call__(self, *inputs: Tensor, batch: int = 0) -> Tensor:
        """The examples (n, *shape) of one batch.

        Args:
            inputs: latent points (n, latent_size), and labels (n,) if it is conditional.
            batch: index of the batch, to which the noise belongs.
        """
        # Most generators draw nothing, and a key for each of many small batches takes a tenth of their time.
        key = subkey(self._key, batch) if self.network.random else None
        buffers = {name: value[None] for name, value in self.buffers.items()}
        inputs = (x[None] for x in inputs)
        return self.network.apply(self.parameters[None], buffers, key, *inputs, training=False)[0][0]

    @cached_property
    def depends_on_batch(self) -> bool:
        """Whether an example depends on the others of its batch, as it does where a layer normalises by the batch.

        Asked at these very parameters and running statistics; `ganbench.nn.probes.mixes_examples` is of any parameters.
        """
        few = self.inputs(EXAMPLES)
        with torch.no_grad():
            together, apart = self(*few), self(*(x[: EXAMPLES // 2] for x in few))
        return not torch.allclose(together[: EXAMPLES // 2], apart, rtol=1e-3, atol=1e-4, equal_nan=True)

    @cached_property
    def _key(self) -> Tensor:
        return torch.tensor([stream_seed(self.seed, "evaluation-network")], device=self.parameters.device)
