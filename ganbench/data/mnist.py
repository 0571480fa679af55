"""MNIST, 60,000 handwritten digits to train on and 10,000 held out, 28x28 grey levels, ten classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from ganbench.core.interval import Interval
from ganbench.data import Archive, Dataset, DataSpec, Examples
from ganbench.data._images import stored
from ganbench.data._mnist import CLASSES, MNIST, MNIST_FILES, SIZES, read
from ganbench.data._torchvision import archives_in, image_spec


@dataclass(frozen=True)
class Mnist(Dataset):
    """The digits of LeCun et al. (1998), in their published files, read by torchvision."""

    folder: str = ""
    """Folder of the four files as published; '' for data/mnist."""
    image_size: Annotated[int, Interval(ge=4, le=256)] = 28
    """Height and width of an image, in pixels; other sides than the published one are scaled by a Lanczos filter."""
    channels: Literal[1, 3] = 1
    """Number of channels; 3 repeats the grey levels."""
    mean: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Number that is subtracted from pixel values: networks see (v / 255 - mean) / std of the byte v."""
    std: Annotated[float, Interval(gt=0, le=10)] = 0.5
    """Number by which pixel values are divided after that; 0.5, with a `mean` of 0.5, gives values in [-1, 1]."""

    judge: ClassVar[str] = "classifier"

    @property
    def spec(self) -> DataSpec:
        shape = (self.channels, self.image_size, self.image_size)
        return image_spec(shape, SIZES["train"], CLASSES, self.mean, self.std, self._archives)

    def load(self) -> Examples:
        parts = read("mnist", "MNIST", self._archives)
        (train, labels), (heldout, others) = parts["train"], parts["heldout"]
        train, heldout = (stored(images, self.spec.shape) for images in (train, heldout))
        return Examples(train, labels, heldout, others)

    @property
    def _archives(self) -> tuple[Archive, ...]:
        return archives_in(self.folder, "mnist", MNIST, MNIST_FILES)
