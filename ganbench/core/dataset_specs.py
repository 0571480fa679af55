"""What a data set says of itself, asked without running its file in this process.

The workflow needs it each time it is parsed. Data sets that the package ships are asked here; a user's own is asked in
a process of its own that can be ended, since its file may do anything.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ganbench.core import registry, strict_json
from ganbench.core.errors import GanbenchError
from ganbench.core.user_errors import described, line_of, two_lines

LIMIT_SECONDS = 60  # of a process that may have to import a large library first
MOST_VALUES = 2**31  # of an example
MARK = "ganbench describes: "  # before the answer, after whatever the file prints
CONTRACT = (
    "A data set has `judge`, the name of a judge, and `spec`, a DataSpec known without loading anything: shape (of one "
    "example), bounded, train (examples to train on), modes and files."
)


@dataclass(frozen=True)
class Described:
    """A data set's spec and judge, see `ganbench.data`."""

    shape: tuple[int, ...]
    bounded: bool
    train: int
    modes: int
    files: tuple[str, ...]
    judge: str


def data_set(choice: Any) -> Described:
    """What a data set that a study chose says of itself.

    Raises:
        GanbenchError: it does not say it, or a file that it names is missing.
    """
    return _data_set(choice.name, strict_json.dumps(choice.options))


@cache
def _data_set(name: str, options: str) -> Described:
    member = registry.find("dataset", name)
    if member.path.is_relative_to(registry.PACKAGE):
        return asked(name, json.loads(options))
    command = [sys.executable, "-m", "ganbench", "describe", name, "--options", options]
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_SECONDS, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise GanbenchError(_told(member, f"does not say what it is within {LIMIT_SECONDS} seconds")) from None
    said = ended.stdout.rpartition(MARK)[2] if MARK in ended.stdout else ""
    try:
        answer = json.loads(said)
    except ValueError:
        raise GanbenchError(_told(member, f"ended the process that asked what it is ({ended.returncode})")) from None
    if "error" in answer:
        raise GanbenchError(answer["error"])
    return Described(**answer | {"shape": tuple(answer["shape"]), "files": tuple(answer["files"])})


def answer(name: str, options: dict[str, Any]) -> str:
    """What the process that asks a data set prints."""
    try:
        said = asdict(asked(name, options))
    except GanbenchError as error:
        said = {"error": str(error)}
    return MARK + strict_json.dumps(said)


def asked(name: str, options: dict[str, Any]) -> Described:
    """Ask a data set what it is, in this process.

    Raises:
        GanbenchError: it does not say it, or a file that it names is missing.
    """
    member = registry.find("dataset", name)
    try:
        made = member.build(member.complete(options))
        spec, judge = made.spec, made.judge
        fields = {name: getattr(spec, name) for name in ("shape", "bounded", "train", "modes", "files")}
    except GanbenchError:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and member.path.is_relative_to(registry.PACKAGE):
            raise
        place = line_of(error, [member.path])
        raise GanbenchError(_told(member, described(error), place and place[1])) from None
    if fault := _fault(fields, judge):
        raise GanbenchError(_told(member, fault))
    return Described(**fields | {"shape": tuple(spec.shape), "files": tuple(map(str, spec.files))}, judge=judge)


def _fault(fields: dict[str, Any], judge: Any) -> str | None:
    shape, files = fields["shape"], fields["files"]
    if not isinstance(shape, tuple) or not shape or not all(_whole(size, 1) for size in shape):
        return f"its spec says shape {shape!r}, which is no tuple of whole numbers from 1 on"
    size = 1
    for each in shape:
        size *= each
    if size > MOST_VALUES:
        return f"its spec says shape {shape!r}, which is more than {MOST_VALUES:,} values an example"
    if not isinstance(fields["bounded"], bool):
        return f"its spec says bounded {fields['bounded']!r}, which is neither True nor False"
    if not _whole(fields["train"], 2):
        return f"its spec says {fields['train']!r} training examples; must be a whole number, two or more"
    if not _whole(fields["modes"], 1):
        return f"its spec says {fields['modes']!r} modes; must be a whole number, one or more"
    if not isinstance(files, tuple | list) or not all(isinstance(path, str | Path) for path in files):
        return f"its spec says files {files!r}; must be a tuple of paths"
    missing = [path for path in files if not Path(path).is_file()]
    if missing:
        return f"its file {str(missing[0])!r} is not there (looked in {Path.cwd()})"
    if not isinstance(judge, str):
        return f"its judge is {judge!r}; must be the name of a judge"
    return None


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _told(member: registry.Member, fault: str, line: int | None = None) -> str:
    where = f"data set {member.path}" + (f", line {line}" if line else "")
    return two_lines(where, fault, CONTRACT)
