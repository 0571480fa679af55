"""Replays of a traced step: as it is, compiled, or captured in a CUDA graph."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, fx

from ganbench.engine.tracing import Trace, layout

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
        self._layouts = trace.layouts
        self._operations = trace.module.forward

    def fits(self, inputs: Sequence[Tensor]) -> bool:
        """Whether inputs lie in memory as the traced ones did."""
        return all(layout(x) == traced for x, traced in zip(inputs, self._layouts, strict=True))

    def __call__(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        # Autograd's part is among the operations already, and so is what a mode made of Python's calls.
        with torch.no_grad(), torch._C.DisableTorchFunction():
            return self._operations(*inputs)


class Compiled(Replay):
    """The operations compiled by Inductor, PyTorch's compiler: loops over elements are fused into few.

    The variables that a step returns lie in one of two sets of tensors, in turns: a step reads one set and writes the
    other. So no step allocates what is as large as all parameters, gradients and moments, and one that fails has
    changed nothing of what it was given.

    Args:
        trace: the traced step; all its outputs but the last are its first inputs in the next step.
        inputs: tensors of a step, for their shapes.

    Raises:
        Exception: compiling failed; of the classes of Inductor and of what it calls.
    """

    def __init__(self, trace: Trace, inputs: Sequence[Tensor]) -> None:
        super().__init__(trace)
        from torch._inductor import config  # here, since it takes seconds to load

        module, count = _writing(trace.module)
        self._sets = [
            [torch.empty_like(x, memory_format=torch.contiguous_format) for x in inputs[:count]] for _ in "ab"
        ]
        with config.patch(INDUCTOR), warnings.catch_warnings(), torch.no_grad(), torch._C.DisableTorchFunction():
            warnings.simplefilter("ignore")  # of Inductor and of packages that it tries to load
            if inputs[0].device.type == "cpu":
                from torch._inductor.cpp_builder import get_cpp_compiler

                get_cpp_compiler()  # raises an error where there is none
            from torch._inductor import compile as compiled

            given = [*self._sets[0], *inputs]
            self._operations = compiled(module, given)
            self._operations(*given)

    def __call__(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        first, second = self._sets
        results = second if first and inputs[0] is first[0] else first
        return [*results, *super().__call__([*results, *inputs])]


def _writing(module: fx.GraphModule) -> tuple[fx.GraphModule, int]:
    """Operations that write all their results but the last into tensors that they are given before their inputs, and
    the number of these."""
    graph, (*results, _) = fx.Graph(), module.graph.output_node().args[0]
    written = [graph.placeholder(f"result{index}") for index in range(len(results))]
    *results, last = graph.graph_copy(module.graph, {})
    for place, result in zip(written, results, strict=True):
        graph.call_function(torch.ops.aten.copy_.default, (place, result))
    graph.output((last,))
    return fx.GraphModule(module, graph), len(results)


class Captured(Replay):
    """The operations captured in a CUDA graph: one launch for all of them.

    The graph has its inputs and outputs in memory of its own: a call copies what it is given there, and returns copies.

    Args:
        trace: the traced step.
        inputs: tensors of a step.

    Raises:
        RuntimeError: capturing failed.
    """

    def __init__(self, trace: Trace, inputs: Sequence[Tensor]) -> None:
        super().__init__(trace)
        self._inputs = [x.clone(memory_format=torch.contiguous_format) for x in inputs]
        with torch.cuda.device(inputs[0].device):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP):
                    super().__call__(self._inputs)
            torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            # Other threads may copy to the GPU meanwhile: only this one's calls must be such as can be captured.
            with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
                self._outputs = super().__call__(self._inputs)

    def __call__(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        torch._foreach_copy_(self._inputs, list(inputs))
        self._graph.replay()
        return [x.clone() for x in self._outputs]
