"""Examples that represent a distribution, with equal or given weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """Points (K, n, *shape) of K members. Without weights all count the same; weights (K or 1, n) are those of a
    quadrature, by which an expectation is exact rather than drawn."""

    points: Tensor
    weights: Tensor | None = None

    def mean(self, values: Tensor) -> Tensor:
        """The expectation (K,) of a function with these values (K, n) at the points."""
        return values.mean(-1) if self.weights is None else (values * self.weights).sum(-1)
