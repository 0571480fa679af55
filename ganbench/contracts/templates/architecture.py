"""Residual multilayer perceptrons: every hidden layer adds to what came before."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated

from torch import Tensor, nn

from ganbench.architectures import Architecture
from ganbench.core.interval import Interval
from ganbench.data import DataSpec


class ResidualLayer(nn.Module):
    """x + relu(W x + b)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer(x).relu()


@dataclass(frozen=True)  # the fields are the options; a study may set each of them, or list several values
class MyArchitecture(Architecture):
    """Both networks have `depth` hidden layers of `width` units."""

    latent_size: Annotated[int, Interval(ge=1, le=10_000)] = 32  # every architecture has one
    width: Annotated[int, Interval(ge=1, le=10_000)] = 128
    """Number of units of a hidden layer."""
    depth: Annotated[int, Interval(ge=0, le=100)] = 3
    """Number of hidden layers of each network."""

    # Ordinary modules of one run, drawn from PyTorch's generator. What a network keeps from call to call must be a
    # buffer; one that branches on values (`.item()`, `if` of a tensor) trains one run at a time.

    def unsupported(self, data: DataSpec) -> str | None:
        return None  # or a sentence: what it cannot do, and what it could

    def generator(self, data: DataSpec) -> nn.Module:
        # Latent points (batch, latent_size) to examples (batch, *data.shape), within [-1, 1] where data are bounded.
        last = nn.Tanh() if data.bounded else nn.Identity()
        return nn.Sequential(*self._body(self.latent_size, prod(data.shape)), last, nn.Unflatten(1, data.shape))

    def discriminator(self, data: DataSpec) -> nn.Module:
        # Examples (batch, *data.shape) to logits (batch,).
        return nn.Sequential(nn.Flatten(), *self._body(prod(data.shape), 1), nn.Flatten(0))

    def _body(self, inputs: int, outputs: int) -> list[nn.Module]:
        hidden = [ResidualLayer(self.width) for _ in range(self.depth)]
        return [nn.Linear(inputs, self.width), *hidden, nn.Linear(self.width, outputs)]
