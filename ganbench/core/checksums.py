"""SHA-256 checksums of tables, figures and reports, in lists that `sha256sum --check` reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError

FILE_NAME = "SHA256SUMS"  # name of the list of all files of a folder
LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n")
REMEDY = "Remove it, and its stage makes it again."


def write_sums(path: Path, files: Mapping[str, Path]) -> None:
    """Write a list of checksums.

    Args:
        path: the list.
        files: the files by their names in the list, which are relative to the folder where the list is checked.
    """
    with atomic_write(path) as new:
        new.write_text("".join(f"{_sha256(file)}  {name}\n" for name, file in sorted(files.items())))


def write_folder_sums(folder: Path, instead: Mapping[str, Path] | None = None) -> None:
    """Write the checksums of all files of a folder into its file `SHA256SUMS`. Hidden files are left out.

    Args:
        folder: the folder.
        instead: files that will be renamed into the folder, by their future names. They replace files of these names.
    """
    there = {path.name: path for path in folder.iterdir() if not path.name.startswith(".") and path.name != FILE_NAME}
    write_sums(folder / FILE_NAME, there | dict(instead or {}))


def read_sums(path: Path) -> dict[str, str]:
    """The checksums in a list, by name of the file.

    Raises:
        GanbenchError: a list that cannot be read, or that holds anything but checksums.
    """
    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        raise GanbenchError(f"{path} cannot be read: {error}. {REMEDY}") from None
    if LINE.sub("", text):
        raise GanbenchError(f"{path} is damaged: it holds more than checksums. {REMEDY}")
    return {name: value for value, name in LINE.findall(text)}


def read_verified(path: Path, known: Mapping[str, str]) -> bytes:
    """The content of a file, after a comparison with its checksum.

    Args:
        path: the file.
        known: the checksums of the files of its folder, by name.

    Raises:
        GanbenchError: a file that cannot be read, has another checksum, or has no checksum.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GanbenchError(f"{path} cannot be read: {error.strerror}. {REMEDY}") from None
    if hashlib.sha256(content).hexdigest() != known.get(path.name):
        raise GanbenchError(_damage_message(path))
    return content


def find_damaged(path: Path, base: Path, files: Iterable[Path]) -> list[str]:
    """Messages about the files that differ from their checksums, one per file. Missing files are skipped.

    Args:
        path: the list of checksums.
        base: folder to which the names in the list are relative.
        files: files that the list must name.

    Returns:
        The messages; a single message if the list cannot be read.
    """
    try:
        known = read_sums(path)
    except GanbenchError as error:
        return [str(error)]
    there = [file for file in files if file.exists()]
    with ThreadPoolExecutor(cpu_count()) as pool:
        found = list(pool.map(_sha256, there))
    wrong = [
        file for file, value in zip(there, found, strict=True) if known.get(file.relative_to(base).as_posix()) != value
    ]
    return [_damage_message(file) for file in wrong] if path.exists() else []  # else another process rewrites the files


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damage_message(path: Path) -> str:
    return f"{path} is damaged: it is not what its stage wrote. {REMEDY}"
