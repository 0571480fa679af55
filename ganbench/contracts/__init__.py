"""The contract of each family, checked by running its components.

The same checks serve the tests of the shipped components, and `ganbench check`, which runs the components of a study. A
check returns the fault as a clause with the component as its subject, or None. It does not catch exceptions that a
component raises.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from difflib import get_close_matches
from typing import Any

from ganbench.core.registry import FAMILIES

CONTRACTS = {key: family.contract for key, family in FAMILIES.items()}
"""The contract of each family, for messages; the base class's docstring has the details."""


def component_fault(family: str, made: Any) -> str | None:
    """The fault of a component's class, as a clause; None for a valid class.

    Args:
        family: key of the family.
        made: an object of the class.
    """
    kind = type(made)
    if not is_dataclass(kind) or not kind.__dataclass_params__.frozen:
        return f"its class {kind.__name__} must be a frozen dataclass, whose fields are its options"
    base = FAMILIES[family].base_class
    if not isinstance(made, base):
        return f"its class {kind.__name__} must derive from {base.__module__}.{base.__name__}"
    known = [name for name in dir(base) if not name.startswith("_")]
    for name, value in vars(kind).items():
        near = get_close_matches(name, known, n=1, cutoff=0.85)
        if callable(value) and not name.startswith("_") and name not in known and near:
            return f"its {name}() is never called; did you mean {near[0]}()? Name a method of its own otherwise"
    return None


def supports_fault(refusal: Any) -> str | None:
    """The fault of an answer of `unsupported`, as a clause; None for a valid one, which is None or a sentence."""
    if refusal is None or (isinstance(refusal, str) and refusal):
        return None
    return f"its unsupported() must give None or a sentence, but gives {refusal!r}"
