"""An ordinary `nn.Module` as a function of a parameter vector, for one member of a pack or for many at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import vmap


class Network:
    """f(theta, x) for a module: the parameters of member k are row k of theta.

    A player's parameters are one vector, because dynamics and diagnostics of games are written for vectors; the
    module's own tensors are views of it. The author of the module never sees the member axis.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        parameters = list(module.parameters())
        self.shapes = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}  # in order
        self._shapes = list(self.shapes.values())
        self._sizes = [parameter.numel() for parameter in parameters]
        self.size = sum(self._sizes)
        # Where each parameter stands in the module's parts: `functional_call` looks it up at every call, which takes
        # a fifth of a small network's training step. One that several parts share stands in several places.
        order = {id(parameter): index for index, parameter in enumerate(parameters)}
        self._slots = [
            (part._parameters, name, order[id(parameter)])
            for part in module.modules()
            for name, parameter in part._parameters.items()
            if parameter is not None
        ]

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
            Outputs, (K, batch, ...).
        """
        members = theta.shape[0]
        if members == 1:  # vmap over one member costs its overhead and gains nothing
            pieces = theta[0].split(self._sizes)
            views = [piece.view(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]
            return self._apply(views, x[0]).unsqueeze(0)
        pieces = theta.split(self._sizes, dim=1)
        views = [piece.view(members, *shape) for piece, shape in zip(pieces, self._shapes, strict=True)]
        return vmap(self._apply)(views, x)

    def _apply(self, parameters: list[Tensor], x: Tensor) -> Tensor:
        """The module's output with these tensors in place of its parameters, which are put back."""
        own = [part[name] for part, name, _ in self._slots]
        for part, name, index in self._slots:
            part[name] = parameters[index]
        try:
            return self._module(x)
        finally:
            for (part, name, _), parameter in zip(self._slots, own, strict=True):
                part[name] = parameter
