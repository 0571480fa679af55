"""Initial weights of networks, by the name of their distribution.

Weights are drawn from PyTorch's global generator, module by module in the order of `Module.modules`. Linear layers and
convolutions are initialised, and the scales and shifts of normalisations; everything else keeps PyTorch's values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from ganbench.core.errors import GanbenchError, unknown

LAYERS = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
NORMS = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
)
DEVIATION = 0.02  # standard deviation of the weights, and of the scales of normalisations, of DCGAN

Draw = Callable[[nn.Module], None]


def _normal(layer: nn.Module) -> None:
    layer.weight.normal_(0.0, DEVIATION)


def _xavier(layer: nn.Module) -> None:
    nn.init.xavier_uniform_(layer.weight)


def _kaiming(layer: nn.Module) -> None:
    layer.weight.normal_(0.0, math.sqrt(2 / connections(layer)))


def _orthogonal(layer: nn.Module) -> None:
    nn.init.orthogonal_(layer.weight)


# By name, what draws the weight of a layer; None leaves PyTorch's.
INITIALIZATIONS: dict[str, Draw | None] = {
    "pytorch": None,
    "normal": _normal,
    "xavier": _xavier,
    "kaiming": _kaiming,
    "orthogonal": _orthogonal,
}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """PyTorch's global generator of the CPU, from which modules draw their initial weights, at the start of a seed's
    stream; afterwards it goes on as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def initialize(module: nn.Module, name: str, *, zero_biases: bool = True) -> nn.Module:
    """Draw the initial weights of all layers of a network.

    `pytorch`: nothing is drawn; weights and biases are PyTorch's own, uniform within 1 / sqrt(n) of zero, with n the
    number of inputs of a unit.
    `normal`: N(0, 0.02^2), and N(1, 0.02^2) for the scales of normalisations (Radford, Metz and Chintala 2016, section
    3 and the authors' code).
    `xavier`: uniform within sqrt(6 / (inputs + outputs)) of zero (Glorot and Bengio 2010, equation 16).
    `kaiming`: N(0, 2 / n) (He et al. 2015, equation 10), n as of `connections`. A transposed convolution of a single
    pixel, such as the projection of a latent point, has outputs of fewer products than n: one of each input, where n
    counts inputs x kernel / stride. Its outputs are smaller by the square root of kernel / stride, 4 for a 4x4 kernel.
    `orthogonal`: matrices with orthonormal rows or columns, of each weight as a matrix with its first axis as rows, as
    in PyTorch's `orthogonal_`: the outputs, but the inputs of transposed convolutions (Saxe, McClelland and Ganguli
    2014; BigGAN).

    All but `pytorch` set biases, and the shifts of normalisations, to zero.

    Args:
        module: network, or a part of one; its weights must have no parametrization yet, such as spectral normalisation.
        name: name of the initialisation, one of `INITIALIZATIONS`.
        zero_biases: whether biases of linear layers and convolutions are set to zero; otherwise they stay PyTorch's.

    Returns:
        The module.

    Raises:
        GanbenchError: an unknown name, or a layer with a parametrized weight.
    """
    if name not in INITIALIZATIONS:
        raise GanbenchError(unknown("initialization", name, INITIALIZATIONS))
    draw = INITIALIZATIONS[name]
    if draw is None:
        return module
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, LAYERS):
                if is_parametrized(part):
                    raise GanbenchError(
                        f"the weight of {part} has a parametrization, so that what is drawn for it would be lost; "
                        "initialise the network first."
                    )
                draw(part)
                if zero_biases:
                    _zero(part.bias)
            elif isinstance(part, NORMS) and part.weight is not None:
                if draw is _normal:
                    part.weight.normal_(1.0, DEVIATION)
                _zero(part.bias)
    return module


def connections(layer: nn.Module) -> float:
    """The number of products whose sum is one output of a layer, away from the border of an image.

    Args:
        layer: linear layer or convolution. In a transposed convolution of stride s, each output meets only every s-th
            weight of the kernel along each axis: inputs x kernel / stride, on average. Images of fewer pixels than the
            kernel are all border: of a single pixel, an output is the sum of one product for each input.
    """
    weight: Tensor = layer.weight
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        inputs = layer.in_channels // layer.groups
        return inputs * math.prod(layer.kernel_size) / math.prod(layer.stride)
    return weight[0].numel()


def _zero(bias: Tensor | None) -> None:
    if bias is not None:
        bias.zero_()
