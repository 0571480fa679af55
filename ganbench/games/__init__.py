"""Games, one file each: two players' parameters and losses, for all members of a pack at once.

A `Game` knows no members: `Match` is a game being played by some, and what dynamics and diagnostics work with.

Parameters of a player are one vector per member, (K, P), be they two numbers or a convolutional network. Losses of
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
from ganbench.core.random_streams import stream_seed
from ganbench.nn.sample import Sample

Players = dict[str, Tensor]  # {player: (K, P)}
Batch = dict[str, Tensor]  # the random numbers that one gradient may look at: {name: (K, ...)}
Aux = dict[str, Tensor]  # {quantity: (K,)}
Component = Any  # marks a field of a game that is another family's member, not an option

CHUNK = 25  # steps whose random numbers are drawn together


@dataclass(frozen=True)
class Member:
    """What sets a run of a pack apart from its neighbours. Games without data have no `n_train`."""

    seed: int
    n_train: int | None
    learning_rate: float


class Game(ABC):
    """Two players' parameters and losses. A member of the family is a frozen dataclass whose fields are its options; it
    derives from this class, or from `Adversarial` if one player is a discriminator and the other a generator."""

    players: ClassVar[tuple[str, str]]  # their names; the discriminator, or the ascending player, first
    components: ClassVar[
        tuple[str, ...]
    ] = ()  # families of parts that it is made of; read from the source, so a literal
    series: ClassVar[tuple[str, ...]] = ()  # what its losses see beside their value

    @property
    @abstractmethod
    def parameters(self) -> dict[str, tuple[str, ...]]:
        """The names of each player's parameters, in their order."""

    @abstractmethod
    def start(self, member: Member) -> dict[str, Tensor]:
        """A member's first parameters, (P,) of each player, on the CPU."""

    def sample(self, member: Member, chunk: int, count: int, dtype: torch.dtype) -> Batch:
        """A member's random numbers for the `count` batches of a chunk of steps: {name: (count, ...)}.

        A function of its arguments alone, so that any chunk can be drawn at any time. Drawn on the CPU, so that a run
        meets the same numbers on every device.
        """
        return {}

    @abstractmethod
    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        """Every member's loss of one player, (K,), and what is named in `series` if this player's loss sees it."""

    def project(self, player: str, theta: Tensor) -> Tensor:
        """Where a player's parameters (K, P) are put back to after each of its moves."""
        return theta


@dataclass(frozen=True, kw_only=True, eq=False)
class Adversarial(Game):
    """A discriminator of examples against a generator of them, on an objective and with a regularizer.

    A game says how the two compute; what they are paid is the same for all. `sample` must give `real` examples (count,
    batch, *example) and `latent.discriminator` and `latent.generator`, the latent points that each player's fake
    examples are made from; `noise` adds what the regularizer draws.
    """

    players: ClassVar[tuple[str, str]] = ("discriminator", "generator")
    series: ClassVar[tuple[str, ...]] = ("real_output", "fake_output")

    objective: Component
    regularizer: Component

    @abstractmethod
    def discriminate(self, theta: Tensor, points: Tensor) -> Tensor:
        """Logits (K, batch) of points (K, batch, *example), by discriminators (K, P)."""

    @abstractmethod
    def generate(self, theta: Tensor, latent: Tensor) -> Tensor:
        """Examples (K, batch, *example) from latent points (K, batch, ...), by generators (K, P)."""

    def real(self, players: Players, batch: Batch) -> Sample:
        """What stands for the data."""
        return Sample(batch["real"])

    def fake(self, player: str, players: Players, batch: Batch) -> Sample:
        """What stands for the generator in a player's loss."""
        return Sample(self.generate(players["generator"], batch[f"latent.{player}"]))

    def noise(self, member: Member, chunk: int, count: int, shape: tuple[int, ...], dtype: torch.dtype) -> Batch:
        """The regularizer's random numbers for batches of examples of this shape, to be added to `sample`."""
        generator = torch.Generator().manual_seed(stream_seed(member.seed, "regularizer", chunk))
        drawn = self.regularizer.draw(generator, count, shape, torch.empty(0, dtype=dtype))
        return {f"noise.{name}": values for name, values in drawn.items()}

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        theta = players["discriminator"]
        noise = {name.removeprefix("noise."): values for name, values in batch.items() if name.startswith("noise.")}

        def judge(points: Tensor) -> Tensor:
            return self.discriminate(theta, points)

        def logits(sample: Sample, kind: str) -> Tensor:
            return judge(self.regularizer.perturb(sample.points, kind, noise))

        fake = self.fake(player, players, batch)
        fake_logits = logits(fake, "fake")
        if player == "generator":
            loss, aux = fake.mean(self.objective.generator(fake_logits)), {}
        else:
            real = self.real(players, batch)
            real_logits = logits(real, "real")
            loss = real.mean(self.objective.real(real_logits)) + fake.mean(self.objective.fake(fake_logits))
            penalty = self.regularizer.penalty(judge, real, fake, noise)
            loss = loss if penalty is None else loss + penalty
            with torch.no_grad():
                aux = {
                    "real_output": real.mean(self.objective.output(real_logits)),
                    "fake_output": fake.mean(self.objective.output(fake_logits)),
                }
        penalty = self.regularizer.weight_penalty(player, players[player])
        return (loss if penalty is None else loss + penalty), aux

    def project(self, player: str, theta: Tensor) -> Tensor:
        return self.regularizer.project(player, theta)


