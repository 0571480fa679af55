"""Random numbers of networks: uniform, normal, of a key alone, and the same for every member alone and among others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn
from torch.func import vmap

from ganbench.nn.random_numbers import ANSWERS, RandomNumbers, mix, normal, subkey, uniform

KEY = torch.tensor(1234567)


def test_the_stream_is_splitmix64():
    """The first numbers of the reference implementation (Vigna, splitmix64.c) from the seed 1234567."""
    gamma = 0x9E3779B97F4A7C15
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    for count, expected in enumerate(known, start=1):
        state = (1234567 + count * gamma + (1 << 63)) % (1 << 64) - (1 << 63)
        assert int(mix(torch.tensor(state))) % (1 << 64) == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_have_their_distributions(dtype):
    flat = uniform(KEY, (300, 200), dtype)
    assert flat.dtype == dtype
    assert ((flat >= 0) & (flat < 1)).all()
    assert stats.kstest(flat.flatten().double().numpy(), "uniform").pvalue > 1e-3
    bell = normal(KEY, (60_000,), dtype)
    assert bell.dtype == dtype
    assert stats.kstest(bell.double().numpy(), "norm").pvalue > 1e-3
    assert len(np.unique(uniform(KEY, (50_000,), torch.float64).numpy())) == 50_000


def test_streams_of_subkeys_are_apart():
    each = torch.stack([uniform(subkey(KEY, index), (20_000,), torch.float64) for index in range(6)])
    correlations = torch.corrcoef(each) - torch.eye(6)
    assert correlations.abs().max() < 5 / 20_000**0.5


def attention(x, p=0.5, *, training=True, need_weights=True):
    """Self-attention of two heads among the rows of x (n, 4), as `nn.MultiheadAttention` computes it."""
    eye = torch.eye(4, dtype=x.dtype)
    given = {"training": training, "need_weights": need_weights}
    return F.multi_head_attention_forward(
        x[:, None], x[:, None], x[:, None], 4, 2, eye.repeat(3, 1), None, None, None, False, p, eye, None, **given
    )[0][:, 0]


CALLS = {
    F.dropout: lambda x: F.dropout(x, 0.4),
    F.dropout1d: lambda x: F.dropout1d(x[:, :, None].expand(-1, -1, 4), 0.4),
    F.dropout2d: lambda x: F.dropout2d(x[:, :, None, None].expand(-1, -1, 2, 2), 0.4),
    F.dropout3d: lambda x: F.dropout3d(x[:, :, None, None, None].expand(-1, -1, 2, 2, 2), 0.4),
    F.scaled_dot_product_attention: lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5),
    F.multi_head_attention_forward: attention,
    torch.rand_like: torch.rand_like,
    torch.randn_like: torch.randn_like,
    torch.rand: lambda x: x * torch.rand(x.shape, dtype=x.dtype),
    torch.randn: lambda x: x * torch.randn(*x.shape, dtype=x.dtype),
    torch.bernoulli: lambda x: torch.bernoulli(x.sigmoid()),
    torch.Tensor.normal_: lambda x: x + x.detach().clone().normal_(1.0, 2.0),
    torch.Tensor.uniform_: lambda x: x + x.detach().clone().uniform_(-1.0, 2.0),
}


@pytest.mark.parametrize("function", ANSWERS, ids=lambda function: function.__name__)
def test_an_answer_is_the_member_s_own_and_leaves_the_global_stream_alone(function):
    def drawn(x, key):
        with RandomNumbers(key) as numbers:
            values = CALLS[function](x)
        assert numbers.drawn == 1
        assert numbers.answered >= 1
        return values

    x, keys = torch.ones(3, 5, 4, dtype=torch.float64), torch.tensor([5, 6, 7])
    before = torch.get_rng_state()
    together = vmap(drawn)(x, keys)
    assert torch.equal(torch.get_rng_state(), before)
    for k in range(3):
        torch.testing.assert_close(together[k], drawn(x[k], keys[k]), rtol=0, atol=0)
    assert not torch.equal(together[0], together[1])


def test_arguments_are_pytorchs_and_others_are_refused():
    with RandomNumbers(KEY):
        assert torch.randn(size=(4, 8)).unique().numel() == 32
        assert torch.rand((4, 8), device="cpu", layout=torch.strided).shape == (4, 8)
        assert torch.randn_like(input=torch.ones(3, 2)).shape == (3, 2)
        assert (torch.empty(50).uniform_(2, to=3) >= 2).all()
        with pytest.raises(TypeError, match="requires_grad"):
            torch.randn(3, requires_grad=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_drawn_finely_enough(dtype):
    values = uniform(KEY, (100_000,), dtype).double()
    assert values.max() < 1
    assert float(values.mean()) == pytest.approx(0.5, abs=0.01)
    with RandomNumbers(KEY):
        dropped = F.dropout(torch.ones(100_000, dtype=dtype), 0.301)
        drawn = torch.bernoulli(torch.full((100_000,), 0.301, dtype=dtype))
    assert float((dropped == 0).double().mean()) == pytest.approx(0.301, abs=0.005)
    assert float(drawn.double().mean()) == pytest.approx(0.301, abs=0.005)


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_drops_weights_and_is_pytorchs_where_nothing_is_dropped(need_weights):
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plain = attention(x, 0.0)
    with RandomNumbers(KEY) as numbers:
        torch.testing.assert_close(attention(x, 0.0, need_weights=need_weights), plain)
        torch.testing.assert_close(attention(x, 0.5, training=False, need_weights=need_weights), plain)
        assert numbers.drawn == 0
        many = torch.stack([attention(x, 0.3, need_weights=need_weights) for _ in range(4000)])
        assert numbers.drawn == 4000
    # Dropout keeps the mean, and every weight w has the variance w^2 p / (1 - p).
    weights = (x.view(5, 2, 2).transpose(0, 1) @ x.view(5, 2, 2).permute(1, 2, 0) / 2**0.5).softmax(-1)
    variance = ((weights**2) @ x.view(5, 2, 2).transpose(0, 1) ** 2).transpose(0, 1).reshape(5, 4) * 0.3 / 0.7
    torch.testing.assert_close(many.var(0), variance, rtol=0.15, atol=0)
    assert ((many.mean(0) - plain).abs() < 5 * (variance / 4000).sqrt()).all()


@pytest.mark.parametrize("options", [{"is_causal": True}, {"enable_gqa": True}, {"scale": 0.1}])
def test_attention_takes_pytorchs_arguments(options):
    """With hardly anything dropped it is PyTorch's."""
    query = torch.randn(2, 4, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kept = query[:, :2] if "enable_gqa" in options else query
    key, value = 0.5 * kept, kept.square()
    with RandomNumbers(KEY):
        found = F.scaled_dot_product_attention(query, key, value, dropout_p=1e-12, **options)
    torch.testing.assert_close(found, F.scaled_dot_product_attention(query, key, value, **options))


def test_dropout_keeps_the_mean_and_drops_its_share():
    x = torch.ones(200, 500)
    with RandomNumbers(KEY):
        y, channels, still = F.dropout(x, 0.25), F.dropout2d(x[:, :, None, None].expand(-1, -1, 3, 3), 0.25), x.clone()
        none = nn.Dropout(0.25).eval()(x)
        F.dropout(still, 0.25, inplace=True)
    assert float((y == 0).double().mean()) == pytest.approx(0.25, abs=0.01)
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (channels.amax((2, 3)) == channels.amin((2, 3))).all(), "a channel is dropped as a whole"
    assert torch.equal(none, x)
    assert float(still.mean()) == pytest.approx(1, abs=0.02)
