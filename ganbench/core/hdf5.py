"""Trees in HDF5 files: written with checksums, and read through them alone.

A group holds groups, arrays, and its scalars and texts as JSON in one more array. HDF5 checks the structure of a file
itself (names, shapes, types: every block of its format since version 1.8 has a checksum) but not the values; these have
a CRC-32 a block of rows, stored with the array's description. HDF5's own filter for values, Fletcher-32, takes a region
of zeros for whole, checksum included, which is what a file system leaves of a block that never reached its disk.

Files are read as data whoever made them: only plain arrays, JSON, and groups of these, nothing that links elsewhere, or
that takes more memory than the file takes of the disk.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np

from ganbench.core import strict_json
from ganbench.core.display import shown, visible
from ganbench.core.errors import GanbenchError
from ganbench.core.tree import Tree

SCALARS = "scalars.json"  # the array of a group's scalars and texts
CHECKSUM = "crc32"  # attribute of an array: a number per block of rows
BLOCK_BYTES = 2**20  # that are checked together, at least a row
MOST_BLOCKS = 8192  # HDF5 keeps an attribute with the description that it checks up to 64 KiB
DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError)  # what h5py raises where a file's bytes make no sense
DEEPEST = 16  # groups in one another
NUMBERS = "biufc"  # kinds of NumPy's types
STRANGE = "is neither an array nor a group of these"
CHANGED = "holds other values than were written"


def save(group: h5py.Group, tree: Tree) -> None:
    """Write a tree into a group that is open for writing."""
    scalars = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            save(group.create_group(name), value)
        elif isinstance(value, np.ndarray):
            _save_array(group, name, value)
        else:
            scalars[name] = value
    if scalars:
        _save_array(group, SCALARS, np.frombuffer(strict_json.dumps(scalars).encode(), dtype=np.uint8))


def _save_array(group: h5py.Group, name: str, values: np.ndarray) -> None:
    values = np.ascontiguousarray(values).reshape(values.shape)  # the former makes one dimension of none
    blocks = [_crc(part) for part in _blocks(values, _rows(values.shape, values.itemsize))]
    group.create_dataset(name, data=values).attrs[CHECKSUM] = np.array(blocks, dtype=np.uint32)


def attribute(item: h5py.Group | h5py.Dataset, name: str) -> Any:
    """An attribute of fixed size, which HDF5 checks; None where there is none, or one that lies elsewhere."""
    if name not in item.attrs or item.attrs.get_id(name).dtype.kind not in NUMBERS + "S":
        return None
    return item.attrs[name]


class Array:
    """An array of a file. Its values are read by indexing rows, and every block that they lie in is checked."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self.name, self.shape = dataset.name, dataset.shape
        self._size = _rows(dataset.shape, dataset.dtype.itemsize)

    def __getitem__(self, rows: int | slice | tuple[()]) -> np.ndarray:
        """Rows along the first axis; all values for `[:]` or `[()]`.

        Raises:
            GanbenchError: they are not those that were written.
        """
        if not self.shape:
            return self._read(0, 1)
        taken = range(len(self))[slice(None) if rows == () else rows]
        if isinstance(taken, int):
            return self[taken : taken + 1][0]
        if taken.step != 1:
            return self[:][rows]
        start = taken.start // self._size * self._size
        return self._read(start, max(taken.stop, start + 1))[taken.start - start : taken.stop - start]

    def __len__(self) -> int:
        return self.shape[0]

    def _read(self, start: int, stop: int) -> np.ndarray:
        """The whole blocks that rows lie in, checked.

        Args:
            start: the first row of a block.
            stop: one behind the last row that is wanted.
        """
        first, last = start // self._size, -(-stop // self._size)
        with reading(self._dataset, self.name):
            checksums = attribute(self._dataset, CHECKSUM)[first:last]
            values = self._dataset[start : last * self._size] if self.shape else self._dataset[()]
        if list(checksums) != [_crc(part) for part in _blocks(np.asarray(values), self._size)]:
            raise refused(self._dataset, self.name, CHANGED)
        return values


