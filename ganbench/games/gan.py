"""Two networks, data and an objective, as a game."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from ganbench.architectures import (
    Architecture,
    initial_module,
    labels_fault,
    objective_refusal,
    packing_fault,
    trial_inputs,
)
from ganbench.core.dotted_names import prefixed, under
from ganbench.core.errors import GanbenchError
from ganbench.core.random_streams import stream_seed
from ganbench.core.supplied import Supplied
from ganbench.data import DataSpec
from ganbench.games import Adversarial, Aux, Batch, Buffers, Member, Players, TrainingExamples
from ganbench.games._epochs import epochs
from ganbench.nn.network import EXAMPLES, Network
from ganbench.nn.probes import mixes_examples
from ganbench.nn.random_numbers import RandomNumbers, subkey
from ganbench.nn.sample import Outputs, Sample, named_outputs
from ganbench.nn.weights import Weights


@dataclass(frozen=True, kw_only=True, eq=False)
class GAN(Adversarial):
    """An architecture's discriminator and generator on a data set.

    Args:
        architecture, objective, regularizer: components of these families.
        data: the specification of the data set.
        examples: all training examples, for the device and the precision to train in. A run uses
            the first `n_train` of them in the order of a stream, so smaller subsets are parts of larger ones.
        labels: the label of each of these examples, (n,) of int64, on the CPU; for conditional architectures.
        batch_size: number of real, and of generated, examples in a batch: a multiple of the architecture's
            `packing_degree`.
        accumulation_steps: number of such batches whose mean gradient makes one step of an optimizer.
        subset_seed: seed of the stream that chooses the examples of runs with fewer than all, the same for all runs;
            None for each run's own seed.

    Raises:
        GanbenchError: a conditional architecture without labels, one that cannot serve the objective, or a
            `packing_degree` that does not suit the batch, the architecture or the objective.
    """

    families: ClassVar[tuple[str, ...]] = ("dataset", "architecture", "objective", "regularizer")

    architecture: Supplied[Architecture]
    data: Supplied[DataSpec]
    examples: Supplied[TrainingExamples]
    batch_size: Supplied[int]
    accumulation_steps: Supplied[int] = 1
    subset_seed: Supplied[int | None] = None
    labels: Supplied[Tensor | None] = None

    _passes: ClassVar[_Passes | None] = None  # in a loss, its own

    def __post_init__(self) -> None:
        fault = labels_fault(self.architecture, self.data)
        if not fault and self.architecture.conditional and self.labels is None:
            fault = "it is conditional, but the game is given no labels"
        fault = fault or packing_fault(self.architecture, self.batch_size)
        if not fault and self.packing_degree > 1 and "labels" in self.objective.needs:
            fault = (
                f"with packing_degree={self.packing_degree} its discriminator judges {self.packing_degree} examples "
                f"together, but the objective {type(self.objective).__name__} needs the class of each; take "
                "packing_degree=1"
            )
        fault = fault or objective_refusal(self.architecture, self.objective)
        if fault:
            raise GanbenchError(f"architecture {type(self.architecture).__name__}: {fault}.")
        super().__post_init__()

    @property
    def example_shape(self) -> tuple[int, ...]:
        return self.data.shape

    @cached_property
    def networks(self) -> dict[str, Network]:
        """Both networks, as functions of parameters, buffers and keys of random numbers."""
        return {
            player: Network(
                initial_module(self.architecture, player, self.data, seed=0),
                trial_inputs(self.architecture, player, self.data, EXAMPLES),
                self.architecture.passed_to_generator if player == "generator" else (),
                packing=self.packing_degree if player == "discriminator" else 1,
            ).to(self.examples.device, self.examples.dtype)
            for player in self.players
        }

    @property
    def packing_degree(self) -> int:
        return self.architecture.packing_degree

    @property
    def sizes(self) -> dict[str, int]:
        return {player: network.size for player, network in self.networks.items()}

    @cached_property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        return {player: tuple(f"{player}[{i}]" for i in range(size)) for player, size in self.sizes.items()}

    def start(self, member: Member) -> dict[str, Tensor]:
        """Initial parameters, drawn on the CPU in single precision: the same on every device and in every precision."""
        return {
            player: Network.vector(initial_module(self.architecture, player, self.data, member.seed))
            for player in self.players
        }

    @property
    def has_buffers(self) -> bool:
        return super().has_buffers or any(network.buffers for network in self.networks.values())

    def start_buffers(self, member: Member) -> Buffers:
        buffers = super().start_buffers(member)
        for player, network in self.networks.items():
            if network.buffers:
                module = initial_module(self.architecture, player, self.data, member.seed)
                buffers |= prefixed(player, network.start_buffers(module))
        return buffers | self._first_passed(member)

    def _first_passed(self, member: Member) -> Buffers:
        """What the initial discriminator passes on of the first real batch, or of one that the initial generator makes
        of latent points of its own."""
        architecture = self.architecture
        if not architecture.passed_to_generator or architecture.passed_from == "start":
            return {}
        modules = {player: initial_module(architecture, player, self.data, member.seed) for player in self.players}
        seen = min(member.n_train or len(self.examples), len(self.examples))
        order = torch.from_numpy(self._order(replace(member, n_train=seen), 0, self.batch_size))
        labels = {player: [self.labels[order]] if player in architecture.conditional else [] for player in self.players}
        with torch.no_grad(), RandomNumbers(torch.zeros((), dtype=torch.int64)):
            if architecture.passed_from == "real":
                points = self.examples.read(self.examples.choose(order[None]))[0].float().cpu()
            else:
                generator = torch.Generator().manual_seed(stream_seed(member.seed, "passed"))
                latent = torch.randn(self.batch_size, architecture.latent_size, generator=generator)
                points = modules["generator"](latent, *labels["generator"])
            outputs = named_outputs(modules["discriminator"](points, *labels["discriminator"]))
        return prefixed("generator", {name: outputs[name] for name in architecture.passed_to_generator})

    @cached_property
    def numbers_per_batch(self) -> int:
        shape = (self.batch_size, *self.data.shape)
        noise = self.noise(Member(0, None, 0.0), 0, 1, shape, torch.float32)
        latent = len(self.players) * self.batch_size * self.architecture.latent_size
        # Examples are bytes at least, wherever they lie.
        return latent + sum(values.numel() for values in noise.values()) + math.prod(shape) // 4

    def draw(self, member: Member, chunk: int, count: int, dtype: torch.dtype) -> Batch:
        """Real examples or their indices, standard normal latent points of both players, labels of both kinds of
        examples, and the numbers of regularizer and objective."""
        size = self.batch_size
        generator = torch.Generator().manual_seed(stream_seed(member.seed, "latent", chunk))
        shape = (count, len(self.players), size, self.architecture.latent_size)
        latent = torch.randn(shape, generator=generator, dtype=dtype)
        order = torch.from_numpy(self._order(member, chunk * count * size, count * size).reshape(count, size))
        keys = {}
        if not all(network.pure for network in self.networks.values()):
            generator = torch.Generator().manual_seed(stream_seed(member.seed, "network", chunk))
            keys["key"] = torch.randint(-(1 << 63), (1 << 63) - 1, (count,), generator=generator)
        labels = {}
        if self.architecture.conditional:
            generator = torch.Generator().manual_seed(stream_seed(member.seed, "labels", chunk))
            drawn = torch.randint(self.data.modes, shape[:-1], generator=generator)
            labels = {f"labels.{player}": drawn[:, index] for index, player in enumerate(self.players)}
            labels["labels.real"] = self.labels[order]
        return {
            **keys,
            **self.examples.choose(order),
            **labels,
            **{f"latent.{player}": latent[:, index] for index, player in enumerate(self.players)},
            **self.noise(member, chunk, count, (size, *self.data.shape), dtype),
        }

    def _order(self, member: Member, start: int, count: int) -> np.ndarray:
        """Indices of the examples start ... start + count of a run's training, int64."""
        return epochs(member.seed, member.n_train, len(self.examples), start, count, self.subset_seed)

    def real(self, players: dict[str, Tensor], batch: Batch) -> Sample:
        return Sample(self.examples.read(batch), labels=batch.get("labels.real"), packing=self.packing_degree)

    def fake(self, player: str, players: Players, batch: Batch) -> Sample:
        labels = batch.get(f"labels.{player}")
        points = self.generate(players["generator"], batch[f"latent.{player}"], labels)
        return Sample(points, labels=labels, packing=self.packing_degree)

    @cached_property
    def shares_pass(self) -> bool:
        network = self.networks["discriminator"]
        if not network.pure or self.architecture.passed_to_generator:
            return False
        inputs = trial_inputs(self.architecture, "discriminator", self.data, EXAMPLES)
        return not mixes_examples(network, self.start(Member(0, None, 0.0))["discriminator"], *inputs)

    @cached_property
    def unvectorised(self) -> str | None:
        """Why members of a pack are computed one after the other, as a clause; None where they are not."""
        pair = [Member(seed, None, 0.0) for seed in (0, 1)]
        starts, buffers = [self.start(member) for member in pair], [self.start_buffers(member) for member in pair]
        like = self.examples
        for player, network in self.networks.items():
            theta = torch.stack([start[player] for start in starts]).to(like.device, like.dtype)
            kept = {
                name: torch.stack([each[f"{player}.{name}"] for each in buffers]).to(like.device)
                for name in network.buffers
            }
            kept = {name: value.to(like.dtype) if value.is_floating_point() else value for name, value in kept.items()}
            inputs = trial_inputs(self.architecture, player, self.data, EXAMPLES)
            inputs = [torch.stack([x, x]).to(like.device) for x in inputs]
            inputs[0] = inputs[0].to(like.dtype)
            key = None if network.pure else torch.arange(2, device=like.device)
            if why := network.unvectorised(theta, kept, key, *inputs):
                return f"PyTorch computes its {player} for one run at a time only ({why})"
        return None

    def replaced(self, **attributes: Any) -> Self:
        _ = self.shares_pass  # found once, and not by each copy
        return super().replaced(**attributes)

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        if "key" not in batch:
            return super().loss(player, players, batch)
        passes = _Passes(batch, self.networks)
        loss, aux = super(GAN, self.replaced(_passes=passes)).loss(player, players, batch)
        return loss, aux | passes.buffers

    def pass_to_generator(self, kind: str, outputs: Outputs) -> None:
        if kind == self.architecture.passed_from:
            for name in self.architecture.passed_to_generator:
                self._passes.buffers[f"generator.{name}"] = outputs.others[name].detach()

    def weights(self, player: str, theta: Tensor) -> Weights:
        return Weights(theta, self.networks[player].shapes)

    def discriminate(self, theta: Tensor, points: Tensor, labels: Tensor | None = None) -> Any:
        return self._apply("discriminator", theta, points, labels)

    def generate(self, theta: Tensor, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        return self._apply("generator", theta, latent, labels)

    def _apply(self, player: str, theta: Tensor, x: Tensor, labels: Tensor | None) -> Any:
        network, inputs = self.networks[player], (x,)
        if player in self.architecture.conditional:
            if labels is None:
                raise GanbenchError(f"the {player} is conditional: whoever calls it must hand on the sample's labels.")
            inputs = (x, labels)
        if network.pure:
            return network(theta, *inputs)
        if self._passes is None:
            raise GanbenchError(
                f"the {player} has buffers or draws random numbers, which a loss brings along; outside of one, call "
                "networks[player].apply with buffers and keys."
            )
        return self._passes.apply(player, theta, *inputs)


class _Passes:
    """The forward passes of one loss, each with buffers that the one before left, and random numbers of its own.

    Args:
        batch: the batch of the loss, with its key and the buffers before the first pass.
        networks: the networks, by player.

    Attributes:
        buffers: the buffers after the last pass.
    """

    def __init__(self, batch: Batch, networks: dict[str, Network]) -> None:
        self._networks, self._key, self._done = networks, batch["key"], 0
        names = [f"{player}.{name}" for player, network in networks.items() for name in network.buffers]
        self.buffers = {name: batch[name] for name in names}

    def apply(self, player: str, theta: Tensor, *inputs: Tensor) -> Any:
        """The outputs of a player's network, as `Network.apply` returns them."""
        network, key = self._networks[player], subkey(self._key, self._done)
        self._done += 1
        outputs, after = network.apply(theta, under(player, self.buffers), key, *inputs)
        self.buffers |= prefixed(player, after)
        return outputs
