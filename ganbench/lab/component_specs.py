"""Components as users write them: a name, a signature, a mapping, or an object."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from ganbench.core import registry
from ganbench.core.errors import GanbenchError, unknown
from ganbench.core.signatures import parse_signature
from ganbench.engine.components import build_component
from ganbench.games import Match
from ganbench.lab.arguments import numbers
from ganbench.study.choices import sum_as_mapping
from ganbench.study.strict_yaml import StrictLoader

ComponentSpec = str | Mapping[str, Any]  # a name, a signature or a mapping
FORMS = "a name, a signature such as 'name(option=1)', or a mapping such as {name: ..., option: 1}"


def parse_component_spec(family: str, given: ComponentSpec) -> tuple[str, dict[str, Any]]:
    """The name of a component and the options given with it.

    Args:
        family: family of the component, for messages.
        given: `dcgan`, `consensus(gamma=0.5)`, `r1(gamma=10) + r2`, `{name: consensus, gamma: 0.5}` as text, or such a
            mapping.

    Raises:
        GanbenchError: the value has none of these forms.
    """
    if isinstance(given, str):
        text = given.strip()
        if text.startswith("{"):
            return parse_component_spec(family, _mapping(family, text))
        try:
            if together := sum_as_mapping(family, text):
                return parse_component_spec(family, together)
            return parse_signature(text)
        except ValueError as error:
            raise GanbenchError(
                f"{family}: {text!r} is not a signature like 'name(option=1, other=word)': {error}."
            ) from None
    options = dict(given) if isinstance(given, Mapping) else {}
    try:
        options = sum_as_mapping(family, options) or options
    except ValueError as error:
        raise GanbenchError(f"{family}: {error}.") from None
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise GanbenchError(f"{family}: must be {FORMS}, but is {given!r}.")
    return name, options


def _mapping(family: str, text: str) -> Any:
    try:
        return yaml.load(text, StrictLoader)
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise GanbenchError(f"{family}: {text!r} is not a mapping like {{name: ..., option: 1}}: {why}.") from None


def build_from_spec(family: str, given: Any) -> Any:
    """A component with one value of every option; an object is returned as it is.

    Raises:
        GanbenchError: an unknown component or option, or a value out of its range.
    """
    if not isinstance(given, str | Mapping):
        return given
    return build_component(family, *parse_component_spec(family, given))


def build_with_member_options(family: str, given: Any, methods: Sequence[str]) -> tuple[Any, dict[str, np.ndarray]]:
    """Dynamics or an optimizer, some of whose options may have a value for each member.

    Args:
        family: "dynamics" or "optimizer".
        given: its name, signature, mapping or object.
        methods: methods that an object must have.

    Returns:
        The object with the first value of every such option, and all values of these options, {option: (count,)}.

    Raises:
        GanbenchError: not a component of the family, an unknown option, or a value out of its range.
    """
    if not isinstance(given, str | Mapping):
        if isinstance(given, type) or not all(callable(getattr(given, method, None)) for method in methods):
            raise GanbenchError(f"{family}: must be {FORMS}, or an object of that family, but is {given!r}.")
        if not dataclasses.is_dataclass(given):
            return given, {}
        fields = {each.name: getattr(given, each.name) for each in dataclasses.fields(given)}
        each = {name: value for name, value in fields.items() if isinstance(value, Tensor) and value.dim()}
        return given, {name: value.detach().cpu().numpy().ravel() for name, value in each.items()}
    name, options = parse_component_spec(family, given)
    component = registry.find(family, name)
    lists = {key: value for key, value in options.items() if isinstance(value, list | tuple | np.ndarray | Tensor)}
    each = {}
    for key, value in lists.items():
        about = component.options.get(key)
        if about is None:
            raise GanbenchError(f"{family} {component.name!r}: " + unknown("option", key, component.options))
        if about.annotation == "float":
            each[key] = numbers(f"{family} {component.name!r}: option {key!r}", value)
        elif about.annotation in ("int", "bool", "str") or about.annotation.startswith("Literal"):
            raise GanbenchError(
                f"{family} {component.name!r}: option {key!r} is {about.annotation} and has one value for all members, "
                f"but is {value!r}; only real-valued options may have one for each."
            )
    one = component.complete({**options, **{key: float(values[0]) for key, values in each.items()}})
    # Every value must be one that the component takes alone.
    for key, values in each.items():
        for value in np.unique(values):
            component.build(component.complete({**one, key: float(value)}))
    return component.build(one), each


def with_member_options(component: Any, each: Mapping[str, np.ndarray], count: int, match: Match) -> Any:
    """The dynamics or optimizer with these options as tensors (count, 1), one value for each of `count` members."""
    if not each:
        return component
    tensors = {
        name: torch.as_tensor(np.broadcast_to(values, count).copy(), dtype=match.dtype, device=match.device)[:, None]
        for name, values in each.items()
    }
    try:
        return dataclasses.replace(component, **tensors)
    except RuntimeError as error:  # a file of the user's own whose checks take single numbers only
        which = ", ".join(each)
        raise GanbenchError(
            f"{component!r} takes no {which} of each member's own: {error}; play one at a time."
        ) from None
