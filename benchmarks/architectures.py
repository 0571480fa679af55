"""Every architecture at the size it was made for: the time of a training step, fused and alone, and the memory of it.

Each row is measured in processes of its own, `python -m benchmarks.architectures NAME DEVICE RUNS BATCH STEPS`, so that
memory is its own too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from statistics import median

import torch

from benchmarks.cases import Case
from benchmarks.dynamics import one_thread, seconds_of
from benchmarks.execution import first_step
from benchmarks.rate import step_flops
from benchmarks.sheets import Sheet
from benchmarks.workers import ROOT, peak_host
from ganbench.engine import fusing
from ganbench.engine.execution import TRACED, Execution
from ganbench.engine.step import Executor

# The shape of an example that each architecture is known for.
NATIVE: dict[str, tuple[int, ...]] = {
    "dcgan": (3, 64, 64),
    "dcgan_tensorflow": (3, 28, 28),
    "fc": (1, 28, 28),
    "infogan": (1, 28, 28),
    "mlp": (2,),
    "r3gan": (3, 32, 32),
    "sngan": (3, 32, 32),
    "stylegan2": (3, 64, 64),
    "tiny_dcgan": (3, 28, 28),
    "unpool": (3, 128, 128),
}
MIN_SECONDS = 0.5  # of steps that are timed
TITLE = "Architectures at their native sizes"


def case_of(name: str, batch_size: int) -> Case:
    """A case of an architecture with its default options, on noise of its native shape."""
    return Case(name, name, "noise", steps=1, shape=NATIVE[name], batch_size=batch_size)


def sheet(names: Iterable[str], device: str, *, runs: int = 4, batch_size: int = 16, steps: int = 3) -> Sheet:
    """An architecture in a row.

    Args:
        names: names of architectures.
        device: "cpu" or "cuda".
        runs: number of runs that are fused.
        batch_size: number of examples in a batch.
        steps: least number of steps whose median time counts.
    """
    result = Sheet(
        TITLE,
        [
            *("architecture", "example", "parameters", "GFLOP per run-step", "run-steps/s, alone"),
            *(f"run-steps/s, {runs} fused", "fused / alone", "memory alone, MiB", f"memory of {runs}, MiB"),
        ],
        f"Alternating Adam with default options on noise, batches of {batch_size}, traced steps, the median of {steps} "
        "or more. Memory is the peak of a process, the imports of PyTorch included"
        + (", and after the plus what was allocated on the GPU." if device != "cpu" else "."),
    )
    for name in names:
        case = case_of(name, batch_size)
        (one, alone), (many, fused) = (_measured(name, count, device, batch_size, steps) for count in (1, runs))
        rates = 1 / one, runs / many
        result.add(
            *(name, " x ".join(map(str, NATIVE[name])), f"{fusing.parameters(case.game()):,}"),
            *(
                f"{step_flops(case) / 1e9:.3g}",
                *(f"{each:,.0f}" if each >= 100 else f"{each:.3g}" for each in rates),
                f"{rates[1] / rates[0]:.2f}",
            ),
            *(alone, fused),
        )
    return result


def _measured(name: str, runs: int, device: str, batch_size: int, steps: int) -> tuple[float, str]:
    """The seconds of a step, and the peak memory of its process as the table shows it."""
    command = [sys.executable, "-m", "benchmarks.architectures", name, device, *map(str, (runs, batch_size, steps))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} failed:\n{done.stderr[-2000:]}")
    seconds, host, allocated = json.loads(done.stdout.splitlines()[-1])
    return seconds, f"{host:.0f}" + (f" + {allocated:.0f}" if device != "cpu" else "")


@one_thread()
def _measure(name: str, device: str, runs: int, batch_size: int, steps: int) -> None:
    step, given = first_step(case_of(name, batch_size), runs, device)
    executor = Executor(step, Execution(TRACED, "", True, TRACED), steps, extends=False)

    def work() -> None:
        executor(*given)

    work()  # what happens once, such as tracing
    steps = max(steps, round(MIN_SECONDS / seconds_of(work, device)))
    seconds = median(seconds_of(work, device) for _ in range(steps))
    allocated = torch.cuda.max_memory_allocated(device) / 2**20 if device != "cpu" else 0.0
    print(json.dumps([seconds, peak_host(), allocated]))


if __name__ == "__main__":
    _measure(*sys.argv[1:3], *map(int, sys.argv[3:]))
