"""Batch normalisation whose scales and shifts belong to the label (Dumoulin et al. 2017; de Vries et al. 2017)."""

from __future__ import annotations

from torch import Tensor, nn


class ConditionalBatchNorm2d(nn.Module):
    """gain(y) (x - mean) / sqrt(variance + epsilon) + shift(y), by the batch's own mean and variance of each channel.

    Args:
        channels: channels of the feature maps.
        classes: number of labels. Each has its gains, 1 at first, and its shifts, 0 at first.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False, track_running_stats=False)
        self.affine = nn.Embedding(classes, 2 * channels)
        nn.init.ones_(self.affine.weight[:, :channels])
        nn.init.zeros_(self.affine.weight[:, channels:])

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Feature maps (batch, channels, height, width) and labels (batch,) to feature maps."""
        gain, shift = self.affine(labels)[:, :, None, None].chunk(2, dim=1)
        return gain * self.norm(x) + shift
