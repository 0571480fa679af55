"""Choices: components with options and labels, as studies write them and as tables show them."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    model_serializer,
)

from ganbench.core import registry
from ganbench.core.dataset_specs import built_dataset
from ganbench.core.errors import GanbenchError
from ganbench.core.escaping import short_repr
from ganbench.core.formatting import join_words
from ganbench.core.signatures import parse_signature, read_sum

LABEL = r"[A-Za-z0-9][A-Za-z0-9 .,_-]{0,39}"
LABEL_IN_WORDS = (
    "1 to 40 letters, digits, blanks, dots, commas, dashes and underscores that begin with a letter or digit"
)
LABELLED = " = "  # between a label and its signature; no label contains it


def split_label(text: str) -> tuple[str, str]:
    """Split a choice, as tables show it, into label and signature; without a label, the text is returned twice."""
    label, sign, signature = text.partition(LABELLED)
    return (label, signature) if sign and "(" not in label else (text, text)


class Choice(BaseModel):
    """A component with its options, written `dcgan` or `{name: dcgan, base_channels: 32, label: small}`; one that is
    made of others also as their sum, `r1(gamma=10) + r2`.

    Two choices are equal if they have the same family, name and options; their labels may differ.
    """

    model_config = ConfigDict(frozen=True)

    family: str
    name: str  # as written in the study: a component's name or the path of a user's own file
    options: dict[str, Any]  # complete, in the order of the component's file
    label: str | None = None  # its name in names, tables and figures

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        label = {} if self.label is None else {"label": self.label}
        return {"name": self.name, **self.options, **label}

    @property
    def component(self) -> registry.ComponentInfo:
        """The registry's description of the component."""
        return registry.find(self.family, self.name)

    def build(self) -> Any:
        """Build the component with its options."""
        if self.family == "dataset":
            return built_dataset(self.name, self.options)
        return self.component.build(self.options)

    @property
    def parts(self) -> tuple[Choice, ...]:
        """The components of which this one is made, in the order of their names; empty for most."""
        parts = self.component.parts(self.options)
        return tuple(Choice(family=self.family, name=name, options=options) for name, options in parts)

    @property
    def options_by_name(self) -> dict[str, Any]:
        """The options as digests cover them: parts have the names of their files, without the folders."""
        parts = [{"name": part.component.name, **part.options} for part in self.parts]
        return {self.component.composed_of: parts} if parts else self.options

    @property
    def flat_options(self) -> dict[str, Any]:
        """The options, with those of parts in place of the list of parts: `r1_gamma` for the option `gamma` of `r1`."""
        of_parts = {
            f"{part.component.name}_{name}": value for part in self.parts for name, value in part.options.items()
        }
        return of_parts or self.options

    @cached_property
    def signature(self) -> str:
        """The component's name with the options that differ from their defaults: `dcgan(base_channels=32)`; the sum of
        those of which it is made."""
        if parts := self.parts:
            return " + ".join(part.signature for part in parts)
        # Job files hold lists where options have tuples: of both, the text is that of a list.
        defaults, options = _with_lists(self.component.complete({})), _with_lists(self.options)
        changed = [f"{key}={value}" for key, value in options.items() if value != defaults[key]]
        return self.component.name + (f"({', '.join(changed)})" if changed else "")

    @property
    def text(self) -> str:
        """The choice as tables show it: `negative momentum = sgd(momentum=-0.5)`; without a label, its signature."""
        return self.signature if self.label is None else f"{self.label}{LABELLED}{self.signature}"

    def __eq__(self, other: object) -> bool:
        mine = (self.family, self.name, self.options)
        return isinstance(other, Choice) and mine == (other.family, other.name, other.options)

    def __hash__(self) -> int:
        return hash((self.family, self.name, repr(self.options)))


def _with_lists(value: Any) -> Any:
    """A value with lists in place of tuples, however deep."""
    if isinstance(value, dict):
        return {key: _with_lists(each) for key, each in value.items()}
    return [_with_lists(each) for each in value] if isinstance(value, list | tuple) else value


def parse_choice(family: str, value: Any) -> Choice:
    """Read a choice as a study writes it.

    Args:
        family: the family of the component.
        value: the name of the component, or a mapping with its `name`, options and label. In a family whose components
            combine also a signature, or a sum of several.

    Raises:
        ValueError: the component or an option does not exist, or the label is malformed or the name of a component.
    """
    given = sum_as_mapping(family, value) or (dict(value) if isinstance(value, dict) else {"name": value})
    name = given.pop("name", None)
    if not isinstance(name, str):
        raise ValueError(
            f"must be the name of a {family}, or a mapping with a 'name' and options, but is {short_repr(value)}"
        )
    try:
        component = registry.find(family, name)
        label = given.pop("label", None) if family in registry.CHOICES else None
        if label is not None and not (isinstance(label, str) and re.fullmatch(LABEL, label)):
            raise ValueError(f"label must be {LABEL_IN_WORDS}, but is {short_repr(label)}")
        if label in registry.components(family):
            raise ValueError(f"label {label!r} is the name of another {family}; choose another label for {name!r}")
        return Choice(family=family, name=name, options=component.complete(given), label=label)
    except GanbenchError as error:
        raise ValueError(str(error)) from None


