"""The InfoGAN-style networks of the large-scale comparison of GANs (Lucic et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated, Literal

from torch import nn

from ganbench.architectures import Architecture
from ganbench.architectures._convolutional import start_published
from ganbench.architectures._sides import range_caution, range_fault, sides_fault
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.heads import BOUNDED
from ganbench.nn.latent import latent_layers
from ganbench.nn.packing import packing_layers
from ganbench.nn.weight_norms import with_weight_norm

EPSILON = 1e-3  # of the variance in batch normalisation


@dataclass(frozen=True)
class InfoGAN(Architecture):
    """The generator has two fully connected layers, of 1024 units and of 128 feature maps of a quarter of the image's
    height and width, and two transposed 4x4 convolutions of stride 2, to 64 feature maps and to the image. The
    discriminator has 4x4 convolutions of stride 2 to 64 and to 128 feature maps, and fully connected layers of 1024
    units and of one.

    Batch normalisation is in all layers but the generator's last and the discriminator's first and last; all layers
    have biases. Activations are LeakyReLU(0.2), in the generator too, as in the code (google/compare_gan at 49495fd,
    gans/ops.py and gans/abstract_gan.py). Without the codes of InfoGAN: the generator takes a latent point only.
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 64
    base_channels: Annotated[int, Interval(ge=1, le=1024)] = 64
    """Number of channels next to the image, 64 in the paper; the other widths are 2 and 16 times as many."""
    discriminator_norm: Literal["batch", "spectral", "weight", "none"] = "batch"
    """Normalisation in the discriminator: of feature maps but the first, or of its weights by 'spectral' (Miyato et al.
    2018) or 'weight' (Salimans and Kingma 2016) normalisation."""
    generator_activation: Literal["leaky_relu", "relu"] = "leaky_relu"
    """Activation of the generator: LeakyReLU(0.2) as in the code of Lucic et al., or ReLU as in Chen et al. (2016)."""
    initialization: Literal["published", "pytorch", "normal", "xavier", "kaiming", "orthogonal"] = "published"
    """Initial weights: 'published' is N(0, 0.02^2), cut off at two standard deviations in convolutions, with zero
    biases; 'pytorch' leaves PyTorch's own, 'normal' is N(0, 0.02^2), 'xavier' is of Glorot and Bengio (2010), 'kaiming'
    of He et al. (2015), 'orthogonal' of Saxe et al. (2014); see `ganbench.nn.initialization`."""
    output_activation: Literal["rescaled_sigmoid", "sigmoid", "tanh"] = "rescaled_sigmoid"
    """Last function of the generator: 'sigmoid' as published, for images in [0, 1], 'rescaled_sigmoid', the same for
    images in [-1, 1], or 'tanh'."""
    latent_distribution: Literal["normal", "uniform"] = "uniform"
    """Distribution of a latent point's coordinates: standard normal, or uniform on (-1, 1) as published."""
    packing_degree: Annotated[int, Interval(ge=1, le=4)] = 1

    def unsupported(self, data: DataSpec) -> str | None:
        rule = "images whose sides are multiples of 4, from 8 pixels"
        fault = sides_fault(data, rule, lambda side: side % 4 == 0 and side >= 8, square=False)
        return fault or range_fault(data, self.output_activation)

    def caution(self, data: DataSpec) -> str | None:
        return range_caution(data, self.output_activation)

    def generator(self, data: DataSpec) -> nn.Module:
        few, many, units = self._widths()
        inner = (many, data.shape[1] // 4, data.shape[2] // 4)
        layers = [
            *latent_layers(self.latent_distribution),
            *(nn.Linear(self.latent_size, units), _flat_norm(units), self._activation()),
            *(nn.Linear(units, prod(inner)), _flat_norm(prod(inner)), self._activation(), nn.Unflatten(1, inner)),
            *(nn.ConvTranspose2d(many, few, 4, stride=2, padding=1), _map_norm(few), self._activation()),
            *(nn.ConvTranspose2d(few, data.shape[0], 4, stride=2, padding=1), BOUNDED[self.output_activation]()),
        ]
        return start_published(nn.Sequential(*layers), self.initialization)

    def discriminator(self, data: DataSpec) -> nn.Module:
        few, many, units = self._widths()
        seen, inner = self.packing_degree * data.shape[0], many * prod(data.shape[1:]) // 16
        norms = self.discriminator_norm == "batch"
        layers = [
            *(nn.Conv2d(seen, few, 4, stride=2, padding=1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(few, many, 4, stride=2, padding=1), *[_map_norm(many)] * norms, nn.LeakyReLU(0.2)),
            *(nn.Flatten(), nn.Linear(inner, units), *[_flat_norm(units)] * norms, nn.LeakyReLU(0.2)),
            *(nn.Linear(units, 1), nn.Flatten(0)),
        ]
        network = start_published(nn.Sequential(*packing_layers(self.packing_degree), *layers), self.initialization)
        return with_weight_norm(network, self.discriminator_norm)

    def _widths(self) -> tuple[int, int, int]:
        """The feature maps next to the image and further in, and the units of a fully connected layer."""
        return self.base_channels, 2 * self.base_channels, 16 * self.base_channels

    def _activation(self) -> nn.Module:
        return nn.ReLU() if self.generator_activation == "relu" else nn.LeakyReLU(0.2)


def _map_norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=EPSILON, track_running_stats=False)


def _flat_norm(units: int) -> nn.Module:
    return nn.BatchNorm1d(units, eps=EPSILON, track_running_stats=False)
