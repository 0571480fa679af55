"""DCGAN with 5x5 kernels for images of any side, as its first TensorFlow code and PacGAN have it (Lin et al. 2018)."""

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

HALVINGS = 4
KERNEL = 5


@dataclass(frozen=True)
class DCGANTensorFlow(Architecture):
    """5x5 convolutions of stride 2 halve the image four times, sides rounded up (28, 14, 7, 4, 2), and transposed ones
    double it up again.

    A linear layer makes the innermost maps of the latent point, and one gives the logit of the
    discriminator's. Normalisation is in all layers but the generator's last and the discriminator's first and last;
    all layers have biases. Activations are ReLU and LeakyReLU(0.2). As in the code of PacGAN (fjxmlzn/PacGAN,
    VEEGAN_experiment), which is that of carpedm20/DCGAN-tensorflow, but for the zeros beside images of even sides: one
    row at the top and two at the bottom there, two and one here. So these are the same networks on images that are
    mirrored in both directions.
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 100
    base_channels: Annotated[int, Interval(ge=1, le=1024)] = 64
    """Number of channels next to the image in both networks, 64 as published; every further halving doubles it."""
    generator_norm: Literal["batch", "layer", "none"] = "batch"
    """Normalisation of the generator's feature maps but the last."""
    discriminator_norm: Literal["batch", "layer", "spectral", "weight", "none"] = "batch"
    """Normalisation in the discriminator: of feature maps but the first, or of its weights by 'spectral' (Miyato et al.
    2018) or 'weight' (Salimans and Kingma 2016) normalisation."""
    initialization: Literal["published", "pytorch", "normal", "xavier", "kaiming", "orthogonal"] = "published"
    """Initial weights: 'published' is N(0, 0.02^2), cut off at two standard deviations in convolutions, with zero
    biases; 'pytorch' leaves PyTorch's own, 'normal' is N(0, 0.02^2), 'xavier' is of Glorot and Bengio (2010), 'kaiming'
    of He et al. (2015), 'orthogonal' of Saxe et al. (2014); see `ganbench.nn.initialization`."""
    output_activation: Literal["tanh", "sigmoid"] = "tanh"
    """Last function of the generator: 'tanh' for data in [-1, 1], 'sigmoid' for data in [0, 1]."""
    latent_distribution: Literal["normal", "uniform"] = "uniform"
    """Distribution of a latent point's coordinates: standard normal, or uniform on (-1, 1) as published."""
    packing_degree: Annotated[int, Interval(ge=1, le=4)] = 1

    def unsupported(self, data: DataSpec) -> str | None:
        return halved_fault(data) or range_fault(data, self.output_activation)

    def caution(self, data: DataSpec) -> str | None:
        return range_caution(data, self.output_activation)

    def generator(self, data: DataSpec) -> nn.Module:
        sides, widths = halved(data, HALVINGS)[::-1], self._widths[::-1]
        inner = (widths[0], *sides[0])
        layers = [
            *latent_layers(self.latent_distribution),
            nn.Linear(self.latent_size, prod(inner)),
            nn.Unflatten(1, inner),
        ]
        for (wide, narrow), (small, large) in zip(pairwise([*widths, data.shape[0]]), pairwise(sides), strict=True):
            layers += [*norm_layers(self.generator_norm, wide), nn.ReLU()]
            layers += [doubling(wide, narrow, KERNEL, small, large)]
        return start_published(nn.Sequential(*layers, BOUNDED[self.output_activation]()), self.initialization)

    def discriminator(self, data: DataSpec) -> nn.Module:
        layers, widths = packing_layers(self.packing_degree), self._widths
        for place, (narrow, wide) in enumerate(pairwise([self.packing_degree * data.shape[0], *widths])):
            norms = norm_layers(self.discriminator_norm, wide) if place else []
            layers += [halving(narrow, wide, KERNEL), *norms, nn.LeakyReLU(0.2)]
        head = nn.Linear(widths[-1] * prod(halved(data, HALVINGS)[-1]), 1)
        network = start_published(nn.Sequential(*layers, nn.Flatten(), head, nn.Flatten(0)), self.initialization)
        return with_weight_norm(network, self.discriminator_norm)

    @property
    def _widths(self) -> list[int]:
        """Feature maps after each halving, from the image on."""
        return [self.base_channels * 2**level for level in range(HALVINGS)]
