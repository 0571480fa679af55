"""Numbers of parameters of the articles' networks, and how those of fully connected ones grow with the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import nn

from ganbench.architectures import Architecture, dcgan, fc, unpool
from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.data import DataSpec
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game

LISTED_HEAD = (1000, 400, 200)  # widths of the discriminator that is printed
LARGE = fc.FC(hidden_sizes=(512, 2048, 8192), scale_hidden_sizes=False)
HALVED = fc.FC(hidden_sizes=(512, 2048, 4096), scale_hidden_sizes=False)

NETWORKS: dict[str, tuple[str, Architecture, tuple[int, int, int]]] = {
    # name in columns: (name in sentences, architecture, shape of an image)
    "listed": (
        "the listed fully connected networks",
        fc.FC(
            latent_size=50,
            hidden_sizes=LISTED_HEAD[::-1],
            discriminator_hidden_sizes=LISTED_HEAD,
            scale_hidden_sizes=False,
        ),
        (1, 28, 28),
    ),
    "described": ("the described fully connected networks", fc.FC(), (1, 28, 28)),
    "large": ("the large fully connected networks", LARGE, (3, 64, 64)),
    "halved": ("the large fully connected networks with a first layer of 4096 units", HALVED, (3, 64, 64)),
    "unpool": ("the unpooling networks", unpool.Unpool(), (3, 128, 128)),
    "dcgan_64": ("the DCGAN of 64 pixels without biases", dcgan.DCGAN(biases="without"), (3, 64, 64)),
    "dcgan_128": ("the DCGAN of 128 pixels", dcgan.DCGAN(order="activation-norm"), (3, 128, 128)),
    "dcgan_512": ("the DCGAN of 512 pixels", dcgan.DCGAN(latent_size=1000, base_channels=32), (3, 512, 512)),
}
"""The networks of the article on GANs from fully connected ones to DCGANs, with the settings of docs/networks.md."""

PLAYERS = ("generator", "discriminator")


@dataclass(frozen=True)
class NetworkSizes(Diagnostic):
    """The networks are built on PyTorch's meta device, which has shapes without numbers, and counted.

    The large fully connected networks, whose widths are those of an image of 64 pixels whatever its size, are built for
    square colour images of every one of `image_sizes` pixels too. With h units next to an image of n numbers, the
    weights between the two are n h and everything else does not depend on n, so both networks together are a + b n: a
    straight line in the number of pixels. An exponential a b^n would have a log-log slope that grows with n without
    bound. Networks whose widths are scaled with the side of the image have a + b n + c n^(3/2).

    Arrays: `pixels`, `parameters`, `scaled_parameters` (image sizes,), both networks together.

    Raises:
        GanbenchError: `image_sizes` are less than three different ones, or do not ascend.
    """

    image_sizes: tuple[Annotated[int, Interval(ge=4, le=4096)], ...] = (16, 32, 64, 128, 256)
    """Height and width of the square colour images, in pixels, three or more in ascending order."""

    of: ClassVar[Literal["runs", "study"]] = "study"

    def __post_init__(self) -> None:
        if len(self.image_sizes) < 3 or sorted(set(self.image_sizes)) != list(self.image_sizes):
            raise GanbenchError(
                f"diagnostic 'network_sizes': image_sizes must be three or more different sizes in ascending order, "
                f"such as [16, 32, 64], but is {list(self.image_sizes)}."
            )

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def count(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, f"Number of {what}.", "none", 1, None)

        sizes = {
            f"{name}_{part}": count(f"{name.replace('_', ' ')}, {part}", f"parameters of {words}, {part}")
            for name, (words, _, _) in NETWORKS.items()
            for part in (*PLAYERS, "both")
        }
        largest = "both large fully connected networks together, between the two largest sides of the sweep"
        return {
            **sizes,
            "large_second_weight": count(
                "Second weight, large", "weights between the first two hidden layers of the large discriminator"
            ),
            "halved_second_weight": count(
                "Second weight, halved", "weights between the first two hidden layers of the halved discriminator"
            ),
            "first_weight_64": count(
                "First weight, 64 pixels", "weights of the large discriminator's first layer for images of 64 pixels"
            ),
            "first_weight_128": count(
                "First weight, 128 pixels", "weights of the large discriminator's first layer for images of 128 pixels"
            ),
            "pixel_exponent": MetricInfo(
                "Exponent in the pixels",
                f"Log-log slope of the parameters over the number of pixels: {largest}; 1 is proportional.",
                "none",
                0,
                None,
            ),
            "scaled_exponent": MetricInfo(
                "Exponent in the pixels, scaled widths",
                "The same slope where hidden layers are as many times wider as the image is than one of 28 pixels.",
                "none",
                0,
                None,
            ),
            "line_error": MetricInfo(
                "Departure from a line",
                "Largest relative difference of the parameters from the straight line in the number of pixels through "
                "those of the smallest and the largest side.",
                "low",
                0,
                None,
            ),
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        values: dict[str, float] = {}
        for name, (_, architecture, shape) in NETWORKS.items():
            counts = [parameters(without_numbers(architecture, player, shape)) for player in PLAYERS]
            values |= dict(zip((f"{name}_{part}" for part in PLAYERS), counts, strict=True))
            values[f"{name}_both"] = sum(counts)
        values |= {
            "large_second_weight": _weights(LARGE, 64)[1],
            "halved_second_weight": _weights(HALVED, 64)[1],
            "first_weight_64": _weights(LARGE, 64)[0],
            "first_weight_128": _weights(LARGE, 128)[0],
        }
        pixels = np.array(self.image_sizes, dtype=np.float64) ** 2
        fixed, scaled = (_both(each, self.image_sizes) for each in (LARGE, fc.FC()))
        line = np.interp(pixels, pixels[[0, -1]], fixed[[0, -1]])
        values |= {
            "pixel_exponent": _last_slope(pixels, fixed),
            "scaled_exponent": _last_slope(pixels, scaled),
            "line_error": float(np.max(np.abs(fixed - line) / fixed)),
        }
        arrays = {"pixels": pixels, "parameters": fixed, "scaled_parameters": scaled}
        return DiagnosticResult({name: np.asarray(value, np.float64) for name, value in values.items()}, arrays)


def without_numbers(architecture: Architecture, player: str, shape: tuple[int, ...]) -> nn.Module:
    """A player's network on the meta device.

    Args:
        architecture, player: the architecture and `generator` or `discriminator`.
        shape: shape of an image, (channels, height, width).
    """
    data = DataSpec(shape=shape, bounded=True, train=2, modes=0)
    with torch.device("meta"):
        return getattr(architecture, player)(data)


def parameters(module: nn.Module) -> int:
    """The number of parameters of a module; weights that several layers share count once."""
    return sum(each.numel() for each in module.parameters())


def _weights(architecture: Architecture, side: int) -> list[int]:
    """The numbers of weights of each linear layer of a discriminator of square colour images, from the image on."""
    network = without_numbers(architecture, "discriminator", (3, side, side))
    return [layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Linear)]


def _both(architecture: Architecture, sides: Sequence[int]) -> np.ndarray:
    """The parameters of both networks together for square colour images of each side, (sides,)."""
    each = [[parameters(without_numbers(architecture, player, (3, s, s))) for player in PLAYERS] for s in sides]
    return np.array(each, dtype=np.float64).sum(axis=1)


def _last_slope(x: np.ndarray, y: np.ndarray) -> float:
    """The slope of ln y over ln x between the last two points."""
    return float(np.log(y[-1] / y[-2]) / np.log(x[-1] / x[-2]))
