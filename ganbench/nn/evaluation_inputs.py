"""Inputs of generators in evaluation: the same for a run at every snapshot, and labels of every class alike."""

from __future__ import annotations

import torch
from torch import Tensor

from ganbench.core.random_streams import stream_seed


def latent_points(seed: int, count: int, size: int) -> Tensor:
    """Latent points (count, size) for evaluating the run with this seed: the same at every snapshot."""
    return torch.randn(count, size, generator=torch.Generator().manual_seed(stream_seed(seed, "evaluation")))


def balanced_labels(count: int, classes: int) -> Tensor:
    """Labels for evaluation, (count,) of int64: 0, 1, 2 ... in turn, where each turn begins at another class.

    Metrics compare parts of a sample, such as every eighth example, and without these shifts an eighth would hold half
    of ten classes. Multiples of the golden ratio spread evenly over the classes in any of such parts.
    """
    turn = torch.arange(count, device="cpu") // classes
    shift = (turn.double() * (0.5 * (5**0.5 - 1)) * classes).long()
    return (torch.arange(count, device="cpu") + shift) % classes
