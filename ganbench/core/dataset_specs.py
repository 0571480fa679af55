"""Descriptions of data sets, obtained without running a user's file in this process.

The workflow needs the descriptions each time it is parsed. Data sets of the package are built in this process. A user's
file may run any code, so a second process with a time limit builds its data set.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ganbench.core import registry, strict_json
from ganbench.core.component_errors import contract_message, describe_exception, find_line
from ganbench.core.errors import GanbenchError
from ganbench.core.pixels import MEAN, STD, within_one

TIMEOUT_SECONDS = 60  # long enough to import a large library
MAX_VALUES = 2**31  # number of values of one example
DTYPES = ("float32", "uint8")  # of stored examples
MARK = "ganbench describes: "  # precedes the description; the user's file may print text before it
CONTRACT = (
    "A data set has `judge`, the name of a judge, and `spec`, a DataSpec known without loading anything: shape (of one "
    "example), bounded, train (examples to train on), modes (0 without labels), files, dtype, mean, std and archives."
)
FIELDS = ("shape", "bounded", "train", "modes", "files", "dtype", "mean", "std", "archives")  # of a DataSpec
ARCHIVE = ("path", "url", "checksum")  # fields of an Archive


@dataclass(frozen=True)
class DatasetDescription:
    """The spec of a data set, see `ganbench.data`, and the name of its judge.

    Attributes:
        shape: shape of one example.
        bounded: whether all values that networks see lie in [-1, 1].
        train: number of training examples.
        modes: number of modes; 0 without labels.
        files: paths of the files that the data set reads.
        dtype: type of the stored examples.
        mean, std: by which networks see the numbers of the examples.
        archives: path, address and checksum of each file that is fetched where it is missing.
        judge: name of the data set's judge, perhaps with options.
    """

    shape: tuple[int, ...]
    bounded: bool
    train: int
    modes: int
    files: tuple[str, ...]
    dtype: str
    mean: float
    std: float
    archives: tuple[tuple[str, str, str], ...]
    judge: str


def describe_dataset(choice: Any) -> DatasetDescription:
    """The description of a data set.

    Args:
        choice: name and options of the data set in a study.

    Raises:
        GanbenchError: a data set that breaks its contract, or a missing file.
    """
    text = registry.find("dataset", choice.name).text
    return _describe_cached(choice.name, strict_json.dumps(choice.options), text)


@cache
def _describe_cached(name: str, options: str, _text: str) -> DatasetDescription:
    component = registry.find("dataset", name)
    if component.shipped:
        return describe_in_process(name, json.loads(options))
    command = [sys.executable, "-m", "ganbench.core.dataset_specs", name, options]  # the command line takes a second
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise GanbenchError(_message(component, f"does not say what it is within {TIMEOUT_SECONDS} seconds")) from None
    text = ended.stdout.rpartition(MARK)[2] if MARK in ended.stdout else ""
    try:
        reply = json.loads(text)
    except ValueError:
        raise GanbenchError(
            _message(component, f"ended the process that asked what it is ({ended.returncode})")
        ) from None
    if "error" in reply:
        raise GanbenchError(reply["error"])
    lists = {name: tuple(reply[name]) for name in ("shape", "files")}
    return DatasetDescription(**reply | lists | {"archives": tuple(map(tuple, reply["archives"]))})


def describe_as_json(name: str, options: dict[str, Any]) -> str:
    """The output of the second process: the description or the error as JSON, after `MARK`.

    Args:
        name: name of a data set of the package, or path of a user's file.
        options: options of the data set.
    """
    try:
        content = asdict(describe_in_process(name, options))
    except GanbenchError as error:
        content = {"error": str(error)}
    return MARK + strict_json.dumps(content)


def built_dataset(name: str, options: dict[str, Any]) -> Any:
    """A data set: of the package the same object at every call, since one of files looks for them, tens of thousands
    perhaps, and nobody changes it; of a user's own file a new one.

    Args:
        name: name of a data set of the package, or path of a user's file.
        options: options of the data set.
    """
    component = registry.find("dataset", name)
    if component.shipped:
        return _built(name, strict_json.dumps(options))
    return component.build(component.complete(options))


@lru_cache(maxsize=64)
def _built(name: str, options: str) -> Any:
    component = registry.find("dataset", name)
    return component.build(component.complete(json.loads(options)))


def describe_in_process(name: str, options: dict[str, Any]) -> DatasetDescription:
    """The description of a data set, built in this process.

    Args:
        name: name of a data set of the package, or path of a user's file.
        options: options of the data set.

    Raises:
        GanbenchError: a data set that breaks its contract, or a missing file.
    """
    component = registry.find("dataset", name)
    try:
        made = component.build(component.complete(options))
        spec, judge = made.spec, made.judge
        fields = {name: getattr(spec, name) for name in FIELDS}
        archives = tuple(tuple(str(getattr(each, name)) for name in ARCHIVE) for each in spec.archives)
    except GanbenchError:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and component.shipped:
            raise
        found = find_line(error, [component.path])
        raise GanbenchError(_message(component, describe_exception(error), found and found[1])) from None
    if fault := _fault(fields, judge):
        raise GanbenchError(_message(component, fault))
    lists = {"shape": tuple(spec.shape), "files": tuple(map(str, spec.files)), "archives": archives}
    return DatasetDescription(**fields | lists, judge=judge)


def _fault(fields: dict[str, Any], judge: Any) -> str | None:
    shape, files = fields["shape"], fields["files"]
    if not isinstance(shape, tuple) or not shape or not all(_is_integer(size, 1) for size in shape):
        return f"its spec says shape {shape!r}, which is no tuple of whole numbers from 1 on"
    size = 1
    for each in shape:
        size *= each
    if size > MAX_VALUES:
        return f"its spec says shape {shape!r}, which is more than {MAX_VALUES:,} values an example"
    if not isinstance(fields["bounded"], bool):
        return f"its spec says bounded {fields['bounded']!r}, which is neither True nor False"
    if not _is_integer(fields["train"], 2):
        return f"its spec says {fields['train']!r} training examples; must be a whole number, two or more"
    if not _is_integer(fields["modes"], 0):
        return f"its spec says {fields['modes']!r} modes; must be a whole number, 0 for data without labels"
    if fields["dtype"] not in DTYPES:
        return f"its spec says dtype {fields['dtype']!r}; must be one of {', '.join(DTYPES)}"
    mean, std = fields["mean"], fields["std"]
    if not all(isinstance(each, int | float) and math.isfinite(each) for each in (mean, std)) or std <= 0:
        return f"its spec says mean {mean!r} and std {std!r}; must be finite numbers, and std above 0"
    image = fields["dtype"] == "uint8" or (mean, std) != (MEAN, STD)  # whose stored numbers lie in [-1, 1]
    if image and fields["bounded"] != (within := within_one(mean, std)):
        lies = "which lie in [-1, 1]" if within else "which leave [-1, 1]"
        return (
            f"its spec says bounded {fields['bounded']}, and mean {mean:g} with std {std:g}, by which networks see "
            f"numbers from {-mean / std:.4g} to {(1 - mean) / std:.4g}, {lies}; bounded must be {within}"
        )
    if not isinstance(files, tuple | list) or not all(isinstance(path, str | Path) for path in files):
        return f"its spec says files {files!r}; must be a tuple of paths"
    missing = [path for path in files if not Path(path).is_file()]
    if missing:
        return f"its file {str(missing[0])!r} is not there (looked in {Path.cwd()})"
    if not isinstance(judge, str):
        return f"its judge is {judge!r}; must be the name of a judge"
    return None


def _is_integer(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _message(component: registry.ComponentInfo, fault: str, line: int | None = None) -> str:
    where = f"data set {component.path}" + (f", line {line}" if line else "")
    return contract_message(where, fault, CONTRACT)


if __name__ == "__main__":
    print(describe_as_json(sys.argv[1], json.loads(sys.argv[2])), flush=True)
