"""An ordinary `nn.Module` as a function of a parameter vector, for one member of a pack or for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.utils._pytree import tree_leaves, tree_map

from ganbench.core.errors import out_of_memory
from ganbench.nn.random_numbers import RandomNumbers
from ganbench.nn.slots import Slots, copied_buffers
from ganbench.nn.stacked import StackedLayers

# vmap computes an operation for which it has no rule member by member, and warns that this is slow.
torch._C._functorch._set_vmap_fallback_warning_enabled(False)

Buffers = dict[str, Tensor]
"""What a module keeps from one forward pass to the next, {name: (K, ...)}: running statistics, for example."""

EXAMPLES = 4  # in a batch to try a network on; normalisation takes more than one


class Network:
    """f(theta, x) for a module: the parameters of member k are row k of theta.

    A player's parameters are one vector, because dynamics and diagnostics of games are written for vectors; the
    module's own tensors are views of it. The author of the module never sees the member axis.

    Args:
        module: the module. One without buffers that change, and without random numbers, needs no more.
        example: an input (or several) of one member, by which buffers that change and random numbers are found.
        changed: names of buffers that something else than a forward pass changes.
        packing: number of inputs, one after the other in the batch, that have one output together.

    Attributes:
        module: the module; passes have parameters of theta in place of its own.
        packing: number of inputs that have one output together.
        shapes: the shape of each parameter, by the names of the module's `named_parameters`, in their order.
        size: number of values of all parameters, P.
        random: whether a forward pass draws random numbers.
    """

    def __init__(
        self,
        module: nn.Module,
        example: Tensor | Sequence[Tensor] = (),
        changed: Sequence[str] = (),
        packing: int = 1,
    ) -> None:
        self.module, self.packing = module, packing
        self._parameters, self._changing = Slots.of_parameters(module), Slots([])
        self.shapes = {name: tuple(parameter.shape) for name, parameter in self._parameters.items()}
        self._sizes = [parameter.numel() for parameter in self._parameters.values()]
        self.size = sum(self._sizes)
        self.random = self._intercepted = False
        self._unvectorised: str | None = None
        self._tried = False
        if len(example):
            self._observe((example,) if isinstance(example, Tensor) else tuple(example), changed)

    def _observe(self, example: tuple[Tensor, ...], changed: Sequence[str]) -> None:
        """Find the buffers that change, and whether a forward pass draws random numbers."""
        numbers = RandomNumbers(torch.zeros((), dtype=torch.int64))
        with torch.no_grad(), copied_buffers(self.module) as slots:
            before = {name: (value, value._version, value.clone()) for name, value in slots.items()}
            with numbers:
                self.module.train()(*example)
            # Batch normalisation changes its statistics without a new version; a converged power iteration changes
            # none of its values.
            same = {
                name
                for name, (value, version, content) in before.items()
                if slots[name] is value and value._version == version and torch.equal(value, content)
            }
            self._changing = slots.only(slots.keys() - (same - set(changed)))
        self.random, self._intercepted = numbers.drawn > 0, numbers.answered > 0

    @property
    def buffers(self) -> tuple[str, ...]:
        """Names of the buffers that change in training."""
        return tuple(self._changing)

    @property
    def pure(self) -> bool:
        """Whether the outputs are a function of parameters and inputs alone."""
        return not self._changing and not self.random

    @staticmethod
    def vector(module: nn.Module) -> Tensor:
        """A module's parameters, in their order, as one vector of shape (P,)."""
        return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])

    def start_buffers(self, module: nn.Module) -> Buffers:
        """The buffers of one such module that a forward pass changes, by name, without the axis of members."""
        every = dict(module.named_buffers(remove_duplicate=False))
        return {name: every[name].detach().clone() for name in self._changing}

    def to(self, device: torch.device, dtype: torch.dtype) -> Network:
        """Move the module's constant buffers; parameters, and buffers that change, come with every call."""
        self.module.to(device=device, dtype=dtype)
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
            key: the keys of the members' random numbers, (K,) of int64; None where none are drawn.
            inputs: (K, batch, ...) each.
            training: whether the module is in training mode.

        Returns:
            The module's outputs, (K, batch, ...), and its buffers after the forward pass.
        """
        if self.module.training != training:
            self.module.train(training)
        members = theta.shape[0]
        if members == 1:  # vmap over one member costs its overhead and gains nothing
            pieces = theta[0].split(self._sizes)
            views = [piece.view(shape) for piece, shape in zip(pieces, self.shapes.values(), strict=True)]
            alone = {name: value[0] for name, value in buffers.items()}
            outputs = self._forward(views, alone, None if key is None else key[0], *(x[0] for x in inputs))
            return tree_map(lambda value: value.unsqueeze(0), outputs)
        if self.unvectorised(theta, buffers, key, *inputs):
            alone = [
                self.apply(*(_row(value, k) for value in (theta, buffers, key, *inputs)), training=training)
                for k in range(members)
            ]
            return tree_map(lambda *values: torch.cat(values), *alone)
        return self._together(theta, buffers, key, *inputs)

    def _together(self, theta: Tensor, buffers: Buffers, key: Tensor | None, *inputs: Tensor) -> tuple[Any, Buffers]:
        pieces = theta.split(self._sizes, dim=1)
        views = [piece.view(len(theta), *shape) for piece, shape in zip(pieces, self.shapes.values(), strict=True)]
        in_dims = (0, 0, None if key is None else 0, *(0 for _ in inputs))
        with StackedLayers():
            return vmap(self._forward, in_dims=in_dims)(views, buffers, key, *inputs)

    def unvectorised(self, theta: Tensor, buffers: Buffers, key: Tensor | None, *inputs: Tensor) -> str | None:
        """Why the network is computed for one member after the other, in PyTorch's words; None where it is not.

        Tried once, on two members and a few examples.

        Args:
            theta, buffers, key, inputs: as of `apply`, of two or more members.
        """
        if not self._tried:
            few = [_row(value, 0, 2) for value in (theta.detach(), buffers, key)]
            few += [value[:2, : EXAMPLES * self.packing].detach() for value in inputs]
            try:
                with torch.enable_grad():
                    outputs, _ = self._together(few[0].requires_grad_(), *few[1:])
                    torch.autograd.grad(sum(value.sum() for value in tree_leaves(outputs)), few[0])
            except RuntimeError as error:
                if out_of_memory(error):
                    raise
                self._unvectorised = str(error).split("\n")[0]
            self._tried = True
        return self._unvectorised

    def _forward(
        self, parameters: list[Tensor], buffers: Buffers, key: Tensor | None, *inputs: Tensor
    ) -> tuple[Any, Buffers]:
        """The module's outputs and new buffers, with these tensors in place of its own, which are put back."""
        values = dict(zip(self._parameters, parameters, strict=True))
        kept = {name: value.clone() for name, value in buffers.items()}  # which the module changes in place
        numbers = RandomNumbers(key) if self._intercepted and key is not None else nullcontext()
        with self._parameters.holding(values), self._changing.holding(kept), numbers:
            outputs = self.module(*inputs)
            return outputs, {name: value.detach() for name, value in self._changing.items()}


def _row(value: Any, k: int, count: int = 1) -> Any:
    """The members from an index on, of a tensor, of tensors by name, or of None."""
    return tree_map(lambda tensor: None if tensor is None else tensor[k : k + count], value)
