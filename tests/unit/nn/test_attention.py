"""Self-attention against its formula, and its second derivatives against differences."""

from __future__ import annotations

import torch
from torch.func import vmap
from torch.nn.functional import max_pool2d

from ganbench.nn.attention import SelfAttention


def attention(channels: int = 16, gamma: float = 0.7) -> SelfAttention:
    torch.manual_seed(0)
    layer = SelfAttention(channels).double()
    layer.gamma.data.fill_(gamma)
    return layer


def test_it_is_the_identity_at_first():
    x = torch.randn(2, 16, 4, 6)
    assert torch.equal(SelfAttention(16)(x), x)


def test_every_position_is_a_mean_of_values_weighted_by_the_likeness_of_keys():
    layer, x = attention(), torch.randn(2, 16, 4, 6, dtype=torch.float64)
    outputs = layer(x)
    query, key, value = (each(x) for each in (layer.query, layer.key, layer.value))
    assert (query.shape[1], value.shape[1]) == (2, 8)
    key, value = max_pool2d(key, 2), max_pool2d(value, 2)
    for example, row, column in ((0, 0, 0), (1, 3, 5), (1, 2, 1)):
        likeness = torch.einsum("c,chw->hw", query[example, :, row, column], key[example]).exp()
        mean = (likeness / likeness.sum() * value[example]).sum((1, 2))
        expected = x[example, :, row, column] + 0.7 * layer.output.weight[:, :, 0, 0] @ mean
        torch.testing.assert_close(outputs[example, :, row, column], expected)


def test_it_has_second_derivatives():
    layer = attention(8)
    x = torch.randn(1, 8, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert torch.autograd.gradgradcheck(layer, (x,))


def test_vmap_has_rules_for_all_of_it_with_second_derivatives():
    """Its pooling too: members are computed at once, and not one after the other, of which PyTorch warns."""
    layer, x = attention(8), torch.randn(3, 1, 8, 2, 4, dtype=torch.float64)

    def penalty(x):
        return torch.func.grad(lambda x: layer(x).square().sum())(x).square().sum()

    torch._C._functorch._set_vmap_fallback_warning_enabled(True)  # an error in tests
    try:
        together = vmap(torch.func.grad(penalty))(x)
    finally:
        torch._C._functorch._set_vmap_fallback_warning_enabled(False)
    for one, found in zip(x, together, strict=True):
        torch.testing.assert_close(found, torch.func.grad(penalty)(one), rtol=1e-9, atol=1e-12)
