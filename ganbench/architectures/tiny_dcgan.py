"""The tiny networks of the stacked-digit experiments (Metz et al. 2017, appendix; Lin et al. 2018, table 3)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Annotated, Literal

from torch import nn

from ganbench.architectures import Architecture
from ganbench.architectures._convolutional import doubling, halving, norm_layers, start_published
from ganbench.architectures._sides import halved, halved_fault, range_caution, range_fault
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.heads import BOUNDED
from ganbench.nn.latent import latent_layers
from ganbench.nn.packing import packing_layers
from ganbench.nn.weight_norms import with_weight_norm

HALVINGS = 3
KERNEL = 3
LEAK = 0.3  # slope of the discriminator's leaky ReLU below 0


@dataclass(frozen=True)
class TinyDCGAN(Architecture):
    """3x3 convolutions of stride 2 halve the image three times, sides rounded up (28, 14, 7, 4 or 8, 4, 2, 1), and
    transposed ones double it up again. Discriminators that are much smaller than the generator make modes collapse.

    In the generator a linear layer makes the innermost feature maps, and a last 3x3 convolution of stride 1 the image;
    in the discriminator a linear layer follows the convolutions. Normalisation is in all layers but the last of each
    network; all layers have biases. Activations are ReLU and LeakyReLU(0.3). As in the code of PacGAN (fjxmlzn/PacGAN,
    unrolled_GAN_experiment), but for the zeros beside images of even sides: at the bottom and at the right there, at
    the top and at the left here. So these are the same networks on images that are mirrored in both directions.
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 256
    base_channels: Annotated[int, Interval(ge=1, le=1024)] = 8
    """Number of channels next to the generator's image, 8 in the papers; every halving doubles it."""
    discriminator_base_channels: Annotated[int, Interval(ge=1, le=1024)] = 2
    """Number of channels after the discriminator's first convolution, which every halving doubles: 2 is the papers'
    quarter (2, 4, 8), 4 their half (4, 8, 16), 8 the generator's own widths."""
    generator_norm: Literal["batch", "layer", "none"] = "batch"
    """Normalisation of the generator's feature maps but the last."""
    discriminator_norm: Literal["batch", "layer", "spectral", "weight", "none"] = "batch"
    """Normalisation in the discriminator: of feature maps, or of its weights by 'spectral' (Miyato et al. 2018) or
    'weight' (Salimans and Kingma 2016) normalisation."""
    initialization: Literal["published", "pytorch", "normal", "xavier", "kaiming", "orthogonal"] = "published"
    """Initial weights: 'published' is N(0, 0.02^2), cut off at two standard deviations in convolutions, with zero
    biases; 'pytorch' leaves PyTorch's own, 'normal' is N(0, 0.02^2), 'xavier' is of Glorot and Bengio (2010), 'kaiming'
    of He et al. (2015), 'orthogonal' of Saxe et al. (2014); see `ganbench.nn.initialization`."""
    output_activation: Literal["tanh", "sigmoid"] = "tanh"
    """Last function of the generator: 'tanh' for data in [-1, 1], 'sigmoid' for data in [0, 1]."""
    latent_distribution: Literal["normal", "uniform"] = "normal"
    """Distribution of a latent point's coordinates: standard normal, or uniform on (-1, 1)."""
    packing_degree: Annotated[int, Interval(ge=1, le=4)] = 1

    def unsupported(self, data: DataSpec) -> str | None:
        return halved_fault(data) or range_fault(data, self.output_activation)

    def caution(self, data: DataSpec) -> str | None:
        return range_caution(data, self.output_activation)

    def generator(self, data: DataSpec) -> nn.Module:
        sides = halved(data, HALVINGS)[::-1]
        channels = [self.base_channels * 2**level for level in reversed(range(HALVINGS + 1))]
        inner = (channels[0], *sides[0])
        layers = [
            *latent_layers(self.latent_distribution),
            nn.Linear(self.latent_size, prod(inner)),
            nn.Unflatten(1, inner),
        ]
        for (wide, narrow), (small, large) in zip(pairwise(channels), pairwise(sides), strict=True):
            layers += [*norm_layers(self.generator_norm, wide), nn.ReLU()]
            layers += [doubling(wide, narrow, KERNEL, small, large)]
        layers += [*norm_layers(self.generator_norm, channels[-1]), nn.ReLU()]
        layers += [nn.Conv2d(channels[-1], data.shape[0], 3, padding=1), BOUNDED[self.output_activation]()]
        return start_published(nn.Sequential(*layers), self.initialization)

    def discriminator(self, data: DataSpec) -> nn.Module:
        widths = [self.discriminator_base_channels * 2**level for level in range(HALVINGS)]
        layers = packing_layers(self.packing_degree)
        for narrow, wide in pairwise([self.packing_degree * data.shape[0], *widths]):
            layers += [halving(narrow, wide, KERNEL)]
            layers += [*norm_layers(self.discriminator_norm, wide), nn.LeakyReLU(LEAK)]
        head = nn.Linear(widths[-1] * prod(halved(data, HALVINGS)[-1]), 1)
        network = start_published(nn.Sequential(*layers, nn.Flatten(), head, nn.Flatten(0)), self.initialization)
        return with_weight_norm(network, self.discriminator_norm)
