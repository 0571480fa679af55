"""The variants of DCGAN that were published, their numbers of parameters, and every option of its networks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from building import keeps_the_contract, part
from torch import nn

from ganbench.architectures import initial_module
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec
from ganbench.games.gan import GAN
from ganbench.nn.network import Network

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)
ACTIVATIONS = (nn.ReLU, nn.LeakyReLU)


def images(side: int, channels: int = 3) -> DataSpec:
    return DataSpec((channels, side, side), True, 64, 10)


def dcgan(**options):
    return part("architecture", "dcgan", **options)


def on_meta(architecture, player: str, data: DataSpec) -> nn.Module:
    with torch.device("meta"):
        return getattr(architecture, player)(data)


def count(module: nn.Module, kinds: tuple = (nn.Module,)) -> int:
    """The parameters of all layers of some kinds."""
    layers = [layer for layer in module.modules() if isinstance(layer, kinds) and not list(layer.children())]
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


def widths(module: nn.Module) -> list[int]:
    """The channels of the convolutions' inputs, and of the last one's outputs."""
    layers = [layer for layer in module if isinstance(layer, CONVOLUTIONS)]
    return [layer.in_channels for layer in layers] + [layers[-1].out_channels]


# Published variants ---------------------------------------------------------------------------------------------------


def pytorch_example(player: str, nz: int, nf: int, nc: int = 3) -> nn.Module:
    """The networks for 64x64 images of PyTorch's example of DCGAN, which has no biases at all, by hand."""
    layers: list[nn.Module] = []
    if player == "generator":
        layers += [nn.Unflatten(1, (nz, 1, 1)), nn.ConvTranspose2d(nz, nf * 8, 4, 1, 0, bias=False)]
        layers += [nn.BatchNorm2d(nf * 8), nn.ReLU()]
        for wide, narrow in ((8, 4), (4, 2), (2, 1)):
            layers += [nn.ConvTranspose2d(nf * wide, nf * narrow, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(nf * narrow), nn.ReLU()]
        return nn.Sequential(*layers, nn.ConvTranspose2d(nf, nc, 4, 2, 1, bias=False), nn.Tanh())
    layers += [nn.Conv2d(nc, nf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for narrow, wide in ((1, 2), (2, 4), (4, 8)):
        layers += [nn.Conv2d(nf * narrow, nf * wide, 4, 2, 1, bias=False), nn.BatchNorm2d(nf * wide)]
        layers += [nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(nf * 8, 1, 4, 1, 0, bias=False), nn.Flatten(0))


def initialize_by_hand(module: nn.Module) -> None:
    if isinstance(module, CONVOLUTIONS):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


@pytest.mark.parametrize(("player", "size"), [("generator", 3_576_704), ("discriminator", 2_765_568)])
def test_without_biases_it_is_pytorch_s_example(player, size):
    """As many parameters at the published widths, and at small ones the same numbers from the same seed."""
    with torch.device("meta"):
        assert count(pytorch_example(player, 100, 64)) == size
    assert count(on_meta(dcgan(biases="without"), player, images(64))) == size
    ours, x = (
        dcgan(biases="without", latent_size=5, base_channels=2),
        torch.randn(3, *((5,), (3, 64, 64))[player != "generator"]),
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        mine = pytorch_example(player, 5, 2).apply(initialize_by_hand)
        torch.manual_seed(1)
        theirs = getattr(ours, player)(images(64))
    assert torch.equal(Network.vector(mine), Network.vector(theirs))
    torch.testing.assert_close(mine(x), theirs(x))


VARIANTS = {  # settings, side of the images, and the channels from the latent point to the image
    "DCGAN-64": ({}, 64, (100, 512, 256, 128, 64, 3)),
    "DCGAN-128": ({}, 128, (100, 1024, 512, 256, 128, 64, 3)),
    "DCGAN-512": ({"latent_size": 1000, "base_channels": 32}, 512, (1000, 2048, 1024, 512, 256, 128, 64, 32, 3)),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_published_networks_are_settings(name):
    settings, side, channels = VARIANTS[name]
    architecture = dcgan(**settings)
    generator, discriminator = (
        on_meta(architecture, player, images(side)) for player in ("generator", "discriminator")
    )
    assert widths(generator) == list(channels)
    assert widths(discriminator) == [*channels[:0:-1], 1]
    kernels = sum(16 * a * b for a, b in pairwise(channels))
    biases = channels[-1]
    assert count(generator, CONVOLUTIONS) == kernels + biases
    assert count(generator) == kernels + biases + 2 * sum(channels[1:-1])
    inner = sum(16 * a * b for a, b in pairwise(channels[1:])) + 16 * channels[1]
    assert count(discriminator, CONVOLUTIONS) == inner + channels[-2] + 1
    assert count(discriminator) == inner + channels[-2] + 1 + 2 * sum(channels[1:-2])
    made = generator(torch.empty(2, channels[0], device="meta"))
    assert made.shape == (2, 3, side, side)
    assert discriminator(made).shape == (2,)
    if name == "DCGAN-512":
        assert count(generator, CONVOLUTIONS) == 77_497_856 + 3  # weights and biases


def test_the_article_s_order_is_activation_then_normalisation():
    """DCGAN-128 of the article: (transposed) convolution with a bias, activation, normalisation, from the
    discriminator's second convolution on."""
    architecture = dcgan(order="activation-norm", base_channels=2, latent_size=3)
    discriminator, generator = (getattr(architecture, player)(images(128)) for player in GAN.players)
    kinds = [type(layer).__name__ for layer in discriminator]
    assert kinds == [
        *("Conv2d", "LeakyReLU"),
        *("Conv2d", "LeakyReLU", "BatchNorm2d") * 4,
        *("Conv2d", "Flatten"),
    ]
    kinds = [type(layer).__name__ for layer in generator]
    assert kinds == ["Unflatten", *("ConvTranspose2d", "ReLU", "BatchNorm2d") * 5, "ConvTranspose2d", "Tanh"]
    assert all(layer.bias is not None for layer in [*discriminator, *generator] if isinstance(layer, CONVOLUTIONS))


# Sizes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "innermost", "halvings"),
    [(8, 2, 2), (12, 3, 2), (16, 4, 2), (20, 5, 2), (24, 6, 2), (28, 7, 2), (32, 4, 3), (48, 6, 3), (80, 5, 4)],
)
def test_sides_are_halved_down_to_4_to_7_pixels_and_at_least_twice(side, innermost, halvings):
    architecture, data = dcgan(base_channels=1, latent_size=2), images(side, 1)
    assert architecture.unsupported(data) is None
    generator, discriminator = (
        initial_module(architecture, player, data, 0) for player in ("generator", "discriminator")
    )
    made = generator(torch.randn(2, 2))
    assert made.shape == (2, 1, side, side)
    assert discriminator(made).shape == (2,)
    convolutions = [layer for layer in discriminator if isinstance(layer, nn.Conv2d)]
    assert convolutions[-1].kernel_size == (innermost, innermost)
    assert len(convolutions) == halvings + 1
    assert widths(discriminator) == [1, *(2**level for level in range(halvings)), 1]


def test_sizes_from_16_to_512_are_those_of_the_rule():
    valid = [side for side in range(1, 513) if dcgan().unsupported(images(side)) is None]
    by_hand = {inner * 2**n for inner in (4, 5, 6, 7) for n in range(2, 8)} | {8, 12}
    assert valid == sorted(side for side in by_hand if side <= 512)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 30, 30), "from 16 pixels (or is 8 or 12), but a side has 30 pixels: resize to 28 or 32"),
        ((1, 100, 100), "resize to 96 or 112"),
        ((1, 600, 600), "resize to 512 or 640"),
        ((1, 5, 5), "but a side has 5 pixels: resize to 8"),
        ((1, 64, 30), "but images have 64x30 pixels: resize to 28 or 32"),
        ((2,), "(or is 8 or 12), but examples have the shape (2,)"),
    ],
)
def test_a_size_that_is_refused_is_told_the_nearest(shape, said):
    assert said in dcgan().unsupported(DataSpec(shape, True, 64, 10))


