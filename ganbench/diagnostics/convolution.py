"""Output sizes of convolutions: two calculators, and where the rules of thumb about them hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game

EXAMPLES = (
    # transposed, input size, kernel, stride, padding
    (False, 6, 2, 1, 0),
    (False, 6, 2, 2, 0),
    (False, 6, 2, 2, 1),
    (False, 5, 2, 2, 0),
    (True, 3, 2, 2, 0),
    (True, 5, 2, 1, 0),
    (True, 3, 2, 2, 1),
)
"""The worked examples of "Calculating the output size of convolutions and transpose convolutions" (makeyourownneural
network.blogspot.com, 2020; the same in appendix C of Rashid's "Make your first GAN with PyTorch"). The settings of 1 to
3 are the source's; of the others only the sizes 2, 6, 6, 4 and the input of 6 are, and the settings are the ones with
the same 2 by 2 kernel that lead to them. The printed code of 3 has a padding of 2 where its text has 1."""

PHOTO = 28  # pixels: the side of the smallest images that count as photographs


def convolution_size(n: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Side of the output of a convolution of a square image: floor((n + 2p - d(k - 1) - 1) / s) + 1.

    Args:
        n, kernel: sides of image and kernel, pixels.
        stride, padding, dilation: as in `torch.nn.Conv2d`, the same along both axes.

    Raises:
        GanbenchError: a setting is out of its range, or the kernel is larger than the padded image.
    """
    _require(n=n, kernel=kernel, stride=stride, dilation=dilation)
    _require(0, padding=padding)
    reach, padded = dilation * (kernel - 1) + 1, n + 2 * padding
    if reach > padded:
        raise GanbenchError(
            f"a kernel of {kernel} with dilation {dilation} reaches over {reach} pixels, but the image of {n} padded "
            f"by {padding} has {padded}: take a smaller kernel or dilation, or a padding from {-((n - reach) // 2)} on."
        )
    return (padded - reach) // stride + 1


def transposed_size(
    n: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, output_padding: int = 0
) -> int:
    """Side of the output of a transposed convolution: (n - 1)s - 2p + d(k - 1) + output padding + 1.

    It restores the input size of the convolution with the same settings if the output padding is
    (n + 2p - d(k - 1) - 1) mod s, the remainder that the convolution rounds off.

    Raises:
        GanbenchError: a setting is out of its range, or nothing is left of the output.
    """
    _require(n=n, kernel=kernel, stride=stride, dilation=dilation)
    _require(0, padding=padding, output_padding=output_padding)
    if output_padding >= max(stride, dilation):
        raise GanbenchError(
            f"output_padding is {output_padding}, but must be less than the larger of stride ({stride}) and dilation "
            f"({dilation}): 0 to {max(stride, dilation) - 1}."
        )
    whole = (n - 1) * stride + dilation * (kernel - 1) + output_padding + 1
    if whole <= 2 * padding:
        raise GanbenchError(
            f"a padding of {padding} cuts {2 * padding} pixels off an output of {whole}, so nothing is left; it can be "
            f"0 to {(whole - 1) // 2} here."
        )
    return whole - 2 * padding


def uncovered_edge(n: int, kernel: int, stride: int = 1, padding: int = 0) -> int:
    """Pixels at the far edge of each axis that no position of the kernel covers, for a stride of at most the kernel.

    Of the padded image (n + 2p - k) mod s pixels remain uncovered, and the last p of them are padding: the image
    itself loses max(0, remainder - p). With a stride above the kernel there are gaps everywhere as well.
    """
    convolution_size(n, kernel, stride, padding)
    return max(0, (n + 2 * padding - kernel) % stride - padding)


@dataclass(frozen=True)
class Convolution(Diagnostic):
    """Every setting with an input of up to `max_image_size` pixels, kernels of 1 to 7, strides of 1 to 4 and paddings
    of 0 to 3 is computed by torch: its sizes, and by the gradient in the input which pixels a convolution covers.
    """

    max_image_size: Annotated[int, Interval(ge=1, le=1024)] = 64
    """Largest side of an input, in pixels."""

    of: ClassVar[Literal["runs", "study"]] = "study"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        examples = {f"example_{i}": f"worked example {i}" for i in range(1, len(EXAMPLES) + 1)}
        examples["example_3_printed"] = "worked example 3 with the padding of its printed code"
        sizes = {
            name: MetricInfo(f"Size in {what}", f"Side of the output in {what}.", "none", 1, None)
            for name, what in examples.items()
        }
        clean = "where the stride is at most the kernel, so that there are no gaps inside"

        def count(title: str, what: str) -> MetricInfo:
            return MetricInfo(title, what, "low", 0, None)

        def share(title: str, what: str, best: str = "low") -> MetricInfo:
            return MetricInfo(title, what, best, 0, 1)

        return {
            **sizes,
            "settings": MetricInfo("Settings", "Settings of which torch computes the convolution.", "none", 0, None),
            "formula_mismatches": count(
                "Wrong sizes", "Settings whose size by a formula, of either convolution, is not torch's."
            ),
            "inverted_share": share(
                "Sizes given back", "Share of settings whose transposed convolution gives the input size back.", "none"
            ),
            "inverted_mismatches": count(
                "Wrong about inversion", "Settings where it does so and (n + 2p - k) mod s is not 0, or the reverse."
            ),
            "inverted_share_padded": share(
                "Sizes given back by output padding", "The same share with that remainder as output padding.", "high"
            ),
            "uncovered_mismatches": count(
                "Wrong uncovered edges", f"Settings whose uncovered edge is not (n + 2p - k) mod s pixels, {clean}."
            ),
            "corrected_mismatches": count(
                "Wrong corrected edges", f"Settings whose uncovered edge is not that less the padding, {clean}."
            ),
            "mean_uncovered": share(
                "Mean uncovered edge", f"Pixels of an axis that no kernel covers, mean over settings, {clean}."
            ),
            "max_uncovered": share("Largest uncovered edge", f"The largest of these shares, {clean}."),
            "max_uncovered_photo": share(
                "Largest uncovered edge of images", f"The largest of these shares from {PHOTO} pixels on, {clean}."
            ),
            "gap_share": share(
                "Uncovered by wide strides",
                "Pixels of an axis that no kernel covers, mean over the settings with a stride above the kernel.",
            ),
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        values = {f"example_{i}": _torch_size(*example) for i, example in enumerate(EXAMPLES, 1)}
        values["example_3_printed"] = _torch_size(False, 6, 2, 2, 2)
        wrong = 0
        back, remainders, padded, gaps, edges = [], [], [], [], []
        for n, k, s, p in settings(self.max_image_size):
            size = _torch_size(False, n, k, s, p)
            wrong += size != _or_none(convolution_size, n, k, s, p)
            wrong += _torch_size(True, n, k, s, p) != _or_none(transposed_size, n, k, s, p)
            if size is None:
                continue
            remainder = (n + 2 * p - k) % s
            remainders.append(remainder)
            back.append(_torch_size(True, size, k, s, p) == n)
            padded.append(_torch_size(True, size, k, s, p, output_padding=remainder) == n)
            covered = _covered_pixels(n, k, s, p)
            if s > k:
                gaps.append(1 - covered.double().mean().item())
            else:
                edges.append((n, n - 1 - int(covered.nonzero().max()), remainder, uncovered_edge(n, k, s, p)))
        sides, measured, claimed, corrected = np.array(edges).T
        share, exact = measured / sides, np.array(remainders) == 0
        values |= {
            "settings": len(back),
            "formula_mismatches": wrong,
            "inverted_share": np.mean(back),
            "inverted_mismatches": np.sum(np.array(back) != exact),
            "inverted_share_padded": np.mean(padded),
            "uncovered_mismatches": np.sum(measured != claimed),
            "corrected_mismatches": np.sum(measured != corrected),
            "mean_uncovered": share.mean(),
            "max_uncovered": share.max(),
            "max_uncovered_photo": share[sides >= PHOTO].max(initial=np.nan if self.max_image_size < PHOTO else 0.0),
            "gap_share": np.mean(gaps),
        }
        return DiagnosticResult({name: np.asarray(value, dtype=np.float64) for name, value in values.items()})


def settings(max_image_size: int) -> Iterator[tuple[int, int, int, int]]:
    """All (input size, kernel, stride, padding) that are tried."""
    return product(range(1, max_image_size + 1), range(1, 8), range(1, 5), range(4))


def _torch_size(
    transposed: bool, n: int, kernel: int, stride: int, padding: int, output_padding: int = 0
) -> int | None:
    """The side that torch computes; None where it refuses. On the meta device only shapes are computed."""
    image, weight = (torch.empty(1, 1, side, side, device="meta") for side in (n, kernel))
    try:
        if transposed:
            out = F.conv_transpose2d(image, weight, stride=stride, padding=padding, output_padding=output_padding)
        else:
            out = F.conv2d(image, weight, stride=stride, padding=padding)
    except RuntimeError:
        return None
    return out.shape[-1]


def _covered_pixels(n: int, kernel: int, stride: int, padding: int) -> Tensor:
    """Which pixels of an axis a convolution covers, (n,): those in which its output has a gradient."""
    image = torch.zeros(1, 1, n, requires_grad=True)
    out = F.conv1d(image, torch.ones(1, 1, kernel), stride=stride, padding=padding)
    (grad,) = torch.autograd.grad(out.sum(), image)
    return grad[0, 0] > 0


def _or_none(size, *setting: int) -> int | None:
    try:
        return size(*setting)
    except GanbenchError:
        return None


def _require(least: int = 1, **settings: int) -> None:
    for name, value in settings.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise GanbenchError(f"{name} must be a whole number of at least {least}, but is {value!r}.")
