"""Judges, one file each: what looks at an example of a data set and says which mode it shows.

A member defines a frozen dataclass `Judge` with

- `untrained(examples: Examples) -> Tree`: what it would remember before any training, so that a study's time can be
  estimated: a look with it takes as long as one with what `fit` returns;
- `fit(examples: Examples, report: Report = silent) -> Tree`: all it must remember, as arrays and numbers, `accuracy` on
  held-out examples among them. A judge that trains tells `report` how many steps of how many it has done, and gives up
  as soon as it cannot become good enough;
- `look(memory: Tree, examples) -> Look`: what it sees in examples of shape (n, *shape).

Both give the same at every call, and change nothing that they are given. `fit` may refuse, by a `GanbenchError`,
examples that it cannot learn from.

Metrics compare what a judge saw in generated examples with what it saw in real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Report = Callable[[int, int], None]  # told the steps done and all steps


def silent(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Look:
    """What a judge saw in n examples."""

    examples: np.ndarray  # (n, *shape)
    features: np.ndarray  # (n, F), float64
    mode: np.ndarray  # (n,), the mode each example is nearest to
    confident: np.ndarray  # (n,), bool: whether it belongs to that mode beyond doubt: a high-quality example
    modes: int  # number of modes there are
