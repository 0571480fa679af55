"""The convolutional GAN whose generator unpools where the discriminator's max pooling found its maxima."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from ganbench.architectures import Architecture
from ganbench.architectures._sides import range_caution, range_fault, sides_fault
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.heads import BOUNDED, head_layers
from ganbench.nn.initialization import initialize
from ganbench.nn.pooling import CORNERS, pool, unpool

LEVELS = ("corners1", "corners2", "corners3", "corners4")  # of the poolings, from the image on
FACTOR = 2 ** len(LEVELS)  # by which the poolings shrink an image


@dataclass(frozen=True)
class Unpool(Architecture):
    """Four 3x3 convolutions, each with ReLU and 2x2 max pooling, and fully connected layers; the generator mirrors
    them, with unpooling before each convolution.

    At 128x128x3 the discriminator is convolutions 3-16-16-16-32 and layers 2048-512-50-1, ReLU and dropout after the
    hidden ones; the generator is layers 50-512-2048 with ReLU, 32 maps of 8x8, and convolutions 32-16-16-16-3, ReLU
    between them. Other images, whose sides are multiples of 16, have four poolings too, and another number in place of
    2048.

    Unpooling puts each value at one corner of a 2x2 window and zeros at the others. `indices` says which.
    """

    passed_to_generator: ClassVar[tuple[str, ...]] = LEVELS

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 50
    base_channels: Annotated[int, Interval(ge=1, le=4096)] = 16
    """Number of channels of all maps but the innermost, which have twice as many."""
    hidden_sizes: tuple[Annotated[int, Interval(ge=1, le=16_384)], ...] = (512,)
    """Widths of the generator's fully connected hidden layers, from the input on."""
    discriminator_hidden_sizes: tuple[Annotated[int, Interval(ge=1, le=16_384)], ...] = (512, 50)
    """Widths of the discriminator's fully connected hidden layers, from the input on."""
    shared: bool = True
    """Whether the second and the third convolution of a network are one layer with one set of weights."""
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    """Probability with which a unit of the discriminator's hidden layers is zero in training."""
    indices: Literal["real", "generated", "fixed"] = "real"
    """Corners at which unpooling puts values: those of the maxima that the discriminator found in the last 'real' or in
    the last 'generated' batch, example by example, or 'fixed', drawn at random from the run's seed and the same for all
    examples. A run with 'generated' starts from such random ones too."""
    output_activation: Literal["tanh", "sigmoid"] = "tanh"
    """Last function of the generator: 'tanh' for data in [-1, 1], 'sigmoid' for data in [0, 1]."""
    discriminator_output: Literal["logit", "softmax"] = "logit"
    """Last layer of the discriminator: 'logit', one unit, or 'softmax' over two classes, whose logit is the difference
    of two units."""
    initialization: Literal["pytorch", "normal", "xavier", "kaiming", "orthogonal"] = "pytorch"
    """Initial weights: 'pytorch' leaves PyTorch's own, 'normal' is N(0, 0.02^2), 'xavier' is of Glorot and Bengio
    (2010), 'kaiming' of He et al. (2015), 'orthogonal' of Saxe et al. (2014); see `ganbench.nn.initialization`."""

    @property
    def passed_from(self) -> str:
        return {"real": "real", "generated": "fake", "fixed": "start"}[self.indices]

    @property
    def probability_only(self) -> bool:
        return self.discriminator_output == "softmax"

    def unsupported(self, data: DataSpec) -> str | None:
        rule = f"images whose height and width are multiples of {FACTOR}"
        fault = sides_fault(data, rule, lambda side: side % FACTOR == 0, square=False)
        return fault or range_fault(data, self.output_activation)

    def caution(self, data: DataSpec) -> str | None:
        return range_caution(data, self.output_activation)

    def generator(self, data: DataSpec) -> nn.Module:
        maps = self._maps(data)
        sizes = [self.latent_size, *self.hidden_sizes, prod(maps[-1])]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        first = nn.Sequential(*layers, nn.Unflatten(1, maps[-1]))
        network = _Unpooling(first, self._convolutions(data)[::-1], BOUNDED[self.output_activation](), maps[1:])
        return initialize(network, self.initialization)

    def discriminator(self, data: DataSpec) -> nn.Module:
        sizes = [prod(self._maps(data)[-1]), *self.discriminator_hidden_sizes]
        layers: list[nn.Module] = [nn.Flatten()]
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b), nn.ReLU(), *([nn.Dropout(self.dropout)] if self.dropout else [])]
        head = nn.Sequential(*layers, *head_layers(sizes[-1], self.discriminator_output))
        convolutions = self._convolutions(data, inwards=True)
        return initialize(_Pooling(convolutions, head), self.initialization)

    def _maps(self, data: DataSpec) -> list[tuple[int, int, int]]:
        """Channels, height and width of the image and of the maps after each pooling."""
        channels = [data.shape[0], *[self.base_channels] * (len(LEVELS) - 1), 2 * self.base_channels]
        height, width = data.shape[1:]
        return [(each, height // 2**level, width // 2**level) for level, each in enumerate(channels)]

    def _convolutions(self, data: DataSpec, *, inwards: bool = False) -> list[nn.Module]:
        """The convolutions from the image to the innermost maps, or, unless `inwards`, those that lead back."""
        channels = [maps[0] for maps in self._maps(data)]
        made = [nn.Conv2d(*(pair if inwards else pair[::-1]), 3, padding=1) for pair in pairwise(channels)]
        if self.shared:
            made[2] = made[1]
        return made


class _Pooling(nn.Module):
    """Images to logits, and to the corners of the maxima at each pooling, by name."""

    def __init__(self, convolutions: list[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.convolutions, self.head = nn.ModuleList(convolutions), head

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        found, maps = {}, images
        for name, convolution in zip(LEVELS, self.convolutions, strict=True):
            maps, found[name] = pool(convolution(maps).relu())
        return {"logits": self.head(maps), **found}


class _Unpooling(nn.Module):
    """Latent points to images, with the corners at which values are put in buffers (examples, *maps).

    Args:
        first: latent points to the innermost maps.
        convolutions: the convolutions from there to the image.
        last: the function that ends the network.
        maps: shapes of the maps that are unpooled, from the image on.
    """

    def __init__(
        self, first: nn.Module, convolutions: list[nn.Module], last: nn.Module, maps: list[tuple[int, int, int]]
    ) -> None:
        super().__init__()
        self.first, self.convolutions, self.last = first, nn.ModuleList(convolutions), last
        for name, shape in zip(LEVELS, maps, strict=True):
            self.register_buffer(name, torch.randint(CORNERS, (1, *shape), dtype=torch.uint8))

    def forward(self, latent: Tensor) -> Tensor:
        maps = self.first(latent)
        # Evaluation may take more examples than a batch of training has, or fewer: corners serve in turn. Of the shape,
        # since `len` is one number for all batches of a program of torch.export.
        row = torch.arange(latent.shape[0], device=latent.device)
        for name, convolution in zip(reversed(LEVELS), self.convolutions, strict=True):
            corners: Any = getattr(self, name)
            maps = convolution(unpool(maps, corners[row % len(corners)]))
            maps = self.last(maps) if name == LEVELS[0] else maps.relu()
        return maps
