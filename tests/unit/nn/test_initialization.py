"""Initial weights have the distribution of their name."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganbench.core.errors import GanbenchError
from ganbench.nn.initialization import INITIALIZATIONS, connections, initialize


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(300, 200),
        nn.LayerNorm(200),
        nn.Unflatten(1, (200, 1, 1)),
        nn.ConvTranspose2d(200, 40, 4, stride=2, bias=False),
        nn.BatchNorm2d(40),
        nn.Conv2d(40, 60, 3),
        nn.InstanceNorm2d(60),  # without scales
    )


def layers(module: nn.Module) -> list[nn.Module]:
    return [part for part in module if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]


def uniform(bound: float) -> float:
    """The standard deviation of numbers that are uniform within a bound of zero."""
    return bound / math.sqrt(3)


# By hand: linear 300 -> 200, transposed 200 -> 40 of 4x4 kernels with stride 2, convolution 40 -> 60 of 3x3 kernels.
DEVIATIONS = {
    "normal": [0.02, 0.02, 0.02],
    "xavier": [uniform(math.sqrt(6 / n)) for n in (300 + 200, (200 + 40) * 16, (40 + 60) * 9)],
    "kaiming": [math.sqrt(2 / n) for n in (300, 200 * 16 / 4, 40 * 9)],
    "pytorch": [uniform(1 / math.sqrt(n)) for n in (300, 40 * 16, 40 * 9)],
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_weights_have_the_spread_of_their_name(name):
    module = initialize(network(), name)
    for layer, deviation in zip(layers(module), DEVIATIONS[name], strict=True):
        weight = layer.weight.detach()
        assert weight.std().item() == pytest.approx(deviation, rel=0.03)
        assert abs(weight.mean().item()) < 5 * deviation / math.sqrt(weight.numel())
        if name in ("xavier", "pytorch"):
            assert weight.abs().max() <= deviation * math.sqrt(3) * (1 + 1e-6)
        else:
            assert weight.abs().max() > 3 * deviation, "a normal distribution has tails"


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_biases_are_zero_and_norms_start_at_one(name):
    module, fresh = initialize(network(), name), network()
    norms = [module[1], module[4]]
    assert all((norm.bias == 0).all() for norm in norms)
    if name == "normal":
        scales = torch.cat([norm.weight.detach() for norm in norms])
        assert scales.std().item() == pytest.approx(0.02, rel=0.2)
        assert scales.mean().item() == pytest.approx(1, abs=0.01)
    else:
        assert all((norm.weight == 1).all() for norm in norms)
    kept = initialize(network(), name, zero_biases=False)
    for index in (0, 5):
        assert (module[index].bias == 0).all() == (name != "pytorch")
        assert torch.equal(kept[index].bias, fresh[index].bias)
    assert (name == "pytorch") == all(map(torch.equal, module.parameters(), fresh.parameters()))


def test_orthogonal_weights_are_orthonormal():
    for layer in layers(initialize(network(), "orthogonal")):
        matrix = layer.weight.detach().flatten(1)
        gram = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
        torch.testing.assert_close(gram, torch.eye(len(gram)), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [nn.Conv2d(8, 6, (3, 2)), nn.Conv2d(8, 6, 3, groups=2), nn.ConvTranspose2d(8, 6, 4, 2, 1), nn.Linear(7, 3)],
    ids=str,
)
def test_connections_are_the_products_of_an_output(layer):
    """Counted: with all weights and inputs at one, an output is their number."""
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.zero_()
        x = torch.ones(1, 7) if isinstance(layer, nn.Linear) else torch.ones(1, 8, 9, 9)
        outputs = layer(x)
    inner = outputs if outputs.dim() == 2 else outputs[..., 2:-2, 2:-2]
    assert inner.mean().item() == connections(layer)


def test_a_projection_from_one_pixel_has_a_sixteenth_of_the_products_that_kaiming_counts():
    torch.manual_seed(0)
    layer = initialize(nn.Sequential(nn.ConvTranspose2d(100, 64, 4)), "kaiming")[0]
    assert connections(layer) == 1600
    outputs = layer(torch.randn(500, 100, 1, 1)).detach()
    assert outputs.square().mean().item() == pytest.approx(2 / 16, rel=0.05), "2, were it of 100 products"
    with torch.no_grad():
        layer.weight.fill_(1.0)
        assert (layer(torch.ones(1, 100, 1, 1)) == 100).all()


def test_orthogonal_rows_are_outputs_and_in_transposed_convolutions_inputs():
    torch.manual_seed(0)
    for layer in (nn.Conv2d(8, 6, 3), nn.ConvTranspose2d(6, 8, 3)):
        weight = initialize(nn.Sequential(layer), "orthogonal")[0].weight.detach()
        assert len(weight) == 6
        torch.testing.assert_close(weight.flatten(1) @ weight.flatten(1).T, torch.eye(6), rtol=0, atol=1e-5)


def test_kaiming_keeps_the_size_of_activations_through_layers():
    """He et al. 2015: the mean square of the inputs of a ReLU layer is that of its outputs, before the next ReLU."""
    torch.manual_seed(1)
    module = nn.Sequential(*(part for _ in range(20) for part in (nn.ReLU(), nn.Linear(400, 400))))
    x = torch.randn(200, 400)
    with torch.no_grad():
        ratio = (initialize(module, "kaiming")(x).square().mean() / x.square().mean()).item()
        assert 0.3 < ratio < 3
        assert initialize(module, "xavier")(x).square().mean() < 1e-3, "which Glorot's does not, by half a layer"


def test_what_cannot_be_initialized_is_one_sentence():
    with pytest.raises(GanbenchError, match="'normal'") as error:
        initialize(network(), "norml")
    assert "orthogonal" in str(error.value)
    with pytest.raises(GanbenchError, match="parametrization"):
        initialize(spectral_norm(nn.Linear(3, 3)), "normal")
