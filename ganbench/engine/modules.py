"""Trained networks as ordinary modules, outside of a pack."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from ganbench.architectures import Architecture, initial_module
from ganbench.data import DataSpec


def trained_module(
    architecture: Architecture, player: str, data: DataSpec, theta: np.ndarray, buffers: Mapping[str, np.ndarray]
) -> nn.Module:
    """A player's network of one run, in single precision and in evaluation mode, as it is evaluated.

    Args:
        architecture, data: the architecture and the data set of the run.
        player: "discriminator" or "generator".
        theta: the player's parameters, (P,).
        buffers: the buffers that training changed, by name in the module.
    """
    module = initial_module(architecture, player, data, seed=0)  # whose constant buffers all runs train with
    with torch.no_grad():
        parameters = list(module.parameters())
        pieces = torch.as_tensor(theta).split([parameter.numel() for parameter in parameters])
        for parameter, piece in zip(parameters, pieces, strict=True):
            parameter.copy_(piece.view_as(parameter))
        resize_buffers(module, {name: np.shape(value) for name, value in buffers.items()})
        named = dict(module.named_buffers(remove_duplicate=False))
        for name, value in buffers.items():
            named[name].copy_(torch.as_tensor(np.asarray(value)))
    return module.eval()


def resize_buffers(module: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Give buffers of a module, by name, other shapes: what the discriminator passes on is as long as a batch."""
    for name, shape in shapes.items():
        owner, _, attribute = name.rpartition(".")
        part = module.get_submodule(owner)
        value = getattr(part, attribute)
        if isinstance(value, torch.Tensor) and tuple(value.shape) != tuple(shape):
            setattr(part, attribute, value.new_zeros(shape))
