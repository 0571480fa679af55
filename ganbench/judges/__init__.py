"""Judges, one file each: what looks at an example of a data set and says which mode it shows.

A member defines a frozen dataclass `Judge` with

- `fit(examples: Examples) -> Tree`: all it must remember, as arrays and numbers, `accuracy` on held-out examples among
  them;
- `look(memory: Tree, examples) -> Look`: what it sees in examples of shape (n, *shape).

Both give the same at every call, and change nothing that they are given. `fit` may refuse, by a `GanbenchError`,
examples that it cannot learn from.

Metrics compare what a judge saw in generated examples with what it saw in real ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Look:
    """What a judge saw in n examples."""

    examples: np.ndarray  # (n, *shape)
    features: np.ndarray  # (n, F), float64
    mode: np.ndarray  # (n,), the mode each example is nearest to
    confident: np.ndarray  # (n,), bool: whether it belongs to that mode beyond doubt: a high-quality example
    modes: int  # number of modes there are
