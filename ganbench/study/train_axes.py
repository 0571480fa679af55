"""Training options as axes: an option of the section `train` may be a list, and every combination is a run."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import product
from math import ceil, prod
from typing import Annotated, Any, get_args, get_origin

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo

from ganbench.core.errors import GanbenchError
from ganbench.study.blocks import Train
from ganbench.study.value_types import MAX_COUNT, Section, as_list, check_axis, merge_values

LENGTHS = ("steps", "epochs", "images")  # the options that say how long a run trains; a study gives one of them
MAX_SNAPSHOTS = 1_000_000
# The options that games without a data set have no use for.
OF_BATCHES = ("batch_size", "accumulation_steps", "subset_seed")
ONE, MANY = "one value", "several values"


def _is_axis(field: FieldInfo) -> bool:
    """Whether an option has one value, so that a list of values makes it an axis; sections and lists do not."""
    parts = [get_origin(part) or part for part in (field.annotation, *get_args(field.annotation))]
    return not any(isinstance(part, type) and issubclass(part, Section | list | tuple | dict) for part in parts)


OPTIONS = tuple(name for name, field in Train.model_fields.items() if _is_axis(field))  # that may be axes
COLUMNS = {name: "steps" if name == "steps" else f"train_{name}" for name in OPTIONS}  # of the table of runs


def _axis_field(field: FieldInfo) -> tuple[Any, FieldInfo]:
    """The type and the default of an option that may be a value or a list of values."""
    value = Annotated[field.annotation, Field(), *field.metadata]
    values = Annotated[list[value], AfterValidator(check_axis)]
    kind = Discriminator(lambda given: MANY if isinstance(given, list | tuple) else ONE)
    either = Annotated[Annotated[value, Tag(ONE)] | Annotated[values, Tag(MANY)], kind]
    return either, FieldInfo(default=field.default, description=field.description)


_Options = create_model(
    "_Options",
    __base__=Section,
    **{
        name: _axis_field(field) if name in OPTIONS else (field.annotation, field)
        for name, field in Train.model_fields.items()
    },
)


class TrainAxes(_Options):
    __doc__ = Train.__doc__

    @model_validator(mode="before")
    @classmethod
    def _one_length(cls, data: Any) -> Any:
        """Refuse several lengths of training; without `steps`, let the length that is given decide."""
        if not isinstance(data, dict):
            return data
        given = [name for name in LENGTHS if data.get(name) is not None]
        if len(given) > 1:
            raise ValueError(f"must have one of {', '.join(LENGTHS)}, but has {' and '.join(given)}")
        if any(None in as_list(data[name]) for name in given):
            raise ValueError(f"{given[0]}: must have numbers only, but has null")
        return data

    @model_validator(mode="after")
    def _check_accumulation(self) -> TrainAxes:
        for size, parts in product(as_list(self.batch_size), as_list(self.accumulation_steps)):
            if size % parts or (parts > 1 and size == parts):
                valid = [n for n in range(1, size // 2 + 1) if size % n == 0]
                raise ValueError(
                    f"accumulation_steps must divide batch_size, {size}, into parts of at least two examples, but is "
                    f"{parts}; valid: {', '.join(map(str, valid))}"
                )
        return self

    @model_serializer(mode="wrap")
    def _with_one_length(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {
            name: value for name, value in serialize(self).items() if name not in LENGTHS or name == length_of(self)
        }

    def options(self) -> dict[str, Any]:
        """The options as a study may write them: with all defaults, and with one length of training."""
        return self.model_dump(mode="json")

    def merged(self, over: dict[str, Any]) -> TrainAxes:
        """Merge options into these.

        Args:
            over: the options that take precedence, as a study writes them; a length replaces any other length.

        Raises:
            ValidationError: the options are not valid.
        """
        base = self.options()
        if any(over.get(name) is not None for name in LENGTHS):
            base = {name: value for name, value in base.items() if name not in LENGTHS}
        return type(self).model_validate(merge_values(base, over))

    def combinations(self, *, batches: bool) -> list[Train]:
        """List the options of every run: all combinations of the values of the options.

        Args:
            batches: whether the game has a data set; otherwise the options of batches have their defaults.
        """
        unused = set() if batches else set(OF_BATCHES)
        written = {name: value for name, value in self.options().items() if name not in unused}
        axes = {name: values for name, values in self._axes().items() if name not in unused}
        return [
            Train.model_validate(written | dict(zip(axes, values, strict=True))) for values in product(*axes.values())
        ]

    @property
    def count(self) -> int:
        """The largest number of combinations."""
        return prod(map(len, self._axes().values()))

    def _axes(self) -> dict[str, list[Any]]:
        return {name: as_list(value) for name, value in self.options().items() if name in OPTIONS}


def values_of(train: Train) -> dict[str, Any]:
    """The options of a run that may be axes, with the one that says how long it trains."""
    values = {name: getattr(train, name) for name in OPTIONS}
    return {name: value for name, value in values.items() if name not in LENGTHS or name == length_of(train)}


@cache
def used_options(train: Train, *, batches: bool) -> dict[str, Any]:
    """The options that a run has a use for, as values that JSON can hold; the caller must not change them.

    Args:
        train: the options of a run.
        batches: whether its game has a data set.
    """
    unused = {name for name in ("epochs", "images", "subset_seed", "early_stopping") if getattr(train, name) is None}
    unused |= set(() if batches else (*OF_BATCHES, "early_stopping"))
    return {name: value for name, value in train.model_dump(mode="json").items() if name not in unused}


def length_of(train: Train | TrainAxes) -> str:
    """The option that says how long a run trains."""
    return next((name for name in ("epochs", "images") if getattr(train, name) is not None), "steps")


def varied_options(trains: Iterable[Train]) -> list[str]:
    """The options in which runs differ, in the order of the section."""
    told = [values_of(train) for train in trains]
    return [name for name in OPTIONS if len({repr(values.get(name)) for values in told}) > 1]


def with_steps(train: Train, n_train: int | None) -> Train:
    """Resolve the length of training into a number of steps.

    Args:
        train: the options of a run.
        n_train: the run's number of training examples; None for a game without a data set.

    Raises:
        GanbenchError: the game has no data set, or the number of steps is larger than a study may have.
    """
    length, every = length_of(train), train.snapshots.every
    if length == "steps":
        steps = train.steps
    elif n_train is None:
        raise GanbenchError(f"{length} count training examples, and the game has none; give steps")
    elif length == "epochs":
        steps = train.epochs * ceil(n_train / train.batch_size)
    else:
        steps = ceil(train.images / train.batch_size)
    if steps > MAX_COUNT:
        raise GanbenchError(f"{length} {getattr(train, length):,} are {steps:,} steps, more than {MAX_COUNT:,}")
    if every is not None and steps / every > MAX_SNAPSHOTS:
        raise GanbenchError(f"snapshots.every {every:,} are over {MAX_SNAPSHOTS:,} snapshots in {steps:,} steps")
    return train if steps == train.steps else train.model_copy(update={"steps": steps})
