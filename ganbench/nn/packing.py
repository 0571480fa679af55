"""Packing: several examples that a discriminator judges together (PacGAN, Lin, Khetan, Fanti and Oh 2018, section 2).

Such a discriminator is given m examples that are all real or all generated, joined along their first axis: the channels
of images, the coordinates of points. It gives one logit for all m, so that a lack of variety among generated examples
is seen in a single input. Only the first layer is wider than without packing.

The m examples are called a group here, since a pack is a set of runs that are trained together.
"""

from __future__ import annotations

from torch import Tensor, nn


class Packing(nn.Module):
    """Joins every `packing` examples of a batch: (batch, C, ...) to (batch / packing, packing C, ...).

    The channels of a group's first example come first, then those of its second, and so on.

    Args:
        packing: the number m of examples in a group.

    Raises:
        ValueError: a batch that is no whole number of groups.
    """

    def __init__(self, packing: int) -> None:
        super().__init__()
        self.packing = packing

    def extra_repr(self) -> str:
        return f"packing={self.packing}"

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, *rest = x.shape
        if batch % self.packing:
            raise ValueError(f"a batch of {batch} examples cannot be divided into groups of {self.packing}")
        return x.reshape(batch // self.packing, self.packing * channels, *rest)


def packing_layers(packing: int) -> list[nn.Module]:
    """The first layers of a discriminator that judges groups of examples; none if it judges every example alone.

    Args:
        packing: the number of examples in a group.
    """
    return [Packing(packing)] if packing > 1 else []


def first_of_group(values: Tensor, packing: int) -> Tensor:
    """The values of each group's first example, repeated for all examples of the group.

    Args:
        values: values of examples, (K, batch, ...).
        packing: the number of examples in a group.

    Returns:
        Values of the same shape.
    """
    if packing == 1:
        return values
    groups = values.unflatten(1, (-1, packing))
    return groups[:, :, :1].expand_as(groups).flatten(1, 2)
