"""Whether to train a pack's members fused or one after the other: by a rule, never by a race of the clock."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from ganbench.engine.train import Training
from ganbench.games.gan import initial_module

# Fusing shares the overhead of small kernels among the members of a pack, and pays until one member's kernels keep a
# core busy alone. Both limits are in floating-point operations of both networks' forward passes on a batch, read off
# `make bench` on a CPU; see benchmarks/results.
WORK_PER_MEMBER = 3e6
LARGEST_WORK = 60e6


def decide(mode: str, training: Training, members: int, device: torch.device) -> tuple[bool, str]:
    """Whether to fuse, and why, in words to be kept with the runs.

    Args:
        mode: "always", "never", or "auto": on a GPU always, since small networks leave it idle between kernels; on a
            CPU when one member's work is too small to keep a core busy.
    """
    if members == 1:
        return False, "the pack has one run"
    if mode != "auto":
        return mode == "always", f"the study says fuse: {mode}"
    if device.type == "cuda":
        return True, "auto: on a GPU packs are always fused"
    work, limit = forward_work(training), min(WORK_PER_MEMBER * members, LARGEST_WORK)
    relation = "at most" if work <= limit else "more than"
    return work <= limit, f"auto: {work / 1e6:.1f} MFLOP forward per run, {relation} {limit / 1e6:g} for {members} runs"


def forward_work(training: Training) -> int:
    """Floating-point operations of one forward pass of both networks on one batch, counted, not timed."""
    architecture, batch = training.architecture, training.batch_size
    inputs = {"generator": (batch, architecture.latent_size), "discriminator": (batch, *training.data.shape)}
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        for player, shape in inputs.items():
            initial_module(architecture, player, training.data, seed=0)(torch.zeros(shape))
    return counter.get_total_flops()