def test_values_beyond_the_range_of_the_output_are_refused():
    beyond = DataSpec((1, 16, 16), False, 64, 10)
    assert dcgan().unsupported(beyond) == "its generator ends in tanh, so it needs examples with values in [-1, 1]"
    assert dcgan(output_activation="sigmoid").unsupported(beyond) == (
        "its generator ends in sigmoid, so it needs examples with values in [0, 1], those of images with the data's "
        "`mean: 0` and `std: 1`"
    )


@pytest.mark.parametrize("name", ["dcgan", "fc", "infogan", "tiny_dcgan", "unpool"])
def test_a_sigmoid_on_data_that_it_does_not_reach_is_cautioned_but_runs(name):
    made = part("architecture", name, output_activation="sigmoid")
    default, unit = images(32), DataSpec((3, 32, 32), True, 64, 10, mean=0.0, std=1.0)
    assert made.unsupported(default) is None
    assert made.unsupported(unit) is None
    assert "lie in (0, 1), and so do not reach the data's range [-1, 1]" in made.caution(default)
    assert made.caution(unit) is None
    assert part("architecture", name, output_activation="tanh").caution(default) is None


# Options --------------------------------------------------------------------------------------------------------------


def test_widths_are_capped():
    architecture = dcgan(base_channels=4, max_channels=8, latent_size=2)
    assert widths(architecture.discriminator(images(64))) == [3, 4, 8, 8, 8, 1]
    assert widths(architecture.generator(images(64))) == [2, 8, 8, 8, 4, 3]


