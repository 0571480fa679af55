"""Reading of study files: strict YAML, values that are plain data, and faults of validation in words.

A study file may come from an untrusted source. Whatever it contains, reading it here takes a second and little memory,
runs nothing, and puts no control characters into messages. (Snakemake, if it is started with the file, reads it first
and does run templates in it.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ganbench.core.errors import GanbenchError
from ganbench.core.escaping import CONTROL_CHARACTERS, MAX_INTEGER, escape_control, short_repr

UNNAMED = '"<unicode string>", '  # what PyYAML calls a text whose file it does not know
MAX_FILE = 1_000_000  # bytes; a whole study must fit into the 120,000 characters of a job's task
MAX_VALUES = 20_000  # values in a study file, including keys
MAX_RESOLVED = 10 * MAX_VALUES  # values with all defaults filled in
MAX_DEPTH = 30  # levels of nested lists and mappings
TEMPLATE = "__use_yte__"  # the key with which Snakemake runs a configuration file as a template
MAX_NUMBER = 100  # characters of a number as written
OTHER_BASE = r"^[-+]?0[0-9_]+$|:"  # numbers that YAML 1.1 reads as octal, 010, or in base 60, 1:30
QUOTES = "'\""
MAX_MESSAGE = 1000  # characters of one fault
MAX_FAULTS = 20  # faults in one message

# Messages by pydantic's types of faults; the names in braces are keys of a fault's context.
_MESSAGES = {
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "string_type": "must be text (in quotes where YAML reads it as something else)",
    "string_too_short": "must have {min_length} characters or more",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_from_float": "must be an integer",
    "int_parsing_size": "must be an integer of at most 4,300 digits",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be greater than or equal to {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be less than or equal to {le}",
    "literal_error": "must be {expected}",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping of keys to values",
    "too_short": "must have {min_length} entries or more",
    "path_type": "must be a path",
}


def describe_errors(error: ValidationError, prefix: str = "") -> Iterator[str]:
    """Describe every fault in a sentence: the key, what is valid, and the value received.

    Args:
        error: the error of validation.
        prefix: the key of the validated value in the study file.
    """
    told: dict[tuple[str, str], list[str]] = {}
    for fault in error.errors(include_url=False):
        key = prefix
        for part in fault["loc"]:
            if isinstance(part, int):
                key += f"[{part}]"
            elif re.fullmatch(r"\w+", part) and part not in ("int", "float", "str"):  # other parts are pydantic's own
                key += f".{part}" if key else part
        if fault["type"] == "missing":
            message, received = "is missing; it has no default", ""
        elif fault["type"] == "value_error":
            message, received = fault["msg"].removeprefix("Value error, "), ""
        else:
            message = _MESSAGES.get(fault["type"], "{}").format(fault["msg"], **_format_limits(fault.get("ctx", {})))
            received = f" (received {short_repr(fault['input'])})"
        told.setdefault((key or "the file", received), []).append(message)
    for (key, received), messages in told.items():  # a value that fits none of several types has a fault for each
        message = ", or ".join(messages)
        if len(message) > MAX_MESSAGE:
            message = f"{message[:MAX_MESSAGE]} ..."
        yield escape_control(f"{key}: {message}{received}")


def _format_limits(known: dict[str, Any]) -> dict[str, str]:
    return {name: f"{value:.12g}" if isinstance(value, float) else str(value) for name, value in known.items()}


def bullet_list(faults: Iterator[str]) -> str:
    """Format faults as a list: the first `MAX_FAULTS`, and the number of the others."""
    first, left = [f"  - {fault}" for fault in islice(faults, MAX_FAULTS)], sum(1 for _ in faults)
    return "\n".join([*first, *([f"  ... and {left:,} more"] if left else [])])


def data_fault(data: Any) -> str | None:
    """Find a reason why data, as read from YAML or JSON, cannot be a study; None if there is no such reason.

    Every use of an alias counts as a separate value, because code that walks over the data visits it every time.
    """
    waiting, count = [("", data, 0)], 0
    while waiting:
        key, value, depth = waiting.pop()
        where, count = key.removeprefix(".") or "it", count + 1
        if count > MAX_RESOLVED:
            return f"it holds more than {MAX_RESOLVED:,} values; seeds may be written {{first: 0, count: 1000}}"
        if depth > MAX_DEPTH:
            return f"it nests lists and mappings more than {MAX_DEPTH} levels deep"
        if isinstance(value, dict):
            waiting += [(key, name, depth + 1) for name in value]
            waiting += [(f"{key}.{short_repr(name).strip(QUOTES)}", each, depth + 1) for name, each in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(f"{key}[{index}]", each, depth + 1) for index, each in enumerate(value)]
        elif isinstance(value, str):
            if unseen := CONTROL_CHARACTERS.search(value):
                code = f"U+{ord(unseen.group()):04X}"
                return f"{where} holds the control character {code} in {short_repr(value)}; take it out"
        elif isinstance(value, int) and abs(value) > MAX_INTEGER:
            return f"{where} holds {short_repr(value)}; the largest is 2**63"
        elif not (value is None or isinstance(value, int | float | date)):
            return f"{where} holds {short_repr(value)}, which is no text, number, list or mapping"
    return None


def read_yaml(path: Path) -> Any:
    """Read the data in a YAML or JSON file, and check them with `data_fault`.

    Raises:
        GanbenchError: the file cannot be read, is too large, is a template, or has what `StrictLoader` refuses.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1)
        if len(text) > MAX_FILE:
            raise GanbenchError(f"{path} has more than {MAX_FILE:,} bytes, the most that a study file may have.")
        data = yaml.load(text.decode("utf-8-sig"), StrictLoader)
    except OSError as error:
        raise GanbenchError(f"cannot read the study file {path}: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GanbenchError(f"{path} is not valid YAML: {escape_control(str(error).replace(UNNAMED, ''))}.") from None
    if fault := data_fault(data):
        raise GanbenchError(f"{path}: {fault}.")
    if isinstance(data, dict) and TEMPLATE in data:
        raise GanbenchError(f"{path} has the key {TEMPLATE!r}, which makes it a program to Snakemake; a study is data.")
    return data


class StrictLoader(yaml.SafeLoader):
    """A YAML loader that refuses repeated keys, aliases, merge keys, tags and deep nesting, and numbers that are octal,
    sexagesimal or very long."""

    _depth = _values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        line = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.events.AliasEvent):
            raise yaml.YAMLError(f"{line}: aliases (*{event.anchor}) are not accepted")
        if event.tag is not None:
            raise yaml.YAMLError(f"{line}: tags ({event.tag}) are not accepted")
        self._values += 1
        if self._values > MAX_VALUES:
            raise yaml.YAMLError(f"{line}: there are more than {MAX_VALUES:,} values")
        if self._depth > MAX_DEPTH:
            raise yaml.YAMLError(f"{line}: lists and mappings are nested more than {MAX_DEPTH} levels deep")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        line = f"line {node.start_mark.line + 1}"
        if node.tag.endswith(":merge"):
            raise yaml.YAMLError(f"{line}: merge keys (<<) are not accepted")
        plain = isinstance(node, yaml.ScalarNode) and not node.tag.endswith(":str")
        if plain and len(node.value) > MAX_NUMBER:
            raise yaml.YAMLError(f"{line}: {short_repr(node.value)} is too long for a number")
        if plain and node.tag.endswith((":int", ":float")) and re.search(OTHER_BASE, node.value):
            raise yaml.YAMLError(
                f"{line}: {node.value} is {super().construct_object(node)!r} in YAML, where a leading 0 makes a number "
                "octal and a colon one of base 60; write the decimal number, or text in quotes"
            )
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as error:
            raise yaml.YAMLError(f"{line}: {short_repr(node.value)}: {error}") from None

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        line, seen = f"line {node.start_mark.line + 1}", set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                raise yaml.YAMLError(f"{line}: a key must be a word, but is {short_repr(name)}")
            if name in seen:
                raise yaml.YAMLError(f"{line}: key {name!r} stands twice in one mapping")
            seen.add(name)
        return super().construct_mapping(node, deep=deep)
