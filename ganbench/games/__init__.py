"""Games, one file each: two players' parameters and losses, for all members of a pack at once.

A `Game` has no members; dynamics and diagnostics work with a `Match`, a game with the members of a pack.

The parameters of a player are one vector per member, (K, P), be they two numbers or a convolutional network. Losses of
different members never mix, so the gradient of their sum is every member's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.core.member import Member
from ganbench.core.random_streams import stream_seed
from ganbench.nn.sample import Outputs, Sample, named_outputs

Players = dict[str, Tensor]
"""The parameters of both players, {player: (K, P)}; P differs from player to player."""

LearningRates = dict[str, Tensor]
"""The learning rates of both players, {player: (K, 1)}."""

Batch = dict[str, Tensor]
"""All random numbers that a loss may use, {name: (K, ...)}: indices of examples, latent points, a regularizer's noise.
Empty for a game without random numbers."""

Aux = dict[str, Tensor]
"""Auxiliary quantities that are recorded beside a loss, {quantity: (K,)}: a discriminator's mean output, for
example."""

Buffers = dict[str, Tensor]
"""What a game's networks keep from one loss to the next beside the parameters, {name: (K, ...)}: running statistics of
a normalisation, for example. Empty for most games."""

Component = Any  # marks a field of a game that is another component, not an option

CHUNK = 25  # steps whose random numbers are drawn together


class Game(ABC):
    """A game derives from Game: start() and sample() are functions of the run's seed, and loss() of parameters (K, P)
    and a batch returns one finite number for each of K members, with a gradient in the player's parameters.

    A subclass is a frozen dataclass whose fields are its options. It derives from this class, or from `Adversarial` if
    one player is a discriminator and the other a generator.

    Attributes:
        players: the players' names; the discriminator, or the ascending player, is the first.
        components: families that the game is made of; a literal, since it is read from the source.
        series: names of the auxiliary quantities that the losses return.
    """

    players: ClassVar[tuple[str, str]]
    components: ClassVar[tuple[str, ...]] = ()
    series: ClassVar[tuple[str, ...]] = ()
    accumulation_steps = 1
    """Number of batches whose losses make one gradient: gradient accumulation."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, tuple[str, ...]]:
        """The names of each player's P parameters, in their order, by player in the order of `players`."""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of all parameters: the first player's, then the second's."""
        return tuple(name for player in self.players for name in self.parameters[player])

    @abstractmethod
    def start(self, member: Member) -> dict[str, Tensor]:
        """The initial parameters of a run.

        Args:
            member: the run; the parameters depend on its seed alone.

        Returns:
            The parameters of each player, (P,), on the CPU.

        Raises:
            GanbenchError: a start that an option sets does not fit the game's parameters.
        """

    @property
    def has_buffers(self) -> bool:
        """Whether the game keeps anything from one loss to the next beside the parameters."""
        return False

    def start_buffers(self, member: Member) -> Buffers:
        """The initial buffers of a run: what its networks keep from one loss to the next beside the parameters.

        Args:
            member: the run; the buffers depend on its seed alone.

        Returns:
            Tensors by name, on the CPU. `loss` finds them in its batch, stacked, and returns new ones in its auxiliary
            quantities, under the same names.
        """
        return {}

    def sample(self, member: Member, chunk: int, count: int, dtype: torch.dtype) -> Batch:
        """The random numbers of a run for a chunk of steps.

        A function of its arguments alone, so that any chunk can be drawn at any time. Drawn on the CPU, so that a run
        has the same random numbers on every device.

        Args:
            member: the run.
            chunk: index of the chunk, from 0.
            count: number of batches in the chunk.
            dtype: precision of the numbers.

        Returns:
            Tensors (count, ...) by name.
        """
        return {}

    @abstractmethod
    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        """The loss of one player.

        Args:
            player: the player whose loss it is.
            players: both players' parameters, (K, P) each.
            batch: the random numbers, (K, ...) each.

        Returns:
            Every member's loss, (K,), and those quantities of `series` that this player's loss computes, (K,) each.
        """

    def project(self, player: str, theta: Tensor) -> Tensor:
        """The projection of a player's parameters onto the set they are confined to, applied after each of its steps.

        Args:
            player: the player.
            theta: its parameters, (K, P).

        Returns:
            Parameters, (K, P).
        """
        return theta


@dataclass(frozen=True, kw_only=True, eq=False)
class Adversarial(Game):
    """A game of a discriminator and a generator, with an objective and a regularizer.

    A subclass defines the outputs of both players; their losses follow from the objective. `sample` must return `real`
    examples (count, batch, *example) and the latent points `latent.discriminator` and `latent.generator` of each
    player's generated examples; `noise` adds the regularizer's and the objective's random numbers.

    Attributes:
        objective: one of `ganbench.objectives`.
        regularizer: one of `ganbench.regularizers`.
    """

    players: ClassVar[tuple[str, str]] = ("discriminator", "generator")
    series: ClassVar[tuple[str, ...]] = ("real_output", "fake_output")

    objective: Component
    regularizer: Component

    @abstractmethod
    def discriminate(self, theta: Tensor, points: Tensor) -> Any:
        """The discriminators' logits.

        Args:
            theta: the discriminators' parameters, (K, P).
            points: examples, (K, batch, *example); after them the `labels` of samples that have any.

        Returns:
            Logits, (K, batch), or several outputs, see `named_outputs`.
        """

    @abstractmethod
    def generate(self, theta: Tensor, latent: Tensor) -> Tensor:
        """The generators' examples.

        Args:
            theta: the generators' parameters, (K, P).
            latent: latent points, (K, batch, ...).

        Returns:
            Examples, (K, batch, *example).
        """

    def real(self, players: Players, batch: Batch) -> Sample:
        """The sample that represents the data.

        Args:
            players: both players' parameters, (K, P) each.
            batch: the random numbers, (K, ...) each.

        Returns:
            Examples (K, batch, *example), with weights if expectations are by quadrature.
        """
        return Sample(batch["real"])

    def fake(self, player: str, players: Players, batch: Batch) -> Sample:
        """The sample that represents the generator's distribution in a player's loss.

        Args:
            player: the player whose loss it is.
            players: both players' parameters, (K, P) each.
            batch: the random numbers, (K, ...) each.

        Returns:
            Examples (K, batch, *example), with weights if expectations are by quadrature.
        """
        return Sample(self.generate(players["generator"], batch[f"latent.{player}"]))

    def pass_to_generator(self, on_real: Outputs) -> None:
        """Hand what the discriminator gives for real examples to the generator, if that takes any of it.

        Args:
            on_real: the discriminator's outputs on the real examples of a loss, before any example is generated.
        """

    def noise(self, member: Member, chunk: int, count: int, shape: tuple[int, ...], dtype: torch.dtype) -> Batch:
        """The regularizer's and the objective's random numbers, which a subclass adds to those of its `sample`.

        Args:
            member, chunk, count, dtype: as of `sample`.
            shape: shape of a batch of examples, (batch, *example).

        Returns:
            Tensors (count, ...) by name.
        """
        generator = torch.Generator().manual_seed(stream_seed(member.seed, "regularizer", chunk))
        drawn = self.regularizer.draw(generator, count, shape, torch.empty(0, dtype=dtype))
        noise = {f"noise.{name}": values for name, values in drawn.items()}
        if self.objective.flip:
            generator = torch.Generator().manual_seed(stream_seed(member.seed, "flip", chunk))
            drawn = torch.rand((2, count, shape[0]), generator=generator, dtype=dtype)
            noise |= {"flip.real": drawn[0], "flip.fake": drawn[1]}
        return noise

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        theta, objective, of_generator = players["discriminator"], self.objective, player == "generator"
        noise = {name.removeprefix("noise."): values for name, values in batch.items() if name.startswith("noise.")}

        def discriminate(points: Tensor, labels: Tensor | None = None) -> Any:
            return self.discriminate(theta, points) if labels is None else self.discriminate(theta, points, labels)

        def discriminator(points: Tensor, labels: Tensor | None = None) -> Tensor:
            return named_outputs(discriminate(points, labels))["logits"]

        def outputs(sample: Sample, kind: str) -> Outputs:
            others = named_outputs(discriminate(self.regularizer.perturb(sample.points, kind, noise), sample.labels))
            flipped = batch[f"flip.{kind}"] < objective.flip if objective.flip and not of_generator else None
            return Outputs(others.pop("logits"), sample, others, flipped)

        # Real examples first, as in PyTorch's loops: every pass may change buffers.
        on_real = real = None
        if not of_generator or objective.generator_sees_real:
            real = self.real(players, batch)
            on_real = outputs(real, "real")
            self.pass_to_generator(on_real)
        fake = self.fake(player, players, batch)
        on_fake = outputs(fake, "fake")
        if of_generator:
            loss, aux = objective.generator_loss(on_real, on_fake), {}
        else:
            loss = objective.discriminator_loss(on_real, on_fake)
            penalty = self.regularizer.penalty(discriminator, real, fake, noise)
            loss = loss if penalty is None else loss + penalty
            with torch.no_grad():
                aux = {
                    "real_output": real.mean(objective.output(on_real.logits)),
                    "fake_output": fake.mean(objective.output(on_fake.logits)),
                }
        penalty = self.regularizer.weight_penalty(player, players[player])
        return (loss if penalty is None else loss + penalty), aux

    def project(self, player: str, theta: Tensor) -> Tensor:
        return self.regularizer.project(player, theta)


def drawn_or_given(given: tuple[float, ...], member: Member, parameters: dict[str, tuple[str, ...]]) -> Players:
    """The initial parameters of a game with few of them.

    Args:
        given: the values of all parameters; empty to draw them from a standard normal distribution.
        member: the run in whose random stream they are drawn.
        parameters: the names of each player's parameters.

    Returns:
        The parameters of each player, (P,), in double precision.

    Raises:
        GanbenchError: the start does not have one value for each parameter, or a value is not finite.
    """
    sizes = [len(names) for names in parameters.values()]
    if given:
        values = torch.tensor(given, dtype=torch.float64)
        if len(values) != sum(sizes) or not values.isfinite().all():
            names = ", ".join(name for names in parameters.values() for name in names)
            raise GanbenchError(f"a start must have {sum(sizes)} finite values ({names}), but is {tuple(given)}.")
    else:
        generator = torch.Generator().manual_seed(stream_seed(member.seed, "init"))
        values = torch.randn(sum(sizes), generator=generator, dtype=torch.float64)
    return dict(zip(parameters, values.split(sizes), strict=True))


def mean_of_parts(parts: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The means of what the parts of a batch gave: tuples of tensors and of tensors by name. One part is itself."""
    if len(parts) == 1:
        return parts[0]
    return tuple(
        {name: sum(each[name] for each in values) / len(values) for name in values[0]}
        if isinstance(values[0], dict)
        else sum(values) / len(values)
        for values in zip(*parts, strict=True)
    )


