"""Expressions, which a study may write in place of numbers: `sqrt(1 + learning_rate**2)`.

A study is data and never runs as Python. The text of an expression is parsed to a syntax tree that may hold only a few
kinds of nodes, and the tree is evaluated here in floats. A power of floats takes as long as any other operation, so
that no text can make the evaluation slow.

Libraries for safe evaluation (simpleeval, asteval 1.0.10) were tried on the same expressions and do not fit claims.
Both give `(-8) ** 0.5` a complex value. Both give `min(1, x)` and `x ** 0` the value 1 where x is missing, so that a
lost run would count. Both accept texts and comparisons, and neither reads `path.growth` as one name. Every operator,
function and name of these libraries would have to be replaced.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ganbench.core.errors import GanbenchError, unknown

MAX_LENGTH = 500  # characters
MAX_DEPTH = 100  # levels of the syntax tree; keeps the recursion below far from Python's limit

FUNCTIONS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "sin": math.sin,
    "cos": math.cos,
    "arctan": math.atan,
    "arccos": math.acos,
    "sinh": math.sinh,
    "abs": math.fabs,
    "min": min,
    "max": max,
}
VARIADIC = ("min", "max")  # functions of two or more arguments; the others take one
CONSTANTS = {"pi": math.pi, "e": math.e}

_BINARY: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,  # unlike `**` never complex
}
_UNARY: dict[type, Callable[[float], float]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_GRAMMAR = f"Valid: numbers, names, + - * / **, parentheses, pi, e, and the functions {', '.join(sorted(FUNCTIONS))}."


@dataclass(frozen=True)
class Expression:
    """A formula over named numbers. Two expressions are equal if their texts are equal.

    Attributes:
        text: the formula as written, without surrounding blanks.
        names: the variables of the formula, without the constants pi and e. A dotted name (`path.growth`) is one name.

    Raises:
        GanbenchError: the text is not a valid formula; the message names the text and the part at fault.
    """

    text: str
    names: frozenset[str] = field(init=False, repr=False, compare=False)
    _tree: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text.strip())
        tree = _parse(self.text)
        object.__setattr__(self, "_tree", tree)
        object.__setattr__(self, "names", frozenset(_names(self.text, tree, 0)) - set(CONSTANTS))

    @property
    def undefined_part(self) -> str | None:
        """A part without variables that has no finite real value, such as `1/0`; None if every part has one."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Constant | ast.UnaryOp | ast.BinOp | ast.Call):
                constant = set(_names(self.text, node, 0)) <= set(CONSTANTS)
                if constant and not math.isfinite(_value(node, {})):
                    return ast.get_source_segment(self.text, node) or self.text
        return None

    def __str__(self) -> str:
        return self.text

    def value(self, variables: Mapping[str, float]) -> float:
        """Evaluate the formula.

        Infinity is a valid value of a variable: 1 / inf is 0. Finite numbers never give infinity: exp(1000) is NaN.

        Args:
            variables: the values of the variables by name; a variable called pi or e replaces the constant.

        Returns:
            The value; NaN where a variable is missing or NaN, and where the result is not real.
        """
        return _value(self._tree, variables)


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise GanbenchError(
            f"the expression {text[:40]!r}... has {len(text)} characters; at most {MAX_LENGTH} are read."
        )
    strange = re.search(r"[^A-Za-z0-9_.,+\-*/() ]", text)
    if strange:
        raise GanbenchError(f"expression {text!r}: {strange.group()!r} is not understood. {_GRAMMAR}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # text that Python warns of, such as `1or 2`, is refused
            return ast.parse(text, mode="eval").body
    except (SyntaxError, Warning) as error:
        column = getattr(error, "offset", None) or 1
        near = text[max(0, column - 1) :] or "its end"
        raise GanbenchError(f"expression {text!r} is not complete arithmetic, near {near!r}. {_GRAMMAR}") from None
    except (ValueError, RecursionError, MemoryError):
        raise GanbenchError(f"expression {text!r} is nested too deep.") from None


def _names(text: str, node: ast.expr, depth: int) -> Iterator[str]:
    """Check every node of a syntax tree, and yield the names of its variables and constants."""
    if depth > MAX_DEPTH:
        raise GanbenchError(f"expression {text!r} is nested more than {MAX_DEPTH} levels deep.")
    part = ast.get_source_segment(text, node) or text
    match node:
        case ast.Constant(value=bool() | None):
            raise GanbenchError(f"expression {text!r}: {part!r} is not a number.")
        case ast.Constant(value=int() | float() as number):
            if number > 1e308:
                raise GanbenchError(f"expression {text!r}: {part!r} is too large for a number (1e308).")
            node.value = float(number)
        case ast.Name(id=name):
            if name in FUNCTIONS:
                raise GanbenchError(f"expression {text!r}: {name!r} is a function; write {name}(...).")
            yield name
        case ast.Attribute(value=ast.Name(id=first), attr=second):
            yield f"{first}.{second}"
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            yield from _names(text, operand, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            yield from _names(text, left, depth + 1)
            yield from _names(text, right, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in FUNCTIONS:
                raise GanbenchError(f"expression {text!r}: {unknown('function', name, FUNCTIONS)}")
            if (len(arguments) < 2) if name in VARIADIC else (len(arguments) != 1):
                wanted = "two or more arguments" if name in VARIADIC else "one argument"
                raise GanbenchError(f"expression {text!r}: {name} takes {wanted}, but {part!r} has {len(arguments)}.")
            for argument in arguments:
                yield from _names(text, argument, depth + 1)
        case _:
            raise GanbenchError(f"expression {text!r}: {part!r} is not understood. {_GRAMMAR}")


def _value(node: ast.expr, variables: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=number):
            return number
        case ast.Name(id=name):
            return float(variables.get(name, CONSTANTS.get(name, math.nan)))
        case ast.Attribute(value=ast.Name(id=first), attr=second):
            return float(variables.get(f"{first}.{second}", math.nan))
        case ast.UnaryOp(op=op, operand=operand):
            return _apply(_UNARY[type(op)], _value(operand, variables))
        case ast.BinOp(left=left, op=op, right=right):
            return _apply(_BINARY[type(op)], _value(left, variables), _value(right, variables))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _apply(FUNCTIONS[name], *(_value(argument, variables) for argument in arguments))
    raise AssertionError(f"{ast.dump(node)} was let through")


def _apply(function: Callable[..., float], *operands: float) -> float:
    # In Python, min(1, nan) and nan**0 are 1; a missing number must not become a valid one.
    if any(math.isnan(operand) for operand in operands):
        return math.nan
    try:
        result = function(*operands)
    except (OverflowError, ZeroDivisionError, ValueError):
        return math.nan
    overflown = math.isinf(result) and all(map(math.isfinite, operands))
    return math.nan if overflown else result
