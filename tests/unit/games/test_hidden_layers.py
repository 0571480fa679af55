"""What stands behind a gain that starts at 0: probes of networks and of games see it, at disturbed parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from building import gan
from torch import Tensor, nn

from ganbench.architectures import Architecture
from ganbench.contracts.networks import network_fault
from ganbench.contracts.steps import mixes_examples
from ganbench.data import DataSpec
from ganbench.games import Member
from ganbench.nn.probes import DISTURBANCE, disturbed

PLANE = DataSpec((2,), False, 16, 8)
MEMBERS = [Member(seed, 16, 1e-3) for seed in (0, 1)]


class Gained(nn.Module):
    """x + gain f(x), with a gain that starts at 0."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.gain = inner, nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gain * self.inner(x)


class OtherTogether(nn.Module):
    """Computes members that are computed together otherwise than those that are alone."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x if torch._C._functorch.is_batchedtensor(x) else x


class Constant(nn.Module):
    """No value of an example reaches the outputs."""

    def forward(self, x: Tensor) -> Tensor:
        return 0 * x


def started_at_zero(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    return layer


@dataclass(frozen=True)
class Hiding(Architecture):
    """A discriminator with a layer of its own between two others."""

    inner: str
    latent_size: ClassVar[int] = 2

    def generator(self, data: DataSpec) -> nn.Module:
        return nn.Linear(2, 2)

    def discriminator(self, data: DataSpec) -> nn.Module:
        inner, last = {
            "none": lambda: (nn.Identity(), nn.Linear(2, 1)),
            "batch norm behind a gain": lambda: (
                Gained(nn.BatchNorm1d(2, track_running_stats=False)),
                nn.Linear(2, 1),
            ),
            "tanh behind a gain": lambda: (Gained(nn.Tanh()), nn.Linear(2, 1)),
            "batch norm before a zero layer": lambda: (
                nn.BatchNorm1d(2, track_running_stats=False),
                started_at_zero(nn.Linear(2, 1)),
            ),
            "zero layer": lambda: (nn.Tanh(), started_at_zero(nn.Linear(2, 1))),
            "constant": lambda: (Constant(), nn.Linear(2, 1)),
        }[self.inner]()
        return nn.Sequential(nn.Linear(2, 2), inner, last, nn.Flatten(0))


def test_a_difference_of_members_together_is_seen_behind_a_gain_of_zero():
    def fault(inner: nn.Module) -> str | None:
        def build() -> nn.Module:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                return nn.Sequential(nn.Linear(2, 3), Gained(inner), nn.Linear(3, 1), nn.Flatten(0))

        return network_fault(build, (torch.randn(4, 2, generator=torch.Generator().manual_seed(0)),), {"logits": ()})

    assert fault(nn.Tanh()) is None
    assert "two members at once that differ from those of each alone" in fault(OtherTogether())


@pytest.mark.parametrize(
    ("inner", "mixes"),
    [
        ("none", False),
        ("batch norm behind a gain", True),
        ("tanh behind a gain", False),
        ("batch norm before a zero layer", True),
        ("zero layer", False),
        ("constant", True),  # nothing proves that it does not
    ],
)
def test_a_game_knows_whether_examples_mix_behind_zeros(inner, mixes):
    game = gan(np.zeros((16, 2)), data=PLANE, architecture=Hiding(inner), batch_size=4)
    assert mixes_examples(game, MEMBERS) == mixes


def test_disturbed_parameters_are_near_and_follow_from_the_seed():
    theta = torch.ones(10_000, dtype=torch.float64)
    one, other = disturbed(theta), disturbed(theta, 1)
    assert one.dtype == torch.float64
    assert torch.equal(one, disturbed(theta))
    assert not torch.equal(one, other)
    assert (one - theta).std().item() == pytest.approx(DISTURBANCE, rel=0.05)
