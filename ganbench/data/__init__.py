"""Data sets, one file each.

A data set's file imports nothing heavier than NumPy at the top, because workflows read `spec` each time they are
parsed; `load` imports what else it needs.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from math import prod
from typing import ClassVar

import numpy as np

from ganbench.core.errors import GanbenchError
from ganbench.core.pixels import MEAN, STD, is_default, limits
from ganbench.core.random_streams import stream


@dataclass(frozen=True)
class Archive:
    """A file of a public data set, which a workflow fetches where it is missing.

    Raises:
        GanbenchError: a checksum that is none.
    """

    path: str  # where it belongs
    url: str  # address that it is fetched from; "" for one that must be put there by hand
    checksum: str  # as published with the data set: an MD5 of 32 hexadecimal digits, or a SHA-256 of 64

    def __post_init__(self) -> None:
        if fault := _checksum_fault(self.checksum):
            raise GanbenchError(
                f"archive {self.path!r}: its checksum must be an MD5 of 32 or a SHA-256 of 64 hexadecimal digits in "
                f"lower case, but {self.checksum!r} {fault}."
            )

    @property
    def kind(self) -> str:
        """The name of the checksum."""
        return "MD5" if len(self.checksum) == 32 else "SHA-256"

    @property
    def how(self) -> str:
        """How to get the file, as a sentence."""
        folder, _, file = self.path.rpartition("/")
        start = f"The workflow fetches it from {self.url}; without a network, put" if self.url else "Put"
        return f"{start} the file {file}, whose {self.kind} is {self.checksum}, into the folder {folder or '.'}."


def _checksum_fault(checksum: str) -> str | None:
    """What is wrong with a checksum, as a clause without a subject; None if nothing is."""
    if not re.fullmatch("[0-9A-Fa-f]*", checksum):
        return "has other characters"
    if len(checksum) not in (32, 64):
        return f"has {len(checksum)} digits"
    return "is in upper case" if checksum != checksum.lower() else None


@dataclass(frozen=True)
class DataSpec:
    """Properties of a data set that are known without loading it."""

    shape: tuple[int, ...]  # of one example: (channels, height, width) for images, (d,) for points
    bounded: bool  # whether every value that networks see lies in [-1, 1], so that a generator may end in tanh
    train: int  # number of training examples
    modes: int  # number of modes or classes a generator should cover; 0 for data without labels
    files: tuple[str, ...] = ()  # paths that `load` reads: runs train again when the content of one changes
    dtype: str = "float32"  # of the stored examples; "uint8" for bytes v, which stand for v / 127.5 - 1
    # Networks see (x / 2 + 1 / 2 - mean) / std of a stored number x in [-1, 1]: (v / 255 - mean) / std of a byte.
    mean: float = MEAN
    std: float = STD
    archives: tuple[Archive, ...] = ()  # files that `load` reads and that their checksums stand for, fetched if missing

    @property
    def stored_bounded(self) -> bool:
        """Whether every stored number lies in [-1, 1], as those of images do."""
        return self.bounded or self.dtype == "uint8" or not is_default(self.mean, self.std)

    @property
    def limits(self) -> tuple[float, float]:
        """The numbers that black and white are to networks: -1 and 1 by default, 0 and 1 for mean 0 and std 1."""
        return limits(self.mean, self.std)

    @property
    def train_bytes(self) -> int:
        """The size of the training examples."""
        return self.train * prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Examples:
    """A data set, split into training examples and examples held out from all runs.

    Examples are float32 or uint8, as the spec says; `ganbench.core.pixels.floats` turns bytes into numbers. A data set
    larger than memory is given as `numpy.memmap` and read in parts.
    """

    train: np.ndarray  # (n, *shape)
    train_modes: np.ndarray | None  # (n,), int64: the mode or class of each example; None without labels
    heldout: np.ndarray  # (m, *shape)
    heldout_modes: np.ndarray | None  # (m,), int64; None without labels
    facts: dict[str, np.ndarray] = field(default_factory=dict)  # numbers for the judge, such as mode centres


class Dataset(ABC):
    """A data set has `spec`, a DataSpec, `judge`, the name of a judge, and load(), which returns the same Examples at
    every call: float32 or uint8 examples and int64 modes 0 to modes - 1, or None for 0 modes, as the spec says.

    A subclass is a frozen dataclass whose fields are its options.

    Attributes:
        judge: the judge (`ganbench/judges`) of a study that chooses none: its name, or its name with options,
            `classifier(min_accuracy=0.9)`.
    """

    judge: ClassVar[str]

    @property
    @abstractmethod
    def spec(self) -> DataSpec:
        """The properties known without loading the examples. A study is validated against it before any work starts;
        the spec of a user's own file is read in a separate process."""

    @abstractmethod
    def load(self) -> Examples:
        """The examples, the same at every call.

        Returns:
            At least two training examples, with at least one of every mode, and at least two held-out examples; as
            `numpy.memmap` of a temporary file where they may not fit into memory.
        """

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray | None:
        """New examples from the very distribution that the training examples were drawn from: what a perfect generator
        would make.

        Args:
            count: number of examples.
            random: source of the random numbers.

        Returns:
            Examples of the type and shape of those of `load`, (count, *shape); None where the distribution is not
            known, as of images.
        """
        return None


class Mixture(Dataset):
    """An equal mixture of isotropic Gaussians: x = centre[k] + sigma * noise, with k uniform over the centres and noise
    standard normal.

    A subclass has the options `sigma`, the standard deviation of every Gaussian in every direction, and `examples`, the
    number of training examples; a quarter as many more are held out.

    Attributes:
        stream: name of the random stream of which the examples are drawn.
    """

    judge: ClassVar[str] = "mixture"
    stream: ClassVar[str]
    sigma: ClassVar[float]
    examples: ClassVar[int]

    @property
    @abstractmethod
    def centres(self) -> np.ndarray:
        """The centres of the Gaussians, (modes, d)."""

    @property
    def spec(self) -> DataSpec:
        modes, size = self.centres.shape
        return DataSpec(shape=(size,), bounded=False, train=self.examples, modes=modes)

    def load(self) -> Examples:
        random, parts = stream(0, self.stream), {}
        for part, count in (("train", self.examples), ("heldout", self.examples // 4)):
            parts[part], parts[f"{part}_modes"] = self._drawn(count, random)
        return Examples(**parts, facts={"centers": self.centres, "sigma": np.array(self.sigma)})

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray:
        return self._drawn(count, random)[0]

    def _drawn(self, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Examples, (count, d) float32, and the mode of each, (count,) int64."""
        centres = self.centres
        modes = random.integers(len(centres), size=count)
        noise = random.standard_normal((count, centres.shape[1]))
        return (centres[modes] + self.sigma * noise).astype(np.float32), modes
