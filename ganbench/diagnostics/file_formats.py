"""Formats of files with weights: size, time, exactness, and whether a damaged file is loaded in silence."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.diagnostics._file_formats import FORMATS, FileFormat
from ganbench.games import Game

MEBIBYTE = 2**20  # bytes
BLOCK = 4096  # bytes: of a block of a file system
SPECIAL = (0x7FC00001, 0xFFC12345, 0x7F800000, 0xFF800000, 0x80000000, 0x00000001)
"""Bits of single-precision numbers that arithmetic would not keep: NaN with a payload, infinities, -0, a subnormal."""
SPARE = 1.1  # room on the disk, by the size of the largest array
SILENT = {"flips": "with one bit flipped", "cuts": "cut short", "zeros": f"with a block of {BLOCK} bytes zeroed"}


@dataclass(frozen=True)
class FileFormats(Diagnostic):
    """An array of single-precision numbers of each size in `sizes_mib` (in 2^20 bytes), normal random ones as weights
    are, is written and read in every format, into a folder for temporary files that is removed at the end.

    Seconds are the best of `repeats`, those of writing until the file is on the disk (fsync), those of reading from the
    system's cache. They are the machine's and its disk's, and differ from run to run: all other numbers are the same on
    every machine with the same versions of the packages.

    The file of the largest size is corrupted at `corruptions` places, evenly spaced over the whole file, one at a time:
    a bit is flipped, the file is cut there, or a block of zeros lies there, as a file system leaves it where a block
    never reached the disk. A corruption is silent if the file loads without an error and has other values than were
    written.

    Raises:
        GanbenchError: no size, a size out of its range, or too little space on the disk.
    """

    sizes_mib: tuple[Annotated[int, Interval(ge=1, le=65_536)], ...] = (1, 16)
    """Sizes of the arrays in MiB, 2^20 bytes."""
    repeats: Annotated[int, Interval(ge=1, le=100)] = 3
    """Number of times that writing and reading are timed; the best counts."""
    corruptions: Annotated[int, Interval(ge=1, le=10_000)] = 32
    """Number of places at which the largest file is corrupted, one at a time."""

    of: ClassVar[Literal["runs", "study"]] = "study"

    def __post_init__(self) -> None:
        if not self.sizes_mib or len({*self.sizes_mib}) < len(self.sizes_mib):
            raise GanbenchError(
                f"diagnostic file_formats: 'sizes_mib' must be a list of sizes that differ, such as [1, 16], but is "
                f"{[*self.sizes_mib]}."
            )

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        columns = {}
        for name, format in FORMATS.items():
            title = format.title
            columns[f"{name}_exact"] = MetricInfo(
                f"Exact, {title}", f"1 if {title} gives back the same bytes at every size, else 0.", "high", 0, 1
            )
            columns[f"{name}_size"] = MetricInfo(
                f"Size, {title}", f"Bytes of the largest file in {title}, over those of its numbers.", "low", 0, None
            )
            for kind, words in SILENT.items():
                what = f"Share of the files in {title} {words} that load without an error and have other values."
                columns[f"{name}_silent_{kind}"] = MetricInfo(f"Silent {kind}, {title}", what, "low", 0, 1)
            for size in self.sizes_mib:
                for doing in ("write", "read"):
                    title_of = f"Time to {doing}, {title}, {size} MiB"
                    what = f"Least time to {doing} {size} MiB in {title}."
                    columns[f"{name}_{doing}_{size}"] = MetricInfo(title_of, what, "low", 0, None, unit="s")
        return columns

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        values: dict[str, float] = {}
        exact = dict.fromkeys(FORMATS, True)
        with tempfile.TemporaryDirectory(prefix="ganbench-") as folder:
            require_space(Path(folder), max(self.sizes_mib) * MEBIBYTE)
            for size in sorted(self.sizes_mib):
                weights = weights_of(size * MEBIBYTE)
                for name, format in FORMATS.items():
                    path = Path(folder) / name
                    values[f"{name}_write_{size}"] = best(partial(on_disk, format, path, weights), self.repeats)
                    values[f"{name}_read_{size}"] = best(partial(format.read, path), self.repeats)
                    values[f"{name}_size"] = path.stat().st_size / weights.nbytes  # in the end, of the largest
                    exact[name] &= same(format.read(path), weights)
                    if size == max(self.sizes_mib):
                        shares = silent_shares(format, path, weights, self.corruptions)
                        values |= {f"{name}_silent_{kind}": share for kind, share in shares.items()}
                    path.unlink()
        values |= {f"{name}_exact": float(each) for name, each in exact.items()}
        return DiagnosticResult({name: np.asarray(values[name], dtype=np.float64) for name in self.columns(None)})


def weights_of(size: int) -> np.ndarray:
    """Single-precision numbers of so many bytes, a matrix of rows of 256, of which some are special."""
    weights = stream(0, "diagnostic-weights").standard_normal((size // 1024, 256), dtype=np.float32)
    weights[0, : len(SPECIAL)] = np.array(SPECIAL, dtype=np.uint32).view(np.float32)
    return weights


def require_space(folder: Path, size: int) -> None:
    """Refuse a folder whose disk has no room for a file of an array.

    Args:
        folder: the folder.
        size: bytes of the array.

    Raises:
        GanbenchError: the disk has less free space than the file needs.
    """
    left, needed = shutil.disk_usage(folder).free, int(SPARE * size)
    if left < needed:
        raise GanbenchError(
            f"diagnostic file_formats: the disk of {folder.parent} has {left / 1e9:.2f} GB left, and the largest of "
            f"'sizes_mib' needs {needed / 1e9:.2f} GB there. Take smaller sizes, or name another folder for temporary "
            "files in the variable TMPDIR."
        )


def on_disk(format: FileFormat, path: Path, weights: np.ndarray) -> None:
    """Write a new file, until it is on the disk."""
    format.write(path, weights)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def best(work: Callable[[], object], repeats: int) -> float:
    """The least seconds of some repetitions."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def same(found: object, weights: np.ndarray) -> bool:
    """Whether an array has the same type, shape and bytes."""
    alike = isinstance(found, np.ndarray) and (found.dtype, found.shape) == (weights.dtype, weights.shape)
    return alike and np.array_equal(found.view(np.uint32), weights.view(np.uint32))


