"""Options of a member: their types and ranges, read from the text of their annotations, and the values they may have.

Nothing of a member's file is run. Types, ranges and their wording come from the annotation's syntax tree.
"""

from __future__ import annotations

import ast
import math
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from ganbench.core.display import shown
from ganbench.core.interval import Interval

TYPES = {kind.__name__: kind for kind in (bool, int, float, str, list, tuple, dict)}  # that options are made of
WORDS = {  # of one value, and of several
    "bool": ("true or false", "truth values"),
    "int": ("an integer", "integers"),
    "float": ("a finite number", "finite numbers"),
    "str": ("text", "texts"),
    "list": ("a list", "lists"),
    "tuple": ("a list", "lists"),
    "dict": ("a mapping", "mappings"),
}
# Training may run in float32, and files hold integers of 64 bits.
LARGEST = {"float": Interval(ge=-3.4e38, le=3.4e38), "int": Interval(ge=-(2**63), le=2**63 - 1)}


@dataclass(frozen=True)
class Option:
    """One option of a member.

    Attributes:
        written: the annotation as it stands in the file.
        default: the value where a study gives none.

    Raises:
        TypeError: the annotation is no type of an option, or has no valid range.
    """

    written: str
    default: Any

    def __post_init__(self) -> None:
        _type(_tree(self.written))

    @property
    def annotation(self) -> str:
        """The type without its ranges."""
        return ast.unparse(_Bare().visit(_parse(self.written)))

    @property
    def words(self) -> str:
        """What values are valid: "a finite number at least 0 and below 1"."""
        return _words(_tree(self.written))

    @property
    def range(self) -> str:
        """The range of its numbers; empty where the option declares none."""
        intervals = [_interval(node) for node in ast.walk(_tree(self.written)) if _is_ranged(node)]
        return str(intervals[0]) if intervals else ""

    def read(self, value: Any) -> Any:
        """The value, typed.

        Raises:
            TypeError: the type is none that can be read.
            ValueError: it is of another type or out of its range; says what would be valid.
        """
        from pydantic import (  # not needed to build a member, nor there on every machine
            PydanticUserError,
            ValidationError,
        )

        try:
            typed = _reader(self.written).validate_python(value)
        except PydanticUserError as error:
            raise TypeError(str(error).partition("\n")[0]) from None
        except ValidationError:
            raise ValueError(f"must be {self.words}, but is {shown(value)}") from None
        if fault := self.fault(typed):
            raise ValueError(fault)
        return typed

    def fault(self, value: Any) -> str | None:
        """Why a value of the right type is out of the option's range; None if it is not."""
        if found := _out_of_range(_tree(self.written), value):
            number, limits = found
            among = "" if number is value else f", of which one is {shown(number)}"
            limit = f", {limits}" if math.isfinite(number) and str(limits) not in self.words else ""
            return f"must be {self.words}{limit}, but is {shown(value)}{among}"
        return None


