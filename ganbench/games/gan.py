"""Two networks, data and an objective, as a game."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ganbench.core.random_streams import stream, stream_seed
from ganbench.data import DataSpec
from ganbench.games import Adversarial, Batch, Component, Member
from ganbench.nn.network import Network
from ganbench.nn.sample import Sample


@dataclass(frozen=True, kw_only=True, eq=False)
class GAN(Adversarial):
    """An architecture's discriminator and generator on a data set.

    Args:
        architecture, objective, regularizer: components of these families.
        data: the data set of the examples.
        examples: all training examples, (n, *shape), on the device and in the precision to train in. A run uses the
            first `n_train` of them in the order of its own stream, so smaller subsets of a run are parts of larger
            ones.
        batch_size: number of real, and of generated, examples in a batch.
    """

    components: ClassVar[tuple[str, ...]] = ("dataset", "architecture", "objective", "regularizer")

    architecture: Component
    data: Component
    examples: Component
    batch_size: Component

    @cached_property
    def networks(self) -> dict[str, Network]:
        """Both networks, as functions of parameters."""
        return {
            player: Network(initial_module(self.architecture, player, self.data, seed=0)).to(
                self.examples.device, self.examples.dtype
            )
            for player in self.players
        }

    @cached_property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        return {
            player: tuple(f"{player}[{i}]" for i in range(network.size)) for player, network in self.networks.items()
        }

    def start(self, member: Member) -> dict[str, Tensor]:
        """Initial parameters, drawn on the CPU in single precision: the same on every device and in every precision."""
        return {
            player: Network.vector(initial_module(self.architecture, player, self.data, member.seed))
            for player in self.players
        }

    def sample(self, member: Member, chunk: int, count: int, dtype: torch.dtype) -> Batch:
        """Indices of real examples, standard normal latent points of both players, and the regularizer's numbers."""
        size = self.batch_size
        generator = torch.Generator().manual_seed(stream_seed(member.seed, "latent", chunk))
        shape = (count, len(self.players), size, self.architecture.latent_size)
        latent = torch.randn(shape, generator=generator, dtype=dtype)
        order = _epochs(member.seed, member.n_train, len(self.examples), chunk * count * size, count * size)
        return {
            "order": torch.from_numpy(order.reshape(count, size)),
            **{f"latent.{player}": latent[:, index] for index, player in enumerate(self.players)},
            **self.noise(member, chunk, count, (size, *self.data.shape), dtype),
        }

    def real(self, players: dict[str, Tensor], batch: Batch) -> Sample:
        return Sample(self.examples[batch["order"]])

    def discriminate(self, theta: Tensor, points: Tensor) -> Tensor:
        return self.networks["discriminator"](theta, points)

    def generate(self, theta: Tensor, latent: Tensor) -> Tensor:
        return self.networks["generator"](theta, latent)


def initial_module(architecture: Component, player: str, data: DataSpec, seed: int) -> torch.nn.Module:
    """A player's network with the initial parameters of the run with this seed."""
    # Modules draw their initial parameters from the global stream; it is seeded for them and then put back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, f"init-{player}"))
        return getattr(architecture, player)(data)


def latent_points(seed: int, count: int, size: int) -> Tensor:
    """Latent points (count, size) for evaluating the run with this seed: the same at every snapshot."""
    return torch.randn(count, size, generator=torch.Generator().manual_seed(stream_seed(seed, "evaluation")))


def subset(seed: int, n_train: int, available: int) -> np.ndarray:
    """Indices of the examples that a run may train on, shape (n_train,)."""
    return stream(seed, "subset").permutation(available)[:n_train]


def _epochs(seed: int, n_train: int, available: int, start: int, count: int) -> np.ndarray:
    """Entries start ... start + count of the endless sequence of a run's shuffled epochs."""
    first, last = start // n_train, (start + count - 1) // n_train
    orders = np.concatenate([_epoch(seed, n_train, available, epoch) for epoch in range(first, last + 1)])
    return orders[start - first * n_train :][:count]


@lru_cache(maxsize=256)
def _epoch(seed: int, n_train: int, available: int, epoch: int) -> np.ndarray:
    return stream(seed, "order", epoch).permutation(subset(seed, n_train, available))
