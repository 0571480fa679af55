"""Whether to train a pack's members fused or one after the other: by a rule, never by timing."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganbench.architectures import initial_module, trial_inputs
from ganbench.games import Game
from ganbench.games.gan import GAN

# A step has a cost of its own, whatever the size of the networks, which fused members share. Against that stands the
# traffic of all members' parameters, gradients and moments once they outgrow the cache, and where one member's work
# keeps a core busy there is nothing to share. Read off steps that are replayed, on one thread of a Xeon, as the rate of
# K fused members in that of one: 8 to 520 thousand parameters, K = 2 to 16, 1.2 to 3.5; 2.9 million parameters (188
# MFLOP) 1.08 and 1.16 for 2 and 4 members, 0.62 for 8; DCGAN of 166 MFLOP 0.99 and 1.07 for 4 and 8, of 300 MFLOP 0.76
# and 0.82, of 1.1 GFLOP 0.92 and 0.87 for 2 and 4, of 6.7 GFLOP 0.81.
MAX_PARAMETERS = 16e6  # of both networks of all members together
FEW_EXAMPLES = 4  # of a batch, or groups of them, whose operations are counted, and of twice as many
MAX_WORK = 200e6  # floating-point operations of both networks' forward passes on a batch


def decide(mode: str, game: Game, members: int, device: torch.device) -> tuple[bool, str]:
    """Whether to fuse, and the reason in words, which is kept with the runs.

    Args:
        mode: "always", "never", or "auto": on a GPU always, since small networks leave it idle between kernels; on a
            CPU where what the members share outweighs what they crowd out.
    """
    if members == 1:
        return False, "the pack has one run"
    if isinstance(game, GAN) and (why := game.unvectorised):
        return False, why
    if mode != "auto":
        return mode == "always", f"the study says fuse: {mode}"
    if device.type == "cuda":
        return True, "auto: on a GPU packs are always fused"
    size, work = parameters(game), forward_work(game)
    limit = MAX_PARAMETERS / members
    fuse = size <= limit and work <= MAX_WORK
    measured = f"{size:,} parameters and {work / 1e6:.1f} MFLOP forward per run"
    return fuse, f"auto: {measured}; {members} runs fuse up to {limit:,.0f} and {MAX_WORK / 1e6:g}"


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
    if not isinstance(game, GAN):
        return 0
    modules = {player: initial_module(game.architecture, player, game.data, seed=0) for player in game.players}

    def counted(examples: int) -> int:
        counter = _FlopCounter()
        with counter, torch.no_grad():
            for player, module in modules.items():
                outputs = examples // game.packing_degree if player == "discriminator" else examples
                module(*trial_inputs(game.architecture, player, game.data, outputs))
        return counter.total

    examples = FEW_EXAMPLES * game.packing_degree
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
