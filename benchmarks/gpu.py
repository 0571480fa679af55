"""What must hold on a GPU, and how fast it trains: `python -m benchmarks.gpu`, in less than nine minutes.

It needs Python, PyTorch and NumPy; what else is missing is named, with what is left out for it. Checks come
first, then tables; each part has a share of the time, and says what it left out. All of it is written into the Markdown
file of the device.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from benchmarks import checks, execution, rate, second_order, sheets, throughput
from benchmarks.cases import CONTENDERS
from benchmarks.sheets import Sheet
from ganbench.core.allocator import keep_freed_memory
from ganbench.engine.precision import set_numeric_mode

SECONDS = 500.0
COMPILER = ("torch._dynamo", "torch._inductor.compile_fx")
# Of the seconds, at most; the rest is for imports.
SHARES = {"checks": 0.3, "execution": 0.15, "throughput": 0.4, "kernels": 0.1}
PACKAGES = {
    "rich": "the check of memory that runs out",
    "h5py": "the same",
    "threadpoolctl": "the same",
    "sklearn": "the digits, instead of which noise of their shape is trained on",
}
FORMS = [(CONTENDERS["mlp"], 16), (CONTENDERS["dcgan"], 16)]
CELLS = (("mlp", 16), ("dcgan", 16), ("fc", 16), ("mlp", 64), ("dcgan", 64), ("mlp", 256), ("dcgan", 8), ("mlp", 8))


class TimeOver(BaseException):
    """The time of a part is used up; no `Exception`, which who falls back to something slower would take it for."""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """A block that ends with an error when it has taken so long.

    Raises:
        TimeOver: it has.
    """

    def over(*_: Any) -> None:
        raise TimeOver(f"stopped after {seconds:.0f} s, which was left of the time")

    if seconds <= 0:
        raise TimeOver("no time was left")
    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def checked(device: torch.device, seconds: float) -> tuple[Sheet, bool]:
    """The sheet of all checks within so many seconds, and whether all that could be checked holds."""
    end, holds = time.monotonic() + seconds, True
    missing = "; ".join(f"{name} (for: {what})" for name, what in PACKAGES.items() if not find_spec(name))
    sheet = Sheet(
        "Checks",
        ["what", "result", "seconds", "found"],
        f"Small networks, {checks.RUNS} runs; numbers are norms of differences of parameters, by the norm of what is "
        f"expected. Packages that are missing: {missing or 'none'}.",
    )
    for name, check in checks.CHECKS.items():
        began = time.monotonic()
        result, words = _outcome(check, device, end - began)
        holds &= result != "FAILS"
        sheet.add(name, result, f"{time.monotonic() - began:.0f}", words)
    return sheet, holds


def _outcome(check: Callable[[torch.device], checks.Finding], device: torch.device, seconds: float) -> tuple[str, str]:
    try:
        with limit(seconds):
            finding = check(device)
    except (TimeOver, ModuleNotFoundError) as error:
        return "not checked", str(error)
    except Exception as error:  # the others are still to be seen
        return "FAILS", _line(error).replace("|", "/")
    results = {True: "holds", False: "FAILS", None: "does not apply"}
    return results[finding.holds], finding.words


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def measured(device: str, seconds: dict[str, float]) -> Iterator[Sheet]:
    """The tables, each within its seconds."""
    yield _within(seconds["execution"], execution.TITLE, lambda: execution.sheet(FORMS, device, rounds=3))
    yield from _throughput(device, seconds["throughput"])
    yield _within(
        seconds["kernels"],
        second_order.TITLE,
        lambda: second_order.sheet(second_order.methods(), device, sizes=(2, 16)),
    )


def _within(seconds: float, title: str, measure: Callable[[], Sheet]) -> Sheet:
    try:
        with limit(seconds):
            return measure()
    except TimeOver as error:
        return Sheet(title, [], f"Not measured: {error}.")
    except Exception as error:  # the other tables are still to be had
        return Sheet(title, [], f"Not measured: {_line(error)}.")


def _throughput(device: str, seconds: float) -> Iterator[Sheet]:
    """Throughput and what belongs to it, of as many cells as there is time for in so many seconds."""
    end, rates, left_out = time.monotonic() + seconds, [], []
    product = rate.product_rate(device, min(2.0, seconds / 50))
    for name, runs in CELLS:
        try:
            with limit(end - time.monotonic()):
                rates.append(throughput.measure(CONTENDERS[name], runs, device, rounds=3, seconds=0.5))
        except (TimeOver, Exception) as error:
            left_out.append(f"{name} of {runs} runs ({error})".replace("\n", " "))
    note = f"Left out: {'; '.join(left_out)}." if left_out else ""
    if not rates:
        yield Sheet("Training throughput, runs x steps per second", [], note)
        return
    yield throughput.throughput_sheet(rates, product, note)
    yield throughput.start_sheet(rates)
    yield throughput.memory_sheet(rates, device)


def main(arguments: list[str] | None = None) -> int:
    """Run everything; returns 0 if all checks hold, 1 if one fails, 2 without a GPU."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: the same in small, as a trial")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time for all of it (%(default)g)")
    parser.add_argument("--folder", type=Path, default=sheets.RESULTS, help="of the Markdown file (%(default)s)")
    given = parser.parse_args(arguments)
    if given.device == "cuda" and not torch.cuda.is_available():
        print("PyTorch sees no GPU here; `python -m benchmarks.gpu --device cpu` makes the same checks without one.")
        return 2
    torch.set_num_threads(1)
    keep_freed_memory()
    set_numeric_mode()
    # Before any time runs: an import that is stopped halfway leaves a module that fails whoever needs it later.
    for name in COMPILER:
        import_module(name)
    began, seconds = time.monotonic(), {part: share * given.seconds for part, share in SHARES.items()}
    checks_sheet, holds = checked(torch.device(given.device), seconds["checks"])
    path, done = None, []
    for sheet in chain([checks_sheet], measured(given.device, seconds)):
        print(sheet.markdown(), flush=True)
        done.append(sheet)
        path = sheets.save(done, given.device, given.folder)  # each time, in case that the machine is taken away
    print(f"{time.monotonic() - began:.0f} s. Written: {path}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
