"""Study files by path, or by the name of the study in them."""

from __future__ import annotations

import os
from pathlib import Path

from ganbench.core.errors import GanbenchError, unknown
from ganbench.study.strict_yaml import read_yaml

CONFIG = Path("config")


def find_study(study: Path | str) -> Path:
    """The file of a study.

    Args:
        study: the file's path, or the study's name, the value of `study:` in a file below `config/`.

    Raises:
        GanbenchError: there is no such file, no file has this name, or several have it.
    """
    path = Path(study)
    if path.exists() and not path.is_dir():  # a pipe is a file too
        return path
    if path.suffix in (".yaml", ".yml") or len(path.parts) != 1:
        raise GanbenchError(f"there is no study file {path.absolute()}.")
    named: dict[str, list[Path]] = {}
    for file in sorted(CONFIG.rglob("*.yaml")):
        if name := name_in(file):
            named.setdefault(name, []).append(file)
    if str(study) not in named:
        raise GanbenchError(
            f"{unknown('study', str(study), named)} These are the names in files below {CONFIG.absolute()}; the path "
            "of any study's file is valid too."
        )
    files = named[str(study)]
    if len(files) > 1:
        raise GanbenchError(f"study {study!r} is the name in {' and '.join(map(str, files))}; give the path of one.")
    return files[0]


def name_in(file: Path) -> str | None:
    """The name of the study in a file; None where the file is missing or holds no study."""
    try:
        content = read_yaml(file)
    except GanbenchError:
        return None
    name = content.get("study") if isinstance(content, dict) else None
    return name if isinstance(name, str) else None


def path_from_root(file: Path | str) -> str:
    """The path of a file from the folder of the project, in which commands run, whatever path was given."""
    return Path(os.path.relpath(os.path.realpath(file), os.path.realpath("."))).as_posix()
