"""Replays of a traced step: as it is, compiled, or captured in a CUDA graph."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from ganbench.engine.tracing import Trace

# One thread, as everything here computes with; and no pool of compiling processes, which would outlive a job's end.
# Inductor keeps what it has compiled in a folder: the next pack of the same operations takes it from there.
INDUCTOR = {"cpp.threads": 1, "compile_threads": 1, "fx_graph_cache": True}
WARM_UP = 3  # steps before a capture, in which libraries choose kernels and allocate


class Replay:
    """The operations of a trace, one after the other, on the tensors of another step.

    Args:
        trace: the traced step.
    """

    def __init__(self, trace: Trace) -> None:
        self._strides = trace.strides
        self._operations = trace.module.forward

    def fits(self, inputs: Sequence[Tensor]) -> bool:
        """Whether inputs lie in memory as the traced ones did, on which operations depend."""
        return all(x.stride() == strides for x, strides in zip(inputs, self._strides, strict=True))

    def __call__(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        # Autograd's part is among the operations already, and so is what a mode made of Python's calls.
        with torch.no_grad(), torch._C.DisableTorchFunction():
            return self._operations(*inputs)


class Compiled(Replay):
    """The operations compiled by Inductor, PyTorch's compiler: loops over elements are fused into few.

    Args:
        trace: the traced step.
        inputs: tensors of a step, for their shapes.

    Raises:
        Exception: compiling failed; of the classes of Inductor and of what it calls.
    """

    def __init__(self, trace: Trace, inputs: Sequence[Tensor]) -> None:
        super().__init__(trace)
        from torch._inductor import config  # here, since it takes seconds to load

        with config.patch(INDUCTOR), warnings.catch_warnings(), torch.no_grad(), torch._C.DisableTorchFunction():
            warnings.simplefilter("ignore")  # of Inductor and of packages that it tries to load
            if inputs[0].device.type == "cpu":
                from torch._inductor.cpp_builder import get_cpp_compiler

                get_cpp_compiler()  # raises an error where there is none
            from torch._inductor import compile as compiled

            self._operations = compiled(trace.module, list(inputs))
            self._operations(*inputs)


class Captured(Replay):
    """The operations captured in a CUDA graph: one launch for all of them.

    The graph has its inputs in memory of its own. At its end it copies the new variables to where it reads them, so
    that the next call finds them there, and what a call returns holds until the next call.

    Args:
        trace: the traced step.
        inputs: tensors of a step; the first of them are the variables, of which the first outputs are the new values.

    Raises:
        RuntimeError: capturing failed.
    """

    def __init__(self, trace: Trace, inputs: Sequence[Tensor]) -> None:
        super().__init__(trace)
        self._inputs = [x.clone(memory_format=torch.contiguous_format) for x in inputs]
        theirs = {x.untyped_storage().data_ptr() for x in self._inputs}
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                super().__call__(self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            *outputs, self._row = super().__call__(self._inputs)
            # A new variable may be an old one, as where dynamics keep the last parameters: copied before any changes.
            outputs = [x.clone() if x.untyped_storage().data_ptr() in theirs else x for x in outputs]
            self._variables = self._inputs[: len(outputs)]
            for own, new in zip(self._variables, outputs, strict=True):
                own.copy_(new)

    def __call__(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        for own, given in zip(self._inputs, inputs, strict=True):
            if own is not given:
                own.copy_(given, non_blocking=True)
        self._graph.replay()
        return [*self._variables, self._row.clone()]
