"""The roofline: the arithmetic of a training step, and the machine's rate of it."""

from __future__ import annotations

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases import Case
from ganbench.games import Match


def step_flops(case: Case) -> int:
    """Floating-point operations of one training step of one run, forward and backward, in products and convolutions."""
    training = case.training(1)
    match = Match(case.game(), case.members(1), torch.device("cpu"), training.dtype)
    players = match.init()
    states = training.dynamics.init(match, players, training.optimizer)
    batches, rates = match.draw(0, training.dynamics.batches_per_step), match.rates()
    training.dynamics.step(
        match, players, states, batches, training.optimizer, rates
    )  # whose networks are tried at their first step
    with FlopCounterMode(display=False) as counter:
        training.dynamics.step(match, players, states, batches, training.optimizer, rates)
    return counter.get_total_flops()


def product_rate(device: str, seconds: float = 2.0) -> float:
    """Floating-point operations per second of a large float32 matrix product: one thread of a CPU, or the whole GPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    size = 1024 if device == "cpu" else 8192
    a, b = torch.randn(2, size, size, device=device)
    # As training is timed: of a CPU it is the core's time that counts.
    clock = time.process_time if device == "cpu" else time.perf_counter
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = clock()
        a @ b
        if device != "cpu":
            torch.cuda.synchronize()
        best = min(best, clock() - began)
    torch.set_num_threads(before)
    return 2 * size**3 / best
