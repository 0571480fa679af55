"""Which sources can change a number: what the files say that a module imports from this package, followed to the end.

Sources count by their meaning. Comments, docstrings, formatting and places in the file change no digest; nor does the
version of Python that reads them, from 3.11 on, as long as they use no syntax that an older one lacks.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from ganbench.core import strict_json
from ganbench.core.registry import PACKAGE, Member

# Fields of syntax trees: how a text is written, comments, and whether a name is read or set, which its place tells.
UNSAID = ("kind", "type_comment", "type_ignores", "ctx")


def digest(content: Any) -> str:
    """SHA-256 of a JSON-able value, keys sorted: the same value gives the same 64 characters everywhere."""
    return hashlib.sha256(strict_json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@cache
def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes. Read once a process: a stage must not change its mind halfway."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def source_digest(path: Path) -> str:
    """Of what a source file means, if it is Python; of its bytes, if it is something else."""
    return digest(_meaning(_parsed(path))) if path.suffix == ".py" else file_digest(path)


def sources_digest(*roots: Path) -> str:
    """One digest over the given files and every file of the package that they import, directly or not.

    Only what is imported counts, so a new file in a family changes no digest. Users' own files enter by name and
    meaning; where they lie does not matter.
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
    named = [(str(p.relative_to(PACKAGE)) if p.is_relative_to(PACKAGE) else p.name, source_digest(p)) for p in seen]
    return digest(sorted(named))


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _meaning(node: Any) -> str:
    """A syntax tree as a text of its nodes' names and fields, without what Python passes over.

    Written here and not taken from `ast.dump`, whose text differs between versions: fields that are empty, some of
    which newer ones have added, are left out.
    """
    if isinstance(node, ast.JoinedStr):  # Python 3.12 ends nested ones with an empty text
        parts = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
        return f"JoinedStr({_meaning(parts)})"
    if isinstance(node, ast.AST):
        fields = [(name, getattr(node, name, None)) for name in node._fields if name not in UNSAID]
        said = [f"{name}={_meaning(value)}" for name, value in fields if value is not None and value != []]
        return f"{type(node).__name__}({','.join(said)})"
    if isinstance(node, list):
        return f"[{','.join([_meaning(each) for each in node if not _is_text(each)])}]"
    return repr(node)


def _is_text(node: Any) -> bool:
    """Whether a statement is a mere text: a docstring, or what stands under a field to explain it."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """The package's own modules that a file imports anywhere in its text; other file types import nothing."""
    if path.suffix != ".py":
        return ()
    names: set[str] = set()
    for node in ast.walk(_parsed(path)):
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
