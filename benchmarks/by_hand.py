"""The opponent: a fused training step written by hand for its networks, in the manner of HFTA's operators.

Horizontally fused training arrays (Wang et al., MLSys 2021) train K runs as one: a linear layer is one `baddbmm` with
weights (K, in, out), a convolution one with K groups, batch normalisation one over K C channels. What the engine does
for any game, dynamics and module is done here for sequences of known layers, the non-saturating loss, alternating
descent and Adam alone: PyTorch's kernels one after the other, and nothing between them. Numbers and records are the
engine's: losses, norms of gradients and parameters and the discriminator's mean outputs, of every step and run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cases import LEARNING_RATE, Case
from ganbench.architectures import initial_module
from ganbench.games import CHUNK

BETA1, BETA2, EPSILON = 0.5, 0.999, 1e-8
SERIES = (
    *("discriminator_loss", "discriminator_gradient_norm", "discriminator_parameter_norm"),
    *("generator_loss", "generator_gradient_norm", "generator_parameter_norm"),
    *("real_output", "fake_output"),
)
CONVOLUTIONS = nn.Conv2d | nn.ConvTranspose2d


@dataclass(frozen=True)
class FusedLayer:
    """A layer of K runs: a function of its inputs and its weights, whose first axis is the run's."""

    forward: Callable[[Tensor, Sequence[Tensor]], Tensor]
    weights: tuple[Tensor, ...] = ()


def fused_layer(layers: Sequence[nn.Module]) -> FusedLayer:
    """One layer of every run, as one layer; its inputs are (K, N, features), or (N, K C, H, W) around convolutions.

    Raises:
        TypeError: such a layer has no fused form here.
    """
    first, runs = layers[0], len(layers)

    def stacked(name: str) -> Tensor:
        return torch.stack([getattr(layer, name).detach() for layer in layers])

    match first:
        case nn.Linear():
            weights = stacked("weight").mT.contiguous(), stacked("bias").unsqueeze(1)
            return FusedLayer(lambda x, w: torch.baddbmm(w[1], x, w[0]), weights)
        case nn.Conv2d() | nn.ConvTranspose2d():
            function = F.conv2d if isinstance(first, nn.Conv2d) else F.conv_transpose2d
            how = {"stride": first.stride, "padding": first.padding, "groups": runs}
            names = ("weight",) if first.bias is None else ("weight", "bias")
            return FusedLayer(
                lambda x, w: function(x, *(each.flatten(0, 1) for each in w), **how),
                tuple(stacked(name) for name in names),
            )
        case nn.BatchNorm2d(track_running_stats=False):
            return FusedLayer(
                lambda x, w: F.batch_norm(x, None, None, *(each.flatten() for each in w), training=True, eps=first.eps),
                (stacked("weight"), stacked("bias")),
            )
        case nn.ReLU():
            return FusedLayer(lambda x, _: x.relu())
        case nn.LeakyReLU():
            return FusedLayer(lambda x, _: F.leaky_relu(x, first.negative_slope))
        case nn.Tanh():
            return FusedLayer(lambda x, _: x.tanh())
    raise TypeError(f"no fused form of {type(first).__name__}")


