"""The convolutional network of judges of images, and its features."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ganbench.nn.network import Network

BATCH = 1000  # images in one forward pass, so that a large sample needs little memory


def feature_layers(shape: tuple[int, ...], features: int) -> list[nn.Module]:
    """Convolutions that halve the image down to about 4x4, then a linear layer of features."""
    layers: list[nn.Module] = [nn.Conv2d(shape[0], 32, 3, padding=1), nn.ReLU()]
    channels, height, width = 32, *shape[1:]
    while min(height, width) > 4:
        wide = min(2 * channels, 128)
        layers += [nn.Conv2d(channels, wide, 3, stride=2, padding=1), nn.ReLU()]
        channels, height, width = wide, (height + 1) // 2, (width + 1) // 2
    return [*layers, nn.Flatten(), nn.Linear(channels * height * width, features)]


def features_of(network: Network, theta: Tensor, images: np.ndarray) -> Tensor:
    """The outputs (n, F) of a network with parameters (P,) for images (n, channels, height, width)."""
    with torch.no_grad():
        parts = torch.from_numpy(images).split(BATCH)
        return torch.cat([network(theta[None], part[None])[0] for part in parts])
