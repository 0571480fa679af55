"""Any module as a function: its buffers, random numbers and parameters, for one member and for many at once."""

from __future__ import annotations

import copy

import pytest
import torch
from awkward_networks import LAYERS, RANDOM, WIDTH, network
from torch import nn

from ganbench.nn.network import Network

K, BATCH = 3, 5
FEW = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))


def made(layer: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return network(layer, 3, 2)


@pytest.fixture(params=LAYERS)
def fused(request):
    """A layer's name, its networks, and the network of all of them with parameters, buffers, keys and inputs."""
    with torch.random.fork_rng():
        modules = [made(request.param, seed) for seed in range(K)]
        function = Network(made(request.param, 9), FEW).to(torch.device("cpu"), torch.float64)
    theta = torch.stack([Network.vector(module) for module in modules]).double()
    starts = [function.start_buffers(module) for module in modules]
    buffers = {name: torch.stack([start[name] for start in starts]) for name in function.buffers}
    buffers = {name: value.double() if value.is_floating_point() else value for name, value in buffers.items()}
    x = torch.randn(K, BATCH, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return request.param, modules, function, theta, buffers, torch.tensor([11, 12, 13]), x


def test_members_together_are_each_of_them_alone(fused):
    """Outputs, buffers, first and second derivatives."""
    _, _, function, theta, buffers, key, x = fused

    def computed(rows):
        at, points = theta[rows].clone().requires_grad_(), x[rows].clone().requires_grad_()
        mine = {name: value[rows] for name, value in buffers.items()}
        outputs, after = function.apply(at, mine, key[rows], points)
        (inner,) = torch.autograd.grad(outputs.square().sum(), points, create_graph=True)
        (second,) = torch.autograd.grad(inner.square().sum() + outputs.sum(), at)
        return outputs.detach(), second, after

    outputs, second, after = computed(slice(0, K))
    for k in range(K):
        one, derivative, left = computed(slice(k, k + 1))
        torch.testing.assert_close(outputs[k : k + 1], one, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(second[k : k + 1], derivative, rtol=1e-9, atol=1e-11)
        for name, value in left.items():
            torch.testing.assert_close(after[name][k : k + 1], value, rtol=1e-12, atol=1e-12)


def test_a_member_is_the_module_itself(fused):
    """Outputs over three passes in training, then in evaluation, and buffers, of modules that draw no numbers."""
    layer, modules, function, theta, buffers, key, x = fused
    for k, module in enumerate(modules if not function.random else []):
        own = copy.deepcopy(module).double()
        here = {name: value[k : k + 1] for name, value in buffers.items()}
        for _ in range(3):
            outputs, here = function.apply(theta[k : k + 1], here, key[:1], x[k : k + 1])
            torch.testing.assert_close(outputs[0], own(x[k]), rtol=1e-12, atol=1e-12)
        known = dict(own.named_buffers())
        for name, value in here.items():
            torch.testing.assert_close(value[0], known[name], rtol=1e-12, atol=1e-12)
        outputs, same = function.apply(theta[k : k + 1], here, None, x[k : k + 1], training=False)
        torch.testing.assert_close(outputs[0], own.eval()(x[k]), rtol=1e-12, atol=1e-12)
        if layer != "counted":  # which counts calls in evaluation too
            assert all(torch.equal(same[name], here[name]) for name in here)


def test_what_changes_is_found_and_nothing_else(fused):
    layer, _, function, *_ = fused
    changing = {
        "spectral norm": {"_u", "_v"},
        "running batch norm": {"running_mean", "running_var", "num_batches_tracked"},
        "cumulative batch norm": {"running_mean", "running_var", "num_batches_tracked"},
        "counted": {"calls"},
    }
    assert {name.rpartition(".")[2] for name in function.buffers} == changing.get(layer, set())
    assert function.random == (layer in RANDOM)
    assert function.pure == (layer not in changing and layer not in RANDOM)


def test_looking_for_buffers_changes_none():
    module = made("running batch norm", 0)
    before = {name: value.clone() for name, value in module.named_buffers()}
    held = dict(module.named_buffers())
    Network(module, FEW)
    for name, value in module.named_buffers():
        assert value is held[name]
        assert torch.equal(value, before[name])


def test_a_network_that_vmap_refuses_says_so_and_no_other_does(fused):
    layer, _, function, theta, buffers, key, x = fused
    why = function.unvectorised(theta, buffers, key, x)
    # A cumulative average divides by the number of batches as a number of Python's.
    assert ("item()" in why) if layer in ("branching", "cumulative batch norm") else why is None


def test_random_numbers_are_those_of_the_key():
    function = Network(made("dropout", 0), FEW)
    theta, x = Network.vector(made("dropout", 0))[None], torch.ones(1, 4, 3)
    first, again, other = (function.apply(theta, {}, torch.tensor([key]), x)[0] for key in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_outputs_may_be_several():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, WIDTH)

        def forward(self, x, y):
            hidden = self.layer(x) + y[:, None]
            return hidden.sum(1), {"features": hidden}

    function = Network(Two(), (FEW, FEW[:, 0]))
    theta = torch.stack([Network.vector(Two()) for _ in range(2)])
    x, y = torch.randn(2, 4, 3), torch.randn(2, 4)
    logits, more = function(theta, x, y)
    alone, features = function(theta[1:], x[1:], y[1:])
    assert logits.shape == (2, 4)
    torch.testing.assert_close(logits[1:], alone)
    torch.testing.assert_close(more["features"][1:], features["features"])