class Group:
    """A group of a file that is open for reading. Nothing of it is to be had unchecked."""

    def __init__(self, group: h5py.Group) -> None:
        self._group = group
        self.name, self.filename = group.name, group.file.filename

    @property
    def names(self) -> list[str]:
        """Of its groups and arrays."""
        with reading(self._group, self.name):
            names = list(self._group)
        return [name for name in names if name != SCALARS]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> Group | Array:
        """A group or an array.

        Raises:
            GanbenchError: there is none, or what is there is not data that `save` writes.
        """
        place = f"{self.name.rstrip('/')}/{name}"
        with reading(self._group, place):
            link = self._group.get(name, getlink=True)
            if link is None:
                raise refused(self._group, place, "is not there")
            if not isinstance(link, h5py.HardLink):
                raise refused(self._group, place, "is a link to elsewhere")
            item = self._group[name]
            if fault := _fault_of(item):
                raise refused(self._group, place, fault)
        return Array(item) if isinstance(item, h5py.Dataset) else Group(item)

    def scalars(self) -> dict[str, Any]:
        """Its numbers, texts and lists of these.

        Raises:
            GanbenchError: they are not those that were written.
        """
        with reading(self._group, self.name):
            if SCALARS not in self._group:
                return {}
        array = self[SCALARS]
        try:
            found = json.loads(array[:].tobytes())
            return {**found}
        except (TypeError, ValueError, RecursionError):
            raise refused(self._group, array.name, "is no JSON") from None

    def tree(self, deeper: int = DEEPEST) -> Tree:
        """All of it, as `save` was given it.

        Args:
            deeper: groups in one another that there may be.

        Raises:
            GanbenchError: it holds what `save` does not write.
        """
        tree: Tree = self.scalars()
        for name in self:
            item = self[name]
            if isinstance(item, Array):
                tree[name] = item[()]
            elif deeper:
                tree[name] = item.tree(deeper - 1)
            else:
                raise refused(self._group, item.name, STRANGE)
        return tree


@contextmanager
def reading(item: h5py.Group | h5py.Dataset, place: str) -> Iterator[None]:
    """The block reads what lies at a place, which may be damaged."""
    try:
        yield
    except DAMAGE as error:
        raise refused(item, place, f"cannot be read: {visible(str(error))}") from error


def refused(item: h5py.Group | h5py.Dataset, place: str, fault: str) -> GanbenchError:
    """The error that a file holds what it should not.

    Args:
        item: of the file.
        place: where in the file.
        fault: what is wrong there.
    """
    return GanbenchError(
        f"{item.file.filename}: {shown(place)} {fault}. Remove the file, and its stage computes it again."
    )


def _rows(shape: tuple[int, ...], itemsize: int) -> int:
    """Rows that are checked together."""
    count = shape[0] if shape else 1
    row = itemsize * int(np.prod(shape[1:], dtype=np.int64))
    return max(1, BLOCK_BYTES // max(1, row), -(-count // MOST_BLOCKS))


def _blocks(values: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """An array in blocks of rows; one block, where it is empty."""
    rows = values if values.ndim else values[None]
    return (rows[start : start + size] for start in range(0, max(1, len(rows)), size))


def _crc(values: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(values).reshape(-1).view(np.uint8))


def _fault_of(item: h5py.HLObject) -> str | None:
    """What makes an object another than those that `save` writes."""
    if not isinstance(item, h5py.Dataset | h5py.Group):
        return STRANGE
    if h5py.h5o.get_info(item.id).rc > 1:  # such as to a group that holds this one
        return "has several links to it"
    if isinstance(item, h5py.Dataset):
        # What is made up while reading may be of any size: chunks that are not there, compressed zeros. And values that
        # lie in other files are none of this one's.
        here = item.chunks is None and not item.external and not item.is_virtual and item.shape is not None
        if not (here and item.dtype.kind in NUMBERS and item.id.get_storage_size() == item.nbytes):
            return "is no plain array of numbers"
        checksums = attribute(item, CHECKSUM)
        size = _rows(item.shape, item.dtype.itemsize)
        expected = max(1, -(-(item.shape[0] if item.shape else 1) // size))
        if np.shape(checksums) != (expected,) or np.asarray(checksums).dtype != np.uint32:
            return "has no checksums"
    return None
