"""A small conditional architecture, with every kind of output, for the tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganbench.architectures import Architecture
from ganbench.data import DataSpec


class ConditionalGenerator(nn.Module):
    """An embedding of the label beside the latent point."""

    def __init__(self, latent_size: int, width: int, classes: int, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, 3)
        self.hidden, self.last = nn.Linear(latent_size + 3, width), nn.Linear(width, size)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.last(self.hidden(torch.cat([z, self.embedding(labels)], dim=1)).tanh())


class ProjectionDiscriminator(nn.Module):
    """Miyato and Koyama 2018: the logit is a function of the features plus their product with the label's embedding."""

    def __init__(self, size: int, width: int, classes: int) -> None:
        super().__init__()
        self.hidden, self.last = nn.Linear(size, width), nn.Linear(width, 1)
        self.embedding = nn.Embedding(classes, width)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        features = self.hidden(x).tanh()
        return self.last(features)[:, 0] + (features * self.embedding(labels)).sum(1)


class ClassifyingDiscriminator(nn.Module):
    """Logits and class logits, as a tuple or by their names."""

    def __init__(self, size: int, width: int, classes: int, named: bool) -> None:
        super().__init__()
        self.hidden, self.last, self.classes = nn.Linear(size, width), nn.Linear(width, 1), nn.Linear(width, classes)
        self.named = named

    def forward(self, x: Tensor) -> Any:
        features = self.hidden(x).tanh()
        logits, class_logits = self.last(features)[:, 0], self.classes(features)
        named = {"features": features, "class_logits": class_logits, "logits": logits}
        return named if self.named else (logits, class_logits)


@dataclass(frozen=True)
class Conditional(Architecture):
    """A conditional generator, with a discriminator that is conditional or tells classes apart."""

    discriminates: Literal["projection", "classes", "named"] = "projection"
    latent_size: int = 4
    width: int = 6

    @property
    def conditional(self) -> tuple[str, ...]:
        return ("generator", "discriminator") if self.discriminates == "projection" else ("generator",)

    def generator(self, data: DataSpec) -> nn.Module:
        return ConditionalGenerator(self.latent_size, self.width, data.modes, data.shape[0])

    def discriminator(self, data: DataSpec) -> nn.Module:
        if self.discriminates == "projection":
            return ProjectionDiscriminator(data.shape[0], self.width, data.modes)
        return ClassifyingDiscriminator(data.shape[0], self.width, data.modes, self.discriminates == "named")
