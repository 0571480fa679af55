"""An ordinary `nn.Module` as a function of a parameter vector, for one member of a pack or for many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.utils._pytree import tree_leaves, tree_map

from ganbench.core.errors import out_of_memory
from ganbench.nn.random_numbers import RandomNumbers
from ganbench.nn.stacked import StackedLayers

# vmap computes an operation for which it has no rule member by member, and warns that this is slow.
torch._C._functorch._set_vmap_fallback_warning_enabled(False)

Buffers = dict[str, Tensor]
"""What a module keeps from one forward pass to the next, {name: (K, ...)}: running statistics, for example."""


Slots = list[tuple[dict[str, Any], str]]
"""Where a module's parts hold a tensor: their dicts, and its name in each."""


@contextmanager
def copied_buffers(module: nn.Module) -> Iterator[dict[str, Slots]]:
    """A block in which a module has copies of its buffers, so that the block changes none; yields their slots, by name.

    A shared buffer has one copy, and a slot in each of the parts that share it.
    """
    found: dict[int, tuple[str, Tensor, Slots]] = {}
    for prefix, part in module.named_modules():
        for name, value in part._buffers.items():
            if value is not None:
                _, _, slots = found.setdefault(id(value), (f"{prefix}.{name}".removeprefix("."), value, []))
                slots.append((part._buffers, name))
    for _, value, slots in found.values():
        _fill(slots, value.clone())
    try:
        yield {name: slots for name, _, slots in found.values()}
    finally:
        for _, value, slots in found.values():
            _fill(slots, value)


def _fill(slots: Slots, value: Tensor) -> None:
    for part, name in slots:
        part[name] = value


def _content(slots: Slots) -> Tensor:
    part, name = slots[0]
    return part[name]


DISTURBANCE = 0.1  # standard deviation of what is added to parameters
EXAMPLES = 4  # in a batch to try a network on; normalisation takes more than one


def disturbed(theta: Tensor, seed: int = 0) -> Tensor:
    """Parameters, each with normal noise of standard deviation `DISTURBANCE`.

    Initial gains, scales and last layers of 0 hide what they multiply; a probe of what a network computes sees all of
    it at disturbed parameters.

    Args:
        theta: parameters of any shape.
        seed: seed of the noise, the same on every device and in every precision.
    """
    noise = torch.randn(theta.shape, generator=torch.Generator().manual_seed(seed), device="cpu")
    return theta + DISTURBANCE * noise.to(theta.device, theta.dtype)


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
        self.module, self._packing = module, packing
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
        self._buffer_slots: dict[str, Slots] = {}
        self.random = self._intercepted = False
        self._unvectorised: str | None = None
        self._tried = False
        if len(example):
            self._observe((example,) if isinstance(example, Tensor) else tuple(example), changed)

    def _observe(self, example: tuple[Tensor, ...], changed: Sequence[str]) -> None:
        """Find the buffers that change, and whether a forward pass draws random numbers."""
        numbers = RandomNumbers(torch.zeros((), dtype=torch.int64))
        with torch.no_grad(), copied_buffers(self.module) as slots:
            before = {name: (value := _content(each), value._version, value.clone()) for name, each in slots.items()}
            with numbers:
                self.module.train()(*example)
            for name, (value, version, content) in before.items():
                # Batch normalisation changes its statistics without a new version; a converged power iteration changes
                # none of its values.
                same = _content(slots[name]) is value and value._version == version and torch.equal(value, content)
                if name in changed or not same:
                    self._buffer_slots[name] = slots[name]
        self.random, self._intercepted = numbers.drawn > 0, numbers.answered > 0

    @property
    def buffers(self) -> tuple[str, ...]:
        """Names of the buffers that change in training."""
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
        """The buffers of one such module that a forward pass changes, by name, without the axis of members."""
        every = dict(module.named_buffers(remove_duplicate=False))
        return {name: every[name].detach().clone() for name in self._buffer_slots}

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
            views = [piece.view(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]
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
        views = [piece.view(len(theta), *shape) for piece, shape in zip(pieces, self._shapes, strict=True)]
        in_dims = (0, 0, None if key is None else 0, *(0 for _ in inputs))
        with StackedLayers():
            return vmap(self._forward, in_dims=in_dims)(views, buffers, key, *inputs)

    def mixes_examples(self, theta: Tensor, *inputs: Tensor) -> bool:
        """Whether the outputs for an example, or a group of them, depend on others of the batch, in a pure module.

        Args:
            theta: parameters (P,); those that are zero at first hide what they multiply, so all are disturbed.
            inputs: (examples, ...) each, of two examples, or two groups, at least.
        """
        like = next(self.module.parameters(), theta)
        theta = disturbed(theta.cpu()).to(like.device, like.dtype)[None]
        inputs = [x.to(like.device, like.dtype if x.is_floating_point() else x.dtype)[None] for x in inputs]
        outputs = len(inputs[0][0]) // self._packing
        half = outputs // 2
        halves = slice(None, half), slice(half, None)
        first = half * self._packing
        halves_in = slice(None, first), slice(first, None)
        try:
            # Without modes, whose lower precision would hide what mixing is.
            with torch.no_grad(), torch._C.DisableTorchFunction():
                whole = tree_leaves(self(theta, *inputs))
                alone = [tree_leaves(self(theta, *(x[:, part] for x in inputs))) for part in halves_in]
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            return True  # it takes batches of some sizes only
        return any(
            one.shape[1:2] != (outputs,) or not torch.allclose(one[:, part], other, rtol=1e-3, atol=1e-5)
            for part, values in zip(halves, alone, strict=True)
            for one, other in zip(whole, values, strict=True)
        )

    def unvectorised(self, theta: Tensor, buffers: Buffers, key: Tensor | None, *inputs: Tensor) -> str | None:
        """Why the network is computed for one member after the other, in PyTorch's words; None where it is not.

        Tried once, on two members and a few examples.

        Args:
            theta, buffers, key, inputs: as of `apply`, of two or more members.
        """
        if not self._tried:
            few = [_row(value, 0, 2) for value in (theta.detach(), buffers, key)]
            few += [value[:2, : EXAMPLES * self._packing].detach() for value in inputs]
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
        own = [part[name] for part, name, _ in self._slots]
        for part, name, index in self._slots:
            part[name] = parameters[index]
        kept = {name: _content(self._buffer_slots[name]) for name in buffers}
        for name, value in buffers.items():
            _fill(self._buffer_slots[name], value.clone())  # which the module changes in place
        try:
            with RandomNumbers(key) if self._intercepted and key is not None else nullcontext():
                outputs = self.module(*inputs)
            return outputs, {name: _content(self._buffer_slots[name]).detach() for name in buffers}
        finally:
            for (part, name, _), parameter in zip(self._slots, own, strict=True):
                part[name] = parameter
            for name, value in kept.items():
                _fill(self._buffer_slots[name], value)


def _row(value: Any, k: int, count: int = 1) -> Any:
    """The members from an index on, of a tensor, of tensors by name, or of None."""
    return tree_map(lambda tensor: None if tensor is None else tensor[k : k + count], value)
