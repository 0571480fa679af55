"""A generator's first layer as a transposed convolution and as a linear one: one map, with other weights at first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream_seed
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.nn.initialization import initialize, seeded

SIDE = 4  # of the innermost feature map, and of the kernel


@dataclass(frozen=True)
class Projection(Diagnostic):
    """The first layer of DCGAN's generator makes a map of 4x4 with `channels` channels of a latent point of
    `latent_size` numbers: ConvTranspose2d(latent_size, channels, 4, 1, 0). An input of one pixel meets each weight
    once, so the layer is Linear(latent_size, 16 channels), and both are the same function with the same weights.

    PyTorch draws initial weights and biases uniformly within 1 / sqrt(n) of zero. It counts n = 16 `channels` for the
    transposed convolution, as if an output summed over these, and n = `latent_size` for the linear layer, where the sum
    is. Of standard normal latent points the outputs have the standard deviation sqrt((latent_size + 1) / (3 n)): apart
    by the factor sqrt(16 channels / latent_size). After initialisation by N(0, 0.02^2) (Radford, Metz and Chintala
    2016) there is no such difference.

    Gradients are those of the loss sum_ij r_ij y_ij / n of n latent points, with y the outputs and r a readout of
    standard normal numbers; sizes are root mean squares over a layer's weights, or over the latent points. Outputs are
    passed on as they are, or normalised first by channel over the batch, as in DCGAN. As they are, dL/dW = sum_i z_i
    r_i / n does not depend on W, and dL/dz = W r / n grows with it: with PyTorch's weights, the linear layer's dL/dW is
    the transposed convolution's, and its dL/dz sqrt(16 channels / latent_size) times that. Normalised outputs do not
    change with the size of W, so that dL/dW falls as 1 / |W| and dL/dz does not: then the linear layer's dL/dW is
    smaller by that factor, and its dL/dz the same.
    """

    latent_size: Annotated[int, Interval(ge=1, le=4096)] = 100
    """Number of coordinates of a latent point."""
    channels: Annotated[int, Interval(ge=1, le=4096)] = 1024
    """Number of channels of the first map."""
    latents: Annotated[int, Interval(ge=2, le=100_000)] = 256
    """Number of latent points of which deviations and gradients are taken."""

    of: ClassVar[Literal["runs", "study"]] = "study"

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def number(title: str, what: str, best: str = "none") -> MetricInfo:
            return MetricInfo(title, what, best, 0, None)

        shared = "between both layers' outputs with the same weights, over the standard deviation of the outputs"
        return {
            **{
                name: number(
                    f"Difference of gradients{title}",
                    "Largest difference between both layers' gradients with the same weights and normalised outputs, "
                    f"over the root mean square of the gradient, of weights and latent points, in {what} "
                    "precision.",
                    "low",
                )
                for name, title, what in (
                    ("gradient_difference", "", "single"),
                    ("exact_gradient_difference", ", exactly", "double"),
                )
            },
            **{
                f"{what}_gradient_ratio{suffix}": number(
                    f"Ratio of gradients, {words}{title}",
                    f"The linear layer's gradient of the {words} over the transposed convolution's, PyTorch's initial "
                    f"weights{title}.",
                )
                for suffix, title in (("", ""), ("_normalized", ", normalised outputs"))
                for what, words in (("weight", "weights"), ("latent", "latent points"))
            },
            "difference": number(
                "Difference with shared weights", f"Largest difference {shared}, in single precision.", "low"
            ),
            "exact_difference": number("The same, exactly", f"The same in double precision: {shared}.", "low"),
            "transposed_deviation": number(
                "Deviation, transposed convolution",
                "Standard deviation of the outputs of the transposed convolution with PyTorch's initial weights.",
            ),
            "linear_deviation": number(
                "Deviation, linear layer", "The same of the linear layer with PyTorch's initial weights."
            ),
            "ratio": number(
                "Ratio of the deviations", "The linear layer's over the transposed convolution's, PyTorch's weights."
            ),
            "expected_transposed": number(
                "Expected deviation, transposed convolution", "sqrt((latent size + 1) / (3 n)), n = 16 channels."
            ),
            "expected_linear": number(
                "Expected deviation, linear layer", "sqrt((latent size + 1) / (3 n)), n = latent size."
            ),
            "matched_ratio": number(
                "Ratio, matched weights", "The ratio of the deviations after initialisation by N(0, 0.02^2)."
            ),
        }

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        generator = torch.Generator().manual_seed(stream_seed(0, "projection"))
        latent = torch.randn(self.latents, self.latent_size, generator=generator)
        readout = torch.randn(self.latents, self.channels * SIDE**2, generator=generator)
        values: dict[str, float] = {}
        with seeded(stream_seed(0, "projection-weights")), torch.no_grad():
            transposed, linear = self.layers()
            found = [_outputs(layer, latent).std().item() for layer in (transposed, linear)]
            values |= {"transposed_deviation": found[0], "linear_deviation": found[1], "ratio": found[1] / found[0]}
            for normalised, suffix in ((False, ""), (True, "_normalized")):
                one, other = (gradients(layer, latent, readout, normalised) for layer in (transposed, linear))
                for what in ("weight", "latent"):
                    values[f"{what}_gradient_ratio{suffix}"] = _size(other[what]) / _size(one[what])
            copy_weights(transposed, linear)
            for exact, dtype in (("", torch.float32), ("exact_", torch.float64)):
                layers = [layer.to(dtype) for layer in (transposed, linear)]
                one, other = (_outputs(layer, latent.to(dtype)) for layer in layers)
                values[f"{exact}difference"] = ((one - other).abs().max() / one.std()).item()
                one, other = (gradients(layer, latent.to(dtype), readout.to(dtype), True) for layer in layers)
                values[f"{exact}gradient_difference"] = max(
                    (one[what] - other[what]).abs().max().item() / _size(one[what]) for what in one
                )
            one, other = (_outputs(initialize(layer, "normal"), latent).std() for layer in self.layers())
            values["matched_ratio"] = (other / one).item()
        values["expected_transposed"] = self.expected_deviation(self.channels * SIDE**2)
        values["expected_linear"] = self.expected_deviation(self.latent_size)
        return DiagnosticResult({name: np.asarray(values[name]) for name in self.columns(None)})

    def layers(self) -> tuple[nn.ConvTranspose2d, nn.Linear]:
        """Both layers, with PyTorch's initial weights."""
        transposed = nn.ConvTranspose2d(self.latent_size, self.channels, SIDE)
        return transposed, nn.Linear(self.latent_size, self.channels * SIDE**2)

    def expected_deviation(self, counted: int) -> float:
        """The standard deviation of the outputs of standard normal latent points, whose weights and bias are uniform
        within 1 / sqrt(n) of zero: each has the variance 1 / (3 n).

        Args:
            counted: n, the number of inputs of a unit as PyTorch counts it.
        """
        return math.sqrt((self.latent_size + 1) / (3 * counted))


