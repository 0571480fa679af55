"""Resampling by shifted sums against the convolutions that define it."""

from __future__ import annotations

import torch
from torch.nn.functional import conv2d, conv_transpose2d, interpolate

from ganbench.nn.resampling import blurred, downsampled, upsampled

FILTER = torch.outer(*[torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)] * 2)[None, None] / 64
X = torch.randn(2, 3, 6, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_upsampling_is_the_transposed_convolution_with_the_filter():
    expected = conv_transpose2d(X.flatten(0, 1)[:, None], 4 * FILTER, stride=2, padding=1)
    torch.testing.assert_close(upsampled(X), expected.view(2, 3, 12, 20))


def test_downsampling_is_the_convolution_with_the_filter():
    expected = conv2d(X.flatten(0, 1)[:, None], FILTER, stride=2, padding=1)
    torch.testing.assert_close(downsampled(X), expected.view(2, 3, 3, 5))


def test_upsampling_is_bilinear_away_from_the_border():
    expected = interpolate(X, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsampled(X)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])
    assert not torch.allclose(upsampled(X)[..., 0, :], expected[..., 0, :])


def test_they_are_adjoint_but_for_a_quarter():
    y = torch.randn(2, 3, 12, 20, dtype=torch.float64)
    torch.testing.assert_close((upsampled(X) * y).sum() / 4, (X * downsampled(y)).sum())


def test_blurring_is_the_convolution_with_the_filter():
    expected = conv2d(X.flatten(0, 1)[:, None], FILTER, padding=2)
    torch.testing.assert_close(blurred(X, 2), expected.view(2, 3, 7, 11))