class _Bare(ast.NodeTransformer):
    """Annotations without their ranges."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if _is_ranged(node):
            return self.visit(node.slice.elts[0])
        return self.generic_visit(node)


def _parse(annotation: str) -> ast.expr:
    return ast.parse(annotation, mode="eval").body


_tree = cache(_parse)  # never changed


@cache
def _reader(annotation: str) -> Any:
    """What reads values of the type that an annotation means, ranges aside."""
    from pydantic import BeforeValidator, TypeAdapter

    number = BeforeValidator(_no_truth_value)
    return TypeAdapter(_type(_tree(annotation), int=Annotated[int, number], float=Annotated[float, number]))


def _no_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a truth value is no number")
    return value


def _is_ranged(node: ast.AST) -> bool:
    match node:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[_, _])):
            return True
    return False


def _interval(node: Any) -> Interval:
    """The range in `Annotated[type, Interval(...)]`.

    Raises:
        TypeError: there is none, or it is none of numbers.
    """
    found = node.slice.elts[1]
    match found:
        case ast.Call(func=ast.Name(id="Interval"), args=[], keywords=keywords):
            try:
                bounds = {str(bound.arg): ast.literal_eval(bound.value) for bound in keywords}
                if all(type(bound) in (int, float) and math.isfinite(bound) for bound in bounds.values()):
                    return Interval(**bounds)
            except (ValueError, TypeError) as error:
                raise TypeError(f"{shown(ast.unparse(found))} is no range: {error}") from None
    raise TypeError(f"{shown(ast.unparse(found))} is no range such as Interval(ge=0, lt=1)")


def _type(node: ast.expr, **types: Any) -> Any:
    """The type that an annotation means.

    Args:
        types: what to take for the types of some names.

    Raises:
        TypeError: names the part that is no such type.
    """
    types = TYPES | types
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name) if name in types:
            return types[name]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=part):
            with suppress(ValueError):
                return Literal[ast.literal_eval(part)]
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[ast.Name(id="int" | "float"), _])):
            _interval(node)
            return _type(node.slice.elts[0], **types)
        case ast.Subscript(value=ast.Name(id="Annotated")):
            raise TypeError(f"{shown(ast.unparse(node))} is no number with one range: Annotated[float, Interval(ge=0)]")
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[part, ast.Constant(value=value)])) if (
            value is ...
        ):
            return tuple[_type(part, **types), ...]
        case ast.Subscript(value=ast.Name(id="list" | "tuple" | "dict" as name), slice=ast.Tuple(elts=parts)):
            return TYPES[name][tuple(_type(part, **types) for part in parts)]
        case ast.Subscript(value=ast.Name(id="list" | "tuple" | "dict" as name), slice=part):
            return TYPES[name][_type(part, **types)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type(left, **types) | _type(right, **types)
    raise TypeError(f"{shown(ast.unparse(node))} is no type of an option")


def _words(node: ast.expr, *, several: bool = False) -> str:
    match node:
        case ast.Name(id=name) if name in WORDS:
            return WORDS[name][several]
        case ast.Constant(value=None):
            return "null"
        case ast.Subscript(value=ast.Name(id="Annotated")):
            limits = str(_interval(node))
            limits = f"of {limits}" if limits.startswith("at ") else limits
            each = ", each" if several else ""
            return f"{_words(node.slice.elts[0], several=several)}{each} {limits}"
        case ast.Subscript(value=ast.Name(id="Literal"), slice=part):
            choices = [ast.unparse(each) for each in (part.elts if isinstance(part, ast.Tuple) else [part])]
            return " or ".join([", ".join(choices[:-1]), choices[-1]] if choices[1:] else choices)
        case ast.Subscript(value=ast.Name(id="list" | "tuple"), slice=part) if not several:
            parts = part.elts if isinstance(part, ast.Tuple) else [part]
            kinds = {ast.unparse(each) for each in parts} - {"..."}
            if len(kinds) == 1:
                count = f"{len(parts)} " if node.value.id == "tuple" and ast.unparse(parts[-1]) != "..." else ""
                return f"a list of {count}{_words(parts[0], several=True)}"
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{_words(left)} or {_words(right)}"
    return ast.unparse(node)


def _out_of_range(node: ast.expr, value: Any) -> tuple[Any, Interval] | None:
    """The first number in a value that is outside its range, and the range."""
    match node:
        case ast.Name(id="int" | "float") | ast.Subscript(value=ast.Name(id="Annotated")) if not isinstance(
            value, int | float
        ):
            return None  # of another type, which whoever reads it finds
        case ast.Name(id="int" | "float" as name):
            return None if value in LARGEST[name] else (value, LARGEST[name])
        case ast.Subscript(value=ast.Name(id="Annotated")):
            if value not in _interval(node):
                return value, _interval(node)
            return _out_of_range(node.slice.elts[0], value)
        case ast.Subscript(value=ast.Name(id="list" | "tuple"), slice=part) if isinstance(value, list | tuple):
            parts = part.elts if isinstance(part, ast.Tuple) else [part]
            each = parts if len(parts) == len(value) and ast.unparse(parts[-1]) != "..." else [parts[0]] * len(value)
            return next(filter(None, map(_out_of_range, each, value)), None)
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, part])) if isinstance(value, dict):
            return next(filter(None, (_out_of_range(part, one) for one in value.values())), None)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            branches = [branch for branch in (left, right) if _is_of(branch, value)]
            faults = [_out_of_range(branch, value) for branch in branches]
            return faults[0] if faults and all(faults) else None
    return None


def _is_of(node: ast.expr, value: Any) -> bool:
    """Whether a value may be meant by this branch of a union."""
    match node:
        case ast.Subscript(value=ast.Name(id="Annotated")):
            return _is_of(node.slice.elts[0], value)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _is_of(left, value) or _is_of(right, value)
        case ast.Constant(value=None):
            return value is None
        case ast.Name(id="int" | "float" as name):
            return type(value) in (int, float)[: 1 + (name == "float")]
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            return isinstance(value, TYPES.get(name, object))
    return False
