"""Processes that train when told to, so that variants take turns in one measurement and keep their memory apart.

A worker is `python -m benchmarks.workers VARIANT CASE MEMBERS DEVICE`. It says when it is ready, then answers every
line on its standard input: a number of steps with the seconds they took, the end of the input with its peak memory.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHUNK = 25  # the engine's; turns are multiples of it
SINGLY = ("unfused", "plain")  # variants that train one run at a time
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Peak:
    """The most memory that a process had, in MiB; `device` is what PyTorch allocated on a GPU."""

    host: float
    device: float


class Worker:
    """A worker, seen from the process that asks."""

    def __init__(self, variant: str, case: str, members: int, device: str) -> None:
        self.members = 1 if variant in SINGLY else members
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.workers", variant, case, str(members), device],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        self.start_seconds = time.perf_counter() - began  # from nothing to the end of the first steps

    def begin(self, steps: int) -> None:
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()

    def seconds(self) -> float:
        """How long the steps took that it was told to `begin`."""
        return self._answer()

    def close(self) -> Peak:
        self._process.stdin.close()
        peak = Peak(**self._answer())
        self._process.stdout.close()
        self._process.wait()
        return peak

    def _answer(self) -> Any:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self._process.args[2:])} ended with status {self._process.wait()}")
        return json.loads(line)


def peak_host() -> float:
    """Peak resident memory of this process, MiB."""
    try:  # getrusage would count the parent's memory in: a child starts as a copy of it
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _trainer(variant: str, case_name: str, count: int, device: Any) -> Callable[[int], float]:
    """A function that trains some steps and returns the seconds they took."""
    from benchmarks.cases import CASES
    from ganbench.engine.train import train

    case = CASES[case_name]
    # Of a CPU it is the core's time that counts, not the waiting for it while others use the machine.
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    if variant in ("plain", "by hand"):
        from benchmarks.by_hand import ByHand
        from benchmarks.plain import PlainRun

        run = PlainRun(case, 0, device) if variant == "plain" else ByHand(case, count, device)

        def loop(steps: int) -> float:
            began = clock()
            run.train(steps)
            _wait(device)
            return clock() - began

        return loop

    members, game, turn = case.members(count), case.game(device), 0

    def engine(steps: int) -> float:
        nonlocal turn
        # Unfused members train one after the other: one of them each turn.
        mine = [members[turn % count]] if variant in SINGLY else members
        turn, times = turn + 1, []

        def at_chunk(*_: Any) -> None:
            times.append(clock())

        # The first chunk is not timed: a turn here draws the players, which a real pack does once.
        train(game, case.training(CHUNK + steps), mine, device=device, at_chunk=at_chunk)
        return times[-1] - times[0]

    return engine


def _wait(device: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    import torch

    from ganbench.engine.precision import set_numeric_mode

    variant, case, members, name = sys.argv[1:]
    torch.set_num_threads(1)
    set_numeric_mode()  # of jobs, for what they are compared with as well
    device = torch.device(name)
    trainer = _trainer(variant, case, int(members), device)
    trainer(1 if variant == "plain" else CHUNK)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(trainer(int(line))), flush=True)
    allocated = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    print(json.dumps({"host": peak_host(), "device": allocated / 2**20}), flush=True)


if __name__ == "__main__":
    main()
