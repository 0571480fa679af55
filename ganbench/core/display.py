"""Text and values as messages show them: nothing that a terminal would obey, no password, and not too long."""

from __future__ import annotations

import re
import reprlib

LARGEST_NUMBER = 2**63  # whole numbers beyond do not fit into any array

# What terminals obey or hide: control characters but line breaks and tabs, characters that turn the direction of
# writing, and halves of characters.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with everything that a terminal would obey or hide written out, as in `\\x1b`."""
    return UNSEEN.sub(lambda sign: repr(sign.group())[1:-1], text)


class _Short(reprlib.Repr):
    """Values as messages show them: of what is long or deep only the beginning, of addresses no password."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxdict, self.maxstring, self.maxother = 3, 6, 6, 100, 100

    def repr_str(self, value: str, level: int) -> str:
        return super().repr_str(re.sub(r"(?<=://)[^/\s]+@", "...@", value), level)

    def repr_int(self, value: int, level: int) -> str:
        return repr(value) if abs(value) <= LARGEST_NUMBER else f"a number of {value.bit_length():,} bits"


shown = _Short().repr
