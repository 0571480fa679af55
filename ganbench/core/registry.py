"""Families of exchangeable components, found by file name.

A component is one file with one public class, a frozen dataclass that derives from the family's base class. The name of
the file is the component's name in a study, the fields of the class are its options, the first line of the file's
docstring describes it, and a docstring below a field that option. Adding a component requires no other edit.

The description of a component is read from the file's syntax tree, so that a study is validated and a workflow is
parsed without importing PyTorch. Only `ComponentInfo.build` imports the file.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.abc import ExecutionLoader
from pathlib import Path
from typing import Any

from ganbench.core.component_source import (
    derived_classes,
    imported_names,
    mistyped,
    parse_source,
    read_literals,
    read_meanings,
    read_options,
    read_source,
    refuse_module_beside,
    untyped,
)
from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.escaping import short_repr
from ganbench.core.formatting import join_words
from ganbench.core.options import Option
from ganbench.core.signatures import parse_signature

PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Family:
    """A kind of component.

    Attributes:
        key: name of the family in a study.
        folder: folder of the family in the package.
        base: name of the base class of its components.
        declared: names of class attributes that are known without importing a component's file, see `constants`.
    """

    key: str
    folder: str
    base: str
    declared: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The module that defines the base class."""
        return f"{PACKAGE.name}.{self.folder}"

    @property
    def base_class(self) -> type:
        """The base class, whose module is imported."""
        return getattr(importlib.import_module(self.module), self.base)

    @property
    def contract(self) -> str:
        """The requirements on components, as one line: the first paragraph of the base class's docstring."""
        return " ".join(inspect.getdoc(self.base_class).split("\n\n")[0].split())

    @cached_property
    def bases(self) -> frozenset[str]:
        """Names of the base class and of the public classes in its file that derive from it."""
        return frozenset(derived_classes(self._tree, {self.base})) | {self.base}

    @cached_property
    def options(self) -> dict[str, Option]:
        """The options that every component of the family has: the fields of the base class with a default."""
        body = [node for node in self._body if getattr(node, "value", None)]
        file = f"{self.key} file {self._file}"
        return read_options(body, imported_names(self._tree), self.meanings, self.declared, file)

    @cached_property
    def meanings(self) -> dict[str, str]:
        """The docstrings below the attributes of the base class: the meanings of options of these names, unless a
        component gives its own."""
        return read_meanings(self._body)

    @cached_property
    def constants(self) -> dict[str, Any]:
        """The values of the `declared` attributes in components that do not set them: those of the base class."""
        return read_literals(self._body, self.declared)

    @property
    def _body(self) -> list[ast.stmt]:
        """The body of the base class."""
        (cls,) = (node for node in self._tree.body if isinstance(node, ast.ClassDef) and node.name == self.base)
        return cls.body

    @cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(self._file.read_text(encoding="utf-8"))

    @property
    def _file(self) -> Path:
        return PACKAGE / self.folder / "__init__.py"


FAMILIES = {
    family.key: family
    for family in (
        Family("game", "games", "Game", ("families",)),
        Family("dataset", "data", "Dataset"),
        Family("architecture", "architectures", "Architecture"),
        Family("objective", "objectives", "Objective", ("probability",)),
        Family("regularizer", "regularizers", "Regularizer", ("composed_of",)),
        Family("dynamics", "dynamics", "Dynamics"),
        Family("optimizer", "optimizers", "Optimizer"),
        Family("schedule", "schedules", "Schedule"),
        Family("judge", "judges", "Judge", ("axes", "tells_modes", "pretrained", "knows_noise")),
        Family("metric", "metrics", "Metric", ("pretrained",)),
        Family("diagnostic", "diagnostics", "Diagnostic", ("of", "needs_judge")),
    )
}

# Families of which a run of a grid has one component each, except those that its game does not use.
CHOICES = ("game", "dataset", "architecture", "objective", "regularizer", "dynamics", "optimizer", "schedule")


NOTHING = "none"  # the component of a family that does nothing
_PART = "name, name(option=1) or {name: ..., option: 1}"  # how a study writes a part of a component
MAX_NAME = 64  # characters; other files and tables are named after a component's file


