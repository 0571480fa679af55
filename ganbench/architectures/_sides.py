"""Networks whose feature maps double from an innermost side of 4 to 7: sides of images, and widths of the maps."""

from __future__ import annotations

from ganbench.data import DataSpec

LEAST, MOST = 4, 7  # side of the innermost feature map


def innermost(side: int) -> int:
    """Side of the innermost feature map: that of the images, halved as long as halves are whole and no less than 4."""
    while side % 2 == 0 and side >= 2 * LEAST:
        side //= 2
    return side


def sides_fault(data: DataSpec) -> str | None:
    """Why the examples are not squares that halve down to such a map, as a clause; None if they are.

    Args:
        data: the data set.
    """
    if len(data.shape) != 3 or data.shape[1] != data.shape[2] or data.shape[1] < 2 * LEAST:
        return f"it needs square images of at least {2 * LEAST} pixels"
    side = data.shape[1]
    if innermost(side) <= MOST:
        return None
    valid = [first * 2**level for first in range(LEAST, MOST + 1) for level in range(1, 9)]
    return (
        f"it needs square images whose side is 4, 5, 6 or 7 times a power of two, but {side} pixels halve down to "
        f"{innermost(side)}; resize them to {min(valid, key=lambda each: abs(each - side))}"
    )


def doubled_widths(side: int, features: int, most: int) -> list[int]:
    """Channels of the feature maps, from the innermost to those next to the image.

    Args:
        side: side of the images.
        features: channels next to the image; every halving doubles them.
        most: the most channels, or `features` if that is more.
    """
    halvings = (side // innermost(side)).bit_length() - 1
    return [min(features * 2**level, max(features, most)) for level in range(halvings, -1, -1)]
