"""Messages of a trial, which its process sends to the process that started it, one in a line of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import get_args

from ganbench.core import strict_json
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings
from ganbench.pipeline.typed_json import decode, encode


@dataclass(frozen=True)
class Begun:
    """A part of the trial has begun."""

    part: str
    seconds: float | None  # limit of its time; None for no limit


@dataclass(frozen=True)
class Note:
    """A note for the study's author."""

    text: str


@dataclass(frozen=True)
class Progress:
    """What is tried or timed from now on."""

    text: str


@dataclass(frozen=True)
class Estimated:
    """A method has been timed."""

    estimate: Estimate


@dataclass(frozen=True)
class Passed:
    """The trial has found no fault: the estimates of all methods, and the timings of all other work."""

    estimates: list[Estimate]
    timings: Timings


@dataclass(frozen=True)
class Failed:
    """The trial has found a fault."""

    error: str


Message = Begun | Note | Progress | Estimated | Passed | Failed
TYPES = {each.__name__: each for each in get_args(Message)}


def to_line(message: Message) -> bytes:
    """Write a message as a line."""
    return strict_json.dumps({type(message).__name__: encode(message)}).encode() + b"\n"


def from_line(line: bytes) -> Message:
    """Read a message from a line that `to_line` wrote."""
    ((name, fields),) = json.loads(line).items()
    return decode(TYPES[name], fields)
