"""An ordinary `nn.Module` as a function of a parameter vector, for one member of a pack or for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.utils._pytree import tree_map

from ganbench.nn.random_numbers import RandomNumbers

Buffers = dict[str, Tensor]
"""What a module keeps from one forward pass to the next, {name: (K, ...)}: running statistics, for example."""


class Network:
    """f(theta, x) for a module: the parameters of member k are row k of theta.

    A player's parameters are one vector, because that is what dynamics and diagnostics of games are written in; the
    module's own tensors are views of it. The author of the module never sees the member axis.

    Args:
        module: the module. One without buffers that change, and without random numbers, needs no more.
        example: an input (or several) of one member, by which buffers that change and random numbers are found.
    """

    def __init__(self, module: nn.Module, example: Tensor | Sequence[Tensor] = ()) -> None:
        self._module = module
        parameters = list(module.parameters())
        self.shapes = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}  # in order
        self._shapes = list(self.shapes.values())
        self._sizes = [parameter.numel() for parameter in parameters]
        self.size = sum(self._sizes)
        # Where each parameter stands in the module's parts: `functional_call` looks it up at every call, which takes
        # a fifth of a small network's training step. One that several parts share stands in several places.
        order = {id(parameter): index for index, parameter in enumerate(parameters)}
        self._slots = [
            (part._parameters, name, order[id(parameter)])
            for part in module.modules()
            for name, parameter in part._parameters.items()
            if parameter is not None
        ]
        self._buffer_slots: dict[str, list[tuple[dict[str, Any], str]]] = {}
        self.random = self._intercepted = False
        if len(example):
            self._observe((example,) if isinstance(example, Tensor) else tuple(example))

    def _observe(self, example: tuple[Tensor, ...]) -> None:
        """Find the buffers that a forward pass changes, and whether it draws random numbers."""
        slots: dict[int, tuple[str, Tensor, list]] = {}
        for prefix, part in self._module.named_modules():
            for name, value in part._buffers.items():
                if value is not None:
                    full = f"{prefix}.{name}".removeprefix(".")
                    slots.setdefault(id(value), (full, value, []))[2].append((part._buffers, name))
        before = {full: (value.clone(), value._version) for full, value, _ in slots.values()}
        numbers = RandomNumbers(torch.zeros((), dtype=torch.int64))
        with torch.no_grad(), numbers:
            self._module.train()(*example)
        self.random, self._intercepted = numbers.drawn > 0, numbers.answered > 0
        for full, value, where in slots.values():
            (kept, version), (part, name) = before[full], where[0]
            # Batch normalisation changes its statistics without a new version; a converged power iteration changes none
            # of its values.
            if part[name] is not value or value._version != version or not torch.equal(value, kept):
                self._buffer_slots[full] = where
            for part, name in where:
                part[name] = value
            value.copy_(kept)

    @property
    def buffers(self) -> tuple[str, ...]:
        """Names of the buffers that a forward pass changes."""
        return tuple(self._buffer_slots)

    @property
    def pure(self) -> bool:
        """Whether the outputs are a function of parameters and inputs alone."""
        return not self._buffer_slots and not self.random

    @staticmethod
    def vector(module: nn.Module) -> Tensor:
        """A module's parameters, in their order, as one vector of shape (P,)."""
        return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])

    def start_buffers(self, module: nn.Module) -> Buffers:
        """The buffers of a module of the same kind that a forward pass changes, by name, without the axis of members."""
        every = dict(module.named_buffers(remove_duplicate=False))
        return {name: every[name].detach().clone() for name in self._buffer_slots}

    def to(self, device: torch.device, dtype: torch.dtype) -> Network:
        """Move the module's constant buffers; parameters, and buffers that change, come with every call."""
        self._module.to(device=device, dtype=dtype)
        return self

    def __call__(self, theta: Tensor, *inputs: Tensor) -> Any:
        """Apply member k's network to member k's inputs, in a module that is pure.

        Args:
            theta: parameters, (K, P).
            inputs: (K, batch, ...) each.

        Returns:
            The module's outputs, (K, batch, ...).
        """
        return self.apply(theta, {}, None, *inputs)[0]

    def apply(
        self, theta: Tensor, buffers: Buffers, key: Tensor | None, *inputs: Tensor, training: bool = True
    ) -> tuple[Any, Buffers]:
        """Apply member k's network, with its buffers and random numbers, to member k's inputs.

        Args:
            theta: parameters, (K, P).
            buffers: the buffers that a forward pass changes, {name: (K, ...)}.
            key: the keys of the members' random numbers, (K,) of int64; None in evaluation, where none are drawn.
            inputs: (K, batch, ...) each.
            training: whether the module is in training mode.

        Returns:
            The module's outputs, (K, batch, ...), and its buffers after the forward pass.
        """
        if self._module.training != training:
            self._module.train(training)
        members = theta.shape[0]
        if members == 1:  # vmap over one member costs its overhead and gains nothing
            pieces = theta[0].split(self._sizes)
            views = [piece.view(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]
            alone = {name: value[0] for name, value in buffers.items()}
            outputs = self._forward(views, alone, None if key is None else key[0], *(x[0] for x in inputs))
            return tree_map(lambda value: value.unsqueeze(0), outputs)
        pieces = theta.split(self._sizes, dim=1)
        views = [piece.view(members, *shape) for piece, shape in zip(pieces, self._shapes, strict=True)]
        in_dims = (0, 0, None if key is None else 0, *(0 for _ in inputs))
        return vmap(self._forward, in_dims=in_dims)(views, buffers, key, *inputs)

    def _forward(
        self, parameters: list[Tensor], buffers: Buffers, key: Tensor | None, *inputs: Tensor
    ) -> tuple[Any, Buffers]:
        """The module's outputs and new buffers, with these tensors in place of its own, which are put back."""
        own = [part[name] for part, name, _ in self._slots]
        for part, name, index in self._slots:
            part[name] = parameters[index]
        kept = {name: slots[0][0][slots[0][1]] for name, slots in self._buffer_slots.items()} if buffers else {}
        for full in kept:
            value = buffers[full].clone()  # which the module changes in place
            for part, name in self._buffer_slots[full]:
                part[name] = value
        try:
            with RandomNumbers(key) if self._intercepted and key is not None else nullcontext():
                outputs = self._module(*inputs)
            changed = {full: self._buffer_slots[full][0][0][self._buffer_slots[full][0][1]].detach() for full in kept}
            return outputs, changed
        finally:
            for (part, name, _), parameter in zip(self._slots, own, strict=True):
                part[name] = parameter
            for full, value in kept.items():
                for part, name in self._buffer_slots[full]:
                    part[name] = value