class FusedNetwork:
    """A network of K runs.

    Args:
        modules: the runs' networks, sequences of the same layers.
        device, dtype: of the weights.

    Attributes:
        weights: the parameters, (K, ...) each.
        convolves: whether inputs are (N, K C, H, W), and not (K, N, features).
        mixes: whether a layer mixes the examples of a batch, so that real and generated ones need a pass each.
    """

    def __init__(self, modules: Sequence[nn.Sequential], device: torch.device, dtype: torch.dtype) -> None:
        rows = [row for row in zip(*modules, strict=True) if not isinstance(row[0], nn.Flatten | nn.Unflatten)]
        layers = [fused_layer(row) for row in rows]
        self._layers = [(layer.forward, len(layer.weights)) for layer in layers]
        self.weights = [w.to(device, dtype).contiguous().requires_grad_() for layer in layers for w in layer.weights]
        self.convolves = any(isinstance(row[0], CONVOLUTIONS) for row in rows)
        self.mixes = any(isinstance(row[0], nn.BatchNorm2d) for row in rows)

    def __call__(self, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        used = 0
        for forward, count in self._layers:
            x = forward(x, weights[used : used + count])
            used += count
        return x


class FusedAdam:
    """Adam in place, one kernel for all tensors; one learning rate for all runs, where HFTA's has one of each."""

    def __init__(self, weights: list[Tensor]) -> None:
        self.weights = weights
        self._means, self._squares = ([torch.zeros_like(w) for w in weights] for _ in range(2))
        self._step = torch.zeros((), device=weights[0].device)

    def step(self, gradients: list[Tensor]) -> None:
        self._step += 1
        moments = (self._means, self._squares, [], [self._step] * len(self.weights))
        how = {"lr": LEARNING_RATE, "beta1": BETA1, "beta2": BETA2, "eps": EPSILON}
        torch._fused_adam_(self.weights, gradients, *moments, **how, weight_decay=0.0, amsgrad=False, maximize=False)


def norms(tensors: Sequence[Tensor]) -> Tensor:
    """The norm of every run's part of the tensors, (K,)."""
    parts = [torch.linalg.vector_norm(tensor.flatten(1), dim=1) for tensor in tensors]
    return torch.linalg.vector_norm(torch.stack(parts), dim=0)


class ByHand:
    """K runs of a case in training.

    Args:
        case: the networks and their data.
        runs: K; run k starts as the engine's run of seed k does.
        device, dtype: of everything.

    Attributes:
        records: what was recorded, one array (steps, K, series) for every chunk of steps; `SERIES` names the series.
    """

    def __init__(self, case: Case, runs: int, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self.runs, self.batch, self.latent_size, self.device = runs, case.batch_size, case.networks.latent_size, device

        def network(player: str) -> FusedNetwork:
            modules = [initial_module(case.networks, player, case.data, seed) for seed in range(runs)]
            return FusedNetwork(modules, device, dtype)

        self.discriminator, self.generator = network("discriminator"), network("generator")
        self._adam = {net: FusedAdam(net.weights) for net in (self.discriminator, self.generator)}
        self._fixed = [w.detach() for w in self.discriminator.weights]  # the same numbers, without gradients
        self._signs = torch.ones(2 * self.batch, device=device, dtype=dtype)
        self._signs[: self.batch] = -1
        self._examples = torch.from_numpy(case.examples()).to(device, dtype)
        if not self.discriminator.convolves:
            self._examples = self._examples.flatten(1)
        self.records: list[np.ndarray] = []

    def train(self, steps: int) -> None:
        """Train for so many steps, with random numbers drawn a chunk of steps at a time."""
        axes = (self.batch, self.runs) if self.discriminator.convolves else (self.runs, self.batch)
        for start in range(0, steps, CHUNK):
            count = min(CHUNK, steps - start)
            order = torch.randint(len(self._examples), (count, *axes), device=self.device)
            latent = torch.randn((count, 2, *axes, self.latent_size), device=self.device, dtype=self._signs.dtype)
            rows = [self.step(self._examples[chosen], *points) for chosen, points in zip(order, latent, strict=True)]
            self.records.append(torch.stack(rows).cpu().numpy())

    def step(self, real: Tensor, for_discriminator: Tensor, for_generator: Tensor) -> Tensor:
        """A step of the discriminator, then one of the generator.

        Args:
            real: real examples; (K, N, features), or (N, K, C, H, W) where the networks convolve.
            for_discriminator, for_generator: latent points of both losses, (K, N, size) or (N, K, size).

        Returns:
            What is recorded, (K, series).
        """
        discriminator, generator = self.discriminator, self.generator
        if discriminator.convolves:
            real = real.flatten(1, 2)
            for_discriminator, for_generator = (
                x.flatten(1)[..., None, None] for x in (for_discriminator, for_generator)
            )

        with torch.no_grad():
            fake = generator(for_discriminator, generator.weights)
        if discriminator.mixes:
            both = [self._logits(discriminator(x, discriminator.weights)) for x in (real, fake)]
            logits = torch.cat(both, dim=1)
        else:
            axis = 0 if discriminator.convolves else 1
            logits = self._logits(discriminator(torch.cat([real, fake], dim=axis), discriminator.weights))
        loss_d = F.softplus(logits * self._signs).mean(dim=1) * 2
        norm_d = self._move(discriminator, loss_d)
        outputs = logits.detach().sigmoid().unflatten(1, (2, -1)).mean(dim=2)

        logits = self._logits(discriminator(generator(for_generator, generator.weights), self._fixed))
        loss_g = F.softplus(-logits).mean(dim=1)
        norm_g = self._move(generator, loss_g)
        return torch.stack([loss_d.detach(), *norm_d, loss_g.detach(), *norm_g, *outputs.unbind(1)], dim=1)

    def _logits(self, outputs: Tensor) -> Tensor:
        """Logits (K, N) of a discriminator's outputs."""
        return outputs.flatten(1).mT if self.discriminator.convolves else outputs.squeeze(2)

    def _move(self, network: FusedNetwork, loss: Tensor) -> tuple[Tensor, Tensor]:
        """Step along the gradient; returns the norms of the gradient and of the new parameters."""
        # The fused kernel wants them to lie in memory as the weights do.
        gradients = [gradient.contiguous() for gradient in torch.autograd.grad(loss.sum(), network.weights)]
        with torch.no_grad():
            self._adam[network].step(gradients)
            return norms(gradients), norms(network.weights)
