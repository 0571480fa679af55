"""Result files: HDF5, one group a run, written whole or not at all, and read through checksums.

Writing goes to a temporary file beside the target, which is renamed over it at the end; a file that exists is therefore
complete, and a killed job or a full disk leaves what was there before. What is in a file, and how every part of it is
checked, stands in `ganbench/core/hdf5.py`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from ganbench.core.atomic_files import replacing
from ganbench.core.display import shown
from ganbench.core.errors import GanbenchError
from ganbench.core.hdf5 import Array, Group, attribute
from ganbench.core.hdf5 import reading as whole
from ganbench.core.hdf5 import save as save
from ganbench.core.tree import Tree

FORMAT = 2  # of result files; raised when a reader of the older one would misread
SIGNATURE = b"\x89HDF\r\n\x1a\n"
REMEDY = "Remove it, and its stage computes it again."
CHECKED = "v108"  # the first version of HDF5 whose files have checksums in all blocks that tell of their structure


@contextmanager
def writing(path: Path, kind: str) -> Iterator[h5py.File]:
    """A new file that appears at `path`, complete, when the block ends without an error.

    Args:
        path: where it shall be; its folder is made.
        kind: what it holds ("train", "prepare", ...); readers check it.

    Raises:
        GanbenchError: the folder cannot be written, or the disk is full. Nothing at `path` has changed then.
    """
    try:
        with replacing(path) as temporary, h5py.File(temporary, "w", libver=CHECKED) as file:
            file.attrs["ganbench"] = np.bytes_(kind)  # of fixed size: HDF5 has no checksum for texts of any size
            file.attrs["format"] = FORMAT
            yield file
    except OSError as error:
        raise GanbenchError(_cannot_write(path, error)) from error


@contextmanager
def reading(path: Path, kind: str) -> Iterator[Group]:
    """An existing result file, checked to be whole, ours, of this kind and of a format that we read.

    Raises:
        GanbenchError: it is not; the message says what it is instead and what to do.
    """
    fault = fault_of(path)
    if fault:
        raise GanbenchError(fault)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise GanbenchError(f"{path} cannot be read: {error}. {REMEDY}") from None
    with file:
        with whole(file, "/"):
            found, version = attribute(file, "ganbench"), attribute(file, "format")
            ours = "ganbench" in file.attrs
        version = version.item() if isinstance(version, np.generic) else version
        if not ours or (np.ndim(version) == 0 and version == FORMAT and not isinstance(found, bytes)):
            raise GanbenchError(
                f"{path} is an HDF5 file that ganbench did not write. Move it out of the results folder."
            )
        if np.ndim(version) or version != FORMAT:
            raise GanbenchError(
                f"{path} has format {shown(version)}; this version of ganbench reads format {FORMAT}. Use the version "
                "that wrote it, or give the study another results folder."
            )
        found = found.decode(errors="replace")
        if found != kind:
            raise GanbenchError(f"{path} is a file of kind {shown(found)}, where one of kind {kind!r} belongs.")
        yield Group(file)


def fault_of(path: Path) -> str | None:
    """What is visibly wrong with a result file, from its first bytes and its size alone; None if nothing.

    HDF5 stores the address of its end in the superblock (HDF5 File Format Specification 3.0, II.A): 8 bytes from offset
    40 in versions 0 and 1, from offset 28 in versions 2 and 3, for 8-byte addresses, which h5py always writes.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}."
    if head[:8] != SIGNATURE:
        return f"{path} is not an HDF5 file (or its beginning is destroyed). {REMEDY}"
    start = 28 if head[8] >= 2 else 40
    expected = int.from_bytes(head[start : start + 8], "little")
    if size < expected:
        return f"{path} is truncated: it has {size:,} of {expected:,} bytes. {REMEDY}"
    return None


def inside(group: Group, *names: str) -> Group | Array:
    """The group or array that names lead to, one in the other.

    Raises:
        GanbenchError: there is none, or what is there is not data that `save` writes.
    """
    for name in names:
        group = group[name]
    return group


def load(group: Group) -> Tree:
    """Read a group that `save` wrote.

    Raises:
        GanbenchError: it holds what `save` does not write.
    """
    return group.tree()


def runs_in(folder: Path, kind: str, wanted: Iterable[str]) -> dict[str, Path]:
    """Where runs with the wanted digests can be taken from: the result files of a folder, whatever their names.

    Damaged and foreign files are passed over: what is in them is computed again, into another file.
    """
    missing, found = set(wanted), {}
    for path in sorted(folder.glob("*.h5")):
        if not missing:
            break
        try:
            with reading(path, kind) as file:
                here = missing.intersection(inside(file, "runs"))
        except GanbenchError:
            continue
        found.update(dict.fromkeys(here, path))
        missing -= here
    return found


def _cannot_write(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return f"no space is left on the disk of {path.parent}; {path.name} was not written, nothing else has changed."
    return f"cannot write {path}: {error.strerror or error}."
