"""Reading what people write: YAML without traps, and faults of validation in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError


def sentences(error: ValidationError, prefix: str = "") -> Iterator[str]:
    """A sentence for every fault: the key, what is wrong with it, and the value received where that is not said yet."""
    for fault in error.errors():
        key = prefix
        for part in fault["loc"]:
            if isinstance(part, int):
                key += f"[{part}]"
            elif part not in ("constrained-int", "function-before[as_number(), int]", "literal['all']"):
                key += f".{part}" if key else str(part)
        if fault["type"] == "missing":
            yield f"{key}: is missing; it has no default"
        else:
            message = fault["msg"].removeprefix("Value error, ")
            shown = f" (received {fault['input']!r})" if fault["type"] != "value_error" else ""
            yield f"{key or 'the file'}: {message}{shown}"


class Loader(yaml.SafeLoader):
    """YAML without the two things that hide mistakes or blow up: repeated keys and aliases."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()
            raise yaml.YAMLError(f"line {event.start_mark.line + 1}: aliases (*{event.anchor}) are not accepted")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"line {node.start_mark.line + 1}: key {key!r} stands twice in one mapping")
        return super().construct_mapping(node, deep=deep)
