"""Judge of labelled images: a small convolutional classifier, trained on the data set's own training examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.random_streams import stream_seed
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.judges import Judge, JudgedExamples, Report, silent
from ganbench.nn.network import Network

BATCH = 64
EVALUATIONS = 10  # on the held-out examples during training
HALFWAY = 0.5  # of the steps, after which training is given up ...
MENDED = 5.0  # ... where more than so many times the errors allowed are left


@dataclass(frozen=True)
class ClassifierJudge(Judge):
    """The features are the penultimate layer's activations; an example is of high quality when the largest class
    probability is at least `confidence`.

    Training shifts every image by up to one pixel each way, so that the features do not depend on exact positions. It
    takes as many steps for a small data set as for a large one.
    """

    features: Annotated[int, Interval(ge=1, le=4096)] = 32
    steps: Annotated[int, Interval(ge=1, le=1_000_000)] = 1000  # largest number of steps, whatever the size of the data
    enough: Annotated[float, Interval(ge=0, le=1)] = 0.99  # held-out accuracy at which training ends
    confidence: Annotated[float, Interval(ge=0, le=1)] = 0.9
    # On held-out examples; a judge that errs more often cannot count modes.
    least_accuracy: Annotated[float, Interval(ge=0, le=1)] = 0.97

    def untrained(self, examples: Examples) -> Tree:
        classes, shape = int(examples.train_modes.max()) + 1, examples.train.shape[1:]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(0, "judge-init"))
            module = self._module(shape, classes)
        return {"theta": Network.vector(module).numpy(), "shape": list(shape), "classes": classes}

    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        state = self.untrained(examples)
        module = self._restored(state)
        random = torch.Generator().manual_seed(stream_seed(0, "judge"))
        images, labels = torch.from_numpy(examples.train), torch.from_numpy(examples.train_modes)
        optimizer = torch.optim.Adam(module.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        accuracies: list[float] = []  # on held-out examples, after each of EVALUATIONS equal parts of the steps
        for step in range(1, self.steps + 1):
            chosen = torch.randint(len(images), (BATCH,), generator=random)
            loss = F.cross_entropy(module(_shifted(images[chosen], random)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            report(step, self.steps)
            if step * EVALUATIONS // self.steps > (step - 1) * EVALUATIONS // self.steps:
                state["theta"] = Network.vector(module).numpy()
                accuracies.append(self._accuracy(state, examples))
                self._refuse_hopeless(accuracies, len(images))
                if accuracies[-1] >= self.enough:
                    break
        return state | {"accuracy": accuracies[-1], "steps": step}

    def _refuse_hopeless(self, accuracies: list[float], count: int) -> None:
        """Stop once so many held-out examples are wrong that the remaining steps cannot reach the accuracy.

        Args:
            accuracies: accuracies on held-out examples so far.
            count: number of training examples.

        Raises:
            GanbenchError: the accuracy that counting modes needs is, or will be, missed.
        """
        done, least = len(accuracies) / EVALUATIONS, self.least_accuracy
        allowed = (1 - least) * (1 if done >= 1 else MENDED if done >= HALFWAY else math.inf)
        if 1 - accuracies[-1] > allowed:
            history = ", ".join(f"{accuracy:.1%}" for accuracy in accuracies)
            raise GanbenchError(
                f"after {done * self.steps:,.0f} of {self.steps:,} steps on {count:,} examples the classifier is right "
                f"on {accuracies[-1]:.1%} of the held-out examples, and counting modes needs {least:.0%} (it was right "
                f"on {history}). Check the labels, or give it more examples."
            )

    def _accuracy(self, state: Tree, examples: Examples) -> float:
        return float(np.mean(self.judge(state, examples.heldout).mode == examples.heldout_modes))

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        with torch.random.fork_rng(devices=[]):  # initial parameters are drawn, and not used
            module = self._module(tuple(state["shape"]), state["classes"])
        body, head = Network(module[:-1]), module[-1]
        theta = torch.from_numpy(state["theta"])
        weights = theta[body.size :]
        split = head.weight.numel()
        with torch.no_grad():
            # In parts, so that a large sample needs little memory.
            parts = [body(theta[None, : body.size], part[None])[0] for part in torch.from_numpy(examples).split(1000)]
            features = torch.cat(parts)
            logits = F.linear(features, weights[:split].view_as(head.weight), weights[split:])
            probability, mode = logits.softmax(dim=1).max(dim=1)
        confident = (probability >= self.confidence).numpy()
        return JudgedExamples(examples, features.double().numpy(), mode.numpy(), confident, state["classes"])

    def _restored(self, state: Tree) -> nn.Sequential:
        """The classifier with the parameters of a state."""
        module = self._module(tuple(state["shape"]), state["classes"])
        nn.utils.vector_to_parameters(torch.from_numpy(state["theta"].copy()), module.parameters())
        return module

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
