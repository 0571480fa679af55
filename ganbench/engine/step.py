"""A training step, and how it is executed: in Python, or as the operations that one step was traced to.

A step is a function of tensors. It is executed eagerly twice: the first step is traced, and on the second one the trace
must give the same. From then on the trace is repeated as it is, compiled, or captured in a CUDA graph. Whatever cannot
be traced, or does otherwise than its trace, is executed eagerly to the end. A form that is settled already, by an
earlier attempt or before the pack shrank, is taken up at the first step.

A penalty that is computed every few steps makes steps of two kinds, each traced by itself. They share one form: the
kind that comes twice first settles it, and the others take it up if it gives what an eager step of theirs does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganbench.core.errors import out_of_memory
from ganbench.dynamics import Dynamics, Optimizer, States
from ganbench.engine import replays
from ganbench.engine.execution import COMPILED, EAGER, GRAPH, TRACED, Execution, decide
from ganbench.engine.tracing import Trace, Untraceable, trace
from ganbench.games import Batch, Buffers, LearningRates, Match, Players

LOGGER = logging.getLogger("ganbench")
RTOL = 1e-2  # relative difference beyond which a replayed step counts as wrong


class Variables(NamedTuple):
    """All that changes from one step to the next, (K, ...) each."""

    players: Players
    states: States
    average: Players
    buffers: Buffers

    def map(self, change: Callable[[Tensor], Tensor]) -> Variables:
        """These variables with every tensor changed."""
        return Variables(*_built(self, map(change, _leaves(self, self))))


Result = tuple[Variables, Tensor]
"""The variables after a step, and what was recorded in it, (K, series)."""


@dataclass(frozen=True)
class Step:
    """One training step of every member, as a function of its arguments.

    Args:
        match: the game with its members.
        dynamics, optimizer: the method.
        ema_decay: decay of the moving average of the parameters; None for none.
        series: names of what is recorded.
    """

    match: Match
    dynamics: Dynamics
    optimizer: Optimizer
    ema_decay: float | None
    series: Sequence[str]

    def __call__(self, variables: Variables, batches: list[Batch], rates: LearningRates) -> Result:
        players, states, average, self.match.buffers = variables
        result = self.dynamics.step(self.match, players, states, batches, self.optimizer, rates)
        norms = {f"{player}_parameter_norm": theta.norm(dim=1) for player, theta in result.players.items()}
        row = torch.stack([(result.aux | norms)[name] for name in self.series], dim=1)
        # A new average, and not the old one in place: a step that runs out of memory is done again.
        moved = {name: torch.lerp(result.players[name], mean, self.ema_decay) for name, mean in average.items()}
        # In one layout, whatever computed them: operations depend on it, and a checkpoint forgets it.
        return Variables(result.players, result.states, moved, self.match.buffers).map(Tensor.contiguous), row


class Executor:
    """Executes the steps of a pack.

    Args:
        step: the step.
        execution: how it is executed; settled by the first calls unless it is already.
        steps: number of training steps.
        extends: whether the runs may go on to more steps.
        known: whether an earlier attempt, or the pack before it shrank, settled the form, which is not compared again.
    """

    def __init__(self, step: Step, execution: Execution, steps: int, *, extends: bool, known: bool = False) -> None:
        self._step, self.execution, self._compared = step, execution, known
        self._steps, self._extends = steps, extends
        self._device = step.match.device
        self._trace: Trace | None = None
        self._like: Any = None  # the structure of the traced step's variables, batches and rates
        self._replay: replays.Replay | None = None
        self._form = ""  # of the replay

    def __call__(self, variables: Variables, batches: list[Batch], rates: LearningRates) -> Result:
        given = (variables, batches, rates)
        if self._replay is not None:
            leaves = _leaves(given, self._like)
            if self._form == self.execution.form and self._replay.fits(leaves):
                return self._result(self._replay(leaves))
            self._replay = self._trace = None
        # Eagerly, which also makes whatever a component makes at its first call.
        result = self._step(*given)
        execution = self.execution
        if execution.settled and execution.form == EAGER:
            return result
        settled, again = execution.settled, self._trace is not None
        if not again:
            self._trace_step(given)
        elif not settled:
            self._settle(_leaves(given, self._like), result)
        if not settled or self._trace is None:
            return result
        leaves = _leaves(given, self._like)
        if again and not self._repeats(leaves, result):
            return result
        self._take_up_compared(execution.form, leaves, result)
        return self._result(self._replay(leaves))

    def _trace_step(self, given: tuple[Variables, list[Batch], LearningRates]) -> None:
        """Trace the step; if that is impossible, it stays eager."""

        def flat(leaves: Sequence[Tensor]) -> list[Tensor]:
            variables, row = self._step(*_built(given, iter(leaves)))
            for before, after in zip(_leaves(given[0], given[0]), _leaves(variables, given[0]), strict=True):
                if before.shape != after.shape or before.dtype != after.dtype:
                    raise Untraceable("its state changes from step to step in shape or type")
            return [*_leaves(variables, given[0]), row]

        try:
            self._like, self._trace = _built(given, repeat(None)), trace(flat, _leaves(given, given))
        except Untraceable as error:
            self._fall_back(EAGER, f"a step cannot be traced: {error}")

    def _settle(self, leaves: list[Tensor], expected: Result) -> None:
        """Compare the trace with an eager step, and decide."""
        if not self._repeats(leaves, expected):
            return
        form, why = decide(self.execution.mode, self._trace, self._steps, self._device, extends=self._extends)
        self.execution.settle(form, why)
        self._take_up_compared(form, leaves, expected)

    def _take_up_compared(self, form: str, leaves: list[Tensor], expected: Result) -> None:
        """Take up a form; the trace as it is if the form gives something else than an eager step."""
        self._take_up(form, leaves)
        checked = self._compared or self.execution.form == TRACED  # the trace itself is compared by `_repeats`
        if not checked and not _equal(self._replay(leaves), self._flat(expected), RTOL):
            self._fall_back(TRACED, f"a step {form} gives something else")
            self._take_up(TRACED, leaves)
        self._compared = True

    def _flat(self, result: Result) -> list[Tensor]:
        return [*_leaves(result[0], self._like[0]), result[1]]  # in the order of the trace's outputs

    def _repeats(self, leaves: list[Tensor], expected: Result) -> bool:
        """Whether the trace gives what an eager step does; if it does not, steps stay eager."""
        rtol = 0.0 if self._device.type == "cpu" else RTOL
        try:
            same = _equal(replays.Replay(self._trace)(leaves), self._flat(expected), rtol)
            why = None if same else "its trace gives something else in the next step"
        except Exception as error:
            if out_of_memory(error):
                raise
            why = f"its trace fails in the next step, {_line(error)}"
        if why:
            self._fall_back(EAGER, f"a step cannot be traced: {why}")
        return why is None

    def _take_up(self, form: str, leaves: list[Tensor]) -> None:
        self._replay = self._prepared(form, leaves)
        self._form = self.execution.form

    def _prepared(self, form: str, leaves: list[Tensor]) -> replays.Replay:
        """The trace, ready to be executed in a form, or as it is where the machine lacks the form."""
        if form in (COMPILED, GRAPH):
            try:
                return (replays.Compiled if form == COMPILED else replays.Captured)(self._trace, leaves)
            except Exception as error:  # of compilers and drivers, in whatever class
                if out_of_memory(error):
                    raise
                self._fall_back(TRACED, f"a step cannot be {PARTICIPLES[form]}: {_line(error)}")
        return replays.Replay(self._trace)

    def _fall_back(self, form: str, why: str) -> None:
        self.execution.settle(form, why)
        if form == EAGER:
            self._trace = None
        LOGGER.warning("steps are executed %s: %s", form, why)

    def _result(self, outputs: Sequence[Tensor]) -> Result:
        leaves = iter(outputs)
        return Variables(*_built(self._like[0], leaves)), next(leaves)


PARTICIPLES = {COMPILED: "compiled", GRAPH: "captured in a CUDA graph"}


def _leaves(tree: Any, like: Any) -> list[Tensor]:
    """The tensors of a tree, in the order of another tree of its structure.

    Raises:
        Untraceable: the structures differ.
    """
    if isinstance(like, dict):
        if tree.keys() != like.keys():
            raise Untraceable(f"its state changes from step to step from {[*like]} to {[*tree]}")
        return [leaf for name, each in like.items() for leaf in _leaves(tree[name], each)]
    if isinstance(like, list | tuple):
        return [leaf for each, of in zip(tree, like, strict=True) for leaf in _leaves(each, of)]
    return [tree]


def _built(like: Any, leaves: Iterator[Any]) -> Any:
    """A tree of the structure of another, of these tensors."""
    if isinstance(like, dict):
        return {name: _built(each, leaves) for name, each in like.items()}
    if isinstance(like, Variables):
        return Variables(*(_built(each, leaves) for each in like))
    if isinstance(like, list | tuple):
        return [_built(each, leaves) for each in like]
    return next(leaves)


def _line(error: BaseException) -> str:
    """The first line of an error's message."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _equal(found: Sequence[Tensor], expected: Sequence[Tensor], rtol: float) -> bool:
    """Whether tensors are equal; NaN equals NaN.

    Args:
        found, expected: the tensors.
        rtol: the largest norm of a difference, as a share of the norm of what is expected; 0 for equal numbers.
    """
    for one, other in zip(found, expected, strict=True):
        finite = one.isfinite() & other.isfinite() if rtol else torch.zeros_like(one, dtype=torch.bool)
        if not torch.allclose(one[~finite], other[~finite], rtol=0, atol=0, equal_nan=True):
            return False
        a, b = one[finite].double(), other[finite].double()
        if (a - b).norm() > rtol * b.norm():
            return False
    return True
