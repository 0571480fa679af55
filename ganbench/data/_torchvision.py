"""Archives of public data sets, unpacked in the layout that torchvision's data sets read."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ganbench.core.errors import GanbenchError
from ganbench.core.pixels import within_one
from ganbench.data import Archive, DataSpec


def archives_in(folder: str, name: str, url: str, files: Sequence[tuple[str, str]]) -> tuple[Archive, ...]:
    """The archives of a data set.

    Args:
        folder: the option `folder`, the place of the files; "" for data/<name>.
        name: name of the data set.
        url: what comes before a file's name in its address; "" for files that are put there by hand.
        files: name and checksum of each file.
    """
    place = Path(folder or f"data/{name}")
    return tuple(Archive(str(place / file), url and url + file, checksum) for file, checksum in files)


def image_spec(
    shape: tuple[int, int, int], train: int, modes: int, mean: float, std: float, archives: tuple[Archive, ...]
) -> DataSpec:
    """The spec of images that are stored as bytes."""
    bounded = within_one(mean, std)
    return DataSpec(shape, bounded, train, modes, dtype="uint8", mean=mean, std=std, archives=archives)


@contextmanager
def unpacked(name: str, archives: Sequence[Archive], *, into: str = "") -> Iterator[Path]:
    """A temporary folder with the content of archives; other files are there as links.

    Args:
        name: name of the data set, for messages.
        archives: the files.
        into: the folder in the temporary folder that takes the content.

    Yields:
        The temporary folder, which goes at the end of the block.

    Raises:
        GanbenchError: a file is missing, or cannot be read; raised for errors of the block's reading, too.
    """
    for archive in archives:
        if not Path(archive.path).is_file():
            raise GanbenchError(f"data set {name!r}: {archive.path} is missing (looked in {Path.cwd()}). {archive.how}")
    with tempfile.TemporaryDirectory(prefix="ganbench-") as temporary:
        place = Path(temporary) / into
        place.mkdir(parents=True, exist_ok=True)
        reading = archives[0].path
        try:
            for archive in archives:
                reading = archive.path
                _unpack(Path(archive.path), place)
            reading = str(Path(archives[0].path).parent)
            yield Path(temporary)
        except (GanbenchError, MemoryError):
            raise
        except Exception as error:  # torchvision, NumPy and decompressors raise anything for a file that is another
            why = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            raise GanbenchError(f"data set {name!r}: {reading} cannot be read: {why}. {archives[0].how}") from None


def _unpack(path: Path, place: Path) -> None:
    if path.name.endswith((".tar.gz", ".tgz")):
        with tarfile.open(path) as packed:
            packed.extractall(place, filter="data")  # no file outside the folder
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            packed.extractall(place)
    elif path.suffix == ".gz":
        with gzip.open(path) as packed, (place / path.stem).open("wb") as file:
            shutil.copyfileobj(packed, file)
    else:
        (place / path.name).symlink_to(path.resolve())
