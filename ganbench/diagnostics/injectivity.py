"""Ranks of convolutions as matrices: which of them lose something of their input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.nn.initialization import seeded

LENGTH = 8  # of the signals, but for the shortest that a kernel of two fits

Kernel = tuple[float, ...]
CASES: dict[str, tuple[str, Kernel, str, int]] = {
    # name in columns: (name in sentences, kernel, border, length of the input)
    "valid_pair": ("the kernel (1, 1) without padding", (1.0, 1.0), "valid", 2),
    "valid": ("the kernel (1, 1) without padding", (1.0, 1.0), "valid", LENGTH),
    "circular": ("the kernel (1, 0.3) around a circle", (1.0, 0.3), "circular", LENGTH),
    "circular_mean": ("the kernel (1, 1) around a circle", (1.0, 1.0), "circular", LENGTH),
    "padded": ("the kernel (0.3, 1, 0.3) with a border of zeros", (0.3, 1.0, 0.3), "zeros", LENGTH),
}
LAYERS: dict[str, tuple[str, dict[str, int]]] = {
    # the convolutions next to the image of the articles' networks, as arguments of PyTorch's Conv2d
    "unpool_layer": ("3x3 convolution of 3 to 16 channels", {"out_channels": 16, "kernel_size": 3, "padding": 1}),
    "dcgan_layer": (
        "4x4 convolution of 3 to 64 channels with stride 2",
        {"out_channels": 64, "kernel_size": 4, "stride": 2, "padding": 1},
    ),
}


@dataclass(frozen=True)
class Injectivity(Diagnostic):
    """A convolution is a linear map, and injective exactly if its matrix has as many linearly independent rows as its
    input has numbers. The rank is that of NumPy: the number of singular values above the largest one times the machine
    epsilon of float64 times the larger side of the matrix.

    Measured are convolutions of a signal that a pencil can check, and the convolutions next to an image that the
    article's networks have, with PyTorch's initial weights, for images of 8x8x3. Around a circle the discrete Fourier
    transform diagonalises a convolution, so that its singular values are the sizes of the transformed kernel: (1, 1)
    loses the alternating signal of an even length and nothing else, and (1, 0.3) nothing at all.
    """

    of: ClassVar[Literal["runs", "study"]] = "study"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        signals = {name: f"{words}, of {length} numbers" for name, (words, _, _, length) in CASES.items()}
        images = {name: f"a {words}, of 8x8 pixels" for name, (words, _) in LAYERS.items()}
        found = {}
        for name, what in (signals | images).items():
            title = name.replace("_", " ").capitalize()
            found[f"{name}_rank"] = MetricInfo(f"{title}: rank", f"Rank of {what}.", "none", 0, None)
            found[f"{name}_lost"] = MetricInfo(
                f"{title}: lost",
                f"Dimensions of the input that {what} maps to zero; 0 if it is injective.",
                "none",
                0,
                None,
            )
        return found | {
            "circular_error": MetricInfo(
                "Error of the closed form",
                "Largest difference of a singular value around a circle from the size of the transformed kernel.",
                "low",
                0,
                None,
            )
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        operators = {name: signal_operator(kernel, border, n) for name, (_, kernel, border, n) in CASES.items()}
        operators |= {name: layer_operator(options) for name, (_, options) in LAYERS.items()}
        values: dict[str, float] = {}
        for name, operator in operators.items():
            values[f"{name}_rank"] = rank(operator)
            values[f"{name}_lost"] = operator.shape[1] - rank(operator)
        errors = [
            np.abs(np.linalg.svd(operators[name], compute_uv=False) - circular_singular_values(kernel, n)).max()
            for name, (_, kernel, border, n) in CASES.items()
            if border == "circular"
        ]
        values["circular_error"] = max(errors)
        return DiagnosticResult({name: np.asarray(value, np.float64) for name, value in values.items()})


def rank(operator: np.ndarray) -> int:
    """The rank of a matrix (m, n): singular values above the largest one times max(m, n) roundings of float64."""
    values = np.linalg.svd(operator, compute_uv=False)
    return int((values > max(operator.shape) * np.finfo(np.float64).eps * values[0]).sum())


def circular_singular_values(kernel: Kernel, length: int) -> np.ndarray:
    """The singular values of a convolution around a circle, largest first: |sum over j of k_j exp(-2 pi i f j / n)| for
    the frequencies f = 0 ... n - 1.

    Args:
        kernel: the kernel, of at most `length` numbers.
        length: n, the length of the signal.
    """
    return np.sort(np.abs(np.fft.fft(kernel, length)))[::-1]


def signal_operator(kernel: Kernel, border: str, length: int) -> np.ndarray:
    """The matrix (outputs, length) of PyTorch's convolution of a signal.

    Args:
        kernel: the kernel.
        border: `valid` for none, `zeros` for as many zeros at both ends as keep the length, `circular` for the start
            of the signal at its end.
        length: length of the signal.
    """
    weight = torch.tensor(kernel, dtype=torch.float64)[None, None]
    padding = len(kernel) // 2 if border == "zeros" else 0

    def convolve(x: Tensor) -> Tensor:
        x = torch.cat([x, x[..., : len(kernel) - 1]], dim=-1) if border == "circular" else x
        return F.conv1d(x, weight, padding=padding)

    return matrix(convolve, (1, length))


def layer_operator(options: dict[str, int], side: int = 8) -> np.ndarray:
    """The matrix (outputs, inputs) of a convolution of colour images, without bias and with PyTorch's initial weights.

    Args:
        options: arguments of PyTorch's Conv2d.
        side: side of the images.
    """
    with seeded(0):
        layer = torch.nn.Conv2d(3, **options, bias=False, dtype=torch.float64)
    with torch.no_grad():
        return matrix(layer, (3, side, side))


def matrix(linear: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> np.ndarray:
    """The matrix (outputs, inputs) of a linear function of a batch, by the images of the unit vectors.

    Args:
        linear: function of inputs (batch, *shape).
        shape: shape of one input.
    """
    size = int(np.prod(shape))
    return linear(torch.eye(size, dtype=torch.float64).reshape(size, *shape)).reshape(size, -1).T.numpy()
