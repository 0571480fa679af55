"""Residual SNGAN, with projection and self-attention as options (Miyato et al. 2018; Zhang et al. 2019, SAGAN)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

from torch import Tensor, nn

from ganbench.architectures import Architecture
from ganbench.architectures._residual import DiscriminatorBlock, GeneratorBlock, start_residual
from ganbench.architectures._sides import range_fault, sides_fault
from ganbench.core.formatting import join_words
from ganbench.core.interval import Interval
from ganbench.data import DataSpec
from ganbench.nn.attention import SelfAttention
from ganbench.nn.packing import packing_layers
from ganbench.nn.weight_norms import with_weight_norm


@dataclass(frozen=True)
class _Design:
    """The blocks for images of some side; widths are multiples of `base_channels`.

    Attributes:
        innermost: side of the generator's first feature map.
        generator: widths of the generator's feature maps, from the innermost; every block doubles the side.
        discriminator: widths after each block of the discriminator.
        halvings: number of the discriminator's blocks, from the first, that halve the side.
    """

    innermost: int
    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    halvings: int


# Of the authors' code (pfnet-research/sngan_projection) at 32, 64 and 128 pixels, and of mimicry (Lee and Town 2020) at
# 48. There are no published ones below; they are that of 32 pixels with fewer doublings in the generator.
_SMALL = (2, 2, 2, 2)
DESIGNS = {
    8: _Design(4, (4, 4), _SMALL, 2),
    16: _Design(4, (4, 4, 4), _SMALL, 2),
    28: _Design(7, (4, 4, 4), _SMALL, 2),
    32: _Design(4, (4, 4, 4, 4), _SMALL, 2),
    48: _Design(6, (8, 4, 2, 1), (1, 2, 4, 8, 16), 4),
    64: _Design(4, (16, 8, 4, 2, 1), (1, 2, 4, 8, 16), 5),
    128: _Design(4, (16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 5),
}


@dataclass(frozen=True)
class SNGAN(Architecture):
    """Residual blocks, batch normalisation in the generator, spectral normalisation of the discriminator's weights, sum
    pooling before its last layer. Studies train it with the hinge loss.

    Batch normalisation is by the batch's own statistics. SAGAN is `generator_spectral_norm: true`,
    `attention_resolution: 32` at 128 pixels and `conditioning: projection`; mimicry's networks have
    `rectified_shortcut: true` and `upsampling: bilinear`.
    """

    latent_size: Annotated[int, Interval(ge=1, le=16_384)] = 128
    base_channels: Annotated[int, Interval(ge=1, le=1024)] = 64
    """Number of channels next to the image in the networks of 48 pixels and more; those of 32 and less have 4
    (generator) and 2 (discriminator) times it everywhere."""
    discriminator_norm: Literal["spectral", "weight", "none"] = "spectral"
    """Normalisation of the discriminator's weights: 'spectral' (Miyato et al. 2018), 'weight' (Salimans and Kingma
    2016) or none."""
    generator_spectral_norm: bool = False
    """Whether the generator's weights have spectral normalisation too, as in SAGAN."""
    conditioning: Literal["none", "projection", "auxiliary"] = "none"
    """How networks take labels: with 'projection' or 'auxiliary' the generator has them as scales and shifts of its
    normalisations. With 'projection' the discriminator takes them too: D(x, y) = w . phi(x) + e_y . phi(x) (Miyato and
    Koyama 2018, section 3); with 'auxiliary' it tells classes apart instead (Odena, Olah and Shlens 2017), which takes
    the objective `auxiliary_classifier`."""
    attention_resolution: Annotated[int, Interval(ge=0, le=128)] = 0
    """Side of the feature map that gets a block of self-attention in both networks, in pixels; 0 for none."""
    discriminator_attention_resolution: Annotated[int, Interval(ge=-1, le=128)] = -1
    """Side of the feature map of the discriminator that gets one; -1: as `attention_resolution`."""
    upsampling: Literal["nearest", "bilinear"] = "nearest"
    """Interpolation by which the generator doubles a feature map."""
    rectified_shortcut: bool = False
    """Whether the shortcut of the discriminator's blocks is rectified too, as in mimicry and StudioGAN, whose ReLU
    works in place."""
    initialization: Literal["xavier", "orthogonal", "normal", "kaiming", "pytorch"] = "xavier"
    """Initial weights: 'pytorch' leaves PyTorch's own, 'normal' is N(0, 0.02^2), 'xavier' is of Glorot and Bengio
    (2010) (with twice the variance in the 3x3 convolutions of blocks, as in SNGAN), 'kaiming' of He et al. (2015),
    'orthogonal' of Saxe et al. (2014); see `ganbench.nn.initialization`."""
    packing_degree: Annotated[int, Interval(ge=1, le=4)] = 1

    @property
    def conditional(self) -> tuple[str, ...]:  # type: ignore[override]
        players = {"none": (), "auxiliary": ("generator",), "projection": ("generator", "discriminator")}
        return players[self.conditioning]

    @property
    def objective_needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("class_logits",) if self.conditioning == "auxiliary" else ()

    def unsupported(self, data: DataSpec) -> str | None:
        sides = f"square images whose side is one of {join_words([str(side) for side in DESIGNS])} pixels"
        if fault := sides_fault(data, sides, DESIGNS.__contains__) or range_fault(data, "tanh"):
            return fault
        side = data.shape[1]
        for option, at, maps in (
            ("attention_resolution", self.attention_resolution, _generator_maps(side)),
            ("discriminator_attention_resolution", self._attention_of_discriminator, _discriminator_maps(side)),
        ):
            valid = sorted({each for each in maps if each % 2 == 0})
            if at and at not in valid:
                return (
                    f"it has no feature map of an even side {at} for its `{option}` at {side} pixels; choose one of "
                    f"{join_words([str(each) for each in (0, *valid)])}, where 0 is no attention"
                )
        return None

    def generator(self, data: DataSpec) -> nn.Module:
        classes = data.modes if self.conditioning != "none" else 0
        network = start_residual(_Generator(self, data, classes), self.initialization)
        return with_weight_norm(network, "spectral" if self.generator_spectral_norm else "none")

    def discriminator(self, data: DataSpec) -> nn.Module:
        network = start_residual(_Discriminator(self, data), self.initialization)
        embedding = [] if network.embedding is None else [network.embedding]
        return with_weight_norm(network, self.discriminator_norm, *embedding)

    @property
    def _attention_of_discriminator(self) -> int:
        return (
            self.attention_resolution
            if self.discriminator_attention_resolution == -1
            else self.discriminator_attention_resolution
        )


