"""Layers of all members as products: the same numbers, and derivatives of two orders, as each member's layer alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

from ganbench.nn import stacked
from ganbench.nn.network import Network

K, BATCH = 3, 4
PRODUCTS = {"bmm", "baddbmm"}

# By name: a layer, and the shape of its inputs without the batch.
LAYERS = {
    "linear": (lambda: nn.Linear(5, 3), (5,)),
    "linear without bias": (lambda: nn.Linear(5, 3, bias=False), (5,)),
    "convolution": (lambda: nn.Conv2d(2, 3, 4, stride=2, padding=1), (2, 8, 8)),
    "convolution of oblongs": (lambda: nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=(2, 0), bias=False), (2, 5, 6)),
    "convolution that skips pixels": (lambda: nn.Conv2d(2, 3, 2, stride=3), (2, 7, 7)),
    "convolution over the whole image": (lambda: nn.Conv2d(2, 3, 4), (2, 4, 4)),
    "pointwise convolution": (lambda: nn.Conv2d(4, 2, 1), (4, 3, 3)),
    "transposed convolution": (lambda: nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1), (3, 4, 4)),
    "transposed convolution of oblongs": (
        lambda: nn.ConvTranspose2d(3, 2, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), bias=False),
        (3, 4, 3),
    ),
    "transposed convolution of a point": (lambda: nn.ConvTranspose2d(6, 2, 4), (6, 1, 1)),
    "batch normalisation": (lambda: nn.BatchNorm2d(3, track_running_stats=False), (3, 4, 5)),
    "batch normalisation without scale": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False, track_running_stats=False)),
        (3,),
    ),
}
# Layers that have no product of their own, but the same numbers.
OTHERS = {
    "grouped convolution": (lambda: nn.Conv2d(4, 6, 3, groups=2, padding=1), (4, 5, 5)),
    "dilated convolution": (lambda: nn.Conv2d(2, 3, 3, dilation=2), (2, 7, 7)),
    "convolution of the same size": (lambda: nn.Conv2d(2, 3, 3, padding="same"), (2, 5, 5)),
    "reflected border": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), (2, 5, 5)),
    "linear on sequences": (lambda: nn.Linear(5, 3), (2, 5)),
    "grouped transposed convolution": (lambda: nn.ConvTranspose2d(4, 6, 3, groups=2), (4, 3, 3)),
}


class Kernels(TorchDispatchMode):
    """Counts what is computed, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.counts[name] = self.counts.get(name, 0) + 1
        return function(*args, **(kwargs or {}))


def made(layer, members=K):
    """The networks of some members, the network of all, its parameters (K, P) and inputs (K, batch, ...)."""
    module, shape = layer
    with torch.random.fork_rng():
        torch.manual_seed(5)
        modules = [nn.Sequential(module()).double() for _ in range(members)]
        x = torch.randn(members, BATCH, *shape, dtype=torch.float64)
        for each in modules:
            for parameter in each.parameters():
                nn.init.normal_(parameter)
    theta = [Network.vector(each) for each in modules]
    return modules, Network(modules[0]), torch.stack(theta), x


def derivatives(outputs, theta, x):
    """The outputs, the gradient of a sum of their squares in parameters and inputs, and that of its squares."""
    first = torch.autograd.grad(outputs.square().sum(), (theta, x), create_graph=True)
    second = torch.autograd.grad(sum(value.square().sum() for value in first), (theta, x))
    return [outputs.detach(), *(value.detach() for value in first), *second]


def alone(module, theta, x):
    """What `derivatives` gives of one member, with PyTorch's own layers."""
    sizes = [parameter.numel() for parameter in module.parameters()]
    named = {
        name: piece.view(parameter.shape)
        for (name, parameter), piece in zip(module.named_parameters(), theta.split(sizes), strict=True)
    }
    return derivatives(functional_call(module, named, (x,)), theta, x)


def compared(layer):
    modules, network, theta, x = made(layer)
    theta.requires_grad_()
    x.requires_grad_()
    together = derivatives(network(theta, x), theta, x)
    apart = [
        alone(module, theta[k].detach().requires_grad_(), x[k].detach().requires_grad_())
        for k, module in enumerate(modules)
    ]
    for found, expected in zip(together, zip(*apart, strict=True), strict=True):
        torch.testing.assert_close(found, torch.stack(expected), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layer", (LAYERS | OTHERS).values(), ids=LAYERS | OTHERS)
def test_members_together_are_each_of_them_alone(layer):
    compared(layer)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_so_they_are_as_convolutions_in_groups(layer, monkeypatch):
    monkeypatch.setattr(stacked, "MAX_GATHERED", 0)
    compared(layer)


@pytest.mark.parametrize("name", [name for name in LAYERS if "normalisation" not in name])
def test_every_derivative_is_products_whatever_the_number_of_members(name):
    counts = []
    for members in (2, 5):
        _, network, theta, x = made(LAYERS[name], members)
        theta.requires_grad_()
        x.requires_grad_()
        network(theta, x)  # where each pixel goes is found once
        with Kernels() as kernels:
            derivatives(network(theta, x), theta, x)
        assert not [kernel for kernel in kernels.counts if "conv" in kernel]
        assert PRODUCTS & kernels.counts.keys()
        counts.append(kernels.counts)
    assert counts[0] == counts[1]


def test_large_images_are_convolved_in_groups():
    small, large = nn.Conv2d(3, 4, 3), (3, 8, 8)
    networks = Network(small)
    theta = torch.stack([Network.vector(small)] * 2)
    for batch, convolves in ((4, False), (stacked.MAX_GATHERED // (9 * 36 * 3) + 1, True)):
        with Kernels() as kernels:
            networks(theta, torch.randn(2, batch, *large))
        assert any("conv" in kernel for kernel in kernels.counts) == convolves


def test_running_statistics_are_those_of_each_member():
    torch.manual_seed(0)
    modules = [nn.Sequential(nn.BatchNorm2d(3)) for _ in range(K)]
    x = torch.randn(K, BATCH, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    network = Network(modules[0], x[0])
    theta = torch.stack([Network.vector(module) for module in modules])
    buffers = {
        name: torch.stack([network.start_buffers(module)[name] for module in modules]) for name in network.buffers
    }
    outputs, after = network.apply(theta, buffers, None, x)
    for k, module in enumerate(modules):
        torch.testing.assert_close(outputs[k], module(x[k]))
        for name, value in module.named_buffers():
            torch.testing.assert_close(after[name][k], value)
