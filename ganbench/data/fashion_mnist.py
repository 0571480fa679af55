"""Fashion-MNIST, 60,000 pictures of clothes to train on and 10,000 held out, 28x28 grey levels, ten classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from ganbench.core.interval import Interval
from ganbench.data import Archive, Dataset, DataSpec, Examples
from ganbench.data._images import stored
from ganbench.data._mnist import CLASSES, SIZES, read
from ganbench.data._torchvision import archives_in, image_spec

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"  # as torchvision has it
FILES = (
    ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
    ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
    ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
)


@dataclass(frozen=True)
class FashionMnist(Dataset):
    """The clothes of Xiao, Rasul and Vollgraf (2017), in their published files, read by torchvision. Shirts and coats
    are alike: the judge counts classes from an accuracy of 85% on."""

    folder: str = ""
    """Folder of the four files as published; '' for data/fashion_mnist."""
    image_size: Annotated[int, Interval(ge=4, le=256)] = 28
    """Height and width of an image, in pixels; other sides than the published one are scaled by a Lanczos filter."""
    channels: Literal[1, 3] = 1
    """Number of channels; 3 repeats the grey levels."""
    mean: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Number that is subtracted from pixel values: networks see (v / 255 - mean) / std of the byte v."""
    std: Annotated[float, Interval(gt=0, le=10)] = 0.5
    """Number by which pixel values are divided after that; 0.5, with a `mean` of 0.5, gives values in [-1, 1]."""

    judge: ClassVar[str] = "classifier(max_steps=3000, min_accuracy=0.85)"

    @property
    def spec(self) -> DataSpec:
        shape = (self.channels, self.image_size, self.image_size)
        return image_spec(shape, SIZES["train"], CLASSES, self.mean, self.std, self._archives)

    def load(self) -> Examples:
        parts = read("fashion_mnist", "FashionMNIST", self._archives)
        (train, labels), (heldout, others) = parts["train"], parts["heldout"]
        train, heldout = (stored(images, self.spec.shape) for images in (train, heldout))
        return Examples(train, labels, heldout, others)

    @property
    def _archives(self) -> tuple[Archive, ...]:
        return archives_in(self.folder, "fashion_mnist", URL, FILES)
