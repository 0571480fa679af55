"""Trees in HDF5 files, written with checksums and read only through them.

A group holds groups, arrays, and one additional array with the scalars and texts of the group as JSON. Since version
1.8 of its format, HDF5 itself checks the structure of a file (names, shapes, types) with checksums, but not the values.
So every block of rows has a CRC-32, stored with the description of its array. HDF5's own filter, Fletcher-32, accepts a
region of zeros, checksum included. A file system leaves such a region if a block never reached the disk.

Files are not trusted. Only plain arrays, JSON and groups of these are read. Links to other places are refused, and so
are arrays that take more memory than their values take on the disk.
"""

from __future__ import annotations

import json
import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t

from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError
from ganbench.core.escaping import escape_control, short_repr
from ganbench.core.tree import Tree

SCALARS = "scalars.json"  # name of the array with a group's scalars and texts
CHECKSUM = "crc32"  # attribute of an array: one number per block of rows
CHECKSUM_TYPE = h5t.py_create(np.dtype(np.uint32))
BLOCK_BYTES = 2**20  # size of a block; a longer row is a block of its own
MAX_BLOCKS = 8192  # HDF5 checks attributes of up to 64 KiB, which it stores in the description of an array
READ_ERRORS = (
    OSError,
    RuntimeError,
    KeyError,
    TypeError,
    ValueError,
)  # raised by h5py for invalid bytes in a file
ENCODING = ("utf-8", "surrogateescape")  # of names, which may be any bytes in a file that others wrote
MAX_DEPTH = 16  # of nested groups
NUMERIC_KINDS = "biufc"  # NumPy's codes of the accepted types
UNSUPPORTED = "is neither an array nor a group of arrays"
MISMATCH = "holds other values than were written"


def write_tree(group: h5py.Group, tree: Tree) -> None:
    """Write a tree into a group.

    Args:
        group: a group of a file that is open for writing.
        tree: the tree. Its arrays and `Rows` become arrays, its dicts become groups, and its other values become JSON.
    """
    scalars = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            write_tree(group.create_group(name), value)
        elif isinstance(value, np.ndarray | Rows):
            _write_array(group, name, value)
        else:
            scalars[name] = value
    if scalars:
        _write_array(group, SCALARS, np.frombuffer(strict_json.dumps(scalars).encode(), dtype=np.uint8))