@pytest.mark.parametrize(("most", "expected"), [(4, [4, 4, 4, 4]), (3, [3, 3, 3, 3]), (0, [4, 8, 16, 32])])
def test_the_most_channels_mean_the_same_to_all_networks_that_have_them(most, expected):
    """A cap, also of the map next to the image, and 0 for none."""
    data, options = images(32), {"base_channels": 4, "max_channels": most, "latent_size": 2}
    assert widths(dcgan(**options).discriminator(data)) == [3, *expected[:3], 1]
    assert part("architecture", "r3gan", **options).stage_widths(data) == expected[::-1]
    assert part("architecture", "stylegan2", **options, style_size=2).widths(data) == expected[::-1]
    with torch.device("meta"):
        for name in ("r3gan", "stylegan2"):
            module = part("architecture", name, **options).discriminator(data)
            assert module.first.weight.shape[0] == expected[0]


def test_both_first_layers_are_the_same_map():
    """The linear layer's matrix is the kernel of the transposed convolution, so only what is drawn can differ; by
    PyTorch's rule the deviations differ by the square root of their numbers of inputs, outputs x kernel and inputs."""
    data, z = images(16), torch.randn(2000, 10, generator=torch.Generator().manual_seed(0))
    options = {"latent_size": 10, "base_channels": 8, "initialization": "pytorch", "biases": "without"}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        linear, convolution = (
            dcgan(first_layer=kind, **options).generator(data)[:2] for kind in ("linear", "conv_transpose")
        )
    with torch.no_grad():
        spread = linear(z).std() / convolution(z).std()
        assert spread.item() == pytest.approx(math.sqrt(16 * 16 / 10), rel=0.05)
        linear[0].weight.copy_(convolution[1].weight.flatten(1).T)
        torch.testing.assert_close(linear(z), convolution(z), rtol=1e-5, atol=1e-6)


def test_the_first_layers_of_the_article_start_12_8_times_apart():
    """By PyTorch's rule: the weights of ConvTranspose2d(100, 1024, 4) and of Linear(100, 16384)."""
    options = {"base_channels": 512, "initialization": "pytorch", "biases": "without"}
    linear = dcgan(first_layer="linear", **options).generator(images(16))[0]
    convolution = dcgan(first_layer="conv_transpose", **options).generator(images(16))[1]
    assert (linear.in_features, linear.out_features) == (100, 16_384)
    assert tuple(convolution.weight.shape) == (100, 1024, 4, 4)
    assert (linear.weight.std() / convolution.weight.std()).item() == pytest.approx(12.8, rel=0.01)


@pytest.mark.parametrize("order", ["norm-activation", "activation-norm"])
@pytest.mark.parametrize("biases", ["auto", "with", "without"])
def test_biases_are_where_the_option_says(order, biases):
    for player in GAN.players:
        module = list(
            getattr(dcgan(base_channels=2, order=order, biases=biases, discriminator_first_norm=True), player)(
                images(16)
            )
        )
        for layer, after in zip(module, [*module[1:], None], strict=True):
            if isinstance(layer, CONVOLUTIONS):
                expected = {"with": True, "without": False, "auto": not isinstance(after, NORMS)}[biases]
                assert (layer.bias is not None) == expected


