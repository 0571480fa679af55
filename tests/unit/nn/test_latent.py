"""Latent points of another distribution than the normal one."""

from __future__ import annotations

import pytest
import torch

from ganbench.nn.latent import UniformLatent, latent_layers


def test_normal_numbers_become_uniform_ones():
    """The share below every value, within four standard errors of 100,000 numbers, and the first moments."""
    z = torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = UniformLatent()(z)
    assert values.abs().max() <= 1
    for level in (-0.9, -0.5, 0.0, 0.3, 0.8):
        assert (values < level).double().mean().item() == pytest.approx((1 + level) / 2, abs=4 * 0.5 / 100_000**0.5)
    assert values.var().item() == pytest.approx(1 / 3, rel=0.01)
    assert (UniformLatent()(z.sort().values).diff() >= 0).all()


def test_normal_latent_points_stay_as_they_are():
    assert latent_layers("normal") == []
    assert [type(layer) for layer in latent_layers("uniform")] == [UniformLatent]
