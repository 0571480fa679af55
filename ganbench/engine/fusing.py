"""Whether to train a pack's members fused or one after the other: by a rule, never by timing."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganbench.games import Game, gan

# A step has a cost of its own, whatever the size of the networks, which fused members share; fusing itself makes it
# larger, so that K members save a share of 1 - FUSING_COST / K. Against that stands the traffic of all members'
# parameters, gradients and moments, which no longer fit the core's cache; it grows with the parameters of one. And
# where one member's work keeps a core busy, there is nothing to share. Read off `make bench` on a CPU; see
# benchmarks/results.
FUSING_COST = 1.7
LARGEST_PARAMETERS = 210e3  # of both networks of a member, at which even many members save nothing
FEW_EXAMPLES = 4  # of a batch, or groups of them, whose operations are counted, and of twice as many
LARGEST_WORK = 60e6  # floating-point operations of both networks' forward passes on a batch


def decide(mode: str, game: Game, members: int, device: torch.device) -> tuple[bool, str]:
    """Whether to fuse, and the reason in words, which is kept with the runs.

    Args:
        mode: "always", "never", or "auto": on a GPU always, since small networks leave it idle between kernels; on a
            CPU where what the members share outweighs what they crowd out.
    """
    if members == 1:
        return False, "the pack has one run"
    if isinstance(game, gan.GAN) and (why := game.unvectorised):
        return False, why
    if mode != "auto":
        return mode == "always", f"the study says fuse: {mode}"
    if device.type == "cuda":
        return True, "auto: on a GPU packs are always fused"
    size, work = parameters(game), forward_work(game)
    limit = LARGEST_PARAMETERS * (1 - FUSING_COST / members)
    fuse = size <= limit and work <= LARGEST_WORK
    measured = f"{size:,} parameters and {work / 1e6:.1f} MFLOP forward per run"
    return fuse, f"auto: {measured}; {members} runs fuse up to {limit:,.0f} and {LARGEST_WORK / 1e6:g}"


def parameters(game: Game) -> int:
    """Parameters of both players."""
    return sum(game.sizes.values())


def forward_work(game: Game) -> int:
    """Floating-point operations of one forward pass of both networks on one batch, counted, not timed; 0 for a game
    without networks, whose work is nothing beside a step's own cost.

    They are counted on a few examples, and go on along a straight line: exact, unless a network compares every example
    with every other. Tensors without content ("meta") would count a whole batch, but what PyTorch imports for them
    takes longer than all of a small job's preparations.
    """
    if not isinstance(game, gan.GAN):
        return 0
    modules = {player: gan.initial_module(game.architecture, player, game.data, seed=0) for player in game.players}

    def counted(examples: int) -> int:
        counter = _FlopCounter()
        with counter, torch.no_grad():
            for player, module in modules.items():
                outputs = examples // game.packing if player == "discriminator" else examples
                module(*gan.trial_inputs(game.architecture, player, game.data, outputs))
        return counter.total

    examples = FEW_EXAMPLES * game.packing
    if game.batch_size <= 2 * examples:
        return counted(game.batch_size)
    few = counted(examples)
    return few + (counted(2 * examples) - few) * (game.batch_size - examples) // examples


class _FlopCounter(TorchDispatchMode):
    """Counts by PyTorch's formulas. Its own `FlopCounterMode` imports the compiler, which takes seconds a process."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else the class imports the compiler, to tell it that it has nothing to do here

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, op: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        result = op(*args, **kwargs)
        if op.overloadpacket in flop_registry:
            self.total += flop_registry[op.overloadpacket](*args, **kwargs, out_val=result)
        return result
