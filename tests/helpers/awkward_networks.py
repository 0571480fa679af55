"""Networks with everything that makes a module awkward to vectorise, for the tests: one class each."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

WIDTH = 6


class Attention(nn.Module):
    """Self-attention among the values of an example."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, dropout=dropout, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x[:, None] * torch.linspace(0.5, 1.5, 3, dtype=x.dtype)[:, None]
        return self.attention(tokens, tokens, tokens, need_weights=True)[0].mean(1)


class Tied(nn.Module):
    """One layer that is used twice, and under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.second = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).tanh())


class Noise(nn.Module):
    """Noise of a learned size, as style-based generators add it."""

    def __init__(self) -> None:
        super().__init__()
        self.size = nn.Parameter(torch.tensor(0.3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.size * torch.randn_like(x) + 0.1 * torch.rand(x.shape, dtype=x.dtype)


class Counted(nn.Module):
    """A buffer of integers, and one that never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("scale", torch.full((WIDTH,), 0.9))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.scale * (1 + 1 / (1 + self.calls))


class Branching(nn.Module):
    """A branch on a value, which vmap refuses."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x if x.sum().item() > 0 else 0.5 * x


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x + 0.0
        y.mul_(1.5)
        return F.relu(y, inplace=True)


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "dropout": lambda: nn.Dropout(0.3),
    "spectral norm": lambda: spectral_norm(nn.Linear(WIDTH, WIDTH)),
    "weight norm": lambda: weight_norm(nn.Linear(WIDTH, WIDTH)),
    "running batch norm": lambda: nn.BatchNorm1d(WIDTH),
    "cumulative batch norm": lambda: nn.BatchNorm1d(WIDTH, momentum=None),
    "batch norm": lambda: nn.BatchNorm1d(WIDTH, track_running_stats=False),
    "layer norm": lambda: nn.LayerNorm(WIDTH),
    "attention": Attention,
    "attention dropout": lambda: Attention(0.3),
    "tied": Tied,
    "noise": Noise,
    "counted": Counted,
    "in place": InPlace,
    "branching": Branching,
}
RANDOM = ("dropout", "attention dropout", "noise")  # layers that draw random numbers in training


def network(layer: str, inputs: int, outputs: int) -> nn.Module:
    """A network with this layer in its middle, twice."""
    made = LAYERS[layer]
    return nn.Sequential(nn.Linear(inputs, WIDTH), made(), nn.Tanh(), made(), nn.Linear(WIDTH, outputs))
