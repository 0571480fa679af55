"""Real and generated examples share a pass of a discriminator that looks at each of them alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from building import gan, part
from playing import networks
from torch import nn

from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.games import Match, Member
from ganbench.nn.network import Network
from ganbench.nn.probes import mixes_examples


class Mixing(nn.Module):
    """A residual network whose branch, which normalises by the batch, is switched off at first."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, track_running_stats=False))
        self.out = nn.Linear(3, 1)
        nn.init.zeros_(self.branch[1].weight)

    def forward(self, x):
        return self.out(x + self.branch(x)).flatten()


class Cumulative(nn.Module):
    """Every example sees those before it."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(3, 1)

    def forward(self, x):
        return self.out(x.cumsum(0)).flatten()


class Packed(nn.Module):
    """Four examples have one logit between them."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(12, 1)

    def forward(self, x):
        return self.out(x.view(-1, 12)).expand(-1, 4).flatten()


class Spread(nn.Module):
    """Minibatch standard deviation, of which no gradient is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 1)

    def forward(self, x):
        spread = x.std(0).mean().detach().expand(len(x), 1)
        return self.out(torch.cat([x, spread], 1)).flatten()


@pytest.mark.parametrize(
    ("module", "mixes"),
    [
        (lambda: nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(), nn.Linear(8, 1), nn.Flatten(0)), False),
        (lambda: nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 1), nn.Flatten(0)), False),
        (Mixing, True),
        (Spread, True),
        (Cumulative, True),
        (Packed, True),
    ],
)
def test_whether_examples_mix_is_found_by_what_they_give_alone(module, mixes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made, few = module(), torch.randn(4, 3)
    assert mixes_examples(Network(made, few), Network.vector(made), few) == mixes


@pytest.mark.parametrize("objective", ["non_saturating", "relativistic_average", "hinge"])
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_one_pass_gives_the_numbers_of_two(objective, player):
    changed = {"objective": part("objective", objective), "regularizer": part("regularizer", "instance_noise")}
    game = replace(networks(), **changed)
    match = Match(game, [Member(seed, 8, 1e-3) for seed in (0, 1)], torch.device("cpu"), torch.float64)
    assert game.shares_pass
    at, batch = match.init(), match.draw(0, 1)[0]
    together, aux = match.loss(player, at, batch)
    apart, others = game.replaced(shares_pass=False).loss(player, at, batch)
    torch.testing.assert_close(together, apart, rtol=1e-12, atol=1e-12)
    assert aux.keys() == others.keys()
    for name, value in aux.items():
        torch.testing.assert_close(value, others[name], rtol=1e-12, atol=1e-12)


def test_a_network_that_keeps_buffers_is_applied_in_a_loss_alone():
    architecture = part("architecture", "dcgan", base_channels=2, latent_size=2, discriminator_norm="spectral")
    game = gan(np.zeros((8, 1, 8, 8)), data=DataSpec((1, 8, 8), True, 8, 0), architecture=architecture)
    match = Match(game, [Member(0, 8, 1e-3)], torch.device("cpu"), torch.float64)
    at, batch = match.init(), match.draw(0, 1)[0]
    assert match.loss("discriminator", at, batch)[0].isfinite().all()
    with pytest.raises(GanbenchError, match="the discriminator has buffers or draws random numbers"):
        game.discriminate(at["discriminator"], game.real(at, batch).points)
