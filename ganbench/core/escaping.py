"""Values in messages: control characters escaped, passwords removed, long values abbreviated."""

from __future__ import annotations

import re
import reprlib

MAX_INTEGER = 2**63  # larger integers do not fit into arrays

# Characters that terminals execute or hide: control characters except line breaks and tabs, characters that change the
# direction of text, and surrogates.
CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def escape_control(text: str) -> str:
    """A text with its control characters escaped, as in `\\x1b`."""
    return CONTROL_CHARACTERS.sub(lambda sign: repr(sign.group())[1:-1], text)


class _ShortRepr(reprlib.Repr):
    """Representations of values, abbreviated if long or deep, without user names and passwords in addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxdict, self.maxstring, self.maxother = 3, 6, 6, 100, 100

    def repr_str(self, value: str, level: int) -> str:
        return super().repr_str(re.sub(r"(?<=://)[^/\s]+@", "...@", value), level)

    def repr_int(self, value: int, level: int) -> str:
        return repr(value) if abs(value) <= MAX_INTEGER else f"a number of {value.bit_length():,} bits"


short_repr = _ShortRepr().repr
