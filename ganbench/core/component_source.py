"""What the syntax tree of a component's file says of it, so that nothing is imported to know it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from ganbench.core import supplied
from ganbench.core.errors import GanbenchError
from ganbench.core.escaping import short_repr
from ganbench.core.options import TYPES, Option

NOT_BESIDE = {*sys.stdlib_module_names, __name__.partition(".")[0]}  # modules that no file beside a component replaces
KEYS = ("name", "label")  # of a component in a study, beside its options
NO_OPTIONS = ("typing.ClassVar", f"{supplied.__name__}.Supplied")  # types of attributes that are no options


def read_source(path: Path, file: str) -> str:
    """Read the text of a file.

    Args:
        path: the file.
        file: what messages call it.

    Raises:
        GanbenchError: there is no such file, or it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise GanbenchError(f"{file} cannot be read as Python: {error}.") from None


def parse_source(text: str, file: str) -> ast.Module:
    """Parse the text of a file.

    Args:
        text: the text.
        file: what messages call the file.

    Raises:
        GanbenchError: the text is not Python.
    """
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise GanbenchError(f"{file}: line {error.lineno} is not valid Python: {error.msg}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise GanbenchError(f"{file} cannot be read as Python: {error}.") from None


def refuse_module_beside(tree: ast.Module, path: Path, file: str) -> None:
    """Refuse a user's file that imports a module which lies beside it: digests cover the component's own file and this
    package, so that an edit of the module would leave results of the former one standing.

    Args:
        tree: syntax tree of the file.
        path: the file.
        file: what messages call the file.

    Raises:
        GanbenchError: such an import, or a relative one.
    """
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=module, level=level):
                names = ["." * level + (module or "")]
            case ast.Import(names=aliases):
                names = [alias.name for alias in aliases]
            case _:
                continue
        for name in names:
            first = name.partition(".")[0]
            folder = path.parent / first
            modules = (each for each in chain([folder.with_suffix(".py")], folder.rglob("*.py")) if each != path)
            if not first or (first not in NOT_BESIDE and any(each.is_file() for each in modules)):
                raise GanbenchError(
                    f"{file}: line {node.lineno} imports {name!r}, which lies beside it. A component is one file: an "
                    "edit of another would train no run again. Write into the component's file what it takes from "
                    "there."
                )


def read_literals(body: Iterable[ast.stmt], names: Collection[str]) -> dict[str, Any]:
    """The literals that the body of a class gives to attributes of these names."""
    found = {}
    for node in body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name in names:
                with suppress(ValueError, TypeError):  # `ComponentInfo.build` compares with what others turn out to be
                    found[name] = ast.literal_eval(value)
    return found


def read_options(
    body: Iterable[ast.stmt],
    imported: Mapping[str, str],
    meanings: Mapping[str, str],
    declared: Collection[str],
    file: str,
) -> dict[str, Option]:
    """The options that the body of a class defines: its fields, without those that are `Supplied`.

    Args:
        body: the body of the class.
        imported: see `imported_names`.
        meanings: the meanings of options to which the class gives none of its own, by name.
        declared: names of attributes that are no options.
        file: what messages call the file.

    Raises:
        GanbenchError: an option without a valid type or default.
    """
    meanings, options = {**meanings, **read_meanings(body)}, {}
    for node in body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        name = node.target.id
        if name in declared or _full_name(node.annotation, imported) in NO_OPTIONS:
            continue
        annotation, where = ast.unparse(node.annotation), f"{file}: line {node.lineno}"
        if name in KEYS:
            raise GanbenchError(
                f"{where}: an option cannot be called {name!r}, which a study gives to every component; choose another "
                "name."
            )
        if node.value is None:
            raise GanbenchError(f"{where}: option {name!r} needs a default value.")
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            raise GanbenchError(
                f"{where}: the default of option {name!r} must be a literal (a number, a text, a tuple of these), but "
                f"is {ast.unparse(node.value)}."
            ) from None
        if isinstance(default, list | dict | set):
            raise GanbenchError(
                f"{where}: the default of option {name!r} is a {type(default).__name__}, which a frozen dataclass "
                f"cannot have; write a tuple, such as `{name}: tuple[str, ...] = ()`."
            )
        try:
            options[name] = Option(annotation, default, meanings.get(name, ""))
        except TypeError as error:
            raise mistyped(file, name, annotation, error) from None
        if fault := options[name].fault(default):
            raise GanbenchError(f"{where}: the default of option {name!r} {fault}.")
    return options


def untyped(body: Iterable[ast.stmt]) -> list[str]:
    """The names in the body of a class that are given literals without a type, which makes no options of them."""
    named = [node for node in body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    names = [node.targets[0].id for node in named]
    return list(read_literals(named, [name for name in names if not name.startswith("_")]))


def mistyped(file: str, option: str, annotation: str, why: TypeError) -> GanbenchError:
    """The error of an option whose type is none that options have.

    Args:
        file: what messages call the file.
        option: name of the option.
        annotation: the type, as the file has it.
        why: what is wrong with it.
    """
    return GanbenchError(
        f"{file}: option {option!r} is annotated {short_repr(annotation)}, and {why}; an option's type is made of "
        f"{', '.join(TYPES)}, Literal, | and Annotated[..., Interval(...)]."
    )


def read_meanings(body: Iterable[ast.stmt]) -> dict[str, str]:
    """The docstrings directly below the fields in the body of a class, each as one line, by the fields' names."""
    found = {}
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


def imported_names(tree: ast.Module) -> dict[str, str]:
    """The full names of what a file imports, `typing.ClassVar`, by the names that it has in the file."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            found |= {each.asname: each.name for each in node.names if each.asname}
    return found


def _full_name(annotation: ast.expr, imported: Mapping[str, str]) -> str | None:
    """The full name of a type, without its parameters; None for an expression that is no name."""
    match annotation:
        case ast.Name(id=name):
            return imported.get(name, name)
        case ast.Attribute(value=module, attr=name):
            return f"{_full_name(module, imported)}.{name}"
        case ast.Subscript(value=of):
            return _full_name(of, imported)
    return None


def derived_classes(tree: ast.Module, bases: Iterable[str]) -> dict[str, ast.ClassDef]:
    """The public classes of a file that derive from given classes, directly or through other classes of the file.

    Args:
        tree: syntax tree of the file.
        bases: names of the given classes.
    """
    known, found = set(bases), {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and known & {ast.unparse(base).rpartition(".")[2] for base in node.bases}:
            known.add(node.name)
            if not node.name.startswith("_"):
                found[node.name] = node
    return found
