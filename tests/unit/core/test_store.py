"""Result files: whole or not there, checked when read, data only."""

from __future__ import annotations

import errno
import os
import time

import h5py
import numpy as np
import pytest

from ganbench.core import result_files
from ganbench.core.atomic_files import ABANDONED_SECONDS, atomic_write
from ganbench.core.errors import GanbenchError
from ganbench.core.hdf5 import BLOCK_BYTES, Rows
from ganbench.core.locks import describe_holder, hold_lock, try_lock

TREE = {
    "array": np.arange(6.0).reshape(2, 3),
    "number": 0.1,
    "text": "ring; 'of' \"Gaussians\"",
    "nothing": None,
    "list": [1, "nan"],
    "empty": {},
    "deeper": {"flag": True, "ints": np.array([1, 2])},
}


def write(path, tree=TREE, kind="train"):
    with result_files.create_file(path, kind) as file:
        runs = file.create_group("runs")
        result_files.write_tree(runs.create_group("d1"), tree)


def assert_equal(one, other):
    assert set(one) == set(other)
    for key, value in one.items():
        if isinstance(value, dict):
            assert_equal(value, other[key])
        else:
            np.testing.assert_array_equal(value, other[key])


def test_a_tree_comes_back_as_it_went(tmp_path):
    write(tmp_path / "a.h5")
    with result_files.open_file(tmp_path / "a.h5", "train") as file:
        assert_equal(TREE, result_files.read_tree(file["runs"]["d1"]))


def test_a_failure_while_writing_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.h5"
    write(path)
    before = path.read_bytes()

    def fail():
        with result_files.create_file(path, "train") as file:
            file.create_dataset("x", data=np.zeros(1000))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path], "temporary files must go"


