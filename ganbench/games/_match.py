"""A game with the members of a pack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganbench.core.member import Member
from ganbench.games._draws import Draws
from ganbench.games._types import Aux, Batch, Buffers, LearningRates, Players


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
        game: the `Game`.
        members: the K runs.
        device: the device of all tensors.
        dtype: the precision of parameters and random numbers.

    Attributes:
        keeps_buffers: whether a loss leaves its new buffers here, as in training; a diagnostic's does not.
    """

    def __init__(self, game: Any, members: Sequence[Member], device: torch.device, dtype: torch.dtype) -> None:
        self.game, self.members, self.device, self.dtype = game, tuple(members), device, dtype
        self.players = game.players
        self.keeps_buffers = False
        self._buffers: Buffers | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """The number of each player's parameters, P."""
        return self.game.sizes

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

    @cached_property
    def _source(self) -> Draws:
        return Draws(self.game, self.members, self.device, self.dtype)

    def draw(self, step: int, batches_per_step: int) -> list[Batch]:
        """The batches of a training step; see `Draws`.

        Args:
            step: index of the step, from 0.
            batches_per_step: number of batches that the dynamics uses in a step.

        Returns:
            `batches_per_step` batches, whose tensors are (K, ...); (K, accumulation_steps, ...) if gradients are
            accumulated.
        """
        return self._source.of_step(step, batches_per_step)

    def steps_together(self, batches_per_step: int) -> int:
        """Number of steps whose random numbers are drawn together."""
        return self._source.steps_together(batches_per_step)

    def parts(self, batch: Batch) -> list[Batch]:
        """The parts of a batch whose gradients are accumulated; the batch itself where they are not."""
        count = self.game.accumulation_steps
        return [batch] if count == 1 else [{name: values[:, i] for name, values in batch.items()} for i in range(count)]

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

    def in_phase(self, phase: tuple[Any, ...]) -> Match:
        """The same members in the game as it is played in the training steps of a phase; see `Game.in_phase`."""
        game = self.game.in_phase(phase)
        if game is self.game:
            return self
        match = copy(self)
        match.game = game
        return match

    @contextmanager
    def in_training(self, step: int) -> Iterator[Match]:
        """The match as it is played in a training step: in the step's phase, see `Game.phase`, and with buffers that
        move on.

        Args:
            step: index of the step, from 0.
        """
        match = copy(self.in_phase(self.game.phase(step)))
        match.buffers, match.keeps_buffers = self.buffers, True
        yield match
        self.buffers = match.buffers

    def repeated(self, count: int) -> Match:
        """The same game with every member so many times in a row."""
        members = [member for member in self.members for _ in range(count)]
        return self._with(members, lambda value: value.repeat_interleave(count, dim=0))

    def select(self, indices: Sequence[int]) -> Match:
        """The same game with the members at these indices; an index may be repeated."""
        return self._with([self.members[k] for k in indices], lambda value: value[list(indices)])

    def _with(self, members: Sequence[Member], buffers: Callable[[Tensor], Tensor]) -> Match:
        """The same game with other members, and each of the buffers as a function of these."""
        match = Match(self.game, members, self.device, self.dtype)
        if self._buffers is not None:
            match.buffers = {name: buffers(value) for name, value in self._buffers.items()}
        match.keeps_buffers = self.keeps_buffers
        return match
