"""Result files: HDF5 with one group per run, written as a whole and read through checksums.

A file is written beside its target and renamed at the end. So an existing file is complete, and a killed job or a full
disk leaves the earlier file unchanged. `ganbench/core/hdf5.py` describes the content of a file and its checksums.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError
from ganbench.core.escaping import short_repr
from ganbench.core.hdf5 import Array, Group, read_attribute, read_errors, read_tree, verify_tree, write_tree

__all__ = ["create_file", "descend", "find_runs", "header_fault", "open_file", "read_tree", "verify_tree", "write_tree"]

FORMAT = 2  # version of the layout, raised when older readers would misread newer files
SIGNATURE = b"\x89HDF\r\n\x1a\n"
REMEDY = "Remove it, and its stage computes it again."
LIBVER = "v108"  # the first version of the HDF5 format with checksums of the whole structure


@contextmanager
def create_file(path: Path, kind: str) -> Iterator[h5py.File]:
    """Write a new file, which appears at `path` when the block ends without an error.

    Args:
        path: the file; its folder is created.
        kind: kind of the content, such as a stage ("train", "prepare", ...), which `open_file` checks.

    Raises:
        GanbenchError: the folder cannot be written, or the disk is full. The file at `path` is unchanged then.
    """
    try:
        with atomic_write(path) as temporary, h5py.File(temporary, "w", libver=LIBVER) as file:
            file.attrs["ganbench"] = np.bytes_(kind)  # of fixed size: HDF5 has no checksums for variable sizes
            file.attrs["format"] = FORMAT
            yield file
    except OSError as error:
        raise GanbenchError(_write_error(path, error)) from error


@contextmanager
def open_file(path: Path, kind: str) -> Iterator[Group]:
    """The root group of an existing result file.

    Args:
        path: the file.
        kind: kind of the content, as given to `create_file`.

    Raises:
        GanbenchError: a file that is truncated, foreign, of another kind or of another format. The message names
            the fault and the remedy.
    """
    fault = header_fault(path)
    if fault:
        raise GanbenchError(fault)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise GanbenchError(f"{path} cannot be read: {error}. {REMEDY}") from None
    with file:
        with read_errors(file.filename, "/"):
            found, version = read_attribute(file.id, "ganbench"), read_attribute(file.id, "format")
            ours = "ganbench" in file.attrs
        version = version.item() if isinstance(version, np.generic) else version
        if not ours or (np.ndim(version) == 0 and version == FORMAT and not isinstance(found, bytes)):
            raise GanbenchError(
                f"{path} is an HDF5 file that ganbench did not write. Move it out of the results folder."
            )
        if np.ndim(version) or version != FORMAT:
            raise GanbenchError(
                f"{path} has format {short_repr(version)}; this version of ganbench reads format {FORMAT}. Use the "
                "version that wrote it, or give the study another results folder."
            )
        found = found.decode(errors="replace")
        if found != kind:
            raise GanbenchError(f"{path} is a file of kind {short_repr(found)}, where one of kind {kind!r} belongs.")
        yield Group(file.id, "/", file.filename)


def header_fault(path: Path) -> str | None:
    """The fault of a result file that its first bytes or its size show, as a sentence; None if they show no fault.

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


def descend(group: Group, *names: str) -> Group | Array:
    """The group or array at the end of a path of names.

    Raises:
        GanbenchError: an unknown name, or an object of a kind that `write_tree` does not write.
    """
    for name in names:
        group = group[name]
    return group


def find_runs(folder: Path, kind: str, wanted: Iterable[str]) -> dict[str, Path]:
    """The files of a folder that contain the wanted runs, by the runs' digests.

    Damaged and foreign files are skipped: their runs are computed again, and written to another file.

    Args:
        folder: folder with result files of any name.
        kind: kind of their content, as given to `create_file`.
        wanted: digests of runs.
    """
    missing, found = set(wanted), {}
    for path in sorted(folder.glob("*.h5")):
        if not missing:
            break
        try:
            with open_file(path, kind) as file:
                here = missing.intersection(descend(file, "runs"))
        except GanbenchError:
            continue
        found.update(dict.fromkeys(here, path))
        missing -= here
    return found


def _write_error(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return f"no space is left on the disk of {path.parent}; {path.name} was not written, nothing else has changed."
    return f"cannot write {path}: {error.strerror or error}."
