"""Families of exchangeable parts, found by file name.

A member of a family is one file that defines one frozen dataclass with the family's fixed class name; the file's name
is its key in a study, the dataclass's fields are its options, the first line of the file's docstring says what it is.
Nothing else is edited to add one. All of that is read from the file's syntax tree, so that a study is validated, and a
workflow parsed, without importing torch; `Member.build` is what finally imports the file.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ganbench.core.errors import GanbenchError, unknown

PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Family:
    """A kind of exchangeable part: `key` in a study, `folder` of the package, `cls` its class in each file."""

    key: str
    folder: str
    cls: str


FAMILIES = {
    family.key: family
    for family in (
        Family("game", "games", "Game"),
        Family("dataset", "data", "Dataset"),
        Family("architecture", "architectures", "Architecture"),
        Family("objective", "objectives", "Objective"),
        Family("regularizer", "regularizers", "Regularizer"),
        Family("dynamics", "dynamics", "Dynamics"),
        Family("update", "updates", "Update"),
        Family("judge", "judges", "Judge"),
        Family("metric", "metrics", "Metric"),
        Family("diagnostic", "diagnostics", "Diagnostic"),
    )
}

# Families of which every run of a grid has a member, if its game is made of one.
CHOICES = ("game", "dataset", "architecture", "objective", "regularizer", "dynamics", "update")


@dataclass(frozen=True)
class Option:
    """One option of a member: the type its value must have, as written in the file, and its default."""

    annotation: str
    default: Any


@dataclass(frozen=True)
class Member:
    """One file of a family, as its syntax tree describes it."""

    family: Family
    name: str
    path: Path
    summary: str
    options: dict[str, Option]
    constants: dict[str, Any]  # class variables with literal values: which parts a game takes, for example

    def complete(self, given: dict[str, Any]) -> dict[str, Any]:
        """Every option of the member with its value, typed.

        Raises:
            GanbenchError: an option the member lacks, or a value of the wrong type.
        """
        from pydantic import TypeAdapter, ValidationError  # not needed to build a member, nor there on every machine

        for name in given:
            if name not in self.options:
                raise GanbenchError(f"{self.family.key} {self.name!r}: " + unknown("option", name, self.options))
        values = {}
        for name, option in self.options.items():
            try:
                # The annotation comes from a source file that `build` will execute anyway.
                wanted = TypeAdapter(eval(option.annotation, {"Literal": Literal}))
                values[name] = wanted.validate_python(given.get(name, option.default))
            except NameError as error:
                raise GanbenchError(
                    f"{self.family.key} file {self.path}: option {name!r} is annotated {option.annotation!r}, and "
                    f"{error}; an option's type is made of Python's own types and Literal."
                ) from None
            except ValidationError as error:
                raise GanbenchError(
                    f"{self.family.key} {self.name!r}: option {name!r} must be {option.annotation}, "
                    f"but is {given.get(name, option.default)!r} ({error.errors()[0]['msg']})."
                ) from None
        return values

    def build(self, options: dict[str, Any], **parts: Any) -> Any:
        """The member's object, from completed options and the parts that it is made of; imports its file."""
        return getattr(_module(self.path), self.family.cls)(**options, **parts)


@cache
def members(key: str) -> dict[str, Member]:
    """The members of a family that the package ships, by name."""
    folder = PACKAGE / FAMILIES[key].folder
    return {path.stem: read(key, path) for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}


def find(key: str, name: str) -> Member:
    """The member `name` of a family: a shipped one by its name, or a user's own by the path of its file.

    Raises:
        GanbenchError: there is no such member; the nearest name and all valid ones are in the message.
    """
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise GanbenchError(f"{key} {name!r}: there is no such file (looked in {Path.cwd()}).")
        return read(key, path.resolve())
    known = members(key)
    if name not in known:
        raise GanbenchError(unknown(key, name, known) + " A file of your own is named by its path, ending in '.py'.")
    return known[name]


@cache
def read(key: str, path: Path) -> Member:
    """Describe a member from its file's syntax tree.

    Raises:
        GanbenchError: the file is not Python, or lacks the family's class.
    """
    family = FAMILIES[key]
    try:
        tree = ast.parse(path.read_text())
    except SyntaxError as error:
        raise GanbenchError(f"{key} file {path}: line {error.lineno} is not valid Python: {error.msg}.") from None
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == family.cls]
    if not classes:
        raise GanbenchError(f"{key} file {path} must define a class named {family.cls!r}; it has none.")
    options: dict[str, Option] = {}
    constants: dict[str, Any] = {}
    for node in classes[0].body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        annotation = ast.unparse(node.annotation)
        if annotation.startswith("ClassVar"):
            with suppress(ValueError, TypeError):
                constants[node.target.id] = ast.literal_eval(node.value)
            continue
        if annotation == "Part":  # another family's member, which `build` is given
            continue
        if node.value is None:
            raise GanbenchError(f"{key} file {path}: option {node.target.id!r} needs a default value.")
        try:
            options[node.target.id] = Option(annotation, ast.literal_eval(node.value))
        except ValueError:
            raise GanbenchError(
                f"{key} file {path}: line {node.lineno}: the default of option {node.target.id!r} must be a literal "
                f"(a number, a text, a tuple of these), but is {ast.unparse(node.value)}."
            ) from None
    summary = (ast.get_docstring(tree) or "").split("\n")[0]
    return Member(family, path.stem, path, summary, options, constants)


def _module(path: Path) -> Any:
    if path.is_relative_to(PACKAGE):
        dotted = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        return importlib.import_module(dotted)
    name = f"ganbench_own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up while the class is being made
        spec.loader.exec_module(module)
    return sys.modules[name]