def sum_as_mapping(family: str, value: Any) -> dict[str, Any] | None:
    """Read a signature, `r1(gamma=10)`, or a sum of several, `r1(gamma=10) + r2`, as a mapping.

    Args:
        family: the family of the components.
        value: a choice as a study writes it.

    Returns:
        The mapping; that of a mapping whose `name` is a sum has its other keys too, such as `label`. None for any other
        value that is no text, and in families whose components do not combine.

    Raises:
        ValueError: the text is no signature, or a part of the sum is empty.
    """
    combining = registry.combining(family)
    if combining is None:
        return None
    text = value.get("name") if isinstance(value, dict) else value
    if not isinstance(text, str):
        return None
    if len(parts := read_sum(text)) > 1:
        if "" in parts:
            raise ValueError(f"{short_repr(text)} has an empty part; write a {family} on each side of every +")
        others = {key: each for key, each in value.items() if key != "name"} if isinstance(value, dict) else {}
        return {"name": combining.name, combining.composed_of: parts, **others}
    if isinstance(value, dict):
        return None
    try:
        name, options = parse_signature(value)
    except ValueError as error:
        raise ValueError(f"{short_repr(value)} is no signature such as name(option=1): {error}") from None
    return {**options, "name": name}


def option_axes(family: str, value: Any) -> dict[str, list[Any]]:
    """Find the options of a choice that are lists of values, each of which makes a choice of its own.

    Args:
        family: the family of the component.
        value: a choice as a study writes it.

    Returns:
        The lists by option, those of the component's parts as `regularizers[0].gamma`; empty for a choice that is not
        valid. An option whose own type is a list has one value.
    """
    if not (isinstance(value, dict) and isinstance(value.get("name"), str)):
        return {}
    try:
        component = registry.find(family, value["name"])
    except GanbenchError:
        return {}
    options = component.options
    listed = {name: given for name, given in value.items() if name in options and isinstance(given, list | tuple)}
    axes = {name: list(given) for name, given in listed.items() if not options[name].takes_lists}
    composed = component.composed_of
    for index, part in enumerate(listed.get(composed, ())):
        own = {} if isinstance(part, dict) and part.get("name") == value["name"] else option_axes(family, part)
        axes |= {f"{composed}[{index}].{name}": values for name, values in own.items()}
    return axes


def expand_choice(family: str, value: Any) -> list[Any]:
    """Expand a choice with lists of values of its options, such as `{name: adam, beta1: [0, 0.5]}`.

    Args:
        family: the family of the component.
        value: a choice as a study writes it.

    Returns:
        All combinations of the values, as choices that a study may write.

    Raises:
        ValueError: a list is empty or repeats a value, or all combinations have one label.
    """
    axes = option_axes(family, value)
    for name, values in axes.items():
        if not values or any(one in values[:at] for at, one in enumerate(values)):
            raise ValueError(f"option {name!r} must have values that all differ, but is {short_repr(values)}")
    if prod(map(len, axes.values())) > 1 and value.get("label") is not None:
        raise ValueError(
            f"label {short_repr(value['label'])} would name several choices, since {join_words(list(axes))} "
            f"{'has' if len(axes) == 1 else 'have'} several values; write one choice for each label"
        )
    return [_with_values(value, dict(zip(axes, values, strict=True))) for values in product(*axes.values())]


def _with_values(choice: Any, values: dict[str, Any]) -> Any:
    """A choice with one value of each option that `option_axes` names."""
    if not values:
        return choice
    choice = dict(choice)
    for name, value in values.items():
        if part := re.fullmatch(r"(\w+)\[(\d+)\]\.(\w+)", name):
            option, index, inner = part[1], int(part[2]), part[3]
            parts = list(choice[option])
            parts[index] = parts[index] | {inner: value}
            choice[option] = parts
        else:
            choice[name] = value
    return choice


def canonical_signature(family: str, text: str) -> str:
    """Convert a signature as a user writes it, `sgd(momentum = -.5)`, to its form in tables; keep any other text."""
    try:
        if registry.combining(family) and len(read_sum(text)) > 1:
            return parse_choice(family, text).signature
        name, options = parse_signature(text)
        return parse_choice(family, {**options, "name": name}).signature if options else text
    except ValueError:
        return text
