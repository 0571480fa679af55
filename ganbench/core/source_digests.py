"""Digests of the sources that can change a number: a module and all modules of this package that it imports.

A digest covers the normalised syntax tree of a source. Comments, docstrings, formatting and line numbers do not change
it. Neither does the version of Python, from 3.11 on, if the sources use only the syntax of version 3.11.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from ganbench.core import strict_json
from ganbench.core.errors import GanbenchError
from ganbench.core.registry import PACKAGE, ComponentInfo

# Fields of syntax trees without influence: prefix of a string, type comments, and whether a name is read or set, which
# the position of the name implies.
IGNORED_FIELDS = ("kind", "type_comment", "type_ignores", "ctx")


def digest(content: Any) -> str:
    """SHA-256 of a JSON-able value as 64 hexadecimal digits, independent of the order of keys."""
    return hashlib.sha256(strict_json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@cache
def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes. It is cached, so that it does not change within a process."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def source_digest(path: Path) -> str:
    """Digest of a Python file's normalised syntax tree, or of the bytes of any other file."""
    return _read(path)[0] if path.suffix == ".py" else file_digest(path)


def sources_digest(*roots: Path) -> str:
    """One digest of files and of every file of the package that they import, directly or indirectly.

    Files that are not imported do not count, so a new file in a family changes no digest. A user's file counts by its
    name and its syntax tree, without its folder.

    Args:
        *roots: the files.
    """
    files = tuple(sorted(set(roots)))
    return _closure_digest(files, tuple(map(_own_text, files)))


def engine_digest(engine: str, components: Iterable[ComponentInfo]) -> str:
    """Digest of a module of the folder `engine` and of the components that it computes with.

    Args:
        engine: name of the module.
        components: the components.
    """
    return sources_digest(PACKAGE / "engine" / f"{engine}.py", *(component.path for component in components))


def refuse_edited(planned: str, found: str, what: str = "source files") -> None:
    """Refuse to compute, or to write, under a digest that covers other files than are there now.

    Args:
        planned: the digest of the files when the job was planned.
        found: their digest now.
        what: the files, in words.

    Raises:
        GanbenchError: the digests differ.
    """
    if found != planned:
        raise GanbenchError(
            f"{what} were edited after this job was planned, so its result would carry a wrong digest. Start the "
            "workflow again; finished results are kept."
        )


@cache
def _closure_digest(roots: tuple[Path, ...], _texts: tuple[str | None, ...]) -> str:
    seen: set[Path] = set()
    waiting = list(roots)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(_imports(path))
    named = [(str(p.relative_to(PACKAGE)) if p.is_relative_to(PACKAGE) else p.name, source_digest(p)) for p in seen]
    return digest(sorted(named))


def _own_text(path: Path) -> str | None:
    """The text of a user's file as it is now; None for a file of the package, which is read once."""
    return None if path.is_relative_to(PACKAGE) else path.read_text(encoding="utf-8")


def _read(path: Path) -> tuple[str, tuple[Path, ...]]:
    """The digest of a Python file's normalised syntax tree, and the files of the package that it imports."""
    return _read_text(path, _own_text(path))


@cache
def _read_text(path: Path, text: str | None) -> tuple[str, tuple[Path, ...]]:
    """As `_read`. The tree itself is not kept: those of all files are 240,000 objects, which every collection of
    garbage would visit."""
    tree = ast.parse(path.read_text(encoding="utf-8") if text is None else text)
    return digest(_normalized(tree)), _imported(tree, path)


def _normalized(node: Any) -> str:
    """A syntax tree as text: the types and fields of its nodes, without fields that do not change the computation.

    `ast.dump` is unsuitable, since its text depends on the version of Python. Empty fields are left out here, because
    some of them exist in newer versions only.
    """
    if isinstance(node, ast.JoinedStr):  # Python 3.12 adds an empty text to nested f-strings
        parts = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
        return f"JoinedStr({_normalized(parts)})"
    if isinstance(node, ast.AST):
        fields = [(name, getattr(node, name, None)) for name in node._fields if name not in IGNORED_FIELDS]
        texts = [f"{name}={_normalized(value)}" for name, value in fields if value is not None and value != []]
        return f"{type(node).__name__}({','.join(texts)})"
    if isinstance(node, list):
        return f"[{','.join([_normalized(each) for each in node if not _is_docstring(each)])}]"
    return repr(node)


def _is_docstring(node: Any) -> bool:
    """Whether a node is a statement of one string: a docstring, or the description of a field."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _imports(path: Path) -> tuple[Path, ...]:
    """The files of the package that a Python file imports anywhere in its text; empty for other files."""
    return _read(path)[1] if path.suffix == ".py" else ()


def _imported(tree: ast.Module, path: Path) -> tuple[Path, ...]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level and path.is_relative_to(PACKAGE):  # as in `from ._blocks import Block`
                package = path.relative_to(PACKAGE.parent).parts[: -node.level]
                module = ".".join([*package, module]).rstrip(".")
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return tuple(sorted(_module_files(name for name in names if name.split(".")[0] == PACKAGE.name)))


def _module_files(names: Iterable[str]) -> set[Path]:
    found = set()
    for name in names:
        base = PACKAGE.parent.joinpath(*name.split("."))
        found.update(path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file())
    return found
