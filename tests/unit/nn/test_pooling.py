"""Pooling and unpooling are PyTorch's, and every member's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import vmap

from ganbench.nn.pooling import pool, unpool

POOL, UNPOOL = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)


def places(corners: Tensor) -> Tensor:
    """The indices that MaxPool2d has for corners (..., height, width): places in images of twice the sides."""
    height, width = corners.shape[-2:]
    rows = 2 * torch.arange(height)[:, None] + corners.long() // 2
    return 2 * width * rows + 2 * torch.arange(width) + corners.long() % 2


def images(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(3, 2, 8, 8), (1, 1, 2, 2), (2, 3, 4, 10), (2, 3, 10, 6)])
def test_it_is_max_pooling(shape):
    """With ties too: after a ReLU, a window of zeros has its maximum in the upper left."""
    for x in (images(shape), images(shape).relu(), torch.zeros(shape)):
        maxima, corners = pool(x)
        expected, indices = POOL(x)
        assert corners.dtype == torch.uint8
        torch.testing.assert_close(maxima, expected, rtol=0, atol=0)
        torch.testing.assert_close(places(corners), indices, rtol=0, atol=0)
        torch.testing.assert_close(unpool(maxima, corners), UNPOOL(maxima, indices), rtol=0, atol=0)


def test_the_corners_of_a_window_are_counted_by_rows():
    for corner in range(4):
        x = torch.zeros(4)
        x[corner] = 1.0
        assert pool(x.view(1, 1, 2, 2))[1].item() == corner
    numbered = unpool(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[1, 2]]]], dtype=torch.uint8))
    assert numbered.tolist() == [[[[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]]]]


def test_what_is_not_finite_stays_where_it_is():
    values = torch.tensor([float("inf"), float("nan")]).view(1, 1, 1, 2)
    unpooled = unpool(values, torch.zeros(1, 1, 1, 2, dtype=torch.uint8)).flatten()
    assert unpooled[0] == float("inf")
    assert unpooled.isnan().tolist() == [False, False, True, *[False] * 5]


def test_derivatives_are_those_of_pytorch_s_layers():
    """Of a network that pools, unpools at the places of the maxima, and is not linear in between; the second ones
    too."""
    x = images((2, 3, 6, 4)).requires_grad_()

    def mine(x):
        maxima, corners = pool(x)
        return unpool(maxima**3, corners)

    def theirs(x):
        maxima, indices = POOL(x)
        return UNPOOL(maxima**3, indices)

    found = []
    for function in (mine, theirs):
        (first,) = torch.autograd.grad((function(x) * images(x.shape, 1)).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad((first * images(x.shape, 2)).sum(), x)
        found.append((first.detach(), second))
        assert (second != 0).any()
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def test_members_are_computed_together_as_alone():
    x = images((4, 2, 3, 6, 6))
    maxima, corners = vmap(pool)(x)
    together = vmap(unpool)(maxima, corners)
    for k, one in enumerate(x):
        torch.testing.assert_close((maxima[k], corners[k]), pool(one), rtol=0, atol=0)
        torch.testing.assert_close(together[k], unpool(*pool(one)), rtol=0, atol=0)
