"""No regularizer."""

from __future__ import annotations

from dataclasses import dataclass

from ganbench.regularizers import Regularizer


@dataclass(frozen=True)
class NoRegularizer(Regularizer):
    """Leave the game unchanged."""