def _generator_maps(side: int) -> list[int]:
    """Sides of the feature maps after each block of the generator."""
    design = DESIGNS[side]
    return [design.innermost * 2 ** (block + 1) for block in range(len(design.generator) - 1)]


def _discriminator_maps(side: int) -> list[int]:
    """Sides of the feature maps after each block of the discriminator."""
    design = DESIGNS[side]
    return [side // 2 ** min(block + 1, design.halvings) for block in range(len(design.discriminator))]


class _Generator(nn.Module):
    def __init__(self, options: SNGAN, data: DataSpec, classes: int) -> None:
        super().__init__()
        design = DESIGNS[data.shape[1]]
        widths = [options.base_channels * multiple for multiple in design.generator]
        self.first = nn.Linear(options.latent_size, widths[0] * design.innermost**2)
        self._innermost = (widths[0], design.innermost, design.innermost)
        self.blocks = nn.ModuleList()
        for (in_channels, out_channels), side in zip(pairwise(widths), _generator_maps(data.shape[1]), strict=True):
            self.blocks.append(GeneratorBlock(in_channels, out_channels, classes, options.upsampling))
            if side == options.attention_resolution:
                self.blocks.append(SelfAttention(out_channels))
        self.norm = nn.BatchNorm2d(widths[-1], track_running_stats=False)
        self.last = nn.Conv2d(widths[-1], data.shape[0], 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.first(z).unflatten(1, self._innermost)
        for block in self.blocks:
            x = block(x) if isinstance(block, SelfAttention) else block(x, labels)
        return self.last(self.norm(x).relu()).tanh()


class _Discriminator(nn.Module):
    def __init__(self, options: SNGAN, data: DataSpec) -> None:
        super().__init__()
        design, attention = DESIGNS[data.shape[1]], options._attention_of_discriminator
        widths = [
            options.packing_degree * data.shape[0],
            *(options.base_channels * multiple for multiple in design.discriminator),
        ]
        layers: list[nn.Module] = []
        sides = _discriminator_maps(data.shape[1])
        for index, ((in_channels, out_channels), side) in enumerate(zip(pairwise(widths), sides, strict=True)):
            how = {"halves": index < design.halvings, "first": index == 0, "rectified": options.rectified_shortcut}
            layers.append(DiscriminatorBlock(in_channels, out_channels, **how))
            if side == attention and side not in sides[:index]:
                layers.append(SelfAttention(out_channels))
        self.blocks = nn.Sequential(*packing_layers(options.packing_degree), *layers)
        self.last = nn.Linear(widths[-1], 1)
        self.embedding = nn.Embedding(data.modes, widths[-1]) if options.conditioning == "projection" else None
        self.classes = nn.Linear(widths[-1], data.modes) if options.conditioning == "auxiliary" else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Any:
        features = self.blocks(x).relu().sum((2, 3))
        logits = self.last(features)[:, 0]
        if self.embedding is not None:
            logits = logits + (self.embedding(labels) * features).sum(1)
        return logits if self.classes is None else (logits, self.classes(features))
