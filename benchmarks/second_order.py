"""Whether methods that need second derivatives stay fused: the kernels of a step, for few runs and for many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.cases import Case
from benchmarks.dynamics import one_thread, seconds_of
from benchmarks.sheets import Sheet
from ganbench.core import registry
from ganbench.games import Match

FAMILIES = ("dynamics", "regularizer")
# Penalties of a discriminator's gradient need examples that do not mix.
NETWORKS = {"base_channels": 16, "discriminator_norm": "instance"}
PRODUCTS = ("convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm")
SIZES = (2, 16)
TITLE = "Methods that need second derivatives"


def case_of(method: dict[str, str], architecture: str = "dcgan") -> Case:
    """A case that differs from the usual one in its method, with steps that every dynamics can use: plain descent."""
    name, method = ", ".join(method.values()) or "none", {"optimizer": "sgd", **method}
    if architecture == "mlp":
        return Case(name, "mlp", "digits", steps=1, options={"width": 4}, batch_size=4, method=method)
    return Case(name, "dcgan", "digits", steps=1, options=NETWORKS, method=method)


class Step:
    """A training step of some runs, taken again and again from their start."""

    def __init__(self, case: Case, runs: int, device: str) -> None:
        training = case.training(1)
        match = Match(case.game(device), case.members(runs), torch.device(device), training.dtype)
        players, (batches, rates) = match.init(), (match.draw(0, training.dynamics.batches_per_step), match.rates())
        states = training.dynamics.init(match, players, training.optimizer)
        self._step = lambda: training.dynamics.step(match, players, states, batches, training.optimizer, rates)

    def __call__(self) -> None:
        self._step()


class KernelCounter(TorchDispatchMode):
    """Counts the products of matrices and convolutions that PyTorch calls in a block, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = function.overloadpacket.__name__
        if name in PRODUCTS:
            self.counts[name] += 1
        return function(*args, **(kwargs or {}))


def kernels(case: Case, runs: int, device: str = "cpu") -> int:
    """Products and convolutions of one training step of a pack."""
    step = Step(case, runs, device)
    step()  # what happens once, such as the look for layers that cannot be fused
    with KernelCounter() as counter:
        step()
    return counter.counts.total()


@contextmanager
def differentiated_gradients() -> Iterator[list[bool]]:
    """A block in which every call of `torch.autograd.grad` leaves whether its result can be differentiated."""
    grad, found = torch.autograd.grad, []

    def watched(*args: Any, **kwargs: Any) -> Any:
        found.append(bool(kwargs.get("create_graph")))
        return grad(*args, **kwargs)

    with patch.object(torch.autograd, "grad", watched):
        yield found


def methods() -> list[dict[str, str]]:
    """Every dynamics and regularizer that differentiates gradients, by family and name, found by trying them."""
    found = []
    for family in FAMILIES:
        for name in registry.components(family):
            method = {family: name}
            with differentiated_gradients() as gradients:
                Step(case_of(method, "mlp"), 1, "cpu")()
            if any(gradients):
                found.append(method)
    return found


@one_thread()
def sheet(chosen: Sequence[dict[str, str]], device: str, *, sizes: Sequence[int] = SIZES, rounds: int = 3) -> Sheet:
    """A method in a row, with its kernels and the time of its step, for packs of these sizes."""
    few, many = min(sizes), max(sizes)
    result = Sheet(
        TITLE,
        [
            *("method", "family", *(f"kernels, {runs} runs" for runs in sizes)),
            *(*(f"step, {runs} runs, ms" for runs in sizes), f"a run's step, {many} against {few}", "verdict"),
        ],
        f"Products of matrices and convolutions that one training step of a pack calls, of an 8-pixel DCGAN "
        f"of {NETWORKS['base_channels']} channels, and the step's time, the best of {rounds}. A method is fused where "
        "their number does not grow with the runs; the first row is alternating descent without a penalty.",
    )
    for method in ({}, *chosen):
        case = case_of(method)
        counts = [kernels(case, runs, device) for runs in sizes]
        times = []
        for runs in sizes:
            step = Step(case, runs, device)
            step()
            times.append(min(seconds_of(step, device) for _ in range(rounds)))
        per_run = (times[-1] / many) / (times[0] / few)
        verdict = "fused" if len(set(counts)) == 1 else f"{counts[-1] / counts[0]:.1f} times the kernels"
        family = next(iter(method), "")
        cells = [f"{1e3 * seconds:.1f}" for seconds in times]
        result.add(case.name, family, *(f"{count:,}" for count in counts), *cells, f"{per_run:.2f}", verdict)
    return result
