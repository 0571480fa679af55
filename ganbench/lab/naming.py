"""Parts as people write them: a name, a label, a mapping, or an object."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

import yaml

from ganbench.core.errors import GanbenchError
from ganbench.study.strict_yaml import Loader

FORMS = "a name, a label such as 'name(option=1)', or a mapping such as {name: ..., option: 1}"


def named(family: str, given: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A part's name and the options given with it.

    Args:
        family: of the part, for messages.
        given: `dcgan`, `consensus(gamma=0.5)`, `{name: consensus, gamma: 0.5}` as text, or such a mapping.

    Raises:
        GanbenchError: it is none of these.
    """
    if isinstance(given, str):
        text = given.strip()
        if text.startswith("{"):
            return named(family, _mapping(family, text))
        label = re.fullmatch(r"([^()]+)\((.*)\)", text, re.DOTALL)
        if label is None:
            return text, {}
        return label[1].strip(), _options(family, text, label[2])
    options = dict(given) if isinstance(given, Mapping) else {}
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise GanbenchError(f"{family}: must be {FORMS}, but is {given!r}.")
    return name, options


def _mapping(family: str, text: str) -> Any:
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise GanbenchError(f"{family}: {text!r} is not a mapping like {{name: ..., option: 1}}: {why}.") from None


def _options(family: str, text: str, inner: str) -> dict[str, Any]:
    """What stands in a label's brackets. Nothing is evaluated: values are literals, and bare words are strings."""
    fault = f"{family}: {text!r} is not a label like 'name(option=1, other=word)'"
    try:
        call = ast.parse(f"f({inner})", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise GanbenchError(f"{fault}.") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise GanbenchError(f"{fault}: every option needs its name.")
    options: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in options:
            raise GanbenchError(f"{fault}: option {keyword.arg or '**'!r} stands there twice or has no name.")
        try:
            value = keyword.value
            options[keyword.arg] = value.id if isinstance(value, ast.Name) else ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError):
            shown = ast.unparse(keyword.value)
            raise GanbenchError(f"{fault}: {keyword.arg} is {shown!r}, which is no number or word.") from None
    return options
