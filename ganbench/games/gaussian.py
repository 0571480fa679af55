"""GANs of one number with one parameter per player: data and latent points from N(0, 1), G(z) = w_g z + b_g."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.random_streams import stream_seed
from ganbench.games import Adversarial, Batch, Member, Players, drawn_or_given
from ganbench.games._quadrature import narrow_quadrature, normal_quadrature
from ganbench.games._shapes import TOUCHING, flat_radius, logit
from ganbench.nn.sample import Outputs, Sample


@dataclass(frozen=True, kw_only=True, eq=False)
class GaussianGAN(Adversarial):
    """D(x) = S(w_d x + b_d), with S the `discriminator`. Objectives see D as a logit; "minimax" is the plain log loss.

    Expectations are exact up to 1e-10 for smooth objectives, by quadrature, while v = w_d x + b_d has a standard
    deviation of up to 300, unless they are means over `samples`. Both players see the same examples. With a Gaussian
    that reaches 1, ln(1 - D) has a logarithmic singularity at v = 0. Exact gradients are the principal values; sampled
    ones are Cauchy distributed, with a spread that no number of samples lessens, unless D is limited by `max_output`.
    Without a `max_output`, losses are infinite where w_d or w_g is 0, and there exact ones and their gradients are NaN.

    Raises:
        GanbenchError: options that contradict one another, or an objective or regularizer whose expectation does not
        exist or is not computed by quadrature.
    """

    discriminator: Literal["sigmoid", "gaussian", "gaussian_half", "gaussian_pdf", "two_bumps"] = "gaussian"
    """The function S: 'sigmoid', 'gaussian' exp(-v^2), 'gaussian_half' exp(-v^2 / 2), 'gaussian_pdf', which is
    gaussian_half over sqrt(2 pi), or 'two_bumps'."""
    plane: Literal["b", "w"] = "b"
    """Parameters that the players move: 'b' is b_d and b_g, with fixed `w_d` and `w_g`, and 'w' is w_d and w_g, with
    both b at 0."""
    w_d: float = 1.0
    """Fixed weight of the discriminator in the plane 'b'."""
    w_g: float = 1.0
    """Fixed weight of the generator in the plane 'b'."""
    samples: Annotated[int, Interval(ge=0, le=10_000_000)] = 0
    """Number of real examples and of latent points of which expectations are means; 0 computes them by quadrature."""
    resample: bool = False
    """Whether every step draws new `samples`; otherwise they are the same at every step."""
    max_output: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    """Largest value that D may take; 0 for no limit."""
    initial_parameters: tuple[float, ...] = ()
    """Initial values of b_d and b_g, or of w_d and w_g; without them each is drawn from a standard normal
    distribution."""

    families: ClassVar[tuple[str, ...]] = ("objective", "regularizer")

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = (self.w_d, self.w_g)
        if not all(weights):
            self._refuse(f"w_d and w_g must not be 0, but are {self.w_d} and {self.w_g}")
        if self.plane == "w" and weights != (1.0, 1.0):
            self._refuse(
                f"w_d = {self.w_d} and w_g = {self.w_g} are options of the plane 'b'; in the plane 'w' they move, "
                "and initial_parameters says from where"
            )
        if self.resample and not self.samples:
            self._refuse("resample needs samples: say how many, or drop it for exact expectations")
        if self.max_output and self.discriminator not in TOUCHING:
            self._refuse(
                f"max_output is for discriminators that reach 1 ({', '.join(TOUCHING)}), not {self.discriminator!r}"
            )
        if not self.samples:
            self._check_expectations()

    def _check_expectations(self) -> None:
        """Refuse expectations that quadrature cannot compute."""
        like = torch.empty(0, dtype=torch.float64)
        if self.regularizer.draw(torch.Generator(), 1, (1, 1), like):
            self._refuse(
                "this regularizer draws random numbers for examples, and exact expectations have no examples; give "
                "samples, or take a regularizer without them, of weights or of gradients at the examples themselves"
            )
        if self.objective.label_flip_probability:
            self._refuse(
                "this objective flips labels of examples, and exact expectations have no examples; give samples"
            )
        ones = Sample(torch.ones(1, 1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64))

        def terms(logit: float) -> list[Tensor]:
            """The losses of one example of each kind, of which one has this logit and the other 0."""
            here, there = (Outputs(like.new_full((1, 1), value), ones) for value in (logit, 0.0))
            both = ((here, there), (there, here))
            losses = [
                loss(*pair)
                for loss in (self.objective.discriminator_loss, self.objective.generator_loss)
                for pair in both
            ]
            return [loss.abs() for loss in losses]

        try:
            near, nearer = terms(40.0), terms(60.0)
        except GanbenchError as error:  # the objective has no expectation by quadrature
            self._refuse(str(error).rstrip("."))
        if self.discriminator not in TOUCHING or self.max_output:
            return
        remedy = "; give samples, or a max_output such as 0.99"
        if self.regularizer.penalty(lambda points: points[..., 0], ones, ones, {}) is not None:
            self._refuse(
                f"the logit of {self.discriminator!r} is infinitely steep where D = 1, so a gradient penalty has no "
                f"expectation{remedy}"
            )
        for one, other in zip(near, nearer, strict=True):
            # The logit is -ln v^2 near v = 0, where dv is exp(-logit / 2) d(logit) / 2.
            one, other = one * exp(-40.0 / 2), other * exp(-60.0 / 2)
            if not (other < one or other == 0):
                self._refuse(f"this objective has no expectation where {self.discriminator!r} reaches D = 1{remedy}")

    @staticmethod
    def _refuse(why: str) -> None:
        raise GanbenchError(f"game 'gaussian': {why}.")

    @property
    def parameters(self) -> dict[str, tuple[str, ...]]:
        return {"discriminator": (f"{self.plane}_d",), "generator": (f"{self.plane}_g",)}

    def start(self, member: Member) -> dict[str, Tensor]:
        return drawn_or_given(self.initial_parameters, member, self.parameters)

    def draw(self, member: Member, chunk: int, count: int, dtype: torch.dtype) -> Batch:
        if not self.samples:
            return {}
        shape = (self.samples, 1)
        drawn = {}
        for name in ("real", "latent"):
            generator = torch.Generator().manual_seed(stream_seed(member.seed, name, chunk if self.resample else 0))
            values = torch.randn((count if self.resample else 1, *shape), generator=generator, dtype=dtype)
            drawn[name] = values.expand(count, *shape)
        return {**drawn, **self.noise(member, chunk, count, shape, dtype)}

    def _line(self, player: str, theta: Tensor) -> tuple[Tensor, Tensor]:
        """w and b of a player, (K, 1) each."""
        if self.plane == "w":
            return theta, torch.zeros_like(theta)
        return torch.full_like(theta, self.w_d if player == "discriminator" else self.w_g), theta

    @property
    def _floor(self) -> float:
        """The lower bound of -ln D."""
        return -log(self.max_output) if self.max_output else 0.0

    def discriminate(self, theta: Tensor, points: Tensor) -> Tensor:
        w, b = self._line("discriminator", theta)
        x = points[..., 0]
        if self.samples:
            return logit(self.discriminator, w * x + b, self._floor)
        # Quadrature stays at its nodes v whatever the parameters; only the derivative in x, w_d dS/dv, depends on them.
        # Nodes nearest to 0 may be rounded to it on the way through x.
        v = (_invertible(w) * x + b).detach() + w * (x - x.detach())
        return logit(self.discriminator, v, self._floor or torch.finfo(v.dtype).tiny)

    def generate(self, theta: Tensor, latent: Tensor) -> Tensor:
        w, b = self._line("generator", theta)
        return w[:, None] * latent + b[:, None]

    def real(self, players: Players, batch: Batch) -> Sample:
        if self.samples:
            return Sample(batch["real"])
        one = torch.ones_like(players["discriminator"])
        return self._nodes(players, torch.zeros_like(one), one)

    def fake(self, player: str, players: Players, batch: Batch) -> Sample:
        if self.samples:
            return Sample(self.generate(players["generator"], batch["latent"]))
        w, b = self._line("generator", players["generator"])
        return self._nodes(players, b, w)

    def _nodes(self, players: Players, mean: Tensor, sd: Tensor) -> Sample:
        """Points x and weights for x ~ N(mean, sd^2), graded towards where w_d x + b_d = 0."""
        w, b = self._line("discriminator", players["discriminator"])
        middle, spread = w * mean + b, w.abs() * sd.abs()
        flat = flat_radius(self.discriminator, self._floor)
        if self.plane == "w" and (flat or self.discriminator not in TOUCHING):
            v, weights = narrow_quadrature(middle, spread, (w * sd).square(), flat)
        else:
            v, weights = normal_quadrature(middle, spread, flat)
        return Sample(((v - b) / _invertible(w)).detach()[..., None], weights)


def _invertible(w: Tensor) -> Tensor:
    """A weight by which nodes v can be divided for points x, and these multiplied again."""
    least = torch.finfo(w.dtype).tiny ** 0.5
    return torch.where(w.abs() < least, least, w)
