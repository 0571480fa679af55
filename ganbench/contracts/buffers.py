"""The contract of what the networks of an architecture keep: buffers that passes fill, and constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganbench.architectures import PASSED_FROM
from ganbench.contracts.repeatability import identical
from ganbench.core.formatting import join_words
from ganbench.nn.network import Network
from ganbench.nn.random_numbers import RandomNumbers
from ganbench.nn.sample import named_outputs
from ganbench.nn.slots import copied_buffers


def passing_fault(
    architecture: Any, player: str, module: nn.Module, inputs: tuple[Tensor, ...], generator: nn.Module
) -> str | None:
    """The reason why the discriminator cannot pass on what the architecture says, as a clause; None if it can.

    Args:
        architecture: the architecture.
        player: the player whose network is looked at.
        module: its network.
        inputs: a batch of the network's inputs.
        generator: the generator, whose buffers are to be filled.
    """
    if architecture.passed_from not in PASSED_FROM:
        choices = join_words([repr(each) for each in PASSED_FROM])
        return f"has a `passed_from` of {architecture.passed_from!r}; valid: {choices}"
    buffers, is_generator = dict(generator.named_buffers()), player == "generator"
    if architecture.passed_from == "start" and not is_generator:
        return None
    known = buffers if is_generator else named_outputs(call(module, inputs))
    for name in architecture.passed_to_generator:
        if name not in known:
            there = join_words(list(known)) or "none"
            return f"has no {'buffer' if is_generator else 'output'} {name!r}, which it is to pass on; it has {there}"
        if not is_generator and _kind(known[name]) != _kind(buffers[name]):
            given, wanted = ("{} of {}".format(*_kind(each)) for each in (known[name], buffers[name]))
            return (
                f"has an output {name!r} with {given} for each example, but the generator's buffer of this name, which "
                f"it is to fill, has {wanted}"
            )
    return None


def _kind(values: Tensor) -> tuple[tuple[int, ...], torch.dtype]:
    """The shape of one example's values, and their type."""
    return tuple(values.shape[1:]), values.dtype


def constants_fault(
    build: Callable[[int], nn.Module], inputs: tuple[Tensor, ...], passed: tuple[str, ...]
) -> str | None:
    """The reason why a network's constant buffers are not those of every run, as a clause; None if they are.

    Args:
        build: function that makes the network of the run with a seed.
        inputs: a batch of its inputs.
        passed: names of buffers that are filled from outside.
    """
    first, other = build(0), build(1)
    changing = Network(first, inputs, passed).buffers
    given = dict(other.named_buffers())
    for name, value in first.named_buffers():
        if name not in changing and not identical(value, given.get(name)):
            return (
                f"draws its buffer {name!r} at random, but no pass changes it, so that every run would have that of "
                "seed 0; a generator may name it in passed_to_generator, with passed_from = 'start'"
            )
    return None


def call(module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    """The module's output, with random numbers of a key and with buffers that are as before afterwards.

    Args:
        module: a network.
        inputs: a batch of its inputs.
    """
    with copied_buffers(module), RandomNumbers(torch.zeros((), dtype=torch.int64)):
        return module(*inputs)
