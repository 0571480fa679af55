"""Formats of files with weights: exactness, damage that is found, and the disk."""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections import namedtuple

import numpy as np
import pytest
from playing import part

from ganbench.core.errors import GanbenchError
from ganbench.diagnostics import file_formats
from ganbench.diagnostics._file_formats import FORMATS, FileFormat

CHECKED = {"npz", "hdf5_gzip", "hdf5_fletcher32", "result"}  # CRC-32, Adler-32, Fletcher-32, CRC-32 of the values
UNCHECKED = {"npy", "safetensors", "hdf5"}  # their specifications have no checksum of values; PyTorch's readers differ


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_all_formats_are_exact_and_checksums_find_damage(folder):
    diagnostic = part("diagnostic", "file_formats", sizes_mib=(1,), repeats=1, corruptions=6)
    values = {name: float(value) for name, value in diagnostic.measure(None).values.items()}
    assert list(values) == list(diagnostic.columns(None))
    assert not [*folder.iterdir()]
    for name in FORMATS:
        assert values[f"{name}_exact"] == 1, name
        assert values[f"{name}_silent_cuts"] == 0, name
        assert 0 < values[f"{name}_read_1"] < 60
        assert 0 < values[f"{name}_write_1"] < 60
        assert 0.5 < values[f"{name}_size"] < 1.05
    for name in CHECKED:
        assert values[f"{name}_silent_flips"] == values[f"{name}_silent_zeros"] == 0, name
    for name in UNCHECKED:
        assert values[f"{name}_silent_flips"] == values[f"{name}_silent_zeros"] == 1, name


def with_checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(4, "big") + content


def checked(content: bytes) -> bytes:
    if zlib.crc32(content[4:]) != int.from_bytes(content[:4], "big"):
        raise OSError("damaged")
    return content[4:]


@pytest.mark.parametrize(("pack", "unpack", "silent"), [(bytes, bytes, 1.0), (with_checksum, checked, 0.0)])
def test_damage_is_silent_exactly_without_a_checksum(tmp_path, pack, unpack, silent):
    weights, path = file_formats.weights_of(2**14), tmp_path / "weights"

    def write(path, values):
        path.write_bytes(pack(values.tobytes()))

    def read(path):
        return np.frombuffer(unpack(path.read_bytes()), np.float32).reshape(-1, 256)

    format = FileFormat("plain", write, read)
    format.write(path, weights)
    # A cut at an odd sixteenth of 16 rows leaves whole rows, which numbers alone do not miss.
    assert file_formats.silent_shares(format, path, weights, 8) == dict.fromkeys(("flips", "cuts", "zeros"), silent)


def test_corruptions_are_as_described(tmp_path):
    path, content, long = tmp_path / "file", bytes(range(1, 11)), b"x" * 10_000
    path.write_bytes(content)
    assert file_formats.places(10, 2) == [2, 7]
    first, second = (path.read_bytes() for _ in file_formats.flipped(path, 2))
    assert [a ^ b for a, b in zip(content, first, strict=True)] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert [a ^ b for a, b in zip(content, second, strict=True)] == [0, 0, 0, 0, 0, 0, 0, 2, 0, 0]
    assert path.read_bytes() == content, "the file is whole again"
    assert [path.read_bytes() for _ in file_formats.cut(path, 2)] == [content[:7], content[:2]]
    path.write_bytes(long)
    zeroed = [path.read_bytes() for _ in file_formats.zeroed(path, 3)]
    assert [each.count(0) for each in zeroed] == [4096, 4096, 10_000 - 8192]
    assert {len(each) for each in zeroed} == {len(long)}
    assert path.read_bytes() == long


def test_the_largest_file_is_the_one_that_is_damaged(folder, monkeypatch):
    damaged = []

    def shares(format, path, weights, count):
        damaged.append((format, weights.nbytes, count))
        return dict.fromkeys(file_formats.SILENT, 0.0)

    monkeypatch.setattr(file_formats, "silent_shares", shares)
    part("diagnostic", "file_formats", sizes_mib=(2, 1), repeats=1, corruptions=4).measure(None)
    assert damaged == [(each, 2 * file_formats.MEBIBYTE, 4) for each in FORMATS.values()]


def test_exactness_is_of_bytes_and_not_of_values():
    weights = file_formats.weights_of(2**12)
    assert file_formats.same(weights.copy(), weights)
    other = weights.copy()
    other[0, 0] = np.nan  # of another payload
    assert not file_formats.same(other, weights)
    zero = weights.copy()
    zero[0, 4] = 0.0  # not -0
    assert (zero == weights)[0, 4]
    assert not file_formats.same(zero, weights)
    assert not file_formats.same(weights.astype(np.float64), weights)
    assert not file_formats.same(weights[:-1], weights)


def test_a_full_disk_is_named_before_anything_is_written(folder, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(50_000_000))
    with pytest.raises(GanbenchError, match=r"0\.05 GB left.* needs 0\.07 GB.*smaller sizes.*TMPDIR"):
        part("diagnostic", "file_formats", sizes_mib=(1, 64)).measure(None)
    assert not [*folder.iterdir()]


def test_files_go_when_a_format_fails(folder, monkeypatch):
    def fails(path):
        raise RuntimeError("no")

    monkeypatch.setitem(FORMATS, "npy", FileFormat("npy", FORMATS["npy"].write, fails))
    with pytest.raises(RuntimeError, match="no"):
        part("diagnostic", "file_formats", sizes_mib=(1,)).measure(None)
    assert not [*folder.iterdir()]


@pytest.mark.parametrize(
    ("sizes_mib", "words"),
    [
        ((), r"list of sizes that differ, such as \[1, 16\], but is \[\]"),
        ((1, 1), r"sizes that differ.*but is \[1, 1\]"),
        ((0,), "each from 1 to 65536"),
    ],
)
def test_sizes_that_cannot_be_say_what_could(sizes_mib, words):
    with pytest.raises(GanbenchError, match=words):
        part("diagnostic", "file_formats", sizes_mib=sizes_mib)
