"""Options of components: their types and ranges, and the validation of their values.

Types and ranges are read from the syntax tree of an annotation. No code of a component's file runs.
"""

from __future__ import annotations

import ast
import math
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from ganbench.core.escaping import short_repr
from ganbench.core.interval import Interval

TYPES = {kind.__name__: kind for kind in (bool, int, float, str, list, tuple, dict)}  # parts of the types of options
LISTS = ("list", "tuple", "dict")  # the types of values that have several parts
TYPE_NAMES = {  # description of one value, and of several values
    "bool": ("true or false", "truth values"),
    "int": ("an integer", "integers"),
    "float": ("a finite number", "finite numbers"),
    "str": ("text", "texts"),
    "list": ("a list", "lists"),
    "tuple": ("a list", "lists"),
    "dict": ("a mapping", "mappings"),
}
# Largest valid numbers: training may run in float32, and files hold integers of 64 bits.
REPRESENTABLE = {"float": Interval(ge=-3.4e38, le=3.4e38), "int": Interval(ge=-(2**63), le=2**63 - 1)}


@dataclass(frozen=True)
class Option:
    """One option of a component.

    Attributes:
        source: source text of the annotation.
        default: value of the option if a study gives no value.
        meaning: what the option is, as one line: the docstring below its field; empty without one.

    Raises:
        TypeError: an annotation that is not the type of an option, or that has an invalid range.
    """

    source: str
    default: Any
    meaning: str = ""

    def __post_init__(self) -> None:
        _resolve_type(_parse_cached(self.source))

    @property
    def annotation(self) -> str:
        """Source text of the type without ranges."""
        return ast.unparse(_StripIntervals().visit(_parse(self.source)))

    @property
    def valid_values(self) -> str:
        """Description of the valid values: "a finite number at least 0 and below 1"."""
        return _describe(_parse_cached(self.source))

    @property
    def range(self) -> str:
        """The first declared range as text; empty if the annotation has no range."""
        intervals = [_interval(node) for node in ast.walk(_parse_cached(self.source)) if _is_ranged(node)]
        return str(intervals[0]) if intervals else ""

    @property
    def takes_lists(self) -> bool:
        """Whether a list can be one value of the option."""
        return any(isinstance(node, ast.Name) and node.id in LISTS for node in ast.walk(_parse_cached(self.source)))

    def validate(self, value: Any) -> Any:
        """The value, converted to the option's type.

        Args:
            value: the value that a study gives.

        Raises:
            TypeError: pydantic does not know the option's type.
            ValueError: the value is of another type or out of range. The message says what is valid.
        """
        from pydantic import (  # imported late: only validation needs it, and not what reads options to list them
            PydanticUserError,
            ValidationError,
        )

        try:
            typed = _type_adapter(self.source).validate_python(value)
        except PydanticUserError as error:
            raise TypeError(str(error).partition("\n")[0]) from None
        except ValidationError:
            raise ValueError(f"must be {self.valid_values}, but is {short_repr(value)}") from None
        if fault := self.fault(typed):
            raise ValueError(fault)
        return typed

    def fault(self, value: Any) -> str | None:
        """The fault of a value out of the option's range, as a clause; None if it is within.

        Args:
            value: a value of the option's type.
        """
        if found := _out_of_range(_parse_cached(self.source), value):
            number, limits = found
            among = "" if number is value else f", of which one is {short_repr(number)}"
            limit = f", {limits}" if math.isfinite(number) and str(limits) not in self.valid_values else ""
            return f"must be {self.valid_values}{limit}, but is {short_repr(value)}{among}"
        return None


class _StripIntervals(ast.NodeTransformer):
    """Removes the ranges from annotations."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if _is_ranged(node):
            return self.visit(node.slice.elts[0])
        return self.generic_visit(node)


def _parse(annotation: str) -> ast.expr:
    return ast.parse(annotation, mode="eval").body


_parse_cached = cache(_parse)  # its callers must not modify the tree


@cache
def _type_adapter(annotation: str) -> Any:
    """pydantic's validator for the type of an annotation, without its ranges."""
    from pydantic import BeforeValidator, TypeAdapter

    number = BeforeValidator(_refuse_bool)
    return TypeAdapter(
        _resolve_type(_parse_cached(annotation), int=Annotated[int, number], float=Annotated[float, number])
    )


