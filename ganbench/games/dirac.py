"""The Dirac-GAN (Mescheder, Geiger and Nowozin 2018, definition 2.1): data at 0, a generator at theta, D(x) = psi x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from ganbench.core.interval import Interval
from ganbench.games import Adversarial, Batch, Member, drawn_or_given


@dataclass(frozen=True, kw_only=True, eq=False)
class DiracGAN(Adversarial):
    """With a differentiable objective whose real and fake terms have derivatives -+f'(0) at logit 0, J at the
    equilibrium (0, 0) has the eigenvalues +- i f'(0), unless a regularizer moves them.

    One example of each kind stands for its distribution. The article's D has the other sign: its (psi, theta) is
    (-psi, theta) here.
    """

    noise_samples: Annotated[int, Interval(ge=1, le=1_000_000)] = 1
    """Number of noisy copies of the example of each kind over which instance noise is averaged."""
    initial_parameters: tuple[float, ...] = ()
    """Initial values of psi and theta; without them each is drawn from a standard normal distribution."""

    families: ClassVar[tuple[str, ...]] = ("objective", "regularizer")

    @property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        return {"discriminator": ("psi",), "generator": ("theta",)}

    def start(self, member: Member) -> dict[str, Tensor]:
        return drawn_or_given(self.initial_parameters, member, self.parameters)

    def draw(self, member: Member, chunk: int, count: int, dtype: torch.dtype) -> Batch:
        origin = torch.zeros(count, self.noise_samples, 1, dtype=dtype)
        latent = {f"latent.{player}": origin for player in self.players}
        return {"real": origin, **latent, **self.noise(member, chunk, count, (self.noise_samples, 1), dtype)}

    def discriminate(self, theta: Tensor, points: Tensor) -> Tensor:
        return theta * points[..., 0]

    def generate(self, theta: Tensor, latent: Tensor) -> Tensor:
        return latent + theta[:, None]
