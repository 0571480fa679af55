"""Judge of labelled images: a small convolutional classifier, trained on the data set's own training examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.streams import stream_seed
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.judges import Look
from ganbench.nn.network import Network

BATCH = 64


@dataclass(frozen=True)
class Judge:
    """The features are the penultimate layer's activations; an example is of high quality when the largest class
    probability is at least `confidence`.

    Training shifts every image by up to one pixel each way, so that the features do not hang on exact places.
    """

    features: Annotated[int, Interval(ge=1, le=4096)] = 32
    epochs: Annotated[int, Interval(ge=1, le=10_000)] = 40
    confidence: Annotated[float, Interval(ge=0, le=1)] = 0.9
    # On held-out examples; a judge that errs more often cannot count modes.
    least_accuracy: Annotated[float, Interval(ge=0, le=1)] = 0.97

    def fit(self, examples: Examples) -> Tree:
        classes = int(examples.train_modes.max()) + 1
        shape = examples.train.shape[1:]
        random = torch.Generator().manual_seed(stream_seed(0, "judge"))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(0, "judge-init"))
            module = self._module(shape, classes)
        images, labels = torch.from_numpy(examples.train), torch.from_numpy(examples.train_modes)
        steps = self.epochs * (len(images) // BATCH + 1)
        optimiser = torch.optim.Adam(module.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            chosen = torch.randint(len(images), (BATCH,), generator=random)
            loss = F.cross_entropy(module(_shifted(images[chosen], random)), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        memory: Tree = {"theta": Network.vector(module).numpy(), "shape": list(shape), "classes": classes}
        accuracy = float(np.mean(self.look(memory, examples.heldout).mode == examples.heldout_modes))
        if accuracy < self.least_accuracy:
            raise GanbenchError(
                f"the classifier is right on {accuracy:.1%} of the held-out examples, less than the "
                f"{self.least_accuracy:.0%} that counting modes needs; check the labels, or train it for longer."
            )
        return memory | {"accuracy": accuracy}

    def look(self, memory: Tree, examples: np.ndarray) -> Look:
        with torch.random.fork_rng(devices=[]):  # initial parameters are drawn, and not used
            module = self._module(tuple(memory["shape"]), memory["classes"])
        body, head = Network(module[:-1]), module[-1]
        theta = torch.from_numpy(memory["theta"])
        weights = theta[body.size :]
        split = head.weight.numel()
        with torch.no_grad():
            # In slices, so that a large sample needs no large memory.
            seen = [body(theta[None, : body.size], part[None])[0] for part in torch.from_numpy(examples).split(1000)]
            features = torch.cat(seen)
            logits = F.linear(features, weights[:split].view_as(head.weight), weights[split:])
            probability, mode = logits.softmax(dim=1).max(dim=1)
        confident = (probability >= self.confidence).numpy()
        return Look(examples, features.double().numpy(), mode.numpy(), confident, memory["classes"])

    def _module(self, shape: tuple[int, ...], classes: int) -> nn.Sequential:
        """Convolutions that halve the image down to about 4x4, then the feature layer, then the classes."""
        layers: list[nn.Module] = [nn.Conv2d(shape[0], 32, 3, padding=1), nn.ReLU()]
        channels, height, width = 32, *shape[1:]
        while min(height, width) > 4:
            wide = min(2 * channels, 128)
            layers += [nn.Conv2d(channels, wide, 3, stride=2, padding=1), nn.ReLU()]
            channels, height, width = wide, (height + 1) // 2, (width + 1) // 2
        layers += [nn.Flatten(), nn.Linear(channels * height * width, self.features), nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(self.features, classes))


def _shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """Every image moved by -1, 0 or 1 pixels each way, its border repeated."""
    count, _, height, width = images.shape
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    dy, dx = torch.randint(3, (2, count, 1), generator=random)
    rows = (dy + torch.arange(height))[:, None, :, None]
    columns = (dx + torch.arange(width))[:, None, None, :]
    return padded[torch.arange(count)[:, None, None, None], torch.arange(images.shape[1])[:, None, None], rows, columns]
