"""Types of the values in a study file: numbers, choices among the components of a family, and axes of these."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from ganbench.core.errors import unknown
from ganbench.core.escaping import short_repr
from ganbench.core.registry import CHOICES
from ganbench.study.choices import LABEL, LABEL_IN_WORDS, Choice, expand_choice, option_axes, parse_choice

MAX_GRID = 1_000_000
MAX_COUNT = 1_000_000_000


def text_matching(pattern: str, words: str) -> Any:
    """Make the type of texts that match a pattern.

    Args:
        pattern: the regular expression that the whole text must match.
        words: the pattern in words, for the message on a text that does not match.
    """

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {words}, but is {short_repr(text)}")
        return text

    return Annotated[str, AfterValidator(check), Field(json_schema_extra={"pattern": f"^{pattern}$"})]


Slug = text_matching(
    r"[a-z0-9][a-z0-9_-]{0,63}",
    "1 to 64 lower-case letters, digits, dashes and underscores that begin with a letter or digit",
)
Label = text_matching(LABEL, LABEL_IN_WORDS)


def refuse_boolean(value: Any) -> Any:
    """Return a value that is not a truth value.

    Raises:
        ValueError: the value is true or false.
    """
    if isinstance(value, bool):
        raise ValueError(f"must be a number, but is the truth value {value}")
    return value


# YAML reads 2e-4 as a string, since its floats need a dot; numeric types therefore accept such strings.
Count = Annotated[int, BeforeValidator(refuse_boolean), Field(ge=1, le=MAX_COUNT)]
Positive = Annotated[float, BeforeValidator(refuse_boolean), Field(gt=0, allow_inf_nan=False)]
MIN_RATE, MAX_RATE = 1e-37, 1e38  # runs may train in float32, which must tell a rate from 0 and from infinity
LearningRate = Annotated[
    float, BeforeValidator(refuse_boolean), Field(gt=0, ge=MIN_RATE, le=MAX_RATE, allow_inf_nan=False)
]
Seed = Annotated[int, BeforeValidator(refuse_boolean), Field(ge=0, lt=2**31)]
Fraction = Annotated[float, BeforeValidator(refuse_boolean), Field(ge=0, le=1, allow_inf_nan=False)]


def min_entries(count: int) -> AfterValidator:
    """Require a least length of a tuple; unlike a length in the schema, it adds no fault where an entry is at fault."""

    def check(entries: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(entries) < count:
            raise ValueError(f"must have {count} entries or more, but has {len(entries)}")
        return entries

    return AfterValidator(check)


def _without_braces(path: Path) -> Path:
    if {"{", "}"} & set(str(path)):
        raise ValueError(f"must be a path without braces, which Snakemake takes for wildcards, but is {str(path)!r}")
    return path


Folder = Annotated[Path, AfterValidator(_without_braces)]


class Section(BaseModel):
    """A mapping of the study file: it refuses unknown keys, and is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"must be a mapping with keys {', '.join(cls.model_fields)}, but is {short_repr(data)}")
        for key in data:
            if key not in cls.model_fields:
                raise ValueError(unknown("key", key, cls.model_fields))
        return data


def distinct(values: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a list if all of them differ.

    Raises:
        ValueError: a value occurs more than once; the message names it.
    """
    counts = Counter(value.signature if isinstance(value, Choice) else value for value in values)
    twice = [str(value) for value, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"has {', '.join(twice)} more than once; every value must differ")
    return values


def check_axis(values: Sequence[Any]) -> list[Any]:
    """Return the values of an axis.

    Raises:
        ValueError: there are no values, or a value occurs more than once.
    """
    if not values:
        raise ValueError("is an empty axis: the grid would have no runs; give at least one value")
    return list(distinct(values))


def as_list(value: Any) -> Any:
    """Convert a value to a list: a list or tuple by its entries, any other value as the only entry."""
    return list(value) if isinstance(value, list | tuple) else [value]


def merge_values(base: Any, over: Any) -> Any:
    """Merge two values as Snakemake merges configurations: mappings key by key, other values as a whole.

    Args:
        base: the value to start from.
        over: the value that takes precedence.
    """
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **over, **{key: merge_values(base[key], value) for key, value in over.items() if key in base}}


def _parse_seeds(value: Any) -> Any:
    """Read seeds from a list, one number, or `{first: 0, count: 20}`."""
    if isinstance(value, dict):
        if set(value) - {"first", "count"} or "count" not in value:
            raise ValueError(f"must be a list of seeds or a mapping {{first, count}}, but is {short_repr(value)}")
        first, count = value.get("first", 0), value["count"]
        if not (type(first) is int and type(count) is int and 1 <= count <= MAX_GRID):  # a bool is an int
            raise ValueError(
                f"first and count must be whole numbers, count from 1 to {MAX_GRID}, but are {short_repr(value)}"
            )
        return list(range(first, first + count))
    return as_list(value)


def limit_grid_size(blocks: Any) -> Any:
    """Refuse a grid of too many runs before any axis is expanded."""
    runs = sum(
        prod(_axis_length(key, axis) for key, axis in block.items())
        for block in as_list(blocks)
        if isinstance(block, dict)
    )
    if runs > MAX_GRID:
        raise ValueError(f"{runs:,} runs are more than the {MAX_GRID:,} that a study may have")
    return blocks


def _axis_length(key: str, axis: Any) -> int:
    if key in CHOICES:
        return sum(prod(map(len, option_axes(key, value).values())) for value in as_list(axis))
    counted = isinstance(axis, dict) and type(axis.get("count")) is int
    return axis["count"] if counted else len(as_list(axis))


def _expand_choices(value: Any, info: ValidationInfo) -> Any:
    """Read an axis of choices, in which an option may have a list of values."""
    return [choice for given in as_list(value) for choice in expand_choice(info.field_name, given)]


def _parse_choice(value: Any, info: ValidationInfo) -> Choice:
    """Read a choice of the family that the field is named after."""
    return parse_choice({"metrics": "metric"}.get(info.field_name, info.field_name), value)


CHOICE_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "object", "required": ["name"]}]}


def _axis_schema(item: dict[str, Any]) -> WithJsonSchema:
    """JSON schema of an axis, for editors: one value or a list."""
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]})


ChoiceField = Annotated[Choice, BeforeValidator(_parse_choice), WithJsonSchema(CHOICE_SCHEMA)]
ChoiceAxis = Annotated[list[ChoiceField], BeforeValidator(_expand_choices), _axis_schema(CHOICE_SCHEMA)]
CountAxis = Annotated[
    list[Count | Literal["all"]],
    BeforeValidator(as_list),
    _axis_schema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "all"}]}),
]
LearningRateAxis = Annotated[
    list[LearningRate],
    BeforeValidator(as_list),
    _axis_schema({"type": ["number", "string"], "minimum": MIN_RATE, "maximum": MAX_RATE}),
]
OwnLearningRateAxis = Annotated[
    list[LearningRate | None],
    BeforeValidator(as_list),
    _axis_schema({"type": ["number", "string", "null"], "minimum": MIN_RATE, "maximum": MAX_RATE}),
]
SeedAxis = Annotated[
    list[Seed],
    BeforeValidator(_parse_seeds),
    _axis_schema(
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**31 - 1}, {"type": "object", "required": ["count"]}]}
    ),
]