def copy_weights(transposed: nn.ConvTranspose2d, linear: nn.Linear) -> None:
    """Give the linear layer the weights and biases of the transposed convolution, which has one bias a channel."""
    linear.weight.copy_(transposed.weight.flatten(1).T)
    linear.bias.copy_(transposed.bias.repeat_interleave(SIDE**2))


def gradients(layer: nn.Module, latent: Tensor, readout: Tensor, normalised: bool) -> dict[str, Tensor]:
    """The gradients of sum_ij r_ij y_ij / n, laid out as those of the transposed convolution.

    Args:
        layer: either layer.
        latent: latent points, (n, latent_size).
        readout: r, (n, 16 channels).
        normalised: whether outputs are normalised by channel, over the batch and the 16 positions.

    Returns:
        Of `weight` (latent_size, 16 channels) and of `latent` (n, latent_size).
    """
    with torch.enable_grad():
        latent = latent.clone().requires_grad_()
        outputs = _outputs(layer, latent)
        if normalised:
            maps = outputs.unflatten(1, (-1, SIDE, SIDE))
            outputs = functional.batch_norm(maps, None, None, training=True).flatten(1)
        loss = (outputs * readout).sum() / len(latent)
        weight, points = torch.autograd.grad(loss, [layer.weight, latent])
    return {"weight": weight.T if isinstance(layer, nn.Linear) else weight.flatten(1), "latent": points}


def _size(gradient: Tensor) -> float:
    """The root mean square."""
    return gradient.square().mean().sqrt().item()


def _outputs(layer: nn.Module, latent: Tensor) -> Tensor:
    """The outputs (n, 16 channels) of latent points (n, latent_size)."""
    return layer(latent if isinstance(layer, nn.Linear) else latent[:, :, None, None]).flatten(1)
