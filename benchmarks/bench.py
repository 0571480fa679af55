"""Speed and memory of this machine, in one run: `python -m benchmarks.bench [--quick] [--save]`.

Everything is compared with something measured beside it, since a number alone says more about the machine and its
other users than about this package. Nothing here fails for being slow; what misses its target says so in its table.
`--only SECTION --save` measures a section anew and keeps the others of the saved file.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from benchmarks import (
    architectures,
    checkpoints,
    dynamics,
    execution,
    metrics,
    overhead,
    planning,
    rate,
    second_order,
    streaming,
    summarising,
    throughput,
)
from benchmarks.cases import CONTENDERS, SIZES
from benchmarks.sheets import Sheet, device_name, heading, save
from benchmarks.workers import ENGINE
from ganbench.core.allocator import keep_freed_memory
from ganbench.engine.precision import set_numeric_mode

SECTIONS = (
    "training",
    "execution",
    "dynamics",
    "planning",
    "summarising",
    "overhead",
    "checkpoints",
    "streaming",
    "fusing",
    "architectures",
    "metrics",
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__.split("\n")[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cpu", "cuda"), default=default, help="where to train (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="under a minute; the numbers mean little")
    parser.add_argument("--save", action="store_true", help="write the tables into benchmarks/results/<device>.md")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="a section; may be given several times")
    return parser.parse_args()


def sheets(device: str, *, quick: bool, only: list[str]) -> Iterator[Sheet]:
    """Every table, as soon as it is measured."""
    if "training" in only:
        yield from _training(device, quick)
    if "execution" in only:
        yield _execution(device, quick)
    if "dynamics" in only:
        rounds, seconds = (2, 0.02) if quick else (3, 0.3)
        cases = dynamics.CASES[:2] if quick else dynamics.CASES
        yield dynamics.sheet(
            [dynamics.measure(*case, device, rounds=rounds, seconds=seconds) for case in _shown("dynamics", cases)]
        )
        spectra = dynamics.SPECTRA[:1] if quick else dynamics.SPECTRA
        yield dynamics.spectrum_sheet(spectra, device, rounds=rounds, seconds=seconds)
        chosen, runs = (
            second_order.methods(),
            (2, 3) if quick else second_order.SIZES if device == "cpu" else (2, 16, 64),
        )
        yield second_order.sheet(chosen[:1] if quick else chosen, device, sizes=runs)
    if "planning" in only:
        if find_spec("snakemake") and find_spec("pydantic"):
            yield planning.measure(seeds=40, repeats=1) if quick else planning.measure()
        else:
            yield Sheet("Time to plan a study", [], "Not measured: Snakemake and pydantic are not installed here.")
    if "summarising" in only:
        if find_spec("mlflow") and find_spec("pydantic"):
            yield summarising.measure((1, 2)) if quick else summarising.measure()
        else:
            yield Sheet("What follows training", [], "Not measured: MLflow and pydantic are not installed here.")
    if "overhead" in only:
        jobs = [("mlp", 4, 100)] if quick else [("mlp", 16, 3000), ("fc", 16, 600), ("dcgan", 16, 600)]
        yield overhead.measure(jobs, device)
    if "checkpoints" in only:
        yield checkpoints.measure(checkpoints.QUICK if quick else checkpoints.JOBS, device)
    if "streaming" in only:
        if find_spec("mlflow"):
            yield streaming.measure(3, rounds=1, every=0.3) if quick else streaming.measure()
        else:
            yield Sheet("Training that streams to an MLflow server", [], "Not measured: MLflow is not installed here.")
    if "fusing" in only:
        yield _fusing(device, quick)
    if "architectures" in only:
        chosen = ("mlp",) if quick else tuple(architectures.NATIVE)
        yield architectures.sheet(_shown("architectures", chosen), device, steps=1 if quick else 3)
    if "metrics" in only:
        yield metrics.costs(samples=300, features=8) if quick else metrics.costs()
        if find_spec("pytorch_fid"):
            yield metrics.frechet(sizes=(50, 200), features=64, rounds=1) if quick else metrics.frechet()
        else:
            yield Sheet("Fréchet distance", [], "Not measured: pytorch-fid is not installed here.")
        if find_spec("pydantic"):
            yield metrics.share(steps=20, samples=100) if quick else metrics.share()
        else:
            yield Sheet("Evaluation's share of the default study", [], "Not measured: pydantic is not installed here.")


def _training(device: str, quick: bool) -> Iterator[Sheet]:
    sizes = (2,) if quick else (2, 8, 16) if device == "cpu" else (2, 8, 16, 64, 256)
    cases = [CONTENDERS["mlp"]] if quick else CONTENDERS.values()
    product = rate.product_rate(device, 0.5 if quick else 2.0)
    rates = [
        throughput.measure(case, size, device, rounds=2 if quick else 5, seconds=0.1 if quick else 0.5)
        for case, size in _shown("training", [(case, size) for case in cases for size in sizes])
    ]
    product = max(product, rate.product_rate(device, 0.5 if quick else 2.0))
    yield throughput.throughput_sheet(rates, product)
    yield throughput.start_sheet(rates)
    yield throughput.memory_sheet(rates, device)


def _execution(device: str, quick: bool) -> Sheet:
    cases, sizes = ([CONTENDERS["mlp"]], (2,)) if quick else (CONTENDERS.values(), (16,))
    cells = _shown("execution", [(case, size) for case in cases for size in sizes])
    return execution.sheet(cells, device, **({"rounds": 1, "seconds": 0.02} if quick else {}))


def _fusing(device: str, quick: bool) -> Sheet:
    names, sizes = (("dcgan(8)",), (2,)) if quick else (SIZES, (4, 16))
    rounds, seconds = (2, 0.1) if quick else (3, 0.3)
    return throughput.fusing_sheet(
        [
            throughput.measure(SIZES[name], size, device, rounds=rounds, seconds=seconds, variants=ENGINE)
            for name, size in _shown("fusing", [(name, size) for name in names for size in sizes])
        ]
    )


def _shown(what: str, cells: Sequence[Any]) -> Iterator[Any]:
    """The cells one by one, with a bar of how many are measured where a person watches."""
    console = Console(stderr=True)
    yield from track(cells, what, console=console, transient=True, disable=not console.is_terminal)


def main() -> None:
    given = arguments()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that train
    keep_freed_memory()
    set_numeric_mode()  # both of jobs
    began, console = time.monotonic(), Console(width=None if sys.stdout.isatty() else 150)
    console.print(f"{device_name(given.device)}. {heading(given.device)}")
    done = []
    for sheet in sheets(given.device, quick=given.quick, only=given.only or list(SECTIONS)):
        sheet.print(console)
        console.print()
        done.append(sheet)
    console.print(f"{time.monotonic() - began:.0f} s.")
    if given.save:
        console.print(f"Written: {save(done, given.device, keep=bool(given.only))}")


if __name__ == "__main__":
    main()