def silent_shares(format: FileFormat, path: Path, weights: np.ndarray, count: int) -> dict[str, float]:
    """The share of silent corruptions of each kind, of `count` each. The file is cut in the end, from behind."""
    corruptions = {"flips": flipped, "zeros": zeroed, "cuts": cut}
    return {
        kind: sum(loads_in_silence(format, path, weights) for _ in damaged(path, count)) / count
        for kind, damaged in corruptions.items()
    }


def loads_in_silence(format: FileFormat, path: Path, weights: np.ndarray) -> bool:
    """Whether a file loads without an error and has other values."""
    try:
        found = format.read(path)
    except Exception:  # whatever a library raises for damaged bytes
        return False
    return not same(found, weights)


def places(size: int, count: int) -> list[int]:
    """Evenly spaced places in a file, the middles of `count` equal parts."""
    return [(2 * i + 1) * size // (2 * count) for i in range(count)]


def flipped(path: Path, count: int) -> Iterator[None]:
    """Flip one bit of a file at every place, at each another one, and back."""
    content = np.memmap(path, np.uint8, "r+")  # in place: there is no room for a second copy of a huge file
    for i, place in enumerate(places(len(content), count)):
        content[place] ^= 1 << i % 8
        yield
        content[place] ^= 1 << i % 8


def zeroed(path: Path, count: int) -> Iterator[None]:
    """Lay a block of zeros over every place of a file, and put its bytes back."""
    content = np.memmap(path, np.uint8, "r+")
    for place in places(len(content), count):
        block = content[place // BLOCK * BLOCK :][:BLOCK]
        kept = block.copy()
        block[:] = 0
        yield
        block[:] = kept


def cut(path: Path, count: int) -> Iterator[None]:
    """Cut a file off at every place, from the last to the first."""
    for place in reversed(places(path.stat().st_size, count)):
        os.truncate(path, place)
        yield
