"""Stacked MNIST: three digits of MNIST as the channels of one image, 1,000 modes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ganbench.core.interval import Interval
from ganbench.data import Archive, Dataset, DataSpec, Examples
from ganbench.data._images import stored
from ganbench.data._mnist import MNIST, MNIST_FILES, read
from ganbench.data._stacking import CHANNELS, MODES, stack
from ganbench.data._torchvision import archives_in, image_spec


@dataclass(frozen=True)
class StackedMnist(Dataset):
    """The test for mode collapse of Metz et al. (2017), with as many training examples as Lin et al. (2018) draw.
    Training examples are stacked of the training digits, held-out ones of the test digits, with their numbers fixed by
    a stream of the data set; the papers draw from both parts together."""

    folder: str = ""
    """Folder of MNIST's four files as published; '' for data/mnist."""
    examples: Annotated[int, Interval(ge=20_000, le=10_000_000)] = 128_000
    """Number of training examples; a quarter as many are held out."""
    image_size: Annotated[int, Interval(ge=4, le=256)] = 28
    """Height and width of an image, in pixels; other sides than the published one are scaled by a Lanczos filter."""
    mean: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Number that is subtracted from pixel values: networks see (v / 255 - mean) / std of the byte v."""
    std: Annotated[float, Interval(gt=0, le=10)] = 0.5
    """Number by which pixel values are divided after that; 0.5, with a `mean` of 0.5, gives values in [-1, 1]."""

    judge: ClassVar[str] = "classifier(per_channel=true)"

    @property
    def spec(self) -> DataSpec:
        shape = (CHANNELS, self.image_size, self.image_size)
        return image_spec(shape, self.examples, MODES, self.mean, self.std, self._archives)

    def load(self) -> Examples:
        parts = {}
        for part, (images, labels) in read("stacked_mnist", "MNIST", self._archives).items():
            planes = stored(images, (1, self.image_size, self.image_size))[:, 0]
            count = self.examples if part == "train" else self.examples // 4
            parts[part], parts[f"{part}_modes"] = stack("stacked_mnist", part, planes, labels, count)
        return Examples(**parts)

    @property
    def _archives(self) -> tuple[Archive, ...]:
        return archives_in(self.folder, "mnist", MNIST, MNIST_FILES)
