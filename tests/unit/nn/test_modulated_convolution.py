"""Modulated convolutions against one kernel for each example, and layers with an equalised learning rate."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import conv2d

from ganbench.nn.equalised import EqualisedConv2d, EqualisedLinear
from ganbench.nn.minibatch_deviation import MinibatchDeviation
from ganbench.nn.modulated_convolution import ModulatedConv2d

FILTER = torch.outer(*[torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)] * 2) / 64


@pytest.mark.parametrize(("kernel", "demodulate", "up"), [(3, True, False), (1, False, False), (3, True, True)])
def test_it_is_a_convolution_with_a_kernel_of_its_own_for_each_example(kernel, demodulate, up):
    torch.manual_seed(0)
    layer = ModulatedConv2d(3, 5, kernel, 4, demodulate=demodulate, up=up).double()
    torch.nn.init.normal_(layer.scales.bias, 1.0)
    x, style = torch.randn(2, 3, 6, 7, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    outputs, scales = layer(x, style), layer.scales(style)
    for example in range(2):
        own = layer.weight * scales[example][None, :, None, None]
        own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt() if demodulate else own
        own = own if demodulate else own / math.sqrt(3 * kernel**2)
        image = x[example : example + 1]
        if up:  # zeros between pixels; the filter on a border that is wide enough; the kernel turned around
            spread = torch.zeros(1, 3, 12, 14, dtype=torch.float64)
            spread[:, :, ::2, ::2] = image
            smooth = 4 * conv2d(torch.nn.functional.pad(spread, (3, 2, 3, 2)).transpose(0, 1), FILTER[None, None])
            expected = conv2d(smooth.transpose(0, 1), own.flip(2, 3))
        else:
            expected = conv2d(image, own, padding=kernel // 2)
        torch.testing.assert_close(outputs[example], expected[0], rtol=1e-9, atol=1e-12)


def test_a_demodulated_convolution_does_not_see_the_size_of_its_style():
    torch.manual_seed(0)
    layer, x = ModulatedConv2d(3, 5, 3, 4).double(), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    torch.nn.init.zeros_(layer.scales.bias)
    style = torch.randn(2, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(x, style), layer(x, 10 * style), rtol=1e-7, atol=1e-7)


def test_equalised_layers_keep_the_variance_and_move_at_their_rate():
    torch.manual_seed(0)
    linear = EqualisedLinear(400, 300, bias_init=1.0, lr_multiplier=0.01)
    convolution = EqualisedConv2d(50, 60, 3, bias=False)
    assert linear.weight.std().item() == pytest.approx(100, rel=0.02)
    assert convolution.weight.std().item() == pytest.approx(1, rel=0.02)
    assert (linear(torch.randn(500, 400)) - 1).std().item() == pytest.approx(1, rel=0.05)
    assert convolution(torch.randn(20, 50, 8, 8)).std().item() == pytest.approx(1, rel=0.05)
    x, before = torch.ones(1, 400), linear(torch.ones(1, 400))
    with torch.no_grad():  # one step of Adam moves each parameter by its rate
        linear.weight += 0.1
        linear.bias += 0.1
    torch.testing.assert_close(
        linear(x) - before, torch.full((1, 300), 0.1 * 0.01 * (math.sqrt(400) + 1)), atol=1e-4, rtol=1e-3
    )


def test_the_deviation_over_the_batch_is_a_channel_that_all_share():
    x = torch.randn(5, 3, 2, 4, dtype=torch.float64)
    outputs = MinibatchDeviation()(x)
    assert torch.equal(outputs[:, :3], x)
    expected = x.numpy().std(0).mean()
    assert outputs[:, 3].numpy() == pytest.approx(expected, rel=1e-6)
    order = torch.tensor([4, 2, 0, 1, 3])
    torch.testing.assert_close(MinibatchDeviation()(x[order]), outputs[order])
