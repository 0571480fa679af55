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
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from ganbench.core import supplied
from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.escaping import short_repr
from ganbench.core.formatting import join_words
from ganbench.core.options import TYPES, Option
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
        return _options(body, _imported_names(self._tree), self, self._file, {})

    @cached_property
    def meanings(self) -> dict[str, str]:
        """The docstrings below the attributes of the base class: the meanings of options of these names, unless a
        component gives its own."""
        return _meanings(self._body)

    @cached_property
    def constants(self) -> dict[str, Any]:
        """The values of the `declared` attributes in components that do not set them: those of the base class."""
        return _constants(self._body, self)

    @property
    def _body(self) -> list[ast.stmt]:
        """The body of the base class."""
        (cls,) = (node for node in self._tree.body if isinstance(node, ast.ClassDef) and node.name == self.base)
        return cls.body

    @property
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


NO_OPTIONS = ("typing.ClassVar", f"{supplied.__name__}.Supplied")  # types of attributes that are no options
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
    """

    family: Family
    name: str
    path: Path
    cls: str
    summary: str
    description: str
    options: dict[str, Option]
    constants: dict[str, Any]

    def complete(self, given: dict[str, Any]) -> dict[str, Any]:
        """The values of all options, converted to their types.

        Args:
            given: values by name. Options without a value get their defaults.

        Raises:
            GanbenchError: an option that the component lacks, or a value of another type or out of its range.
        """
        for name in given:
            if name not in self.options:
                raise GanbenchError(f"{self.family.key} {self.name!r}: " + unknown("option", name, self.options))
        values = {}
        for name, option in self.options.items():
            try:
                values[name] = option.validate(given.get(name, option.default))
            except TypeError as error:
                raise _mistyped(self.family.key, self.path, name, option.source, error) from None
            except ValueError as error:
                raise GanbenchError(f"{self.family.key} {self.name!r}: option {name!r} {error}.") from None
        if self.composed_of:
            values[self.composed_of] = self._complete_parts(values[self.composed_of])
        return values

    @property
    def shipped(self) -> bool:
        """Whether the component is the package's; False for a user's own file."""
        return self.path.is_relative_to(PACKAGE)

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
        cls = getattr(_module(self.path), self.cls)
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
        raise GanbenchError(f"{key} {short_repr(name)}: there is no such file (looked in {Path.cwd()}).")
    known = components(key)
    if name not in known:
        raise GanbenchError(unknown(key, name, known) + " A file of your own is named by its path, ending in '.py'.")
    return known[name]


@cache
def read_component(key: str, path: Path) -> ComponentInfo:
    """Read the description of a component from the syntax tree of its file.

    Args:
        key: key of the family.
        path: the file.

    Raises:
        GanbenchError: a file that is not Python, no or several public classes that derive from the family's base class,
            an option without a valid type or default, or a name that is unfit for names of files.
    """
    family = FAMILIES[key]
    if not re.search("[a-zA-Z0-9]", path.stem) or len(path.stem) > MAX_NAME:
        raise GanbenchError(
            f"{key} file {path}: files and tables are named after it; its name must have a letter from a to z or a "
            f"digit, and at most {MAX_NAME} characters."
        )
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise GanbenchError(f"{key} file {path}: line {error.lineno} is not valid Python: {error.msg}.") from None
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise GanbenchError(f"{key} file {path} cannot be read as Python: {error}.") from None
    cls, parent = _class(family, path, tree)
    inherited = parent.options if parent else {}
    options = inherited | _options(cls.body, _imported_names(tree), family, path, inherited)
    options |= {name: option for name, option in family.options.items() if name not in options}
    constants = (parent.constants if parent else family.constants) | _constants(cls.body, family)
    summary = (ast.get_docstring(tree) or "").split("\n")[0]
    description = ast.get_docstring(cls) or ""
    return ComponentInfo(family, path.stem, path, cls.name, summary, description, options, constants)


def _constants(body: Iterable[ast.stmt], family: Family) -> dict[str, Any]:
    """The literals that the body of a class gives to the attributes that its family declares."""
    found = {}
    for node in body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name in family.declared:
                with suppress(ValueError, TypeError):  # `ComponentInfo.build` compares with what others turn out to be
                    found[name] = ast.literal_eval(value)
    return found


def _options(
    body: list[ast.stmt],
    imported: Mapping[str, str],
    family: Family,
    path: Path,
    inherited: Mapping[str, Option],
) -> dict[str, Option]:
    """The options that the body of a class defines: its fields, without those that are `Supplied`; errors as of
    `read_component`.

    Args:
        body: the body of the class.
        imported: see `_imported_names`.
        family: the family of the component.
        path: the file.
        inherited: the options of a class that it derives from, whose meanings hold unless it gives others.
    """
    key, options = family.key, {}
    meanings = family.meanings | {name: option.meaning for name, option in inherited.items()} | _meanings(body)
    for node in body:
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        if node.target.id in family.declared or _full_name(node.annotation, imported) in NO_OPTIONS:
            continue
        annotation = ast.unparse(node.annotation)
        if node.value is None:
            raise GanbenchError(f"{key} file {path}: option {node.target.id!r} needs a default value.")
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            raise GanbenchError(
                f"{key} file {path}: line {node.lineno}: the default of option {node.target.id!r} must be a literal "
                f"(a number, a text, a tuple of these), but is {ast.unparse(node.value)}."
            ) from None
        try:
            options[node.target.id] = Option(annotation, default, meanings.get(node.target.id, ""))
        except TypeError as error:
            raise _mistyped(key, path, node.target.id, annotation, error) from None
        if fault := options[node.target.id].fault(default):
            raise GanbenchError(
                f"{key} file {path}: line {node.lineno}: the default of option {node.target.id!r} {fault}."
            )
    return options


def _meanings(body: list[ast.stmt]) -> dict[str, str]:
    """The docstrings directly below the fields in the body of a class, each as one line, by the fields' names."""
    found = {}
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


def _imported_names(tree: ast.Module) -> dict[str, str]:
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


def _mistyped(key: str, path: Path, option: str, annotation: str, why: TypeError) -> GanbenchError:
    return GanbenchError(
        f"{key} file {path}: option {option!r} is annotated {short_repr(annotation)}, and {why}; an option's type is "
        f"made of {', '.join(TYPES)}, Literal, | and Annotated[..., Interval(...)]."
    )


def _module(path: Path) -> Any:
    if path.is_relative_to(PACKAGE):
        dotted = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        return importlib.import_module(dotted)
    name = f"ganbench_own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # the dataclass decorator looks up the module of its class
        spec.loader.exec_module(module)
    return sys.modules[name]
