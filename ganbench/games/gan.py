"""Two networks, data and an objective, as a game."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ganbench.core.streams import stream, stream_seed
from ganbench.data import DataSpec
from ganbench.games import Players, Seen
from ganbench.nn.network import Network

CHUNK = 25  # steps whose random numbers are drawn together


@dataclass(frozen=True)
class Batch:
    """What one gradient may look at: real examples, and for each player the latent points of its fake ones."""

    real: Tensor  # (K, batch, *shape)
    latent: dict[str, Tensor]  # (K, batch, latent_size)


class Gan:
    """A pack of GANs of one architecture on one data set; members differ in seed and number of training examples.

    Args:
        architecture, objective, regularizer: members of their families.
        data: what the examples are.
        examples: all training examples, (n, *shape), on the device and in the precision to train in. A run sees the
            first `n_train` of them in the order of its own stream, so its smaller subsets lie in its larger ones.
        seeds, n_train: of every member.
        batch_size: of real and of generated examples.
    """

    players: ClassVar[tuple[str, ...]] = ("discriminator", "generator")

    def __init__(
        self,
        architecture: Any,
        objective: Any,
        regularizer: Any,
        data: DataSpec,
        examples: Tensor,
        seeds: Sequence[int],
        n_train: Sequence[int],
        batch_size: int,
    ) -> None:
        self._parts = (architecture, objective, regularizer, data, examples)
        self._objective, self._regularizer, self._examples = objective, regularizer, examples
        self._latent_size, self._batch_size = architecture.latent_size, batch_size
        self._members = tuple(zip(seeds, n_train, strict=True))
        self._chunk: tuple[int, Tensor, Tensor] | None = None
        self.networks = {
            player: Network(initial_module(architecture, player, data, seed=0)).to(examples.device, examples.dtype)
            for player in self.players
        }

    def init(self) -> Players:
        """Initial parameters, drawn on the CPU in single precision: the same on every device and in every precision."""
        architecture, _, _, data, examples = self._parts
        return {
            player: torch.stack(
                [Network.vector(initial_module(architecture, player, data, seed)) for seed, _ in self._members]
            ).to(examples)
            for player in self.players
        }

    def select(self, members: Sequence[int]) -> Gan:
        architecture, objective, regularizer, data, examples = self._parts
        seeds, n_train = zip(*(self._members[k] for k in members), strict=True)
        return Gan(architecture, objective, regularizer, data, examples, seeds, n_train, self._batch_size)

    # Random numbers -------------------------------------------------------------------------------------------------

    def draw(self, step: int, draws: int) -> list[Batch]:
        """The batches of a step. Random numbers come in chunks of steps, each chunk from streams of its own."""
        chunk, offset = divmod(step, CHUNK)
        if self._chunk is None or self._chunk[0] != chunk:
            self._chunk = (chunk, self._draw_latent(chunk, draws), self._draw_order(chunk, draws))
        _, latent, order = self._chunk
        here = range(offset * draws, (offset + 1) * draws)
        return [
            Batch(self._examples[order[i]], dict(zip(self.players, latent[i].unbind(0), strict=True))) for i in here
        ]

    def _draw_latent(self, chunk: int, draws: int) -> Tensor:
        """(batches of the chunk, players, K, batch, latent_size), standard normal.

        Drawn on the CPU, so that a run meets the same numbers on every device.
        """
        device, dtype = self._examples.device, self._examples.dtype
        shape = (CHUNK * draws, len(self.players), self._batch_size, self._latent_size)
        members = []
        for seed, _ in self._members:
            generator = torch.Generator().manual_seed(stream_seed(seed, "latent", chunk))
            members.append(torch.randn(shape, generator=generator, dtype=dtype))
        return torch.stack(members, dim=2).to(device)

    def _draw_order(self, chunk: int, draws: int) -> Tensor:
        """(batches of the chunk, K, batch): indices of examples; every epoch is a new order of the member's subset."""
        batches, size = CHUNK * draws, self._batch_size
        start = chunk * batches * size
        orders = [
            _epochs(seed, n_train, len(self._examples), start, batches * size).reshape(batches, size)
            for seed, n_train in self._members
        ]
        return torch.from_numpy(np.stack(orders, axis=1)).to(self._examples.device)

    # Losses ---------------------------------------------------------------------------------------------------------

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Seen]:
        discriminator, generator = (self.networks[p] for p in self.players)
        theta_d, theta_g = (players[p] for p in self.players)

        def judge(examples: Tensor) -> Tensor:
            return discriminator(theta_d, examples)

        if player == "generator":
            return self._objective.generator(judge(generator(theta_g, batch.latent[player]))), {}

        with torch.set_grad_enabled(theta_g.requires_grad):
            fake = generator(theta_g, batch.latent[player])
        real_logits, fake_logits = judge(batch.real), judge(fake)
        loss = self._objective.discriminator(real_logits, fake_logits)
        penalty = self._regularizer.penalty(judge, batch.real, fake)
        outputs = {"real_output": real_logits, "fake_output": fake_logits}
        seen = {name: self._objective.output(logits.detach()).mean(-1) for name, logits in outputs.items()}
        return loss if penalty is None else loss + penalty, seen


def initial_module(architecture: Any, player: str, data: DataSpec, seed: int) -> torch.nn.Module:
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
