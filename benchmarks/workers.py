"""Processes that train when told to, so that variants take turns in one measurement and keep their memory apart.

A worker is `python -m benchmarks.workers VARIANT CASE MEMBERS DEVICE`. When it is ready it says what it took of the
processor, then it answers every line on its standard input: a number of steps with the seconds they took, the end of
the input with its peak memory.
Between two lines it waits within one run: what happens once, such as compiling a step, happens before it is ready.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHUNK = 25  # the engine's; turns are multiples of it
ENGINE = ("fused", "unfused")
SINGLY = ("unfused", "plain")  # variants that train one run at a time
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Peak:
    """The most memory that a process had, in MiB; `device` is what PyTorch allocated on a GPU. And how the engine's
    steps were executed there, if they were the engine's."""

    host: float
    device: float
    form: str = ""


class Worker:
    """A worker, seen from the process that asks."""

    def __init__(self, variant: str, case: str, members: int, device: str) -> None:
        self.members = 1 if variant in SINGLY else members
        # What a compiler left of another process would shorten the start-up.
        self._compiled = tempfile.TemporaryDirectory()
        self._began, self._device, self.start_seconds = time.perf_counter(), device, 0.0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.workers", variant, case, str(members), device],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_CACHE_DIR": self._compiled.name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self) -> None:
        """Wait for the end of the first steps; `start_seconds` is the time from nothing to there, on a CPU in seconds
        of its cores, those of compilers among them."""
        used = self._answer()
        self.start_seconds = used if self._device == "cpu" else time.perf_counter() - self._began

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        with self._process:  # closes its pipes and waits for it
            pass
        self._compiled.cleanup()

    def begin(self, steps: int) -> None:
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()

    def seconds(self) -> float:
        """How long the steps took that it was told to `begin`."""
        return self._answer()

    def close(self) -> Peak:
        """End it and return its peak memory."""
        self._process.stdin.close()
        return Peak(**self._answer())

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


class Turns:
    """Called after every chunk of steps: answers when a turn is over, and waits for the next one."""

    def __init__(self, device: Any) -> None:
        # Of a CPU it is the core's time that counts, not the waiting for it while others use the machine.
        self._clock = time.process_time if device.type == "cpu" else time.perf_counter
        self._device, self._left, self._began, self._ready = device, CHUNK, 0.0, False

    def __call__(self, form: Callable[[], str] = str) -> None:
        """End a chunk; `form` returns how its steps were executed."""
        self._left -= CHUNK
        if self._left > 0:
            return
        _wait(self._device)
        _say(self._clock() - self._began if self._ready else sum(os.times()[:4]))
        self._ready, line = True, sys.stdin.readline()
        if not line:
            import torch

            gpu = self._device.type == "cuda"
            allocated = torch.cuda.max_memory_allocated(self._device) / 2**20 if gpu else 0.0
            _say({"host": peak_host(), "device": allocated, "form": form()})
            raise SystemExit
        self._left, self._began = int(line), self._clock()


def _say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def _wait(device: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _train(variant: str, case_name: str, count: int, device: Any, turns: Turns) -> None:
    """Train without an end, a chunk of steps at a time."""
    from benchmarks.cases import CASES

    case = CASES[case_name]
    if variant in ("plain", "by hand"):
        from benchmarks.by_hand import ByHand
        from benchmarks.plain import PlainRun

        run = PlainRun(case, 0, device) if variant == "plain" else ByHand(case, count, device)
        while True:
            run.train(CHUNK)
            turns()

    from ganbench.engine.train import train

    members = case.members(1 if variant in SINGLY else count)
    while True:
        train(
            case.game(device),
            case.training(case.steps),  # a whole run, since its length decides whether compiling a step repays
            members,
            device=device,
            at_chunk=lambda progress: turns(lambda: progress.state()["execution"]["form"]),
        )


def main() -> None:
    import torch

    from ganbench.core.allocator import keep_freed_memory
    from ganbench.engine.precision import set_numeric_mode

    variant, case, members, name = sys.argv[1:]
    torch.set_num_threads(1)
    keep_freed_memory()
    set_numeric_mode()  # both of jobs, for what they are compared with as well
    device = torch.device(name)
    _train(variant, case, int(members), device, Turns(device))


if __name__ == "__main__":
    main()
