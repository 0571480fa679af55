"""Self-attention of feature maps (Zhang et al. 2019, SAGAN), in operations that have second derivatives."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d


class SelfAttention(nn.Module):
    """x + gamma o(sum over positions j of softmax_j(q(x)_i . k(x)_j) v(x)_j), gamma a parameter that starts at 0.

    As the authors' code: queries and keys of an eighth of the channels, values of half of them, all by 1x1 convolutions
    without biases, and keys and values max-pooled to half the side. The product and the softmax are written out, since
    `scaled_dot_product_attention` has no second derivative, which gradient penalties take.

    Args:
        channels: channels of the feature maps, whose height and width are even.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.output = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (batch, channels, height, width) to such."""
        query = self.query(x).flatten(2)
        key, value = (max_pool2d(layer(x), 2).flatten(2) for layer in (self.key, self.value))
        attention = torch.bmm(query.mT, key).softmax(-1)  # (batch, positions, positions / 4)
        return x + self.gamma * self.output(torch.bmm(value, attention.mT).unflatten(2, x.shape[2:]))
