"""SHA-256 of files that people and their programs open, kept in a file that `sha256sum --check` reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

from ganbench.core.atomic_files import replacing
from ganbench.core.errors import GanbenchError

NAME = "SHA256SUMS"  # of the file, where it stands for a folder
LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n")
REMEDY = "Remove it, and its stage makes it again."


def write(path: Path, files: Mapping[str, Path]) -> None:
    """Write the checksums of files.

    Args:
        path: where to.
        files: by the name that they are listed under, relative to the folder in which they can be checked.
    """
    with replacing(path) as new:
        new.write_text("".join(f"{_sum(file)}  {name}\n" for name, file in sorted(files.items())))


def write_folder(folder: Path, instead: Mapping[str, Path] | None = None) -> None:
    """Write the checksums of all files of a folder.

    Args:
        folder: they stand in its SHA256SUMS.
        instead: by name, files that are about to be given it.
    """
    there = {path.name: path for path in folder.iterdir() if not path.name.startswith(".") and path.name != NAME}
    write(folder / NAME, there | dict(instead or {}))


def read(path: Path) -> dict[str, str]:
    """By name: the checksums that `path` lists.

    Raises:
        GanbenchError: it cannot be read, or holds something else.
    """
    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        raise GanbenchError(f"{path} cannot be read: {error}. {REMEDY}") from None
    if LINE.sub("", text):
        raise GanbenchError(f"{path} is damaged: it holds more than checksums. {REMEDY}")
    return {name: value for value, name in LINE.findall(text)}


def checked(path: Path, known: Mapping[str, str]) -> bytes:
    """What a file holds.

    Args:
        path: the file.
        known: by name, the checksums of the files of its folder.

    Raises:
        GanbenchError: it cannot be read, or is not what was written.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GanbenchError(f"{path} cannot be read: {error.strerror}. {REMEDY}") from None
    if hashlib.sha256(content).hexdigest() != known.get(path.name):
        raise GanbenchError(_damaged(path))
    return content


def faults(path: Path, base: Path, files: Iterable[Path]) -> list[str]:
    """Which of the files that a list of checksums vouches for are not what was written; those that are not there are
    passed over.

    Args:
        path: the list.
        base: folder that the names in it are relative to.
        files: that it must list.
    """
    try:
        known = read(path)
    except GanbenchError as error:
        return [str(error)]
    there = [file for file in files if file.exists()]
    with ThreadPoolExecutor(cpu_count()) as pool:
        found = list(pool.map(_sum, there))
    wrong = [
        file for file, value in zip(there, found, strict=True) if known.get(file.relative_to(base).as_posix()) != value
    ]
    return [_damaged(file) for file in wrong] if path.exists() else []  # else somebody is making them anew


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(path: Path) -> str:
    return f"{path} is damaged: it is not what its stage wrote. {REMEDY}"
