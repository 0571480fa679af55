"""Which source files can change a number: the files a module imports from this package, followed to the end."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from ganbench.core import strict_json
from ganbench.core.registry import PACKAGE, Member


def digest(content: Any) -> str:
    """SHA-256 of a JSON-able value, keys sorted: the same value gives the same 64 characters everywhere."""
    return hashlib.sha256(strict_json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@cache
def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes. Read once a process: a stage must not change its mind halfway."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sources_digest(*roots: Path) -> str:
    """One digest over the given files and every file of the package that they import, directly or not.

    Only what is imported counts, so a new file in a family changes no digest. Users' own files enter by name and
    content; where they lie does not matter.
    """
    return _closure_digest(tuple(sorted(set(roots))))


def engine_digest(engine: str, members: Iterable[Member]) -> str:
    """Over the module of `ganbench/engine` that computes a stage's numbers, and the parts it is given to work with."""
    return sources_digest(PACKAGE / "engine" / f"{engine}.py", *(member.path for member in members))


@cache
def _closure_digest(roots: tuple[Path, ...]) -> str:
    seen: set[Path] = set()
    waiting = list(roots)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(_imports(path))
    named = [(str(p.relative_to(PACKAGE)) if p.is_relative_to(PACKAGE) else p.name, file_digest(p)) for p in seen]
    return digest(sorted(named))


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """The package's own modules that a file imports anywhere in its text; other file types import nothing."""
    if path.suffix != ".py":
        return ()
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level and path.is_relative_to(PACKAGE):  # as in `from ._blocks import Block`
                place = path.relative_to(PACKAGE.parent).parts[: -node.level]
                module = ".".join([*place, module]).rstrip(".")
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return tuple(sorted(_existing(name for name in names if name.split(".")[0] == PACKAGE.name)))


def _existing(names: Iterable[str]) -> set[Path]:
    found = set()
    for name in names:
        base = PACKAGE.parent.joinpath(*name.split("."))
        found.update(path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file())
    return found
