"""DCGAN (Radford, Metz and Chintala 2016) for square images of many sizes from 8 pixels, and its variants."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from torch import nn

from ganbench.architectures import Architecture
from ganbench.architectures._convolutional import NORMS, norm_layers
from ganbench.architectures._sides import doubled_widths, range_caution, range_fault, sides_fault
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import join_words
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.heads import BOUNDED
from ganbench.nn.initialization import initialize
from ganbench.nn.latent import latent_layers
from ganbench.nn.packing import packing_layers
from ganbench.nn.weight_norms import with_weight_norm

SIDES = "square images whose side is 4, 5, 6 or 7 times a power of two, from 16 pixels (or is 8 or 12)"


@dataclass(frozen=True)
class DCGAN(Architecture):
    """Strided 4x4 convolutions halve the image down to 4x4 (discriminator) or double it up from there (generator).

    The innermost feature map of images of 4 2^n pixels is 4x4; of 5 2^n, 6 2^n and 7 2^n pixels (28 = 7 2^2) it is 5x5,
    6x6 and 7x7. Images of 8 and 12 pixels go down to 2x2 and 3x3, so that there are two halvings.

    All layers are normalised but those next to the image. An option of a normalisation that the networks do not have is
    refused.
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 100
    base_channels: Annotated[int, Interval(ge=1, le=4096)] = 64
    """Number of channels next to the image; every halving of the image doubles it."""
    max_channels: Annotated[int, Interval(ge=0, le=65_536)] = 0
    """Largest number of channels; 0 for no limit."""
    generator_norm: Literal["batch", "instance", "group", "layer", "none"] = "batch"
    """Normalisation of the generator's feature maps but the last: 'batch' by the statistics of the batch, 'instance',
    'group' (groups of gcd(channels, 16) channels) and 'layer' by those of each example."""
    discriminator_norm: Literal["batch", "instance", "group", "layer", "spectral", "weight", "none"] = "batch"
    """Normalisation in the discriminator: of feature maps, as in `generator_norm`, but for those next to the image, or
    of its weights by 'spectral' (Miyato et al. 2018) or 'weight' (Salimans and Kingma 2016) normalisation. Gradient
    penalties need another one than 'batch'."""
    discriminator_first_norm: bool = False
    """Whether the discriminator's first convolution is normalised too."""
    order: Literal["norm-activation", "activation-norm"] = "norm-activation"
    """Which of normalisation and activation comes first."""
    first_layer: Literal["conv_transpose", "linear"] = "conv_transpose"
    """Layer from the latent point to the innermost feature map, 'conv_transpose' or 'linear'. Both compute
    the same linear map; only initial weights differ, of initialisations that depend on the number of inputs
    ('pytorch', 'xavier', 'kaiming')."""
    biases: Literal["auto", "with", "without"] = "auto"
    """Whether convolutions have biases; 'auto' leaves them out where a normalisation follows, which would cancel
    them."""
    initialization: Literal["normal", "pytorch", "xavier", "kaiming", "orthogonal"] = "normal"
    """Initial weights, and scales of normalisations: 'pytorch' leaves PyTorch's own, 'normal' is N(0, 0.02^2), 'xavier'
    is of Glorot and Bengio (2010), 'kaiming' of He et al. (2015), 'orthogonal' of Saxe et al. (2014); biases start as
    PyTorch's, see `ganbench.nn.initialization`."""
    output_activation: Literal["tanh", "sigmoid"] = "tanh"
    """Last function of the generator: 'tanh' for data in [-1, 1], 'sigmoid' for data in [0, 1]."""
    latent_distribution: Literal["normal", "uniform"] = "normal"
    """Distribution of a latent point's coordinates: standard normal, or uniform on (-1, 1) as in the paper."""
    packing_degree: Annotated[int, Interval(ge=1, le=4)] = 1

    def __post_init__(self) -> None:
        norms, nowhere = join_words(list(NORMS)), ""
        if self.discriminator_first_norm and self.discriminator_norm not in NORMS:
            nowhere = f"discriminator_first_norm: true has no effect with discriminator_norm: {self.discriminator_norm}"
        elif self.order != "norm-activation" and not NORMS.keys() & {self.generator_norm, self.discriminator_norm}:
            nowhere = (
                f"order: {self.order} has no effect with generator_norm: {self.generator_norm} and discriminator_norm: "
                f"{self.discriminator_norm}"
            )
        if nowhere:
            raise GanbenchError(
                f"architecture 'dcgan': {nowhere}, which normalise no feature map; leave it out or take one of {norms}."
            )

    def unsupported(self, data: DataSpec) -> str | None:
        return sides_fault(data, SIDES, lambda side: _side_of_head(side) > 0) or range_fault(
            data, self.output_activation
        )

    def caution(self, data: DataSpec) -> str | None:
        return range_caution(data, self.output_activation)

    def generator(self, data: DataSpec) -> nn.Module:
        channels, norm = self._channels(data)[::-1], self.generator_norm
        layers = [
            *latent_layers(self.latent_distribution),
            *self._first_layers(channels[0], _side_of_head(data.shape[1])),
        ]
        layers += self._then(norm, channels[0], nn.ReLU())
        for wide, narrow in pairwise(channels):
            layers += [nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=self._biased(norm))]
            layers += self._then(norm, narrow, nn.ReLU())
        last = nn.ConvTranspose2d(channels[-1], data.shape[0], 4, stride=2, padding=1, bias=self._biased("none"))
        network = nn.Sequential(*layers, last, BOUNDED[self.output_activation]())
        return initialize(network, self.initialization, zero_biases=False)

    def discriminator(self, data: DataSpec) -> nn.Module:
        channels, layers = self._channels(data), packing_layers(self.packing_degree)
        for place, (narrow, wide) in enumerate(pairwise([self.packing_degree * data.shape[0], *channels])):
            norm = self.discriminator_norm if place or self.discriminator_first_norm else "none"
            layers += [nn.Conv2d(narrow, wide, 4, stride=2, padding=1, bias=self._biased(norm))]
            layers += self._then(norm, wide, nn.LeakyReLU(0.2))
        head = nn.Conv2d(channels[-1], 1, _side_of_head(data.shape[1]), bias=self._biased("none"))
        network = initialize(nn.Sequential(*layers, head, nn.Flatten(0)), self.initialization, zero_biases=False)
        return with_weight_norm(network, self.discriminator_norm)

    def _channels(self, data: DataSpec) -> list[int]:
        """Channels of the feature maps, from the one next to the image to the innermost."""
        maps = (data.shape[1] // _side_of_head(data.shape[1])).bit_length() - 1
        return doubled_widths(maps, self.base_channels, self.max_channels)

    def _first_layers(self, channels: int, side: int) -> list[nn.Module]:
        """The layers from latent points to the innermost feature map."""
        bias = self._biased(self.generator_norm)
        if self.first_layer == "linear":
            linear = nn.Linear(self.latent_size, channels * side**2, bias=bias)
            return [linear, nn.Unflatten(1, (channels, side, side))]
        convolution = nn.ConvTranspose2d(self.latent_size, channels, side, bias=bias)
        return [nn.Unflatten(1, (self.latent_size, 1, 1)), convolution]

    def _then(self, norm: str, channels: int, activation: nn.Module) -> list[nn.Module]:
        """What follows a convolution: its activation, and its normalisation before or after that."""
        layers = norm_layers(norm, channels)
        return [*layers, activation] if self.order == "norm-activation" else [activation, *layers]

    def _biased(self, norm: str) -> bool:
        """Whether a convolution with this normalisation has a bias."""
        if self.biases != "auto":
            return self.biases == "with"
        return norm not in NORMS or self.order == "activation-norm"


def _side_of_head(side: int) -> int:
    """The side of the map that the discriminator's last layer takes, after two halvings of the image or more; or 0 if
    there is none."""
    sides = (inner for inner in (4, 5, 6, 7, 3, 2) if side % inner == 0 and side // inner >= 4)
    return next((inner for inner in sides if (side // inner).bit_count() == 1), 0)
