"""The residual blocks of SNGAN against the order of operations in their authors' code."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import avg_pool2d, batch_norm, interpolate

from ganbench.architectures._residual import DiscriminatorBlock, GeneratorBlock

X = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
def test_a_generator_block_upsamples_before_its_convolutions(upsampling):
    torch.manual_seed(0)
    block = GeneratorBlock(3, 5, 0, upsampling)

    def up(x):
        return interpolate(x, scale_factor=2, mode=upsampling)

    within = block.convolutions[0](up(batch_norm(X, None, None, training=True).relu()))
    within = block.convolutions[1](batch_norm(within, None, None, training=True).relu())
    torch.testing.assert_close(block(X), within + block.shortcut(up(X)))


@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize("wide", [3, 5])
def test_a_discriminator_block_pools_after_its_convolutions(wide, halves, rectified):
    torch.manual_seed(0)
    block = DiscriminatorBlock(3, wide, halves=halves, rectified=rectified)
    assert [layer.out_channels for layer in block.convolutions] == [3, wide]
    assert (block.shortcut is None) == (wide == 3 and not halves)
    within = block.convolutions[1](block.convolutions[0](X.relu()).relu())
    beside = X.relu() if rectified else X
    beside = beside if block.shortcut is None else block.shortcut(beside)
    expected = (avg_pool2d(within, 2) + avg_pool2d(beside, 2)) if halves else within + beside
    torch.testing.assert_close(block(X), expected)


def test_the_first_block_of_a_discriminator_sees_negative_pixels():
    torch.manual_seed(0)
    block = DiscriminatorBlock(3, 5, halves=True, first=True)
    assert [layer.out_channels for layer in block.convolutions] == [5, 5]
    within = block.convolutions[1](block.convolutions[0](X).relu())
    torch.testing.assert_close(block(X), avg_pool2d(within, 2) + block.shortcut(avg_pool2d(X, 2)))
