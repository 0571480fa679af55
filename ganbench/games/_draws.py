"""The random numbers of a match's steps: drawn on the CPU some steps at a time and, for a GPU, ahead of their use."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from ganbench.core.member import Member
from ganbench.core.recorder import CHUNK
from ganbench.games._types import Batch

MAX_NUMBERS = 1 << 23  # of one member that are drawn together, unless one step takes more


def drawn_ahead(device: torch.device) -> bool:
    """Whether a thread draws the next steps' numbers while these steps are computed: where it takes no core from other
    jobs, since a job on a GPU leaves its own idle."""
    return device.type == "cuda"


class Draws:
    """The batches of every step of a match.

    They depend on the game, a member's seed and its examples alone, and not on the device, on the other members, or on
    which steps were drawn before.

    Args:
        game: the `Game`.
        members: the K runs.
        device: the device of the batches.
        dtype: the precision of the numbers.
    """

    def __init__(self, game: Any, members: Sequence[Member], device: torch.device, dtype: torch.dtype) -> None:
        self._game, self._device, self._dtype = game, device, dtype
        # What a member draws depends on its seed and its examples, not on its learning rate.
        first = {(member.seed, member.n_train): member for member in members}
        row_of = {key: row for row, key in enumerate(first)}
        self._drawing, self._count = tuple(first.values()), len(members)
        rows = [row_of[member.seed, member.n_train] for member in members]
        self._row_of = torch.tensor(rows, device=device) if 1 < len(first) < len(members) else None
        self._at: tuple[int, int] | None = None  # of `_drawn`: which part of all steps, and batches of a step
        self._drawn: Batch = {}
        self._last = -2  # step that was asked for
        self._next: tuple[tuple[int, int], Future[Batch]] | None = None

    def steps_together(self, batches_per_step: int) -> int:
        """Number of steps whose random numbers are drawn together: as many as a bounded memory holds."""
        numbers = self._game.numbers_per_batch * self._game.accumulation_steps * batches_per_step
        return next((steps for steps in (CHUNK, 5) if steps * numbers <= MAX_NUMBERS), 1)

    def of_step(self, step: int, batches_per_step: int) -> list[Batch]:
        """The batches of a step; arguments and result as of `Match.draw`."""
        part, offset = divmod(step, self.steps_together(batches_per_step))
        if self._at != (part, batches_per_step):
            self._at, self._drawn = None, {}  # before the next ones need their memory
            drawn = self._taken(part, batches_per_step)
            self._drawn = {name: self._placed(values) for name, values in drawn.items()}
            self._at = part, batches_per_step
        # Training asks for one step after the other, and so for the next part; diagnostics ask for single steps.
        if step == self._last + 1 and self._next is None and drawn_ahead(self._device):
            self._begin(part + 1, batches_per_step)
        self._last = step
        first = offset * batches_per_step
        return [
            {name: self._of_members(values[:, i]) for name, values in self._drawn.items()} | self._time(step)
            for i in range(first, first + batches_per_step)
        ]

    def _time(self, step: int) -> Batch:
        """The index of a step, if the game has a use for it: a tensor, since Python's numbers are constants of a traced
        step."""
        if not self._game.uses_step:
            return {}
        parts = self._game.accumulation_steps
        shape = (self._count,) if parts == 1 else (self._count, parts)
        return {"noise.step": torch.full(shape, step, dtype=self._dtype, device=self._device)}

    def _begin(self, part: int, batches_per_step: int) -> None:
        """Draw a part in a thread of its own, which ends with it whatever becomes of this process's training."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="random-numbers")
        self._next = (part, batches_per_step), thread.submit(self._draw, part, batches_per_step)
        thread.shutdown(wait=False)

    def _taken(self, part: int, batches_per_step: int) -> Batch:
        """The numbers of a part, on the CPU: drawn ahead or now."""
        ahead, self._next = self._next, None
        if ahead is not None:
            key, future = ahead
            if key == (part, batches_per_step):
                return future.result()
            future.cancel()
        return self._draw(part, batches_per_step)

    def _draw(self, part: int, batches_per_step: int) -> Batch:
        """The numbers of the members that differ in them, {name: (rows, batches, ...)}."""
        accumulated = self._game.accumulation_steps
        count = self.steps_together(batches_per_step) * batches_per_step * accumulated
        stacked: Batch = {}
        pinned = self._device.type == "cuda"
        for row, member in enumerate(self._drawing):  # one by one, so that nothing is held twice
            for name, values in self._game.draw(member, part, count, self._dtype).items():
                if row == 0:
                    # Each thread has a GPU of its own that is current, the first one unless told otherwise.
                    with torch.cuda.device(self._device) if pinned else nullcontext():
                        shape = (len(self._drawing), *values.shape)
                        stacked[name] = torch.empty(shape, dtype=values.dtype, pin_memory=pinned)
                stacked[name][row] = values
        if accumulated > 1:
            stacked = {name: values.unflatten(1, (-1, accumulated)) for name, values in stacked.items()}
        return stacked

    def _placed(self, values: Tensor) -> Tensor:
        return values.to(self._device, non_blocking=True)

    def _of_members(self, values: Tensor) -> Tensor:
        """The numbers of all members, (K, ...), from those of the members that differ in them."""
        if len(self._drawing) == 1:
            return values.expand(self._count, *values.shape[1:])
        return values if self._row_of is None else values.index_select(0, self._row_of)
