"""Types of the values in a study file: numbers, choices among the components of a family, and axes of these."""

from __future__ import annotations

import os
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
    ValidationError,
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


def _whole(value: Any) -> Any:
    """Convert the text of a whole number with an exponent, `1e5` or `1.5e3`; return any other value as it is."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d+)?[eE]\+?\d{1,2}", value):
        return int(number) if (number := float(value)).is_integer() else value
    return value


# YAML reads 2e-4 and 1e5 as strings, since its floats need a dot and a signed exponent; numeric types therefore accept
# such strings, which pydantic converts to floats, but not to integers.
Integer = Annotated[int, BeforeValidator(_whole), BeforeValidator(refuse_boolean)]
Count = Annotated[Integer, Field(ge=1, le=MAX_COUNT)]
Positive = Annotated[float, BeforeValidator(refuse_boolean), Field(gt=0, allow_inf_nan=False)]
MIN_RATE, MAX_RATE = 1e-37, 1e38  # runs may train in float32, which must tell a rate from 0 and from infinity
LearningRate = Annotated[
    float, BeforeValidator(refuse_boolean), Field(gt=0, ge=MIN_RATE, le=MAX_RATE, allow_inf_nan=False)
]
SEEDS = 2**31  # number of the seeds 0, 1, ...
Seed = Annotated[Integer, Field(ge=0, lt=SEEDS)]
Fraction = Annotated[float, BeforeValidator(refuse_boolean), Field(ge=0, le=1, allow_inf_nan=False)]


def min_entries(count: int) -> AfterValidator:
    """Require a least length of a tuple; unlike a length in the schema, it adds no fault where an entry is at fault."""

    def check(entries: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(entries) < count:
            raise ValueError(f"must have {count} entries or more, but has {len(entries)}")
        return entries

    return AfterValidator(check)


READ_OTHERWISE = {  # what stands for something else in a path, with the reason to refuse it
    r"\$(\w+|\{\w+\})": "since variables are not expanded",
    "[{}]": "of which Snakemake makes wildcards",
    r"\?": "which ends the path of a file in an address",
}


def _literal(path: Path) -> Path:
    """Return a path in which nothing stands for something else.

    Raises:
        ValueError: the path begins with `~`, which is not expanded, or has what `READ_OTHERWISE` lists.
    """
    text = str(path)
    if text.startswith("~"):
        raise ValueError(f"must be a path without ~, such as {os.path.expanduser(text)!r}, but is {text!r}")
    for pattern, why in READ_OTHERWISE.items():
        if found := re.search(pattern, text):
            raise ValueError(f"must be a path without {found.group()}, {why}, but is {text!r}")
    return path


Folder = Annotated[Path, AfterValidator(_literal)]


class Section(BaseModel):
    """A mapping of the study file: it refuses unknown keys, and is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        """Refuse unknown keys, together with the faults of the others: one look shall tell all."""
        if not isinstance(data, dict):
            raise ValueError(f"must be a mapping with keys {', '.join(cls.model_fields)}, but is {short_repr(data)}")
        faults: list[Any] = [
            {"type": "value_error", "ctx": {"error": unknown("key", key, cls.model_fields)}, "input": data[key]}
            for key in data
            if key not in cls.model_fields
        ]
        if not faults:
            return data
        try:
            cls.model_validate({key: value for key, value in data.items() if key in cls.model_fields})
        except ValidationError as error:
            faults += error.errors(include_url=False)
        raise ValidationError.from_exception_data(cls.__name__, faults)


def distinct(values: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a list if all of them differ.

    Raises:
        ValueError: a value occurs more than once, or two components of one name; the message names them.
    """
    called: dict[str, Choice] = {}
    for choice in (value for value in values if isinstance(value, Choice)):
        twin = called.setdefault(choice.signature, choice)
        if twin.component.path != choice.component.path:
            raise ValueError(
                f"has {twin.name!r} and {choice.name!r}, which would both be called {choice.signature!r}; rename a file"
            )
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
        first, count = _whole(value.get("first", 0)), _whole(value["count"])
        if not (type(first) is int and type(count) is int and 1 <= count <= MAX_GRID):  # a bool is an int
            raise ValueError(
                f"first and count must be whole numbers, count from 1 to {MAX_GRID}, but are {short_repr(value)}"
            )
        if not 0 <= first <= SEEDS - count:
            raise ValueError(f"seeds must be from 0 to {SEEDS - 1}, but are from {first} to {first + count - 1}")
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
    count = _whole(axis.get("count")) if isinstance(axis, dict) else None
    return count if type(count) is int else len(as_list(axis))


def _expand_choices(value: Any, info: ValidationInfo) -> Any:
    """Read an axis of choices, in which an option may have a list of values."""
    return [choice for given in as_list(value) for choice in expand_choice(info.field_name, given)]


def _parse_choice(value: Any, info: ValidationInfo) -> Choice:
    """Read a choice of the family that the field is named after."""
    choice = parse_choice({"metrics": "metric"}.get(info.field_name, info.field_name), value)
    if choice.family == "dataset" and isinstance(folder := choice.options.get("folder"), str):
        try:
            _literal(Path(folder))
        except ValueError as error:
            raise ValueError(f"dataset {choice.name!r}: option 'folder' {error}") from None
    return choice


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
