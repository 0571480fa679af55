"""Reading of the four files of MNIST, and of data sets in the same format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganbench.data import Archive
from ganbench.data._torchvision import unpacked

SIDE, CLASSES = 28, 10
SIZES = {"train": 60_000, "heldout": 10_000}  # examples of the training part and of the test part
MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"  # the address of MNIST's files, as torchvision has it
MNIST_FILES = (
    ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
    ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
    ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
)


def read(name: str, kind: str, archives: Sequence[Archive]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The images (n, 28, 28), uint8, and the labels (n,), int64, of the parts `train` and `heldout`.

    Args:
        name: name of the data set, for messages.
        kind: name of torchvision's class.
        archives: the four files.

    Raises:
        GanbenchError: a file is missing, or cannot be read.
    """
    from torchvision import datasets

    with unpacked(name, archives, into=f"{kind}/raw") as root:
        parts = {}
        for part in SIZES:
            known = getattr(datasets, kind)(root, train=part == "train")
            images, labels = known.data.numpy(), known.targets.numpy().astype(np.int64)
            if images.shape[1:] != (SIDE, SIDE) or len(images) != len(labels):
                raise ValueError(f"{len(labels)} labels of {len(images)} images of {images.shape[1:]} pixels")
            parts[part] = images, labels
        return parts
