"""What networks ask of examples: the sides of images, and the range of values."""

from __future__ import annotations

from collections.abc import Callable

from ganbench.data import DataSpec

MIN_SIDE, MAX_SIDE = 4, 7  # side of the innermost feature map of networks that double
ATOL = 1e-6  # of the ends of a range
DOUBLED = f"square images whose side is 4, 5, 6 or 7 times a power of two, of at least {2 * MIN_SIDE} pixels"


def doubles(side: int) -> bool:
    """Whether feature maps that double from an innermost side of 4 to 7 reach a side."""
    return side >= 2 * MIN_SIDE and innermost(side) <= MAX_SIDE


def innermost(side: int) -> int:
    """Side of the innermost feature map: that of the images, halved as long as halves are whole and no less than 4."""
    while side % 2 == 0 and side >= 2 * MIN_SIDE:
        side //= 2
    return side


def halvings(side: int) -> int:
    """How many times the side of an image is halved down to its innermost feature map."""
    return (side // innermost(side)).bit_length() - 1


def halved(data: DataSpec, halvings: int) -> list[tuple[int, int]]:
    """Height and width of feature maps, from the image to the innermost; every halving rounds up.

    Args:
        data: the images.
        halvings: number of halvings.
    """
    return [tuple(-(-side // 2**level) for side in data.shape[1:]) for level in range(halvings + 1)]


def halved_fault(data: DataSpec) -> str | None:
    """Why a network whose halvings round up cannot make images of a data set's size, as of `sides_fault`."""
    return sides_fault(data, "images whose sides have 8 pixels or more", lambda side: side >= 8, square=False)


def doubled_widths(maps: int, base_channels: int, max_channels: int) -> list[int]:
    """Channels of so many feature maps, from the one next to the image to the innermost: every halving doubles them.

    Args:
        maps: number of feature maps.
        base_channels: channels of the first.
        max_channels: the most channels that a map has, the first too; 0 for no limit.
    """
    widths = [base_channels * 2**level for level in range(maps)]
    return [min(width, max_channels or width) for width in widths]


def resizing(side: int, valid: Callable[[int], bool]) -> str:
    """The nearest valid sides of images, as a clause: "resize to 28 or 32".

    Args:
        side: number of pixels of a side that is not valid.
        valid: whether a side is valid.
    """
    below = next((s for s in range(side, 0, -1) if valid(s)), None)
    above = next((s for s in range(side, 4 * side + 64) if valid(s)), None)
    return "resize to " + " or ".join(str(s) for s in dict.fromkeys((below, above)) if s)


def sides_fault(data: DataSpec, rule: str, valid: Callable[[int], bool], *, square: bool = True) -> str | None:
    """Why a network cannot make images of a data set's size, as a clause with the nearest sizes; None if it can.

    Args:
        data: the data set.
        rule: the valid sizes, which completes "it needs".
        valid: whether the network can make a side of so many pixels.
        square: whether both sides must be equal.
    """
    if len(data.shape) != 3:
        return f"it needs {rule}, but examples have the shape {data.shape}"
    height, width = data.shape[1:]
    if square and height != width:
        return f"it needs {rule}, but images have {height}x{width} pixels: {resizing(min(height, width), valid)}"
    for side in (height, width):
        if not valid(side):
            return f"it needs {rule}, but a side has {side} pixels: {resizing(side, valid)}"
    return None


def range_fault(data: DataSpec, output_activation: str, remedy: str = "") -> str | None:
    """Why a generator cannot make values in the range of a data set's, as a clause; None if it can.

    Data with values in [-1, 1] are no fault of a `sigmoid`, whose outputs lie in (0, 1): such networks were published
    and are studied. See `range_caution`.

    Args:
        data: the data set.
        output_activation: the function that the generator ends in: `linear`, or one with bounded values.
        remedy: the setting that would help, if there is one.
    """
    if data.bounded or output_activation == "linear":
        return None
    least, setting = (
        (0, ", those of images with the data's `mean: 0` and `std: 1`") if output_activation == "sigmoid" else (-1, "")
    )
    ends = output_activation.replace("_", " ")
    needs = f"its generator ends in {ends}, so it needs examples with values in [{least}, 1]{setting}"
    return f"{needs}, or {remedy}" if remedy else needs


def range_caution(data: DataSpec, output_activation: str) -> str | None:
    """What a generator's outputs do not reach of the data's range, as a clause; None if they reach all of it.

    Args:
        data: the data set, with bounded values.
        output_activation: the function that the generator ends in.
    """
    low, high = data.limits
    if output_activation != "sigmoid" or (low >= -ATOL and high <= 1 + ATOL):
        return None
    return (
        f"the generator ends in sigmoid, whose outputs lie in (0, 1), and so do not reach the data's range "
        f"[{low:g}, {high:g}]; set the data's `mean: 0` and `std: 1`, or another `output_activation`"
    )
