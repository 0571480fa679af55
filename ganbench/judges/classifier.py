"""Judge of labelled images: a small convolutional classifier, trained on the data set's own training examples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.pixels import floats
from ganbench.core.random_streams import stream_seed
from ganbench.core.tree import Tree
from ganbench.data import Examples
from ganbench.judges import PART, Judge, JudgedExamples, Report, judge_stored, silent
from ganbench.judges._networks import feature_layers, features_of
from ganbench.judges._standard import standardised, unscaled, with_standard
from ganbench.nn.initialization import seeded
from ganbench.nn.network import Network

BATCH = 64
EVALUATIONS = 10  # on the held-out examples during training
HALFWAY = 0.5  # of the steps, after which training is given up ...
MENDED = 5.0  # ... where more than so many times the errors allowed are left


@dataclass(frozen=True)
class ClassifierJudge(Judge):
    """The features are the penultimate layer's activations, each standardised by the training examples; an example is
    of high quality when the largest class probability is at least `min_confidence`.

    Training shifts every image by up to one pixel each way, so that the features do not depend on exact positions. It
    takes as many steps for a small data set as for a large one.

    Stacked images, whose channels each show an image of a class of their own (Metz et al. 2017), are judged channel by
    channel by one classifier: with k classes, the mode of three channels is k^2 a + k b + c. Features are those of all
    channels, and high quality asks for confidence in each. Its training asks for accuracy in single channels; the
    accuracy that is recorded is that of whole modes.
    """

    axes: ClassVar[int] = 3

    features: Annotated[int, Interval(ge=1, le=4096)] = 32
    """Number of features, the units of the penultimate layer."""
    max_steps: Annotated[int, Interval(ge=1, le=1_000_000)] = 1000
    """Largest number of training steps, whatever the size of the data."""
    target_accuracy: Annotated[float, Interval(ge=0, le=1)] = 0.99
    """Accuracy on held-out examples at which training ends."""
    min_confidence: Annotated[float, Interval(ge=0, le=1)] = 0.9
    """Least probability of the likeliest class of an example of high quality."""
    min_accuracy: Annotated[float, Interval(ge=0, le=1)] = 0.97
    """Least accuracy on held-out examples; a judge that errs more often cannot count modes, and is refused."""
    per_channel: bool = False
    """Whether images are stacked ones, judged channel by channel."""

    def untrained(self, examples: Examples) -> Tree:
        modes, shape = int(examples.train_modes.max()) + 1, examples.train.shape[1:]
        channels = shape[0] if self.per_channel else 1
        classes = round(modes ** (1 / channels))
        if classes**channels != modes:
            raise GanbenchError(
                f"the classifier of single channels takes stacked images, of which {channels} channels have as many "
                f"modes as {channels} classes after one another; {modes} is no power {channels} of a number of classes."
            )
        shape = (1, *shape[1:]) if self.per_channel else shape
        theta = Network.vector(self._module(shape, classes)).numpy()
        return {"theta": theta, "shape": list(shape), "classes": classes, **unscaled(channels * self.features)}

    def fit(self, examples: Examples, report: Report = silent) -> Tree:
        state = self.untrained(examples)
        module = self._module(tuple(state["shape"]), state["classes"])
        random = torch.Generator().manual_seed(stream_seed(0, "judge"))
        images, modes = self._apart(examples.train, examples.train_modes, state["classes"])
        heldout = self._apart(examples.heldout, examples.heldout_modes, state["classes"])
        labels = torch.from_numpy(modes)
        optimizer = torch.optim.Adam(module.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.max_steps)
        accuracies: list[float] = []  # on held-out examples, after each of EVALUATIONS equal parts of the steps
        for step in range(1, self.max_steps + 1):
            chosen = torch.randint(len(images), (BATCH,), generator=random)
            batch = torch.from_numpy(floats(images[chosen.numpy()]))
            loss = F.cross_entropy(module(_shifted(batch, random)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            report(step, self.max_steps)
            if step * EVALUATIONS // self.max_steps > (step - 1) * EVALUATIONS // self.max_steps:
                state["theta"] = Network.vector(module).numpy()
                accuracies.append(self._accuracy(state, *heldout))
                self._refuse_hopeless(accuracies, len(images))
                if accuracies[-1] >= self.target_accuracy:
                    break
        known = with_standard(self, state, examples.train)
        accuracy = accuracies[-1]
        if self.per_channel:
            accuracy = float(np.mean(judge_stored(self, known, examples.heldout).mode == examples.heldout_modes))
        return known | {"accuracy": accuracy, "steps": step}

    def _refuse_hopeless(self, accuracies: list[float], count: int) -> None:
        """Stop once so many held-out examples are wrong that the remaining steps cannot reach the accuracy.

        Args:
            accuracies: accuracies on held-out examples so far.
            count: number of training examples.

        Raises:
            GanbenchError: the accuracy that counting modes needs is, or will be, missed.
        """
        done, least = len(accuracies) / EVALUATIONS, self.min_accuracy
        allowed = (1 - least) * (1 if done >= 1 else MENDED if done >= HALFWAY else math.inf)
        if 1 - accuracies[-1] > allowed:
            history = ", ".join(f"{accuracy:.1%}" for accuracy in accuracies)
            raise GanbenchError(
                f"after {done * self.max_steps:,.0f} of {self.max_steps:,} steps on {count:,} examples the classifier "
                f"is right on {accuracies[-1]:.1%} of the held-out examples, and counting modes needs {least:.0%} (it "
                f"was right on {history}). Check the labels, give it more examples or steps (max_steps), or set its "
                "min_accuracy, or a judge that needs no labels, by evaluate.judge; `ganbench list judge` shows all."
            )

    def _accuracy(self, state: Tree, heldout: np.ndarray, labels: np.ndarray) -> float:
        """The share of images that are told right; of stacked ones, of their channels."""
        parts = (heldout[start : start + PART] for start in range(0, len(heldout), PART))
        return float(np.mean(np.concatenate([self._seen(state, floats(part))[1] for part in parts]) == labels))

    def _apart(self, images: np.ndarray, modes: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
        """The images that the network sees, with their classes: of stacked images, all channels one after the other."""
        if not self.per_channel:
            return images, modes
        channels = images.shape[1]
        places = classes ** np.arange(channels)[::-1]
        return images.reshape(-1, 1, *images.shape[2:]), (modes[:, None] // places % classes).reshape(-1)

    def judge(self, state: Tree, examples: np.ndarray) -> JudgedExamples:
        channels = examples.shape[1] if self.per_channel else 1
        planes = examples.reshape(-1, 1, *examples.shape[2:]) if self.per_channel else examples
        features, mode, probability = self._seen(state, planes)
        confident = (probability >= self.min_confidence).reshape(-1, channels).all(axis=1)
        mode = mode.reshape(-1, channels) @ state["classes"] ** np.arange(channels)[::-1]
        features = standardised(state, features.reshape(-1, channels * self.features))
        return JudgedExamples(examples, features, mode, confident, state["classes"] ** channels)

    def _seen(self, state: Tree, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the network says of images as numbers: features (n, F), float64; the likeliest class, and its
        probability, (n,)."""
        module = self._module(tuple(state["shape"]), state["classes"])
        body, head = Network(module[:-1]), module[-1]
        theta = torch.from_numpy(state["theta"])
        weights = theta[body.size :]
        split = head.weight.numel()
        features = features_of(body, theta[: body.size], images)
        with torch.no_grad():
            logits = F.linear(features, weights[:split].view_as(head.weight), weights[split:])
            probability, mode = logits.softmax(dim=1).max(dim=1)
        return features.double().numpy(), mode.numpy(), probability.numpy()

    def _module(self, shape: tuple[int, ...], classes: int) -> nn.Sequential:
        """The feature layers, then the classes, with their initial weights."""
        with seeded(stream_seed(0, "judge-init")):
            return nn.Sequential(*feature_layers(shape, self.features), nn.ReLU(), nn.Linear(self.features, classes))


def _shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """Every image moved by -1, 0 or 1 pixels each way, its border repeated."""
    count, _, height, width = images.shape
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    dy, dx = torch.randint(3, (2, count, 1), generator=random)
    rows = (dy + torch.arange(height))[:, None, :, None]
    columns = (dx + torch.arange(width))[:, None, None, :]
    return padded[torch.arange(count)[:, None, None, None], torch.arange(images.shape[1])[:, None, None], rows, columns]
