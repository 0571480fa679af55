"""A training step takes nothing from Python's memory and hands nothing back: on a GPU it would wait for each copy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from building import CPU, gan, names, part, refusal, toy, toys
from conditional_networks import Conditional
from torch.utils._python_dispatch import TorchDispatchMode

from ganbench.data import DataSpec
from ganbench.games import Game, Match, Member

# How data of Python enters PyTorch, be it `torch.tensor`, `new_tensor`, `as_tensor`, `from_numpy` or a list as an
# index, and how a number leaves it: `item`, `if`, `float`.
COPIES = {torch.ops.aten.lift_fresh.default, torch.ops.aten._local_scalar_dense.default}
EXAMPLES = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
PLANE = DataSpec(shape=(2,), bounded=False, train=64, modes=3)
IMAGES = DataSpec(shape=(1, 4, 4), bounded=True, train=64, modes=3)


class HostCopies(TorchDispatchMode):
    """Counts copies between Python and PyTorch in a block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function in COPIES:
            self.found.append(str(function))
        return function(*args, **(kwargs or {}))


def networks(**parts) -> Game:
    """Networks on points, or on images where a regularizer is for those alone."""
    images = getattr(parts.get("regularizer"), "images", False)
    data = IMAGES if images else PLANE
    examples = np.resize(EXAMPLES, (data.train, *data.shape))
    return gan(examples, data=data, architecture=part("architecture", "mlp", width=8), **parts)


def with_buffers() -> Game:
    """Networks with labels, running statistics and a power iteration."""
    labels = np.arange(len(EXAMPLES)) % PLANE.modes
    return gan(EXAMPLES, data=PLANE, architecture=Conditional(norms=True), labels=labels)


GAMES = {
    **{name: lambda name=name: toy(name) for name in toys()},
    "sampled gaussian": lambda: toy("gaussian", samples=8),
    "networks": networks,
    "networks with buffers": with_buffers,
    **{
        f"{family} {name}": lambda family=family, name=name: networks(**{family: part(family, name)})
        for family in ("objective", "regularizer")
        for name in names(family)
        if not getattr(part(family, name), "needs", ())
    },
    "flipped labels": lambda: networks(objective=part("objective", "minimax", label_flip_probability=0.1)),
}


def copies_of_a_step(game: Game, dynamics: str, optimizer: str) -> list[str]:
    """The copies of the second step, since the first may place what all others use."""
    method, moved_by = part("dynamics", dynamics), part("optimizer", optimizer)
    match = Match(game, [Member(seed, 20, 1e-3) for seed in (0, 1)], CPU, torch.float64)
    players, rates = match.init(), match.rates()
    states = method.init(match, players, moved_by)
    match.keeps_buffers = True
    for step in range(2):
        batches = match.draw(step, method.batches_per_step)
        with HostCopies() as copies:
            result = method.step(match, players, states, batches, moved_by, rates)
        players, states = result.players, result.states
    return copies.found


def test_copies_are_seen():
    x = torch.zeros(3)
    for copy in (
        lambda: torch.tensor([1.0, 2.0]),
        lambda: x.new_tensor(np.ones(2)),
        lambda: x[[0, 1]],
        lambda: x[0].item(),
    ):
        with HostCopies() as copies:
            copy()
        assert len(copies.found) == 1
    with HostCopies() as copies:
        torch.where(x > 0, 2 * x, 1.0) + torch.full_like(x, 2.0)
    assert copies.found == []


@pytest.mark.parametrize("game", GAMES)
def test_a_game_s_losses_stay_on_the_device(game):
    assert copies_of_a_step(GAMES[game](), "alternating", "sgd") == []


@pytest.mark.parametrize("optimizer", names("optimizer"))
def test_an_optimizer_stays_on_the_device(optimizer):
    assert copies_of_a_step(networks(), "alternating", optimizer) == []


@pytest.mark.slow
@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("optimizer", [name for name in names("optimizer") if name != "sgd"])
def test_every_game_with_every_optimizer_stays_on_the_device(game, optimizer):
    assert copies_of_a_step(GAMES[game](), "alternating", optimizer) == []


OTHERS = [name for name in toys() if name != "bilinear"]  # whose losses are seen above


@pytest.mark.parametrize(
    "game",
    [
        "bilinear",
        "networks with buffers",
        *(pytest.param(name, marks=pytest.mark.slow) for name in [*OTHERS, "networks"]),
    ],
)
@pytest.mark.parametrize("dynamics", names("dynamics"))
def test_dynamics_stay_on_the_device(game, dynamics):
    optimizer = "sgd" if refusal(dynamics, "adam") else "adam"
    assert copies_of_a_step(GAMES[game](), dynamics, optimizer) == []