class Rows(ABC):
    """An array whose rows are read as they are needed, so that it can be written without all of it in memory.

    Attributes:
        shape, dtype: those of the array, which has one dimension at least.
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    @abstractmethod
    def __getitem__(self, rows: slice) -> np.ndarray:
        """Adjacent rows along the first axis."""


def _write_array(group: h5py.Group, name: str, values: np.ndarray | Rows) -> None:
    dataset = group.create_dataset(name, values.shape, values.dtype)
    size, checksums = _rows_per_block(values.shape, values.dtype.itemsize), []
    for start in range(0, max(1, values.shape[0]) if values.shape else 1, size):
        rows = slice(start, start + size) if values.shape else ()
        block = np.ascontiguousarray(values[rows])
        if block.size:
            dataset[rows] = block if values.shape else block[0]  # `ascontiguousarray` adds a dimension to a scalar
        checksums.append(_crc(block))
    dataset.attrs[CHECKSUM] = np.array(checksums, dtype=np.uint32)


def read_attribute(item: h5g.GroupID | h5d.DatasetID, name: str) -> Any:
    """The value of an attribute of fixed size, which HDF5 checks; None if it is absent or of variable size."""
    encoded = name.encode()
    if not h5a.exists(item, encoded):
        return None
    attribute = h5a.open(item, encoded)
    dtype, shape = attribute.dtype, attribute.shape
    if dtype.kind not in NUMERIC_KINDS + "S" or shape is None:
        return None
    value = np.empty(shape, dtype)
    attribute.read(value)
    return value[()]


class Array(Rows):
    """An array of a file. Indexing reads rows, and checks every block that contains one of them.

    Args:
        dataset: the identifier of the array. A study reads some forty arrays per run, and h5py's class for them would
            take most of the time.
        name: its path within the file.
        filename: the path of the file.
    """

    def __init__(self, dataset: h5d.DatasetID, name: str, filename: str) -> None:
        self._dataset, self.name, self.filename = dataset, name, filename
        space = dataset.get_space()
        self.shape = None if space.get_simple_extent_type() == h5s.NULL else space.shape  # None: refused by `fault`
        self.dtype = dataset.dtype

    @cached_property
    def rows_per_block(self) -> int:
        """The number of rows that are checked together."""
        return _rows_per_block(self.shape, self.dtype.itemsize)

    @cached_property
    def checksums(self) -> np.ndarray | None:
        """The CRC-32 of every block, (blocks,); None in a file that others wrote."""
        if not h5a.exists(self._dataset, CHECKSUM.encode()):
            return None
        attribute = h5a.open(self._dataset, CHECKSUM.encode())
        blocks = max(1, -(-(self.shape[0] if self.shape else 1) // self.rows_per_block))
        if attribute.get_type() != CHECKSUM_TYPE or attribute.get_space().shape != (blocks,):
            return None
        found = np.empty(blocks, np.uint32)
        attribute.read(found)
        return found

    @property
    def fault(self) -> str | None:
        """Why `write_tree` cannot have written the array, as a verb phrase; None for any other array."""
        # HDF5 fills missing chunks and expands compressed zeros to any size. External values are not checked.
        layout = self._dataset.get_create_plist()
        plain = self.shape is not None and self.dtype.kind in NUMERIC_KINDS
        contiguous = layout.get_layout() == h5d.CONTIGUOUS and not layout.get_external_count()
        if not (plain and contiguous and self._dataset.get_storage_size() == self.nbytes):
            return "is no plain array of numbers"
        return "has no checksums" if self.checksums is None else None

    def __getitem__(self, rows: int | slice | tuple[()]) -> np.ndarray:
        """Rows along the first axis; all values for `[:]` or `[()]`.

        Raises:
            GanbenchError: values that differ from those that were written.
        """
        if not self.shape:
            return self._read_blocks(0, 1)
        taken = range(len(self))[slice(None) if rows == () else rows]
        if isinstance(taken, int):
            return self[taken : taken + 1][0]
        if taken.step != 1:
            return self[:][rows]
        start = taken.start // self.rows_per_block * self.rows_per_block
        return self._read_blocks(start, max(taken.stop, start + 1))[taken.start - start : taken.stop - start]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """The size of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def verify(self) -> None:
        """Read every block, one at a time.

        Raises:
            GanbenchError: values that differ from those that were written.
        """
        for start in range(0, len(self) if self.shape else 1, self.rows_per_block):
            self._read_blocks(start, start + 1)

    def mapped(self) -> np.memmap:
        """All values as a map of the file, after a check of every block. What is written to them stays in memory.

        Raises:
            GanbenchError: values that differ from those that were written.
        """
        self.verify()
        with read_errors(self.filename, self.name):
            return np.memmap(self.filename, self.dtype, "c", offset=self._dataset.get_offset(), shape=self.shape)

    def _read_blocks(self, start: int, stop: int) -> np.ndarray:
        """The values of the blocks that contain a range of rows, after a check.

        Args:
            start: first row, which is the first row of a block.
            stop: last row, plus one.
        """
        first, last = start // self.rows_per_block, -(-stop // self.rows_per_block)
        with read_errors(self.filename, self.name):
            checksums = self.checksums[first:last]
            if len(checksums) == len(self.checksums):
                values = np.empty(self.shape, self.dtype)
                if values.size:
                    self._dataset.read(h5s.ALL, h5s.ALL, values)
            else:
                values = h5py.Dataset(self._dataset)[start : last * self.rows_per_block]
        if list(checksums) != [_crc(part) for part in _blocks(values, self.rows_per_block)]:
            raise file_error(self.filename, self.name, MISMATCH)
        return values if self.shape else values[()]


