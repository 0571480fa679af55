"""Training throughput and peak memory of the ways to train a pack, taking turns in one measurement."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.cases import Case
from benchmarks.rate import step_flops
from benchmarks.sheets import Sheet
from benchmarks.workers import CHUNK, Peak, Worker
from ganbench.engine import fusing

VARIANTS = ("fused", "by hand", "unfused", "plain")
NAMES = {"by hand": "fused by hand", "plain": "process per run"}  # in tables, where they say more than a variant's own
SLOWER = 0.95  # below this share of the better of fused and unfused, the rule's choice is called a mistake
GOAL = 1.2  # of what `auto` picks, against the step fused by hand
GOAL_RUNS = (8, 16)  # sizes of packs that the goal is for
HFTA = (
    "HFTA's own operators and its Adam, in turns beside it on two cores of an AMD EPYC that others used as well, are "
    "slower than the step by hand, which does 1.4 to 1.8 times their steps (mlp), 1.2 to 1.4 (fc) and 1.03 to 1.05 "
    "(dcgan)."
)


@dataclass(frozen=True)
class Rates:
    """A case and a pack size, measured: run-steps per second of every turn, start-up and memory, by variant."""

    case: Case
    members: int
    turns: dict[str, list[float]]
    start_seconds: dict[str, float]
    peaks: dict[str, Peak]
    fuses: bool  # what `fuse: auto` does

    def rate(self, variant: str) -> float:
        return median(self.turns[variant])

    @property
    def auto(self) -> str:
        return "fused" if self.fuses else "unfused"

    @property
    def choices(self) -> str:
        """What auto picks, and how steps are executed there."""
        form = self.peaks[self.auto].form if self.auto in self.peaks else ""
        return f"{self.auto}, {form}" if form else self.auto

    @property
    def regret(self) -> float:
        """Rate of what auto picks, as a share of the better of the two it picks from."""
        return self.rate(self.auto) / max(self.rate("fused"), self.rate("unfused"))

    @property
    def mistake(self) -> str:
        """In words, that auto picks the slower way; empty where it does not."""
        other = "unfused" if self.fuses else "fused"
        return "" if self.regret >= SLOWER else f"{1 - self.regret:.0%} slower than {other}"

    def gain(self, over: str) -> float:
        """Rate of what auto picks, in that of another variant."""
        return self.rate(self.auto) / self.rate(over)

    @property
    def verdict(self) -> str:
        """What is not as it should be: the rule's choice, and the goal where it applies."""
        faults = [self.mistake] if self.mistake else []
        if self.gain("plain") < SLOWER:
            faults.append("slower than a process per run")
        if self.members in GOAL_RUNS and self.gain("by hand") < GOAL:
            faults.append(f"{1 - self.gain('by hand') / GOAL:.0%} below the goal")
        return "; ".join(faults) or "ok"


def measure(
    case: Case, members: int, device: str, *, rounds: int, seconds: float, variants: Sequence[str] = VARIANTS
) -> Rates:
    """Time the variants in turns (ABC, BCA, CAB, ...), so that what else the machine does falls on all of them.

    Args:
        case: what to train.
        members: runs of the pack.
        device: "cpu" or "cuda".
        rounds: turns of every variant.
        seconds: what a turn takes, about.
        variants: which of VARIANTS.
    """
    # On a CPU a variant has one core, since a study keeps every core busy with packs of its own. Processes of single
    # runs share a GPU, as many at once as there are cores to feed it.
    together = 1 if device == "cpu" else min(members, os.cpu_count() or 1)
    workers: dict[str, list[Worker]] = {}
    try:
        for variant in variants:
            count = together if variant == "plain" else 1
            workers[variant] = [Worker(variant, case.name, members, device) for _ in range(count)]
            if device != "cpu":  # where start-up is timed by the clock
                _started(workers[variant])
        if device == "cpu":
            _started([worker for team in workers.values() for worker in team])
        turns = _turns(case, workers, rounds, seconds)
        starts = {variant: min(worker.start_seconds for worker in team) for variant, team in workers.items()}
        ends = {variant: [worker.close() for worker in team] for variant, team in workers.items()}
    finally:
        for worker in [worker for team in workers.values() for worker in team]:
            worker.kill()
    peaks = {variant: max(peaks, key=lambda peak: peak.host) for variant, peaks in ends.items()}
    fuses, _ = fusing.decide("auto", case.game(), members, torch.device(device))
    return Rates(case, members, turns, starts, peaks, fuses)


