"""The trial of one component by itself: every check of its family's contract, one after the other, with the line of
its file that is at fault.

The checks are those by which `ganbench check` holds the components of a study to their contracts, on small games and a
few examples that are the same for every component. They find the faults of a file before there is a study with it.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganbench.contracts import component_fault
from ganbench.contracts.repeatability import world
from ganbench.contracts.trials import data, games, measurements, training_parts
from ganbench.contracts.trials.checks import Check, LeftOpen, Subject
from ganbench.core.component_errors import describe_exception, find_line
from ganbench.core.component_source import derived_classes, parse_source, read_source
from ganbench.core.errors import GanbenchError
from ganbench.core.registry import FAMILIES, ComponentInfo, components, read_component

Within = Callable[[], AbstractContextManager[None]]

CHECKS: dict[str, Callable[[Subject], list[Check]]] = {
    "game": games.of_game,
    "dataset": data.of_dataset,
    "architecture": games.of_architecture,
    "objective": training_parts.of_objective,
    "regularizer": training_parts.of_regularizer,
    "dynamics": training_parts.of_dynamics,
    "optimizer": training_parts.of_optimizer,
    "schedule": training_parts.of_schedule,
    "judge": data.of_judge,
    "metric": measurements.of_metric,
    "diagnostic": measurements.of_diagnostic,
}
BUILDS = "Its file builds with default options, as a frozen dataclass that derives from its family's class."


@dataclass(frozen=True)
class Tried:
    """The result of a check.

    Attributes:
        what: what the check is of, as a sentence.
        held: whether it held; None for a check that is left open.
        said: the fault, or why the check is left open, as a clause; empty for a check that held.
        line: line of the component's file that this is of; None if the check held or no line is known.
    """

    what: str
    held: bool | None
    said: str = ""
    line: int | None = None


def read(path: Path) -> ComponentInfo:
    """The description of the component in a file, whose family is that of the class it derives from.

    Args:
        path: the file.

    Raises:
        GanbenchError: there is no such file, it is not Python, its class belongs to no family or to several, or it
            breaks the rules of `read_component`.
    """
    if not path.is_file():
        raise GanbenchError(f"there is no file {str(path)!r} (looked in {Path.cwd()}).")
    tree = parse_source(read_source(path, str(path)), str(path))
    found = [
        key
        for key, family in FAMILIES.items()
        if derived_classes(tree, family.bases | {each.cls for each in components(key).values()})
    ]
    if len(found) != 1:
        bases = ", ".join(f"{family.base} ({family.module})" for family in FAMILIES.values())
        raise GanbenchError(
            f"{path} must define one public class that derives from the base class of one family; it has "
            f"{'classes of ' + ' and '.join(found) if found else 'none'}. Valid: {bases}."
        )
    return read_component(found[0], path.resolve())


def trial(component: ComponentInfo, within: Within = nullcontext) -> Iterator[Tried]:
    """Try a component: whether it builds, and every check of its family.

    Args:
        component: the component.
        within: makes the context of each check, such as a limit of its time.

    Yields:
        The result of each check, as soon as it is known. A component that cannot be built ends the trial.
    """
    made: list[Any] = []

    def fault() -> str | None:
        if not _decorated(component):  # which Python would tell as an argument that the class does not take
            return f"its class {component.cls} must be a frozen dataclass, whose fields are its options"
        with world(1) as surroundings:
            made.append(games.built(component))
        return component_fault(component.family.key, made[0]) or surroundings.fault

    built = _tried(Check(BUILDS, fault), component, within)
    yield built
    if built.held:
        failed = False
        for check in CHECKS[component.family.key](Subject(component, made[0])):
            if failed and check.rests:
                yield Tried(check.what, None, "a check failed on which it rests")
                continue
            result = _tried(check, component, within)
            failed = failed or result.held is False
            yield result


def _tried(check: Check, component: ComponentInfo, within: Within) -> Tried:
    path = component.path
    try:
        with within():
            fault = check.fault()
    except LeftOpen as why:
        return Tried(check.what, None, str(why), _raised_at(why.__cause__, path))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a component's file may raise anything, and a limit of time is no Exception
        said, line = describe_exception(error), _raised_at(error, path)
        if line is None and isinstance(error, TypeError) and (called := _called(error, component)):
            line, note = called
            said += note
        return Tried(check.what, False, said, line)
    return Tried(check.what, fault is None, fault or "", _line_of(fault, check.at, path) if fault else None)


def _raised_at(error: BaseException | None, path: Path) -> int | None:
    found = find_line(error, [path]) if error else None
    return found[1] if found else None


def _called(error: TypeError, component: ComponentInfo) -> tuple[int, str] | None:
    """The line of the method that was called with arguments which it does not take, and how it must be called, as the
    rest of a clause; None if the error is of something else."""
    call = re.match(r"(\w+)\.(\w+)\(\) (takes|missing|got) ", str(error))
    for node in ast.walk(ast.parse(component.text)) if call else ():
        if isinstance(node, ast.ClassDef) and node.name == call[1]:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == call[2]:
                    return method.lineno, _signature_note(component, node.name, method.name)
    return None


def _signature_note(component: ComponentInfo, cls: str, method: str) -> str:
    if cls != component.cls:
        labels = method == "forward" and component.family.key == "architecture"
        return "; a network is given labels where `conditional` names it" if labels else ""
    of_base = getattr(component.family.base_class, method, None)
    if of_base is None:
        return ""
    called = inspect.signature(of_base)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in called.parameters.values()]
    return f"; must be {method}{called.replace(parameters=bare, return_annotation=inspect.Signature.empty)}"


def _decorated(component: ComponentInfo) -> bool:
    """Whether the component's class has a decorator, or is not at the top of its file."""
    tree = ast.parse(component.path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == component.cls]
    return all(node.decorator_list for node in classes)


def _line_of(fault: str, at: str, path: Path) -> int | None:
    """The line of a fault that raised nothing: of the first member of the class that it names, `score()` before
    "its columns", or else of the member that was tried, or of the class."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    if not classes:
        return None
    lines = {}
    for node in classes[-1].body:
        name = getattr(node, "name", None) or getattr(getattr(node, "target", None), "id", None)
        if name:
            lines[name] = node.lineno
    named = [*re.findall(r"(\w+)\(\)", fault), *re.findall(r"its `?(\w+)", fault), at]
    return next((lines[name] for name in named if name in lines), classes[-1].lineno)