class Group:
    """A group of a file that is open for reading. All values that it returns have been checked.

    Args:
        group: the identifier of the group.
        name: its path within the file.
        filename: the path of the file.
    """

    def __init__(self, group: h5g.GroupID, name: str, filename: str) -> None:
        self._group, self.name, self.filename = group, name, filename

    @property
    def names(self) -> list[str]:
        """Names of the groups and arrays in the group."""
        with read_errors(self.filename, self.name):
            names = [name.decode(*ENCODING) for name in self._group]
        return [name for name in names if name != SCALARS]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: str) -> bool:
        if name == SCALARS or "/" in name:
            return False
        with read_errors(self.filename, self.name):  # asks for one name, since a group may have thousands
            return name.encode(*ENCODING) in self._group

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> Group | Array:
        """The group or array of this name.

        Raises:
            GanbenchError: an unknown name, or an object of a kind that `write_tree` does not write.
        """
        found = self.get(name)
        if found is None:
            raise self.error(self._path(name), "is not there")
        return found

    def get(self, name: str) -> Group | Array | None:
        """The group or array of this name; None where there is none.

        Raises:
            GanbenchError: an object of a kind that `write_tree` does not write.
        """
        location, encoded = self._path(name), name.encode(*ENCODING)
        with read_errors(self.filename, location):
            if not self._group.links.exists(encoded):
                return None
            if self._group.links.get_info(encoded).type != h5l.TYPE_HARD:
                raise self.error(location, "is a link to elsewhere")
            item = h5o.open(self._group, encoded)
            kind = {h5d.DatasetID: Array, h5g.GroupID: Group}.get(type(item))
            if kind is None:
                raise self.error(location, UNSUPPORTED)
            if h5o.get_info(item).rc > 1:  # such as a link from within a group to the group itself
                raise self.error(location, "has several links to it")
            found = kind(item, location, self.filename)
            if kind is Array and (fault := found.fault):
                raise self.error(location, fault)
        return found

    def error(self, location: str, fault: str) -> GanbenchError:
        """The error for wrong content of this file, see `file_error`."""
        return file_error(self.filename, location, fault)

    def _path(self, name: str) -> str:
        return f"{self.name.rstrip('/')}/{name}"

    def scalars(self) -> dict[str, Any]:
        """The numbers, texts and lists of these in the group, by name.

        Raises:
            GanbenchError: scalars that differ from those that were written.
        """
        array = self.get(SCALARS)
        if array is None:
            return {}
        try:
            found = json.loads(array[:].tobytes())
            return {**found}
        except (TypeError, ValueError, RecursionError):
            raise self.error(array.name, "is not JSON") from None


def read_tree(group: Group, depth: int = MAX_DEPTH, *, most: int | None = None, lazy: bool = False) -> Tree:
    """The tree that `write_tree` wrote into a group.

    Args:
        group: a group of a file that is open for reading.
        depth: largest number of nested groups.
        most: size in bytes of an array beyond which it is a map of the file; None to read all of them.
        lazy: whether arrays stay in the file, as `Array`, to be read or written elsewhere while it is open.

    Raises:
        GanbenchError: an object of a kind that `write_tree` does not write, or values that differ from those written.
    """
    tree: Tree = group.scalars()
    for name in group:
        item = group[name]
        if isinstance(item, Array) and lazy:
            tree[name] = item
        elif isinstance(item, Array):
            tree[name] = item[()] if most is None or item.nbytes <= most else item.mapped()
        elif depth:
            tree[name] = read_tree(item, depth - 1, most=most, lazy=lazy)
        else:
            raise group.error(item.name, UNSUPPORTED)
    return tree


def verify_tree(tree: Tree) -> None:
    """Read all arrays of a tree that is still in its file, block by block.

    Raises:
        GanbenchError: values that differ from those that were written.
    """
    for item in tree.values():
        if isinstance(item, dict):
            verify_tree(item)
        elif isinstance(item, Array):
            item.verify()


@contextmanager
def read_errors(filename: str, location: str) -> Iterator[None]:
    """Turn exceptions of h5py within a block into errors about a location in a file.

    Args:
        filename: the path of the file.
        location: path within the file that the block reads.

    Raises:
        GanbenchError: an exception of h5py within the block.
    """
    try:
        yield
    except READ_ERRORS as error:
        raise file_error(filename, location, f"cannot be read: {escape_control(str(error))}") from error


def file_error(filename: str, location: str, fault: str) -> GanbenchError:
    """The error for wrong content of a file.

    Args:
        filename: the path of the file.
        location: path within the file.
        fault: the fault of the content, as a verb phrase.
    """
    return GanbenchError(
        f"{filename}: {short_repr(location)} {fault}. Remove the file, and its stage computes it again."
    )


def _rows_per_block(shape: tuple[int, ...], itemsize: int) -> int:
    """The number of rows that are checked together."""
    count = shape[0] if shape else 1
    row = itemsize * math.prod(shape[1:])
    return max(1, BLOCK_BYTES // max(1, row), -(-count // MAX_BLOCKS))


def _blocks(values: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """The blocks of rows of an array; a single one if it is empty."""
    rows = values if values.ndim else values[None]
    return (rows[start : start + size] for start in range(0, max(1, len(rows)), size))


def _crc(values: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(values).reshape(-1).view(np.uint8))
