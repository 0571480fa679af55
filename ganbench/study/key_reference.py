"""The reference of study files, made from the JSON schema: every key with its type, default, range and meaning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ganbench.study.schema import Study

INTRODUCTION = """# Study files

Every key of a study, written by `ganbench schema --format markdown > config/README.md`. `ganbench check STUDY` tries a
study; `ganbench list` shows the components of every family with their options.

- A *choice* is the name of a component, `sgd`, or a mapping of its name and options, `{name: sgd, momentum: -0.5}`.
  On an axis of the grid it may have a label, `{name: sgd, momentum: -0.5, label: negative momentum}`, which names,
  tables and figures then use. A label changes no digest of a run: nothing trains again. On an axis, an option may be a
  list of values, `{name: adam, beta1: [0, 0.5]}`, which stands for a choice with each of them; an option whose own type
  is a list keeps its meaning.
- A *selector* is a mapping of axes to values: `{optimizer: sgd, learning_rate: [0.1, 0.5]}`. A value is the name of a
  component, a label, a pattern with `*`, or a component with its options, `sgd(momentum=-0.5)` or
  `{name: sgd, momentum: -0.5}`. `method`, `block` for a block's label, and the training options, `{batch_size: 64}`,
  are axes too. `study` stands for the study's own measurements.
- An *expression* is a number, or arithmetic over the numbers of a run: `sqrt(1 + learning_rate**2)`.
"""
SINGLE = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "object": "mapping"}
LOWER = {"ge": "≥", "minimum": "≥", "gt": ">", "exclusiveMinimum": ">"}
UPPER = {"le": "≤", "maximum": "≤", "lt": "<", "exclusiveMaximum": "<"}
PAIRS = {("object", "string"): "selector", ("string", "number"): "expression", ("string", "object"): "choice"}


def markdown() -> str:
    """Write the reference as Markdown, with one table for every section of a study file."""
    schema = Study.model_json_schema()
    sections = [INTRODUCTION, *_section("The whole file", schema)]
    for name, locations in _locations(schema).items():
        sections += _section(" and ".join(f"`{location}`" for location in locations), schema["$defs"][name])
    return "\n".join(sections).rstrip() + "\n"


def _locations(schema: dict[str, Any]) -> dict[str, list[str]]:
    """By section, the keys that hold it, in the order of the file."""
    locations: dict[str, list[str]] = {}
    waiting = [("", schema)]
    while waiting:
        prefix, section = waiting.pop(0)
        for key, about in section.get("properties", {}).items():
            if name := _reference(about):
                location = f"{prefix}{key}"
                locations.setdefault(name, []).append(location)
                waiting.append((f"{location}.", schema["$defs"][name]))
    return locations


def _reference(about: dict[str, Any]) -> str | None:
    """The name of the section that a key holds, alone or in a list; None for other keys."""
    items = about.get("items", {})
    options = [about, items, *items.get("anyOf", ()), *about.get("anyOf", ())]
    return next((option["$ref"].rpartition("/")[2] for option in options if "$ref" in option), None)


def _section(title: str, section: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}\n"
    if title != "The whole file":
        yield section["description"] + "\n"
    yield "| key | type | default | range | meaning |\n|---|---|---|---|---|"
    required = section.get("required", ())
    for key, about in section["properties"].items():
        default = "required" if key in required else _default(about)
        meaning = " ".join(about.get("description", f"See `{key}` below.").split())
        cells = (f"`{key}`", _type(about), default, ", ".join(dict.fromkeys(_ranges(about))), meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _default(about: dict[str, Any]) -> str:
    value = about.get("default")
    if _reference(about) and isinstance(value, dict):
        return "see below"
    if value is None or value in ("", {"axes": [], "study": False}):
        return "none"
    words = [each["name"] if isinstance(each, dict) else each for each in value] if isinstance(value, list) else value
    return f"`{words}`".replace("'", "").replace("False", "false").replace("None", "null")


def _alternatives(about: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas of a value of several types; `oneOf` where the value tells its type, such as a value or a list."""
    return [*about.get("anyOf", ()), *about.get("oneOf", ())]


def _type(about: dict[str, Any]) -> str:
    options = [option for option in _alternatives(about) or [about] if option.get("type") != "null"]
    if len(options) > 1:
        pair = tuple(str(option.get("type")) for option in options)
        return PAIRS.get(pair) or " or ".join(dict.fromkeys(map(_type, options)))
    option = options[0]
    if _alternatives(option):
        return _type(option)
    if option.get("type") == "array":
        items = option["items"]
        return "list of mappings" if "$ref" in items else f"list of {_type(items)}"
    if "$ref" in option:
        return "mapping"
    if "const" in option:
        return f"`{option['const']}`"
    if "enum" in option:
        return ", ".join(f"`{value}`" for value in option["enum"])
    kinds = option["type"] if isinstance(option["type"], list) else [option["type"]]
    return ("number" if "number" in kinds else SINGLE[kinds[0]]) + (" or null" if "null" in kinds[1:] else "")


def _tightness(bound: tuple[float, str]) -> tuple[float, float]:
    """A lower bound is the tighter the larger this is, an upper one the smaller."""
    value, sign = bound
    return value, {">": 1, "<": -1}.get(sign, 0)


def _ranges(about: dict[str, Any]) -> Iterator[str]:
    # A type and its field may both have a bound: the tighter one holds, and of equal ones the strict one.
    lower = max(((about[name], sign) for name, sign in LOWER.items() if name in about), default=None, key=_tightness)
    upper = min(((about[name], sign) for name, sign in UPPER.items() if name in about), default=None, key=_tightness)
    yield from (f"{bound[1]} {bound[0]:.12g}" for bound in (lower, upper) if bound)
    if "pattern" in about:
        yield f"`{about['pattern']}`"
    if about.get("minItems") or about.get("minLength"):
        yield "not empty"
    for option in _alternatives(about):
        yield from _ranges(option)