def _started(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.start()


def _turns(case: Case, workers: dict[str, list[Worker]], rounds: int, seconds: float) -> dict[str, list[float]]:
    steps = {}
    for variant, team in workers.items():
        once = min(_turn(team, CHUNK) for _ in range(2))
        within = case.steps // CHUNK // (rounds + 4)  # so that no worker comes to the end of its run
        steps[variant] = max(1, min(round(seconds / once), within)) * CHUNK
    variants = list(workers)
    turns: dict[str, list[float]] = {variant: [] for variant in variants}
    for index in range(rounds):
        first = index % len(variants)
        for variant in (*variants[first:], *variants[:first]):
            team = workers[variant]
            taken = _turn(team, steps[variant])
            turns[variant].append(sum(worker.members for worker in team) * steps[variant] / taken)
    return turns


def _turn(team: list[Worker], steps: int) -> float:
    for worker in team:
        worker.begin(steps)
    return max(worker.seconds() for worker in team)


def throughput_sheet(rates: Sequence[Rates], product: float, note: str = "") -> Sheet:
    """Rates side by side, as medians over turns with half their range.

    Args:
        rates: the measurements.
        product: floating-point operations per second of a large matrix product, measured beside them.
        note: what else is to be said of the table.
    """
    sheet = Sheet(
        "Training throughput, runs x steps per second",
        [
            *("case", "MFLOP per run-step", "runs", *(NAMES.get(variant, variant) for variant in VARIANTS)),
            *("auto", "auto / by hand", "auto / process", "verdict"),
        ],
        "Medians of turns, ± half their range; in brackets the share of the roofline, which is here the "
        f"{product / 1e9:,.0f} GFLOP/s that a large float32 matrix product reached in the same measurement (counted "
        "are products and convolutions, forward and backward). On a CPU every variant has one thread, and seconds are "
        "the processor's; start-up is not in here. Fused by hand is a step of stacked layers in the manner of HFTA, "
        "written for these networks alone (benchmarks/by_hand.py), that records what the engine records; a process per "
        f"run is a plain PyTorch loop that records less. The goal is {GOAL:g} times the step fused by hand, for "
        f"{' and '.join(map(str, GOAL_RUNS))} runs. {HFTA} {note}".strip(),
    )
    flops = {row.case.name: step_flops(row.case) for row in rates}
    for row in rates:
        work = flops[row.case.name]
        cells = [f"{_spread(row.turns[each])} ({row.rate(each) * work / product:.0%})" for each in VARIANTS]
        ratios = [f"{row.gain(over):.2f}" for over in ("by hand", "plain")]
        sheet.add(row.case.name, f"{work / 1e6:.1f}", row.members, *cells, row.choices, *ratios, row.verdict)
    return sheet


def start_sheet(rates: Sequence[Rates]) -> Sheet:
    """What whole packs take, each run with its own start-up or all with one."""
    sheet = Sheet(
        "A whole pack, start-up included, seconds",
        ["case", "runs", "steps", "start-up: pack", "start-up: process", "pack, auto", "process per run", "ratio"],
        "Start-up is from nothing to the end of the first steps, which are traced and compiled there if at all; of "
        "the processor's seconds on a CPU. Times of whole runs follow from it and the rates.",
    )
    for row in rates:
        work = row.members * row.case.steps
        start, each = row.start_seconds[row.auto], row.start_seconds["plain"]
        pack, apart = start + work / row.rate(row.auto), row.members * each + work / row.rate("plain")
        cells = [f"{value:.1f}" for value in (start, each, pack, apart)]
        sheet.add(row.case.name, row.members, row.case.steps, *cells, f"{apart / pack:.2f}")
    return sheet


def memory_sheet(rates: Sequence[Rates], device: str) -> Sheet:
    """Peak memory by variant."""
    sheet = Sheet(
        "Peak memory of a process, MiB",
        ["case", "runs", *(NAMES.get(variant, variant) for variant in VARIANTS)],
        "Resident memory, of which PyTorch and its imports are the larger part"
        + (", and after the plus what was allocated on the GPU." if device != "cpu" else "."),
    )
    for row in rates:
        peaks = [row.peaks[variant] for variant in VARIANTS]
        cells = [f"{peak.host:.0f}" + (f" + {peak.device:.0f}" if device != "cpu" else "") for peak in peaks]
        sheet.add(row.case.name, row.members, *cells)
    return sheet


def fusing_sheet(rates: Sequence[Rates]) -> Sheet:
    """From which size on fusing no longer pays, next to what the rule does."""
    sheet = Sheet(
        "Where fusing pays",
        ["case", "parameters", "MFLOP forward", "runs", "fused", "unfused", "fused / unfused", "auto", "verdict"],
        "The measurements that the rule of `fuse: auto` was read off (ganbench/engine/fusing.py).",
    )
    for row in rates:
        game = row.case.game()
        size, work = fusing.parameters(game), fusing.forward_work(game) / 1e6
        cells = [_spread(row.turns[variant]) for variant in ("fused", "unfused")]
        ratio = f"{row.rate('fused') / row.rate('unfused'):.2f}"
        sheet.add(row.case.name, f"{size:,}", f"{work:.1f}", row.members, *cells, ratio, row.auto, row.mistake or "ok")
    return sheet


def _spread(values: list[float]) -> str:
    middle = median(values)
    return f"{middle:,.0f} ± {(max(values) - min(values)) / 2 / middle:.0%}"
