"""Residual blocks of SNGAN (Miyato et al. 2018; Miyato and Koyama 2018), and how their weights start."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench.nn.conditional_norm import ConditionalBatchNorm2d
from ganbench.nn.initialization import initialize


class GeneratorBlock(nn.Module):
    """Upsamples by two: normalisation, ReLU, upsampling, 3x3 convolution, normalisation, ReLU, 3x3 convolution, plus a
    shortcut of upsampling and a 1x1 convolution.

    Args:
        in_channels, out_channels: channels of inputs and outputs.
        classes: number of labels that normalisations have scales and shifts of; 0 for none.
        upsampling: "nearest" or "bilinear".
    """

    def __init__(self, in_channels: int, out_channels: int, classes: int, upsampling: str) -> None:
        super().__init__()
        self.norms = nn.ModuleList(_norm(channels, classes) for channels in (in_channels, out_channels))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, out_channels, 3, padding=1) for channels in (in_channels, out_channels)
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)
        self._upsampling = {"mode": upsampling, "align_corners": False if upsampling == "bilinear" else None}

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Feature maps (batch, in_channels, h, w), and labels (batch,) if there are classes, to (batch, out_channels,
        2h, 2w)."""
        within = self.convolutions[0](self._upsampled(_normalised(self.norms[0], x, labels).relu()))
        within = self.convolutions[1](_normalised(self.norms[1], within, labels).relu())
        # A 1x1 convolution and upsampling commute; before it, the convolution has a quarter of the work.
        return within + self._upsampled(self.shortcut(x))

    def _upsampled(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, **self._upsampling)


class DiscriminatorBlock(nn.Module):
    """ReLU, 3x3 convolution, ReLU, 3x3 convolution, and mean pooling if it halves, plus a shortcut.

    The shortcut is a 1x1 convolution, and pooling, where the block halves or changes the number of channels. The first
    block has images as inputs, so it has no ReLU before its first convolution, whose outputs are as wide as its own.

    Args:
        in_channels, out_channels: channels of inputs and outputs.
        halves: whether outputs have half the side.
        first: whether it is the first block of the network.
        rectified: whether the shortcut, too, begins with the ReLU, unless the block is the first.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, halves: bool, first: bool = False, rectified: bool = False
    ) -> None:
        super().__init__()
        hidden = out_channels if first else in_channels
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in ((in_channels, hidden), (hidden, out_channels))
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if halves or in_channels != out_channels else None
        self._halves, self._first, self._rectified = halves, first, rectified

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (batch, in_channels, h, w) to (batch, out_channels, h, w), or half of h and w."""
        active = x if self._first else x.relu()
        within = self.convolutions[1](self.convolutions[0](active).relu())
        x = active if self._rectified else x
        if self._halves:  # pooling and a 1x1 convolution commute, too
            within, x = F.avg_pool2d(within, 2), F.avg_pool2d(x, 2)
        return within + (x if self.shortcut is None else self.shortcut(x))


def start_residual(network: nn.Module, name: str) -> nn.Module:
    """Draw initial weights; a network's `embedding` of labels is drawn as a linear layer's weight is.

    Args:
        network: network of these blocks, without spectral normalisation.
        name: name of the initialisation. `xavier` is that of SNGAN: its variance is doubled in the 3x3 convolutions of
            the blocks.
    """
    initialize(network, name)
    with torch.no_grad():
        if name == "xavier":
            for block in network.modules():
                if isinstance(block, GeneratorBlock | DiscriminatorBlock):
                    for convolution in block.convolutions:
                        convolution.weight.mul_(math.sqrt(2))
        embedding = getattr(network, "embedding", None)
        if embedding is not None:
            matrix = nn.Linear(embedding.embedding_dim, embedding.num_embeddings, bias=False)
            embedding.weight.copy_(initialize(matrix, name).weight)
    return network


def _norm(channels: int, classes: int) -> nn.Module:
    if classes:
        return ConditionalBatchNorm2d(channels, classes)
    return nn.BatchNorm2d(channels, track_running_stats=False)


def _normalised(norm: nn.Module, x: Tensor, labels: Tensor | None) -> Tensor:
    return norm(x) if labels is None else norm(x, labels)