def drawn_or_given(given: tuple[float, ...], member: Member, parameters: dict[str, tuple[str, ...]]) -> Players:
    """A start (P,) of each player: the one given, or drawn from a standard normal distribution in the run's stream.

    Raises:
        GanbenchError: the start given has another number of values than the game has parameters, or one is not finite.
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


class Match:
    """A game as the members of a pack play it, on one device and in one precision.

    Args:
        rules: of the game.
        members: who plays.
    """

    def __init__(self, game: Game, members: Sequence[Member], device: torch.device, dtype: torch.dtype) -> None:
        self.game, self.members, self.device, self.dtype = game, tuple(members), device, dtype
        self.players = game.players
        self._chunk: tuple[tuple[int, int], Batch] | None = None

    @property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        """The names of each player's parameters."""
        return self.game.parameters

    def init(self) -> Players:
        """Every member's first parameters, {player: (K, P)}."""
        starts = [self.game.start(member) for member in self.members]
        return {
            player: torch.stack([start[player] for start in starts]).to(self.device, self.dtype)
            for player in self.players
        }

    def draw(self, step: int, batches_per_step: int) -> list[Batch]:
        """The batches of a step, as many as the dynamics asks for. They are drawn a chunk of steps at a time."""
        chunk, offset = divmod(step, CHUNK)
        if self._chunk is None or self._chunk[0] != (chunk, batches_per_step):
            self._chunk = ((chunk, batches_per_step), self._sample(chunk, CHUNK * batches_per_step))
        drawn = self._chunk[1]
        here = range(offset * batches_per_step, (offset + 1) * batches_per_step)
        return [{name: values[:, i] for name, values in drawn.items()} for i in here]

    def _sample(self, chunk: int, count: int) -> Batch:
        """{name: (K, count, ...)}; a member that stands here more than once is drawn once."""
        # What a member draws depends on its seed and its examples, not on its learning rate.
        first = {(member.seed, member.n_train): member for member in self.members}
        places = {key: place for place, key in enumerate(first)}
        drawn = [self.game.sample(member, chunk, count, self.dtype) for member in first.values()]
        stacked = {name: torch.stack([each[name] for each in drawn]).to(self.device) for name in drawn[0]}
        if len(first) == 1:
            return {name: values.expand(len(self.members), *values.shape[1:]) for name, values in stacked.items()}
        here = [places[member.seed, member.n_train] for member in self.members]
        whole = here == list(range(len(here)))
        return stacked if whole else {name: values[here] for name, values in stacked.items()}

    def loss(self, player: str, players: Players, batch: Batch) -> tuple[Tensor, Aux]:
        """Every member's loss of one player, (K,), and what else was seen on the way."""
        return self.game.loss(player, players, batch)

    def project(self, player: str, theta: Tensor) -> Tensor:
        """Where a player's parameters are put back to after each of its moves."""
        return self.game.project(player, theta)

    def select(self, places: Sequence[int]) -> Match:
        """The same game among the members at these places; one may stand there more than once."""
        return Match(self.game, [self.members[k] for k in places], self.device, self.dtype)
