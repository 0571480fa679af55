"""Examples that represent a distribution, with equal or given weights, and a discriminator's outputs on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import join_words

NAMES = ("logits", "class_logits", "features")
"""The names of a discriminator's outputs, in their order, where it gives a tuple of them."""


@dataclass(frozen=True)
class Sample:
    """Points (K, n, *shape) of K members. Without weights all count the same; weights (K or 1, n) are those of a
    quadrature, by which an expectation is exact rather than drawn. Conditional networks have labels, (K, n) of int64.
    Every `packing` points, in their order, are a group that the discriminator judges together.
    """

    points: Tensor
    weights: Tensor | None = None
    labels: Tensor | None = None
    packing: int = 1

    def mean(self, values: Tensor) -> Tensor:
        """The expectation (K,) of a function with these values at the points, (K, n), or at groups of them."""
        return values.mean(-1) if self.weights is None else (values * self.weights).sum(-1)


@dataclass(frozen=True)
class Outputs:
    """A discriminator's outputs on a sample of n points, or of n groups of points that it judges together.

    Attributes:
        logits: the logits, (K, n).
        sample: the sample; its points are those before a regularizer changes them.
        others: what the discriminator gives besides, (K, n, ...) by name.
        flipped: where an example, or a group, has the label of the other kind in the discriminator's loss, (K, n);
            None for nowhere.
    """

    logits: Tensor
    sample: Sample
    others: Mapping[str, Tensor] = field(default_factory=dict)
    flipped: Tensor | None = None

    @classmethod
    def of_named(cls, named: Mapping[str, Tensor], sample: Sample, flipped: Tensor | None) -> Outputs:
        """Outputs by name, see `named_outputs`."""
        others = {name: values for name, values in named.items() if name != "logits"}
        return cls(named["logits"], sample, others, flipped)

    def mean(self, values: Tensor) -> Tensor:
        """The expectation (K,) of a function with these values (K, n) on the sample."""
        return self.sample.mean(values)

    def __getitem__(self, name: str) -> Tensor:
        """Another output of the discriminator, (K, n, ...), or the sample's `labels`.

        Raises:
            GanbenchError: there is none of this name.
        """
        known = {**self.others, **({} if self.sample.labels is None else {"labels": self.sample.labels})}
        if name not in known:
            given = join_words(["logits", *known])
            labels = "takes a data set with labels and an architecture that is conditional"
            remedy = labels if name == "labels" else f"takes a discriminator with {name}"
            raise GanbenchError(f"the objective needs {name!r} beside {given}; it {remedy}.")
        return known[name]


def named_outputs(outputs: Any) -> dict[str, Tensor]:
    """What a discriminator gives, by name: its logits alone, a tuple of outputs in the order of `NAMES`, or a dict."""
    if isinstance(outputs, Tensor):
        return {"logits": outputs}
    return dict(outputs) if isinstance(outputs, Mapping) else dict(zip(NAMES, outputs, strict=False))
