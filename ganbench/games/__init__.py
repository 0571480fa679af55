"""Games, one file each: two players' parameters and losses, for all members of a pack at once.

A `Game` has no members; dynamics and diagnostics work with a `Match`, a game with the members of a pack.

The parameters of a player are one vector per member, (K, P), be they two numbers or a convolutional network. Losses of
different members never mix, so the gradient of their sum is every member's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ganbench.core.dotted_names import prefixed, under
from ganbench.core.errors import GanbenchError
from ganbench.core.member import Member
from ganbench.core.random_streams import stream_seed
from ganbench.core.supplied import Supplied
from ganbench.games._discriminator import Discriminator
from ganbench.games._draws import CHUNK
from ganbench.games._epochs import subset
from ganbench.games._examples import TrainingExamples
from ganbench.games._match import Match, mean_of_parts
from ganbench.games._starts import drawn_or_given
from ganbench.games._types import Aux, Batch, Buffers, LearningRates, Players
from ganbench.nn.sample import Outputs, Sample
from ganbench.nn.weights import Weights
from ganbench.objectives import Objective
from ganbench.regularizers import Regularizer

__all__ = [
    "CHUNK",
    "Adversarial",
    "Aux",
    "Batch",
    "Buffers",
    "Game",
    "LearningRates",
    "Match",
    "Member",
    "Players",
    "TrainingExamples",
    "drawn_or_given",
    "mean_of_parts",
    "subset",
]


class Game(ABC):
    """A game derives from Game: start() and sample() are functions of the run's seed, and loss() of parameters (K, P)
    and a batch returns one finite number for each of K members, with a gradient in the player's parameters.

    A subclass is a frozen dataclass whose fields are its options. It derives from this class, or from `Adversarial` if
    one player is a discriminator and the other a generator.

    Attributes:
        players: the players' names; the discriminator, or the ascending player, is the first.
        families: families of the components that the game is made of; a literal, since it is read from the source.
        series: names of the auxiliary quantities that the losses return.
    """

    players: ClassVar[tuple[str, str]]
    families: ClassVar[tuple[str, ...]] = ()
    series: ClassVar[tuple[str, ...]] = ()
    accumulation_steps = 1
    """Number of batches whose losses make one gradient: gradient accumulation."""
    uses_step = False
    """Whether batches shall have the index of the training step from 0 as `noise.step`, (K,)."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, tuple[str, ...]]:
        """The names of each player's P parameters, in their order, by player in the order of `players`."""

    @property
    def sizes(self) -> dict[str, int]:
        """The number P of each player's parameters. Networks have millions, whose names are made only to be shown."""
        return {player: len(names) for player, names in self.parameters.items()}

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

    def draw(self, member: Member, chunk: int, count: int, dtype: torch.dtype) -> Batch:
        """The random numbers of a run for a chunk of steps; see `Draws` for its length.

        A function of its arguments alone, so that any chunk can be drawn at any time, and in another thread. Drawn on
        the CPU, so that a run has the same random numbers on every device.

        Args:
            member: the run.
            chunk: index of the chunk, from 0.
            count: number of batches in the chunk.
            dtype: precision of the numbers.

        Returns:
            Tensors (count, ...) by name.
        """
        return {}

    @cached_property
    def numbers_per_batch(self) -> int:
        """Number of random numbers of one run in a batch, with room for its examples: the same for every run and on
        every device, since the random streams depend on it; see `Draws`."""
        drawn = self.draw(Member(0, None, 0.0), 0, 1, torch.float32)
        return sum(values.numel() for values in drawn.values())

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

    def phase(self, step: int) -> tuple[Any, ...]:
        """What distinguishes the losses of a training step from those of other steps, beside their batch: steps of
        equal phases are computed alike. Most games have one phase only."""
        return ()

    def in_phase(self, phase: tuple[Any, ...]) -> Game:
        """The game as it is played in the training steps of a phase."""
        return self

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
        regularizer: one of `ganbench.regularizers`. What it keeps from one loss to the next is among the game's
            buffers, as `regularizer.<name>`.

    Raises:
        GanbenchError: the game lacks what the regularizer needs.
    """

    players: ClassVar[tuple[str, str]] = ("discriminator", "generator")

    objective: Supplied[Objective]
    regularizer: Supplied[Regularizer]

    def __post_init__(self) -> None:
        if why := self.regularizer.unsupported(self):
            raise GanbenchError(f"regularizer {type(self.regularizer).__name__}: {why}.")

    @property
    def series(self) -> tuple[str, ...]:
        return ("real_output", "fake_output", *self.regularizer.series)

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return (1,)

    @property
    def uses_step(self) -> bool:
        return self.regularizer.uses_step

    @property
    def has_buffers(self) -> bool:
        return bool(self.regularizer.start())

    def start_buffers(self, member: Member) -> Buffers:
        return prefixed("regularizer", self.regularizer.start())

    def phase(self, step: int) -> tuple[Any, ...]:
        return self.regularizer.phase(step)

    def in_phase(self, phase: tuple[Any, ...]) -> Adversarial:
        regularizer = self.regularizer.in_phase(phase)
        if regularizer is self.regularizer:
            return self
        return self.replaced(regularizer=regularizer)

    def replaced(self, **attributes: Any) -> Self:
        """A copy with other attributes. It has what this game found out about its networks, and is not checked."""
        game = copy(self)
        game.__dict__.update(attributes)
        return game

    def weights(self, player: str, theta: Tensor) -> Weights:
        """A player's parameters by name.

        Args:
            player: the player.
            theta: its parameters, (K, P).
        """
        return Weights(theta, dict.fromkeys(self.parameters[player], ()))

    @abstractmethod
    def discriminate(self, theta: Tensor, points: Tensor) -> Any:
        """The discriminators' logits.

        Args:
            theta: the discriminators' parameters, (K, P).
            points: examples, (K, batch, *example); after them the `labels` of samples that have any.

        Returns:
            Logits, (K, batch / packing_degree), or several outputs, see `named_outputs`.
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

    @property
    def shares_pass(self) -> bool:
        """Whether real and generated examples share a pass of the discriminator: if what it gives for an example
        depends on no other, as it does with batch normalisation, and no generator waits for any of it."""
        return False

    @property
    def packing_degree(self) -> int:
        """Number of examples that the discriminator judges together: they have one logit."""
        return 1

    def pass_to_generator(self, kind: str, outputs: Outputs) -> None:
        """Hand what the discriminator gives for examples to the generator, if that takes any of it.

        Args:
            kind: "real" or "fake".
            outputs: the discriminator's outputs on a loss's examples of this kind. Those on real ones are handed over
                before any example is generated.
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
        noise = prefixed("noise", drawn)
        if self.objective.label_flip_probability:
            generator = torch.Generator().manual_seed(stream_seed(member.seed, "flip", chunk))
            drawn = torch.rand((2, count, shape[0] // self.packing_degree), generator=generator, dtype=dtype)
            noise |= {"flip.real": drawn[0], "flip.fake": drawn[1]}
        return noise

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        objective, of_generator = self.objective, player == "generator"
        state = under("regularizer", batch)
        noise = under("noise", batch) | state
        flips = {} if of_generator else under("flip", batch)
        flipped = {kind: drawn < objective.label_flip_probability for kind, drawn in flips.items()}
        discriminator = Discriminator(self, players["discriminator"], noise, flipped)
        real, fake = self._outputs(discriminator, player, players, batch)
        if of_generator:
            loss, aux = objective.generator_loss(real, fake), {}
        else:
            loss = objective.discriminator_loss(real, fake)
            penalty = self.regularizer.penalty(discriminator, real.sample, fake.sample, noise)
            loss = loss if penalty is None else loss + penalty
            with torch.no_grad():
                aux = {
                    "real_output": real.mean(objective.output(real.logits)),
                    "fake_output": fake.mean(objective.output(fake.logits)),
                }
                state = self.regularizer.update(noise, real, fake)
                aux |= self.regularizer.recorded(state)
        penalty = self.regularizer.weight_penalty(player, self.weights(player, players[player]))
        loss = loss if penalty is None else loss + penalty
        return loss, aux | prefixed("regularizer", state)

    def _outputs(
        self, discriminator: Discriminator, player: str, players: Players, batch: Batch
    ) -> tuple[Outputs | None, Outputs]:
        """The discriminator's outputs on the real examples of a loss, None where it takes none, and on the generated
        ones: every pass that the loss makes for its objective, in order."""
        if player == "generator" and not self.objective.generator_sees_real:
            real, (fake,) = None, discriminator.outputs(fake=self.fake(player, players, batch))
        elif self.shares_pass:
            real, fake = discriminator.outputs(real=self.real(players, batch), fake=self.fake(player, players, batch))
        else:
            # Real examples first, as in PyTorch's loops: every pass may change buffers.
            (real,) = discriminator.outputs(real=self.real(players, batch))
            self.pass_to_generator("real", real)
            (fake,) = discriminator.outputs(fake=self.fake(player, players, batch))
        self.pass_to_generator("fake", fake)
        return real, fake

    def project(self, player: str, theta: Tensor) -> Tensor:
        weights = self.weights(player, theta)
        return weights.replaced(self.regularizer.project(player, weights)).vector