def test_a_full_disk_is_one_clear_error_and_costs_nothing(tmp_path):
    path = tmp_path / "a.h5"
    write(path)
    with (
        pytest.raises(GanbenchError, match=r"no space is left .* a\.h5 was not written"),
        result_files.create_file(path, "train"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    with result_files.open_file(path, "train"):
        pass


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(GanbenchError, match="cannot write"),
        result_files.create_file(tmp_path / "file" / "a.h5", "train"),
    ):
        pass


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_write(path) as one, atomic_write(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_goes_after_a_day(tmp_path):
    left, recent = tmp_path / ".a.txt.123.tmp", tmp_path / ".a.txt.456.tmp"
    for path, age in ((left, 2 * ABANDONED_SECONDS), (recent, 60)):
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    with atomic_write(tmp_path / "a.txt") as new:
        new.touch()
    assert not left.exists()
    assert recent.exists()


class Counted(Rows):
    """Rows that note how many of them are asked for at once."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.asked = values, values.shape, values.dtype, []

    def __getitem__(self, rows):
        found = self.values[rows]
        self.asked.append(found.nbytes)
        return found


@pytest.mark.parametrize("shape", [(0, 3), (1,), (5, 300_000), (700_000,), (3, 0)])
def test_rows_are_written_block_by_block(tmp_path, shape):
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    rows, paths = Counted(values), [tmp_path / "rows.h5", tmp_path / "array.h5"]
    write(paths[0], {"x": rows})
    write(paths[1], {"x": values})
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sum(rows.asked) == values.nbytes
    assert max(rows.asked) <= max(BLOCK_BYTES, values[:1].nbytes)
    with result_files.open_file(paths[0], "train") as file:
        np.testing.assert_array_equal(result_files.descend(file, "runs", "d1", "x")[:], values, strict=True)


def test_a_tree_is_copied_from_file_to_file(tmp_path):
    held = TREE | {"scalar": np.array(3)}
    write(tmp_path / "a.h5", held)
    with result_files.open_file(tmp_path / "a.h5", "train") as file:
        tree = result_files.read_tree(file["runs"]["d1"], lazy=True)
        assert not any(isinstance(value, np.ndarray) for value in tree.values())
        write(tmp_path / "b.h5", tree)
    with result_files.open_file(tmp_path / "b.h5", "train") as file:
        assert_equal(held, result_files.read_tree(file["runs"]["d1"]))


def test_damage_is_found_without_keeping_what_is_read(tmp_path):
    path = tmp_path / "a.h5"
    write(path, {"scalar": np.array(3), "deeper": {"x": np.arange(1.0, 700_001.0)}})

    def verify():
        with result_files.open_file(path, "train") as file:
            result_files.verify_tree(result_files.read_tree(file, lazy=True))

    verify()
    whole = path.read_bytes()
    place = whole.index(np.arange(600_000.0, 600_008.0).tobytes())
    path.write_bytes(whole[:place] + bytes(8) + whole[place + 8 :])
    with pytest.raises(GanbenchError, match=r"'/runs/d1/deeper/x' holds other values than were written"):
        verify()


def test_damage_within_a_file_is_told(tmp_path):
    """A hole in one of the file's blocks, as a bad disk leaves one, is never read as something else."""
    path = tmp_path / "a.h5"
    with result_files.create_file(path, "train") as file:
        result_files.write_tree(file.create_group("saved"), {"x": np.arange(1.0, 1001.0)})
    whole = path.read_bytes()
    place = whole.index(np.arange(1.0, 9.0).tobytes())
    path.write_bytes(whole[:place] + bytes(64) + whole[place + 64 :])
    with (
        result_files.open_file(path, "train") as file,
        pytest.raises(GanbenchError, match="'/saved/x' holds other values than were written"),
    ):
        result_files.read_tree(result_files.descend(file, "saved"))


@pytest.mark.parametrize("kept", [0, 4, 100, 2000, -1])
def test_a_truncated_file_is_told_from_its_first_bytes(tmp_path, kept):
    path = tmp_path / "a.h5"
    write(path)
    assert result_files.header_fault(path) is None
    path.write_bytes(path.read_bytes()[:kept])
    assert "Remove it" in result_files.header_fault(path)
    with pytest.raises(GanbenchError, match=r"a\.h5"), result_files.open_file(path, "train"):
        pass


def test_foreign_files_other_kinds_and_other_formats_are_refused(tmp_path):
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = 1
    (tmp_path / "text.h5").write_text("not HDF5 at all")
    write(tmp_path / "evaluate.h5", kind="evaluate")
    write(tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "r+") as file:
        file.attrs["format"] = 0
    for name, message in {
        "foreign": "did not write",
        "text": "not an HDF5 file",
        "evaluate": "of kind 'evaluate', where one of kind 'train' belongs",
        "old": "has format 0",
        "missing": "cannot be read",
    }.items():
        with pytest.raises(GanbenchError, match=message), result_files.open_file(tmp_path / f"{name}.h5", "train"):
            pass


def test_runs_are_found_under_any_name_and_damaged_files_passed_over(tmp_path):
    write(tmp_path / "one.h5")
    (tmp_path / "broken.h5").write_bytes(b"\x89HDF")
    assert result_files.find_runs(tmp_path, "train", ["d1", "d2"]) == {"d1": tmp_path / "one.h5"}
    assert result_files.find_runs(tmp_path / "nowhere", "train", ["d1"]) == {}


def test_a_lock_is_held_once_names_its_holder_and_goes_with_it(tmp_path):
    path = tmp_path / "folder" / ".lock"
    with hold_lock(path, "the folder"):
        assert try_lock(path) is None
        taken = r"the folder is in use by process \d+ of .* on .*, since "
        with pytest.raises(GanbenchError, match=taken), hold_lock(path, "the folder"):
            pass
    lock = try_lock(path)
    assert lock is not None
    assert "process" in describe_holder(path)
    lock.release()
    path.write_text("")
    assert describe_holder(path) == "another process"


def test_a_group_tells_what_it_holds_by_name(tmp_path):
    """And neither what lies deeper, nor the scalars, which are no member."""
    path = tmp_path / "file.h5"
    with result_files.create_file(path, "train") as file:
        result_files.write_tree(file.create_group("outer"), {"inner": {"values": np.arange(3)}, "number": 1})
    with result_files.open_file(path, "train") as file:
        outer = result_files.descend(file, "outer")
        asked = ("inner", "number", "scalars.json", "inner/values", "values")
        assert [name for name in asked if name in outer] == ["inner"] == list(outer)


def test_an_unknown_name_is_none_or_an_error(tmp_path):
    path = tmp_path / "a.h5"
    write(path)
    with result_files.open_file(path, "train") as file:
        run = result_files.descend(file, "runs", "d1")
        assert np.array_equal(run.get("array")[:], TREE["array"])
        assert run.get("another") is None
        with pytest.raises(GanbenchError, match=r"'/runs/d1/another' is not there"):
            run["another"]