@dataclass(frozen=True)
class ComponentInfo:
    """The description of a component, read from the syntax tree of its file.

    Attributes:
        family: family of the component.
        name: name of the file without its ending.
        path: the file.
        cls: name of the component's class.
        summary: first line of the file's docstring.
        description: the class's docstring.
        options: options by name.
        constants: the class attributes that its family declares (`Family.declared`), by name: literals in the body of
            its class, however annotated, or those of the class that it derives from.
        text: the content of the file.
    """

    family: Family
    name: str
    path: Path
    cls: str
    summary: str
    description: str
    options: dict[str, Option]
    constants: dict[str, Any]
    text: str = field(repr=False)

    def complete(self, given: dict[str, Any]) -> dict[str, Any]:
        """The values of all options, converted to their types.

        Args:
            given: values by name. Options without a value get their defaults.

        Raises:
            GanbenchError: an option that the component lacks, or a value of another type or out of its range.
        """
        for name in given:
            if name not in self.options:
                why = f" {self.path} gives {name} no type: write `{name}: float = ...`." if name in self.untyped else ""
                raise GanbenchError(f"{self.family.key} {self.name!r}: {unknown('option', name, self.options)}{why}")
        values = {}
        for name, option in self.options.items():
            try:
                values[name] = option.validate(given.get(name, option.default))
            except TypeError as error:
                raise mistyped(f"{self.family.key} file {self.path}", name, option.source, error) from None
            except ValueError as error:
                where = f"{self.name!r}: option" if name in given else f"file {self.path}: the default of option"
                raise GanbenchError(f"{self.family.key} {where} {name!r} {error}.") from None
        if self.composed_of:
            values[self.composed_of] = self._complete_parts(values[self.composed_of])
        return values

    @property
    def shipped(self) -> bool:
        """Whether the component is the package's; False for a user's own file."""
        return self.path.is_relative_to(PACKAGE)

    @property
    def untyped(self) -> list[str]:
        """Names of attributes that the class gives literals without a type, so that they are no options."""
        (cls,) = (node for node in ast.parse(self.text).body if getattr(node, "name", None) == self.cls)
        return untyped(cls.body)

    @property
    def composed_of(self) -> str | None:
        """The option that lists other components of the family, of which this one is made; None if it is made of none,
        as in a family that declares no such attribute."""
        return self.constants.get("composed_of")

    def parts(self, options: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Name and options of the components of which this one is made.

        Args:
            options: values of all options, see `complete`.
        """
        listed = [dict(part) for part in options[self.composed_of]] if self.composed_of else []
        return [(part.pop("name"), part) for part in listed]

    def with_parts(self, options: Mapping[str, Any]) -> list[ComponentInfo]:
        """This component and those of which it is made: all files that it needs.

        Args:
            options: values of all options, see `complete`.
        """
        return [self, *(find(self.family.key, name) for name, _ in self.parts(options))]

    def _complete_parts(self, given: Iterable[Any]) -> tuple[dict[str, Any], ...]:
        """The parts as mappings of their `name` and all their options, in the order of their names."""
        where, found = f"{self.family.key} {self.name!r}: option {self.composed_of!r}", {}
        paths = {self.name: self.path}
        for each in given:
            try:
                name, options = parse_signature(each) if isinstance(each, str) else (None, dict(each))
            except ValueError as error:
                raise GanbenchError(f"{where}: {short_repr(each)}: {error}.") from None
            name = name or options.pop("name", None)
            if not isinstance(name, str):
                raise GanbenchError(f"{where}: {short_repr(each)} has no 'name'; write {_PART} for a part.")
            part = find(self.family.key, name)
            if part.name == NOTHING and part.shipped:
                raise GanbenchError(f"{where}: {NOTHING!r} adds nothing to the other parts; leave it out.")
            if paths.setdefault(part.name, part.path) != part.path:
                raise GanbenchError(f"{where}: two files are called {part.name!r}; rename one of them.")
            if part.name == self.name or part.name in found:
                fault = "stands in it twice" if part.name in found else "cannot be a part of itself"
                raise GanbenchError(f"{where}: {part.name!r} {fault}; the parts must be different {self.family.key}s.")
            found[part.name] = {"name": name, **part.complete(options)}
        if len(found) < 2:
            raise GanbenchError(
                f"{where} must list two {self.family.key}s or more, each as {_PART}, but is {short_repr(list(given))}."
            )
        # Their order changes no result, so that it must change no digest either.
        return tuple(found[name] for name in sorted(found))

    def build(self, options: dict[str, Any], **parts: Any) -> Any:
        """Import the component's file and create an object of its class.

        Args:
            options: values of all options, see `complete`.
            **parts: components of other families that are fields of the class.

        Raises:
            GanbenchError: a class that lacks a method which the family's base class requires, or whose object has
                another value than `constants` of an attribute.
        """
        cls = getattr(self._module, self.cls)
        if missing := sorted(getattr(cls, "__abstractmethods__", ())):
            needed = join_words([f"{name}()" for name in missing])
            raise GanbenchError(
                f"{self.family.key} file {self.path}: its class {self.cls} must have "
                f"{'a method' if len(missing) == 1 else 'methods'} {needed}.\n"
                f"{self.family.contract}"
            )
        made = cls(**options, **parts)
        for name, read in self.constants.items():
            # An object that lacks one does not derive from the base class, for which contracts refuse it.
            if (value := getattr(made, name, read)) != read:
                raise GanbenchError(
                    f"{self.family.key} file {self.path}: {name} of its class {self.cls} is {value!r}, but is read as "
                    f"{read!r} where the file is not imported; write it as a literal in the body of this class: "
                    f"`{name}: ClassVar = {value!r}`."
                )
        return made

    @property
    def _module(self) -> Any:
        """The module of the component's file; of a user's, which a notebook outlives, as it was when it was read."""
        if self.shipped:
            dotted = ".".join(self.path.relative_to(PACKAGE.parent).with_suffix("").parts)
            return importlib.import_module(dotted)
        version = hashlib.sha256(f"{self.path}\n{self.text}".encode()).hexdigest()[:12]
        name = f"ganbench_own_{self.path.stem}_{version}"
        if name not in sys.modules:
            loader = _TextLoader(self.text, self.path)
            spec = importlib.util.spec_from_file_location(name, self.path, loader=loader)
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module  # the dataclass decorator looks up the module of its class
            try:
                loader.exec_module(module)
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]


class _TextLoader(ExecutionLoader):
    """Loads a module from the text that was read of its file, whatever the file has become."""

    def __init__(self, text: str, path: Path) -> None:
        self._text, self._path = text, path

    def get_source(self, fullname: str) -> str:
        return self._text

    def get_filename(self, fullname: str) -> str:
        return str(self._path)


@cache
def components(key: str) -> dict[str, ComponentInfo]:
    """The shipped components of a family, by name.

    Args:
        key: key of the family.
    """
    folder = PACKAGE / FAMILIES[key].folder
    return {
        path.stem: read_component(key, path) for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")
    }


def combining(key: str) -> ComponentInfo | None:
    """The shipped component of a family that is made of others of the family; None where there is none.

    Args:
        key: key of the family.
    """
    return next((info for info in components(key).values() if info.composed_of), None)


def find(key: str, name: str) -> ComponentInfo:
    """The description of a component.

    Args:
        key: key of the family.
        name: name of a shipped component, or path of a user's file, ending in ".py".

    Raises:
        GanbenchError: an unknown name, or a missing file. The message gives the nearest name and all valid names.
    """
    if name.endswith(".py"):
        path = Path(name)
        with suppress(OSError):  # raised for names that no file can have
            if path.is_file():
                return read_component(key, path.resolve())
        tilde = "; ~ is not expanded" if name.startswith("~") else ""
        raise GanbenchError(f"{key} {short_repr(name)}: there is no such file (looked in {Path.cwd()}{tilde}).")
    known = components(key)
    if name not in known:
        raise GanbenchError(unknown(key, name, known) + " A file of your own is named by its path, ending in '.py'.")
    return known[name]


def read_component(key: str, path: Path) -> ComponentInfo:
    """Read the description of a component from the syntax tree of its file, as the file is now.

    Args:
        key: key of the family.
        path: the file.

    Raises:
        GanbenchError: a file that is not Python, no or several public classes that derive from the family's base class,
            an option without a valid type or default, an import of a module beside a user's file, or a name that is
            unfit for names of files.
    """
    file = f"{key} file {path}"
    if not re.search("[a-zA-Z0-9]", path.stem) or len(path.stem) > MAX_NAME:
        raise GanbenchError(
            f"{file}: files and tables are named after it; its name must have a letter from a to z or a digit, and at "
            f"most {MAX_NAME} characters."
        )
    return _described(key, path, read_source(path, file))


@cache
def _described(key: str, path: Path, text: str) -> ComponentInfo:
    family, file = FAMILIES[key], f"{key} file {path}"
    tree = parse_source(text, file)
    if not path.is_relative_to(PACKAGE):
        refuse_module_beside(tree, path, file)
    cls, parent = _class(family, path, tree)
    meanings = dict(family.meanings)
    if parent:
        meanings |= {name: option.meaning for name, option in parent.options.items()}
    options = parent.options if parent else {}
    options = options | read_options(cls.body, imported_names(tree), meanings, family.declared, file)
    options |= {name: option for name, option in family.options.items() if name not in options}
    constants = (parent.constants if parent else family.constants) | read_literals(cls.body, family.declared)
    summary = (ast.get_docstring(tree) or "").split("\n")[0]
    description = ast.get_docstring(cls) or ""
    return ComponentInfo(family, path.stem, path, cls.name, summary, description, options, constants, text)


def _class(family: Family, path: Path, tree: ast.Module) -> tuple[ast.ClassDef, ComponentInfo | None]:
    """The class of a component, and the shipped component from which a user's class derives, or None.

    Raises:
        GanbenchError: no or several public classes that derive from the family's base class.
    """
    shipped = {} if path.is_relative_to(PACKAGE) else {each.cls: each for each in components(family.key).values()}
    classes = derived_classes(tree, family.bases | shipped.keys())
    if len(classes) != 1:
        raise GanbenchError(
            f"{family.key} file {path} must define one public class that derives from {family.base} "
            f"(`from {family.module} import {family.base}`); it has {', '.join(classes) or 'none'}."
        )
    (cls,) = classes.values()
    parents = [ast.unparse(base).rpartition(".")[2] for base in cls.bases]
    return cls, next((shipped[name] for name in parents if name in shipped), None)
