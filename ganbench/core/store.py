"""Result files: HDF5, one group a run, written whole or not at all.

A file is a tree: groups hold groups and arrays, scalars and strings are attributes. Writing goes to a temporary file
beside the target, which is renamed over it at the end; a file that exists is therefore complete, and a killed job or a
full disk leaves what was there before.

Files are read as data whoever made them: only plain arrays, JSON, and groups of these, nothing that links elsewhere, or
that takes more memory than the file takes of the disk.
"""

from __future__ import annotations

import errno
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from ganbench.core import strict_json
from ganbench.core.display import shown, visible
from ganbench.core.errors import GanbenchError
from ganbench.core.files import replacing
from ganbench.core.tree import Tree

FORMAT = 1  # of result files; raised when a reader of the older one would misread
SIGNATURE = b"\x89HDF\r\n\x1a\n"
REMEDY = "Remove it, and its stage computes it again."
DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError)  # what h5py raises where a file's bytes make no sense
CHECKSUM = "crc32"  # attribute of an array
DEEPEST = 16  # groups in one another
NUMBERS = "biufc"  # kinds of NumPy's types


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
        with replacing(path) as temporary, h5py.File(temporary, "w") as file:
            file.attrs["ganbench"] = kind
            file.attrs["format"] = FORMAT
            yield file
    except OSError as error:
        raise GanbenchError(_cannot_write(path, error)) from error


@contextmanager
def reading(path: Path, kind: str) -> Iterator[h5py.File]:
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
        with _whole(file, "/"):
            found, version = file.attrs.get("ganbench"), file.attrs.get("format")
        if not isinstance(found, str):
            raise GanbenchError(
                f"{path} is an HDF5 file that ganbench did not write. Move it out of the results folder."
            )
        version = version.item() if isinstance(version, np.generic) else version
        if np.ndim(version) or version != FORMAT:
            raise GanbenchError(
                f"{path} has format {shown(version)}; this version of ganbench reads format {FORMAT}. Use the version "
                "that wrote it, or give the study another results folder."
            )
        if found != kind:
            raise GanbenchError(f"{path} is a file of kind {shown(found)}, where one of kind {kind!r} belongs.")
        yield file


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


def save(group: h5py.Group, tree: Tree) -> None:
    """Write a tree into a group."""
    for name, value in tree.items():
        if isinstance(value, dict):
            save(group.create_group(name), value)
        elif isinstance(value, np.ndarray):
            group.create_dataset(name, data=value).attrs[CHECKSUM] = _checksum(value)
        else:
            group.attrs[name] = strict_json.dumps(value)


def inside(group: h5py.Group, *names: str) -> h5py.Group | h5py.Dataset:
    """The group or array that names lead to, one in the other.

    Raises:
        GanbenchError: there is none, or what is there is not data that `save` writes.
    """
    for name in names:
        place = f"{group.name.rstrip('/')}/{name}"
        with _whole(group, place):
            link = group.get(name, getlink=True)
            if link is None:
                raise GanbenchError(f"{group.file.filename}: there is no {shown(place)}. {REMEDY}")
            fault = "is a link to elsewhere" if not isinstance(link, h5py.HardLink) else _fault_of(group[name])
            if fault:
                raise _refused(group, place, fault)
            group = group[name]
    return group


def load(group: h5py.Group, deeper: int = DEEPEST) -> Tree:
    """Read a group that `save` wrote.

    Args:
        group: as `inside` gives it.
        deeper: groups in one another that there may be.

    Raises:
        GanbenchError: it holds what `save` does not write.
    """
    tree: Tree = {}
    with _whole(group, group.name):
        names, attributes = list(group), dict(group.attrs)
    for name, value in attributes.items():
        try:
            tree[name] = json.loads(value)
        except (TypeError, ValueError, RecursionError):
            raise _refused(group, f"{group.name}/{name}", "is an attribute that is no JSON") from None
    for name in names:
        item = inside(group, name)
        if isinstance(item, h5py.Dataset):
            with _whole(group, item.name):
                tree[name], checksum = item[()], item.attrs.get(CHECKSUM)
            if checksum is not None and checksum != _checksum(tree[name]):
                raise _refused(group, item.name, "holds other values than were written")
        elif deeper:
            tree[name] = load(item, deeper - 1)
        else:
            raise _refused(group, item.name, _STRANGE)
    return tree


@contextmanager
def _whole(group: h5py.Group, place: str) -> Iterator[None]:
    """The block reads what lies at a place, which may be damaged."""
    try:
        yield
    except DAMAGE as error:
        raise _refused(group, place, f"cannot be read: {visible(str(error))}") from error


def _checksum(values: np.ndarray | np.generic) -> int:
    return zlib.crc32(np.ascontiguousarray(values).tobytes())


_STRANGE = "is neither an array nor a group of these"


def _fault_of(item: h5py.HLObject) -> str | None:
    """What makes an object another than those that `save` writes."""
    if not isinstance(item, h5py.Dataset | h5py.Group):
        return _STRANGE
    if h5py.h5o.get_info(item.id).rc > 1:  # such as to a group that holds this one
        return "has several links to it"
    if isinstance(item, h5py.Dataset):
        # What is made up while reading may be of any size: chunks that are not there, compressed zeros. And values that
        # lie in other files are none of this one's.
        here = item.chunks is None and not item.external and not item.is_virtual and item.shape is not None
        if not (here and item.dtype.kind in NUMBERS and item.id.get_storage_size() == item.nbytes):
            return "is no plain array of numbers"
    return None


def _refused(group: h5py.Group, place: str, fault: str) -> GanbenchError:
    return GanbenchError(
        f"{group.file.filename}: {shown(place)} {fault}. Remove the file, and its stage computes it again."
    )


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
