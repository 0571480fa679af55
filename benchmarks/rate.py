"""What share of the machine's arithmetic a training step reaches."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases import Case
from benchmarks.sheets import Sheet
from benchmarks.throughput import VARIANTS, Rates
from ganbench.games import Match


def step_flops(case: Case) -> int:
    """Floating-point operations of one training step of one run, forward and backward, in products and convolutions."""
    training = case.training(1)
    match = Match(case.game(), case.members(1), torch.device("cpu"), training.dtype)
    players = match.init()
    states = training.dynamics.init(match, players, training.optimizer)
    batches, rates = match.draw(0, training.dynamics.batches_per_step), match.rates()
    with FlopCounterMode(display=False) as counter:
        training.dynamics.step(match, players, states, batches, training.optimizer, rates)
    return counter.get_total_flops()


def product_rate(device: str, seconds: float = 2.0) -> float:
    """Floating-point operations per second of a large float32 matrix product: one thread of a CPU, or the whole GPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    size = 1024 if device == "cpu" else 8192
    a, b = torch.randn(2, size, size, device=device)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        a @ b
        if device != "cpu":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    torch.set_num_threads(before)
    return 2 * size**3 / best


def sheet(rates: Sequence[Rates], product: float) -> Sheet:
    """Arithmetic of the best turns against the machine's measured rate of products."""
    result = Sheet(
        "Share of the machine's float32 rate that training reaches",
        ["case", "MFLOP per run-step", "runs", *(f"{variant}, GFLOP/s (share)" for variant in VARIANTS)],
        f"Of {product / 1e9:,.0f} GFLOP/s that a large matrix product reached in the same measurement, on one thread "
        "of a CPU or the whole GPU. Only products and convolutions are counted, forward and backward; best turns.",
    )
    flops = {row.case.name: step_flops(row.case) for row in rates}
    for row in rates:
        reached = [max(row.turns[variant]) * flops[row.case.name] for variant in VARIANTS]
        cells = [f"{value / 1e9:.1f} ({value / product:.0%})" for value in reached]
        result.add(row.case.name, f"{flops[row.case.name] / 1e6:.1f}", row.members, *cells)
    return result
