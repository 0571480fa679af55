"""How the steps of a pack are executed: by a rule, never by timing, so that a study does the same thing twice."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from ganbench.core.errors import GanbenchError
from ganbench.engine.tracing import Trace

EAGER, TRACED, COMPILED, GRAPH = "eager", "traced", "compiled", "graph"
FORMS = {
    EAGER: "component by component, in Python",
    TRACED: "the operations of one step, recorded and repeated",
    COMPILED: "the same operations, compiled by PyTorch's Inductor",
    GRAPH: "the same operations, captured in a CUDA graph",
}

# Costs and savings on one core of an AMD EPYC, read off `make bench`. Tracing takes about ten steps, and an eager step
# is computed beside the first two. Compiling takes what a compiler takes for one file and for each operation, the first
# time: the next pack of the same operations finds them compiled, in a tenth of that. It saves Python's part of each
# operation, passes over results that no operation but the next needs, and new memory for parameters and moments. It
# speeds up no product, and steps with convolutions (of large images; see nn/stacked.py) took longer when compiled.
TRACED_FROM = 200  # steps
COMPILING_SECONDS, COMPILING_OPERATION_SECONDS = 12.0, 0.08
OPERATION_SECONDS, BYTE_SECONDS = 9e-6, 1.5e-10  # that compiling saves in a step
CAPTURED_FROM = 50  # steps, on a GPU, where Python is all that a small step waits for

# Share of members that have diverged or been stopped, which a pack may keep: without them it is another sequence of
# operations, to trace anew.
DIVERGED_SHARE = 0.5


@dataclass
class Execution:
    """How the steps of a pack are executed.

    Attributes:
        form: one of `FORMS`.
        why: the reason, in words.
        settled: whether the form is decided; before, steps are eager.
        mode: "auto", or the form that the study asks for.
    """

    form: str = EAGER
    why: str = "no step was left to compare a trace with"
    settled: bool = False
    mode: str = "auto"

    @property
    def diverged_share(self) -> float:
        """Share of members that have diverged or been stopped, which the pack may keep."""
        return 0.0 if self.form == EAGER else DIVERGED_SHARE

    def settle(self, form: str, why: str) -> None:
        """Decide the form for the rest of the run."""
        self.form, self.why, self.settled = form, why, True

    def tree(self) -> dict[str, Any]:
        """This record, for a checkpoint."""
        return asdict(self)


def check_execution(mode: str, device: torch.device) -> None:
    """Refuse a form that a device does not have.

    Raises:
        GanbenchError: "graph" without an NVIDIA GPU.
    """
    if mode == GRAPH and device.type != "cuda":
        raise GanbenchError(
            f"pack.execution: 'graph' needs an NVIDIA GPU, but this job computes on {device}; choose auto, eager, "
            "traced or compiled."
        )


def intended(mode: str, steps: int, device: torch.device, *, extends: bool = False) -> Execution:
    """What is decided before the first step: whether to trace.

    Args:
        mode: "auto", or the form that the study asks for.
        steps: number of training steps.
        device: device of the training.
        extends: whether the runs may go on to more steps, as in `decide`.
    """
    if mode == EAGER:
        return Execution(EAGER, f"the study says execution: {mode}", True, mode)
    least = CAPTURED_FROM if device.type == "cuda" else TRACED_FROM
    if mode == "auto" and steps < least and not (extends and device.type == "cuda"):
        return Execution(EAGER, f"auto: {steps:,} steps, and tracing pays from {least} on", True, mode)
    return Execution(mode=mode)


def decide(mode: str, trace: Trace, steps: int, device: torch.device, *, extends: bool) -> tuple[str, str]:
    """The form of a step that has been traced, and the reason in words, which is kept with the runs.

    Args:
        mode: "auto", or the form that the study asks for.
        trace: the traced step.
        steps: number of training steps.
        device: device of the training.
        extends: whether the runs may go on to more steps. These must be the same bits that a longer run has, so that
            no choice may depend on the number of steps where forms differ in rounding.
    """
    of = f"{steps:,} steps of {trace.operations:,} operations"
    if mode != "auto":
        return mode, f"the study says execution: {mode}; {of}"
    if device.type == "cuda":
        return GRAPH, f"auto: on a GPU steps are captured; {of}"
    if extends:
        return TRACED, f"auto: {of}, which more steps may follow"
    if trace.convolutions:
        return TRACED, f"auto: {of} with convolutions, which compiling does not speed up"
    cost = COMPILING_SECONDS + COMPILING_OPERATION_SECONDS * trace.operations
    saved = steps * (OPERATION_SECONDS * trace.operations + BYTE_SECONDS * trace.traffic)
    form = COMPILED if saved >= cost else TRACED
    return form, f"auto: {of} and {trace.traffic / 1e6:.3g} MB; compiling would save {saved:.0f} s and take {cost:.0f}"
