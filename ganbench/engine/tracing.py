"""Tracing: a function of tensors, called once, becomes the sequence of operations that it is made of.

Operations are seen below autograd and vmap, where PyTorch dispatches them to a device: the sequence has backward passes
in it, and no Python of a component. Values that Python keeps between two calls are constants of the sequence.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.weak import WeakTensorKeyDictionary

from ganbench.core.errors import out_of_memory

MAX_OPERATIONS = 20_000  # of a trace: beyond it, members or parts are computed in a loop, which Python does as well
READ_BY_PYTHON = frozenset((Tensor.numpy, Tensor.tolist, Tensor.__array__))  # without an operation


class Untraceable(Exception):
    """A function is no fixed sequence of operations.

    Args:
        why: the reason, as a clause.
    """


@dataclass(frozen=True)
class Trace:
    """The operations of a function.

    Attributes:
        module: the operations as a module, from tensors to a tuple of tensors.
        layouts: the `layout` of each input.
        operations: number of operations.
        traffic: bytes of the results of those that work element by element.
        convolutions: number of convolutions, those of backward passes included.
    """

    module: fx.GraphModule
    layouts: tuple[tuple[int, ...] | None, ...]
    operations: int
    traffic: int
    convolutions: int


def trace(function: Callable[[Sequence[Tensor]], Sequence[Tensor]], inputs: Sequence[Tensor]) -> Trace:
    """Call a function once, and keep its operations.

    Args:
        function: a function from tensors to tensors.
        inputs: the tensors to call it with.

    Raises:
        Untraceable: the function reads values, draws from a generator that all runs share, or is too long.
    """
    inputs = [x.detach() for x in inputs]  # each its own object, also where two are the same tensor
    tracer = _Tracer(inputs)
    try:
        with _Reads(tracer), tracer:
            outputs = function(inputs)
    except Exception as error:
        if out_of_memory(error):
            raise
        raise Untraceable(tracer.obstacle or str(error).split("\n")[0]) from None
    return tracer.finish(outputs, [layout(x) for x in inputs])


def layout(x: Tensor) -> tuple[int, ...] | None:
    """How a tensor lies in memory, on which operations depend: its strides; None if its numbers are in their order."""
    return None if x.is_contiguous() else x.stride()


class _Reads(TorchFunctionMode):
    """Sees values that Python reads without an operation."""

    def __init__(self, tracer: _Tracer) -> None:
        super().__init__()
        self._tracer = tracer

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if function in READ_BY_PYTHON:
            self._tracer.refuse(f"its Python reads values ({function.__name__})")
        return function(*args, **(kwargs or {}))


class _Tracer(TorchDispatchMode):
    """Adds every operation to a graph.

    Attributes:
        obstacle: why the function is untraceable, once that is known.
    """

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.obstacle: str | None = None
        self._graph, self._constants = fx.Graph(), {}
        # By tensor: the node that computes it. Weak, so that a trace keeps no more in memory than the function does.
        self._nodes = WeakTensorKeyDictionary()
        for index, x in enumerate(inputs):
            self._nodes[x] = self._graph.placeholder(f"input{index}")
        self._operations = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or PyTorch loads its compiler, which takes a second, for a mode that is never compiled

    def refuse(self, why: str) -> None:
        self.obstacle = self.obstacle or why
        raise Untraceable(why)

    def __torch_dispatch__(self, op: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if why := _obstacle(op, args):
            self.refuse(f"{why} ({op.name()})")
        if self._operations == MAX_OPERATIONS:
            self.refuse(f"it has more than {MAX_OPERATIONS:,} operations")
        given = tree_map_only(Tensor, self._node, (args, kwargs))
        result = op(*args, **kwargs)
        if isinstance(result, Tensor) and not op._schema.is_mutable:
            again = next((x for x in args if isinstance(x, Tensor) and _same_again(result, x)), None)
            if again is not None:  # a detached tensor is nothing new where there is no autograd
                self._nodes[result] = self._node(again)
                return result
        node = self._graph.call_function(op, *given)
        self._operations += 1
        self._keep(result, node)
        if torch.Tag.pointwise in op.tags:
            node.meta["bytes"] = sum(x.nbytes for x in tree_leaves(result))
        return result

    def _keep(self, result: Any, node: fx.Node) -> None:
        if isinstance(result, Tensor):
            self._nodes[result] = node
        elif isinstance(result, tuple | list):
            for index, each in enumerate(result):
                if each is not None:
                    self._keep(each, self._graph.call_function(operator.getitem, (node, index)))

    def _node(self, tensor: Tensor) -> fx.Node:
        if tensor not in self._nodes:
            name = f"constant{len(self._constants)}"
            self._constants[name] = tensor.detach()
            self._nodes[tensor] = self._graph.get_attr(name)
        return self._nodes[tensor]

    def finish(self, outputs: Sequence[Tensor], layouts: Sequence[tuple[int, ...] | None]) -> Trace:
        """The trace, without operations that no output needs."""
        self._graph.output(tuple(self._node(x) for x in outputs))
        self._graph.eliminate_dead_code(_has_effect)
        module = fx.GraphModule(self._constants, self._graph)
        left = [node for node in self._graph.nodes if isinstance(node.target, OpOverload)]
        traffic = sum(node.meta.get("bytes", 0) for node in left)
        convolutions = sum("convolution" in node.target.name() for node in left)
        return Trace(module, tuple(layouts), len(left), traffic, convolutions)


def _obstacle(op: OpOverload, args: tuple) -> str | None:
    """Why an operation cannot be repeated as it is, as a clause; None if it can."""
    if torch.Tag.nondeterministic_seeded in op.tags:
        return "it draws from a random generator that all runs share"
    if torch.Tag.data_dependent_output in op.tags:
        return "its Python reads values"
    if torch.Tag.dynamic_output_shape in op.tags:
        indexed = op in (torch.ops.aten.index.Tensor, torch.ops.aten._unsafe_index.Tensor)
        masks = any(x is not None and x.dtype in (torch.bool, torch.uint8) for x in args[1]) if indexed else True
        return "shapes depend on values" if masks else None
    return None


def _same_again(result: Tensor, x: Tensor) -> bool:
    """Whether an operation's result is its argument over again, in the same memory."""
    return (
        result.numel() > 0
        and result.dtype == x.dtype
        and result.shape == x.shape
        and result.stride() == x.stride()
        and result.data_ptr() == x.data_ptr()
        and result.is_conj() == x.is_conj()
        and result.is_neg() == x.is_neg()
    )


def _has_effect(node: fx.Node) -> bool:
    """Whether an operation does more than compute its result. Normalisation changes its statistics, though PyTorch's
    schema of it does not say so."""
    if node.op != "call_function":
        return node.op in ("placeholder", "output")
    op = node.target
    return isinstance(op, OpOverload) and (op._schema.is_mutable or "batch_norm" in op.name())