@pytest.mark.parametrize("first", [False, True])
def test_the_discriminator_s_first_convolution_is_normalised_on_request(first):
    module = dcgan(base_channels=2, discriminator_first_norm=first).discriminator(images(32))
    assert isinstance(module[1], nn.BatchNorm2d) == first
    assert len([layer for layer in module if isinstance(layer, NORMS)]) == 2 + first


@pytest.mark.parametrize("name", ["pytorch", "xavier", "kaiming", "orthogonal"])
def test_initial_weights_are_those_of_their_name(name):
    data = images(16)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = dcgan(base_channels=32, initialization=name).discriminator(data)[2]  # 32 to 64 channels
    weight, inputs, outputs = layer.weight.detach(), 32 * 16, 64 * 16
    deviation = {
        "pytorch": math.sqrt(1 / (3 * inputs)),
        "xavier": math.sqrt(2 / (inputs + outputs)),
        "kaiming": math.sqrt(2 / inputs),
        "orthogonal": math.sqrt(1 / inputs),
    }[name]
    assert weight.std().item() == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize("name", ["normal", "orthogonal"])
def test_biases_start_as_pytorch_s(name):
    """Uniform within 1 / sqrt(n) of zero, n = 16 values of one channel under a kernel, whatever draws the weights."""
    bias = initial_module(dcgan(initialization=name), "discriminator", images(16, 1), 0)[0].bias
    assert 0.2 < bias.abs().max() <= 0.25


def test_a_generator_that_ends_in_a_sigmoid_makes_images_between_0_and_1():
    made = initial_module(dcgan(base_channels=4, output_activation="sigmoid"), "generator", images(16), 0)(
        50 * torch.randn(20, 100)
    )
    assert 0 <= made.min() < 0.49
    assert 0.51 < made.max() <= 1


OPTIONS = [
    {"max_channels": 2},
    {"discriminator_first_norm": True},
    {"order": "activation-norm"},
    {"first_layer": "linear"},
    {"biases": "with"},
    {"biases": "without"},
    *({"initialization": name} for name in ("pytorch", "xavier", "kaiming", "orthogonal")),
    {"output_activation": "sigmoid"},
    {"latent_distribution": "uniform"},
    {"packing_degree": 2},
    {"discriminator_norm": "weight", "biases": "with"},
    {"discriminator_norm": "spectral", "packing_degree": 2, "order": "activation-norm"},
    {"generator_norm": "layer", "discriminator_norm": "layer", "first_layer": "linear"},
]


def test_each_of_these_options_makes_other_networks():
    """Or they start otherwise: a setting that does nothing would be compared with itself."""
    data, plain = DataSpec((1, 32, 32), True, 12, 0), dcgan(base_channels=2, latent_size=3)

    def seen(architecture) -> list:
        modules = [initial_module(architecture, player, data, 0) for player in GAN.players]
        return [*(str(module) for module in modules), *(Network.vector(module).tolist() for module in modules)]

    for options in OPTIONS:
        assert seen(dcgan(base_channels=2, latent_size=3, **options)) != seen(plain), options
    spectral = {"discriminator_norm": "spectral", "packing_degree": 2}
    assert seen(dcgan(base_channels=2, **spectral, order="activation-norm")) != seen(dcgan(base_channels=2, **spectral))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"discriminator_norm": "none", "discriminator_first_norm": True}, "with discriminator_norm: none"),
        ({"discriminator_norm": "spectral", "discriminator_first_norm": True}, "with discriminator_norm: spectral"),
        (
            {"discriminator_norm": "spectral", "generator_norm": "none", "order": "activation-norm"},
            "with generator_norm: none and discriminator_norm: spectral",
        ),
    ],
)
def test_settings_of_normalisations_that_are_nowhere_are_refused(options, said):
    with pytest.raises(
        GanbenchError, match=f"architecture 'dcgan': .*{said}, .* one of batch, instance, group and layer"
    ):
        dcgan(**options)
    dcgan(**options | {"discriminator_norm": "batch"})


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_every_option_keeps_the_contract_and_trains_together_as_alone(options):
    data = DataSpec((1, 12, 12), True, 12, 0)
    examples = np.random.default_rng(0).uniform(-1, 1, (12, *data.shape))
    keeps_the_contract(dcgan(base_channels=2, latent_size=3, **options), data, examples)
