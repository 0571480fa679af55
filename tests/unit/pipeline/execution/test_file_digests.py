"""Digests of the files of a data set: by content, and read once where they are many."""

from __future__ import annotations

import os

import pytest

from ganbench.core import source_digests
from ganbench.pipeline.execution import file_digests
from ganbench.pipeline.execution.file_digests import files_digest


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Three files of a minute ago, which count as many; and the names of those that are read."""
    read = []

    def reading(path):
        read.append(path.name)
        return source_digests.file_digest.__wrapped__(path)

    monkeypatch.setattr(file_digests, "MIN_CACHED_FILES", 3)
    monkeypatch.setattr(file_digests, "file_digest", reading)
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text(path.name)
        age(path, 60)
    return [str(path) for path in paths], read


def age(path, seconds: float) -> None:
    stamp = os.stat(path).st_mtime - seconds
    os.utime(path, (stamp, stamp))


def test_files_are_read_once_and_again_when_they_change(tmp_path, files):
    paths, read = files
    known = tmp_path / "known"
    first = files_digest(paths, known)
    assert (files_digest(paths, known), read) == (first, ["a", "b", "c"])
    (tmp_path / "b").write_text("x")
    age(tmp_path / "b", 30)
    changed = files_digest(paths, known)
    assert changed != first
    assert read == ["a", "b", "c", "b"]
    assert files_digest(paths, tmp_path / "nowhere" / "x") == changed  # content counts, not what is remembered
    assert files_digest(paths[::-1], known) != changed


def test_a_file_that_has_just_changed_is_read_each_time(tmp_path, files):
    paths, read = files
    files_digest(paths, tmp_path / "known")
    (tmp_path / "a").write_text("y")
    values = {files_digest(paths, tmp_path / "known") for _ in range(2)}
    assert len(values) == 1
    assert read[3:] == ["a", "a"]


def test_what_is_remembered_may_be_damaged_and_few_files_are_always_read(tmp_path, files):
    paths, read = files
    known = tmp_path / "known"
    first = files_digest(paths, known)
    known.write_text('{"a": 3')
    assert files_digest(paths, known) == first
    del read[:]
    assert first not in {files_digest(paths[:2], known) for _ in range(2)}
    assert read == ["a", "b", "a", "b"]


def test_a_digest_knows_which_file_has_which_content_but_not_where_they_lie(tmp_path):
    """Labels are names of folders: two images that change places are another data set."""

    def made(folder, first, second):
        for name, text in (("cats/1", first), ("dogs/1", second)):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
        return files_digest([str(tmp_path / folder / name) for name in ("cats/1", "dogs/1")], tmp_path / "known")

    there = made("there", "a", "b")
    assert made("elsewhere", "a", "b") == there
    assert made("swapped", "b", "a") != there
    (tmp_path / "flat").mkdir()
    paths = [tmp_path / "flat" / "1", tmp_path / "flat" / "2"]
    for path, text in zip(paths, "ab", strict=True):
        path.write_text(text)
    assert files_digest([str(path) for path in paths], tmp_path / "known") != there