class Match:
    """A game with the members of a pack, on one device and in one precision.

    Args:
        game: the game.
        members: the K runs.
        device: the device of all tensors.
        dtype: the precision of parameters and random numbers.

    Attributes:
        keeps_buffers: whether a loss leaves its new buffers here, as in training; a diagnostic's does not.
    """

    def __init__(self, game: Game, members: Sequence[Member], device: torch.device, dtype: torch.dtype) -> None:
        self.game, self.members, self.device, self.dtype = game, tuple(members), device, dtype
        self.players = game.players
        self.keeps_buffers = False
        self._buffers: Buffers | None = None
        self._chunk: tuple[tuple[int, int], Batch] | None = None

    @property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        """The names of each player's parameters."""
        return self.game.parameters

    def init(self) -> Players:
        """Every member's initial parameters, {player: (K, P)}."""
        starts = [self.game.start(member) for member in self.members]
        return {
            player: torch.stack([start[player] for start in starts]).to(self.device, self.dtype)
            for player in self.players
        }

    def rates(self) -> LearningRates:
        """Every member's learning rates, {player: (K, 1)}."""
        rates = [member.learning_rates for member in self.members]
        columns = torch.tensor(rates, dtype=self.dtype, device=self.device).split(1, dim=1)
        return dict(zip(self.players, columns, strict=True))

    @property
    def buffers(self) -> Buffers:
        """The members' buffers, with which losses are computed, {name: (K, ...)}; the initial ones at first."""
        if self._buffers is None:
            self._buffers = self._start_buffers() if self.game.has_buffers else {}
        return self._buffers

    @buffers.setter
    def buffers(self, buffers: Buffers) -> None:
        self._buffers = buffers

    def _start_buffers(self) -> Buffers:
        starts = [self.game.start_buffers(member) for member in self.members]
        return {
            name: torch.stack([start[name] for start in starts]).to(
                self.device, self.dtype if value.is_floating_point() else value.dtype
            )
            for name, value in starts[0].items()
        }

    def draw(self, step: int, batches_per_step: int) -> list[Batch]:
        """The batches of a training step; they are drawn a chunk of steps at a time.

        Args:
            step: index of the step, from 0.
            batches_per_step: number of batches that the dynamics uses in a step.

        Returns:
            `batches_per_step` batches, whose tensors are (K, ...); (K, accumulation_steps, ...) if gradients are
            accumulated.
        """
        chunk, offset = divmod(step, CHUNK)
        if self._chunk is None or self._chunk[0] != (chunk, batches_per_step):
            self._chunk = ((chunk, batches_per_step), self._sample(chunk, CHUNK * batches_per_step))
        drawn = self._chunk[1]
        of_step = range(offset * batches_per_step, (offset + 1) * batches_per_step)
        return [{name: values[:, i] for name, values in drawn.items()} for i in of_step]

    def parts(self, batch: Batch) -> list[Batch]:
        """The parts of a batch whose gradients are accumulated; the batch itself where they are not."""
        count = self.game.accumulation_steps
        return [batch] if count == 1 else [{name: values[:, i] for name, values in batch.items()} for i in range(count)]

    def _sample(self, chunk: int, count: int) -> Batch:
        """The random numbers of a chunk, {name: (K, count, ...)}; those of a repeated member are drawn once."""
        parts = self.game.accumulation_steps
        # What a member draws depends on its seed and its examples, not on its learning rate.
        first = {(member.seed, member.n_train): member for member in self.members}
        row_of = {key: row for row, key in enumerate(first)}
        drawn = [self.game.sample(member, chunk, count * parts, self.dtype) for member in first.values()]
        stacked = {name: torch.stack([each[name] for each in drawn]).to(self.device) for name in drawn[0]}
        if parts > 1:
            stacked = {name: values.unflatten(1, (count, parts)) for name, values in stacked.items()}
        if len(first) == 1:
            return {name: values.expand(len(self.members), *values.shape[1:]) for name, values in stacked.items()}
        rows = [row_of[member.seed, member.n_train] for member in self.members]
        distinct = rows == list(range(len(rows)))
        return stacked if distinct else {name: values[rows] for name, values in stacked.items()}

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        """Every member's loss of one player, (K,), and its auxiliary quantities; see `Game.loss`. Means over the parts
        of the batch, if gradients are accumulated."""
        return mean_of_parts([self.part_loss(player, players, part) for part in self.parts(batch)])

    def part_loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        """The loss on one of the `parts` of a batch."""
        if not self.buffers:
            return self.game.loss(player, players, batch)
        loss, aux = self.game.loss(player, players, batch | self.buffers)
        changed = {name: aux.pop(name) for name in self.buffers}
        if self.keeps_buffers:
            self.buffers = changed
        return loss, aux

    def project(self, player: str, theta: Tensor) -> Tensor:
        """The projection of a player's parameters, (K, P); see `Game.project`."""
        return self.game.project(player, theta)

    def select(self, indices: Sequence[int]) -> Match:
        """The same game with the members at these indices; an index may be repeated."""
        selected = Match(self.game, [self.members[k] for k in indices], self.device, self.dtype)
        if self._buffers is not None:
            selected.buffers = {name: value[list(indices)] for name, value in self._buffers.items()}
        selected.keeps_buffers = self.keeps_buffers
        return selected