def _refuse_bool(value: Any) -> Any:
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
        TypeError: an annotation without a valid range, or bounds that are not finite numbers.
    """
    found = node.slice.elts[1]
    match found:
        case ast.Call(func=ast.Name(id="Interval"), args=[], keywords=keywords):
            try:
                bounds = {str(bound.arg): ast.literal_eval(bound.value) for bound in keywords}
                if all(type(bound) in (int, float) and math.isfinite(bound) for bound in bounds.values()):
                    return Interval(**bounds)
            except (ValueError, TypeError) as error:
                raise TypeError(f"{short_repr(ast.unparse(found))} is no range: {error}") from None
    raise TypeError(f"{short_repr(ast.unparse(found))} is no range such as Interval(ge=0, lt=1)")


def _resolve_type(node: ast.expr, **types: Any) -> Any:
    """The Python type of an annotation.

    Args:
        node: syntax tree of the annotation.
        types: replacements for types in TYPES, by name.

    Raises:
        TypeError: a part that cannot occur in the type of an option. The message names the part.
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
            return _resolve_type(node.slice.elts[0], **types)
        case ast.Subscript(value=ast.Name(id="Annotated")):
            raise TypeError(
                f"{short_repr(ast.unparse(node))} is no number with one range: Annotated[float, Interval(ge=0)]"
            )
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[part, ast.Constant(value=value)])) if (
            value is ...
        ):
            return tuple[_resolve_type(part, **types), ...]
        case ast.Subscript(value=ast.Name(id="list" | "tuple" | "dict" as name), slice=ast.Tuple(elts=parts)):
            return TYPES[name][tuple(_resolve_type(part, **types) for part in parts)]
        case ast.Subscript(value=ast.Name(id="list" | "tuple" | "dict" as name), slice=part):
            return TYPES[name][_resolve_type(part, **types)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _resolve_type(left, **types) | _resolve_type(right, **types)
    raise TypeError(f"{short_repr(ast.unparse(node))} is no type of an option")


def _describe(node: ast.expr, *, several: bool = False) -> str:
    """The description of the valid values of an annotation, for one value or for several values."""
    match node:
        case ast.Name(id=name) if name in TYPE_NAMES:
            return TYPE_NAMES[name][several]
        case ast.Constant(value=None):
            return "null"
        case ast.Subscript(value=ast.Name(id="Annotated")):
            limits = str(_interval(node))
            limits = f"of {limits}" if limits.startswith("at ") else limits
            each = ", each" if several else ""
            return f"{_describe(node.slice.elts[0], several=several)}{each} {limits}"
        case ast.Subscript(value=ast.Name(id="Literal"), slice=part):
            choices = [ast.unparse(each) for each in (part.elts if isinstance(part, ast.Tuple) else [part])]
            return " or ".join([", ".join(choices[:-1]), choices[-1]] if choices[1:] else choices)
        case ast.Subscript(value=ast.Name(id="list" | "tuple"), slice=part) if not several:
            parts = part.elts if isinstance(part, ast.Tuple) else [part]
            kinds = {ast.unparse(each) for each in parts} - {"..."}
            if len(kinds) == 1:
                count = f"{len(parts)} " if node.value.id == "tuple" and ast.unparse(parts[-1]) != "..." else ""
                return f"a list of {count}{_describe(parts[0], several=True)}"
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{_describe(left)} or {_describe(right)}"
    return ast.unparse(node)


def _out_of_range(node: ast.expr, value: Any) -> tuple[Any, Interval] | None:
    """The first number in a value that lies outside its range, and the range; None if there is no such number."""
    match node:
        case ast.Name(id="int" | "float") | ast.Subscript(value=ast.Name(id="Annotated")) if not isinstance(
            value, int | float
        ):
            return None  # a value of another type, which `validate` refuses
        case ast.Name(id="int" | "float" as name):
            return None if value in REPRESENTABLE[name] else (value, REPRESENTABLE[name])
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
            branches = [branch for branch in (left, right) if _matches_type(branch, value)]
            faults = [_out_of_range(branch, value) for branch in branches]
            return faults[0] if faults and all(faults) else None
    return None


def _matches_type(node: ast.expr, value: Any) -> bool:
    """Whether a value has the type of this branch of a union."""
    match node:
        case ast.Subscript(value=ast.Name(id="Annotated")):
            return _matches_type(node.slice.elts[0], value)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _matches_type(left, value) or _matches_type(right, value)
        case ast.Constant(value=None):
            return value is None
        case ast.Name(id="int" | "float" as name):
            return type(value) in (int, float)[: 1 + (name == "float")]
        case ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)):
            return isinstance(value, TYPES.get(name, object))
    return False
