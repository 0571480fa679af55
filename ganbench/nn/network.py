"""An ordinary `nn.Module` as a function of a parameter vector, for one member of a pack or for many at once."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap


class Network:
    """f(theta, x) for a module: the parameters of member k are row k of theta.

    A player's parameters are one vector, because that is what dynamics and diagnostics of games are written in; the
    module's own tensors are views of it. The author of the module never sees the member axis.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        shapes = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
        self._names = list(shapes)
        self._shapes = list(shapes.values())
        self._sizes = [prod(shape) for shape in self._shapes]
        self.size = sum(self._sizes)

    @staticmethod
    def vector(module: nn.Module) -> Tensor:
        """A module's parameters, in their order, as one vector of shape (P,)."""
        return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])

    def to(self, device: torch.device, dtype: torch.dtype) -> Network:
        """Move the module's constant buffers; parameters come with every call."""
        self._module.to(device=device, dtype=dtype)
        return self

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor:
        """Apply member k's network to member k's batch.

        Args:
            theta: parameters, (K, P).
            x: inputs, (K, batch, ...).

        Returns:
            outputs, (K, batch, ...).
        """
        members = theta.shape[0]
        pieces = theta.split(self._sizes, dim=1)
        views = {
            name: piece.view(members, *shape)
            for name, piece, shape in zip(self._names, pieces, self._shapes, strict=True)
        }
        if members == 1:  # vmap over one member costs its overhead and gains nothing
            return self._apply({name: view[0] for name, view in views.items()}, x[0]).unsqueeze(0)
        return vmap(self._apply)(views, x)

    def _apply(self, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(self._module, parameters, (x,))
