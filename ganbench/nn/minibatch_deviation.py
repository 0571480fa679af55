"""The standard deviation over a batch as a further feature (Karras et al. 2018, progressive growing, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-8  # beside a variance


class MinibatchDeviation(nn.Module):
    """Appends a channel that is, at all pixels of all examples, the mean over channels and pixels of the standard
    deviation over the batch.

    It makes the features of an example depend on the others of its batch.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (batch, channels, height, width) to (batch, channels + 1, height, width)."""
        mean = (x.var(0, correction=0) + EPSILON).sqrt().mean()
        return torch.cat([x, mean.expand(x.shape[0], 1, *x.shape[2:])], dim=1)
