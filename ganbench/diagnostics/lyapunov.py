"""Lyapunov exponents of training: how fast the distances between nearby runs, trained alike, grow or shrink."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from ganbench.core.errors import GanbenchError
from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.core.random_streams import stream_seed
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.games import Game
from ganbench.numerics import jacobians
from ganbench.numerics.orbits import OrbitRecorder
from ganbench.numerics.regimes import regime
from ganbench.numerics.step_maps import StepMap, TrainingState, repeat_members, state_roles, state_vector, with_vector

TINY = 2.0**-20  # distance between a run and the shadows whose differences from it are the tangent vectors
MIN_STEPS = 40  # fewest steps after the burn-in for which exponents are computed
BLOCKS = 20
QUANTILE = 2.093  # 97.5% of Student's t with 19 degrees of freedom


@dataclass(frozen=True)
class Lyapunov(Diagnostic):
    """Training is repeated from its start, in double precision, on the same batches and with the penalties that were
    due at each step, for `steps` steps, together with shadows, perturbed copies of each run. Exponents are means of
    the logarithm of the growth of distances over a step, after a share of `burn_in` in which shadows find the direction
    of fastest growth; distances are those of parameters, optimizer states and the networks' buffers together, where
    states and buffers affect the parameters. Buffers begin with their initial values, as training did.

    `tangent` (Benettin et al. 1980): `exponents` vectors are mapped by the Jacobian of every step, by central
    differences, and made orthogonal. `shadow`: `shadows` of each run start in random directions at the distance
    `perturbation` (times the root-mean-square of the parameters where that exceeds 1) and are put back to that distance
    every `every` steps. They measure the largest exponent only. With Adam or RMSProp, whose mean of squares must not
    become negative, take `shadow`.

    An exponent is minus infinity where a step maps a difference to 0. The interval `low` to `high` is of 95%, from the
    means of 20 blocks of steps; an infinite exponent has none. `regime` weighs the exponent against
    how the run itself moves, see `ganbench.numerics.regimes.regime`. A run that diverges has the exponents of the
    steps up to there, and the regime 3; with fewer than 40 steps it has none.

    At the first step the growth of a difference v is compared with what the game says of it: (M - 1) v with M the step
    against -R J v (`jacobian_gap`) and against -R S v (`hessian_gap`), S = (J + J^T) / 2, both over |R J v|, with R the
    diagonal matrix of every parameter's learning rate. Only plain gradient steps are meant to agree.

    Arrays: `growth` (blocks, exponents), means of the blocks in 1/step.
    """

    method: Literal["tangent", "shadow"] = "tangent"
    """How exponents are measured: 'tangent' by vectors that the Jacobian of every step maps (Benettin et al. 1980),
    'shadow' by runs that start nearby."""
    steps: Annotated[int, Interval(ge=0, le=1_000_000_000)] = 0
    """Number of training steps that are repeated; 0 for all."""
    burn_in: Annotated[float, Interval(ge=0, lt=1)] = 0.2
    """First share of the steps, which does not count: shadows find the direction of fastest growth in it."""
    exponents: Annotated[int, Interval(ge=1, le=1000)] = 2
    """Number of exponents, the largest ones, by 'tangent'."""
    shadows: Annotated[int, Interval(ge=1, le=1000)] = 4
    """Number of shadows of each run, by 'shadow'."""
    perturbation: Annotated[float, Interval(ge=1e-12, le=1e-2)] = 1e-7
    """Distance of the shadows from their run, by 'shadow', times the root mean square of the parameters where that
    exceeds 1."""
    every: Annotated[int, Interval(ge=1, le=1_000_000)] = 1
    """Number of steps after which the shadows are put back to their distance, by 'shadow'."""

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        def info(title: str, what: str, best: str = "none", lower: float | None = None, upper: float | None = None):
            return MetricInfo(title, what, best, lower, upper)

        return {
            "max_exponent": info(
                "Largest Lyapunov exponent", "Mean growth of the logarithm of small distances between runs, 1/step; "
                "above 0 nearby runs part, below 0 they meet.", "low"
            ),
            "low": info("Largest exponent, low", "Lower end of its 95% interval, 1/step."),
            "high": info("Largest exponent, high", "Upper end of its 95% interval, 1/step."),
            "second": info("Second exponent", "Growth in the next direction, 1/step; from tangent vectors only."),
            "sum": info("Sum of exponents", "Of those computed: growth of the volume that they span, 1/step."),
            "max_exponent_per_time": info(
                "Largest exponent per time", "Per unit of step times `learning_rate`.", "low"
            ),
            "regime": info("Regime", "0 fixed point, 1 cycle, 2 chaos, 3 run-off.", lower=0, upper=3),
            "directness": info(
                "Directness", "Distance between the ends of the last half over the length of the path between: 1 is a "
                "straight line, 0 a closed one.", lower=0, upper=1
            ),
            "speeding": info("Change of speed", "Logarithm of the speed in the last quarter over that before it."),
            "jacobian_gap": info(
                "Gap to the Jacobian", "Relative difference of the first step's growth of a difference to -R J.",
                lower=0
            ),
            "hessian_gap": info(
                "Gap to a Hessian", "The same to the symmetric part of J, the nearest that a game has to a Hessian.",
                lower=0
            ),
        }  # fmt: skip

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        everyone, count = len(trajectories.match.members), self.steps or int(trajectories.steps[-1])
        values = {name: np.full(everyone, np.nan) for name in self.columns(trajectories.match.game)}
        blocks = np.full((everyone, BLOCKS, self.exponents if self.method == "tangent" else 1), np.nan)
        if count < 1:
            return DiagnosticResult(values, {"growth": blocks})
        recorder = self._replay(trajectories, count)
        noisy = _batches_differ(trajectories)
        for k in range(everyone):
            orbit = recorder.orbit(k, noisy)
            values["directness"][k], values["speeding"][k] = orbit.directness, orbit.speeding
            if orbit.diverged:
                values["regime"][k] = regime(orbit, 0.0, 0.0, 0.0)
            grown = recorder.growth(k)
            first = int(self.burn_in * len(grown))
            if len(grown) - first < MIN_STEPS:
                continue
            means = np.stack([part.mean(0) for part in np.array_split(grown[first:], BLOCKS)])
            blocks[k, :, : means.shape[1]] = means
            exponents = grown[first:].mean(0)
            largest = exponents[0]
            spread = QUANTILE * means[:, 0].std(ddof=1) / BLOCKS**0.5 if np.isfinite(largest) else 0.0
            values["regime"][k] = regime(orbit, largest, largest - spread, largest + spread)
            values["max_exponent"][k] = largest
            if np.isfinite(largest):
                values["low"][k], values["high"][k] = largest - spread, largest + spread
            if self.method == "tangent":
                values["second"][k] = exponents[1] if len(exponents) > 1 else np.nan
                values["sum"][k] = exponents.sum()
        rate = trajectories.rates[trajectories.match.players[0]]
        values["max_exponent_per_time"] = values["max_exponent"] / rate[:, 0].double().cpu().numpy()
        values["jacobian_gap"], values["hessian_gap"] = _gaps(trajectories)
        return DiagnosticResult(values, {"growth": blocks})

    def _replay(self, trajectories: Trajectories, count: int) -> OrbitRecorder:
        """Repeat training in a pack where each run is followed by its shadows."""
        members, tangent = len(trajectories.match.members), self.method == "tangent"
        roles = state_roles(trajectories, 0)
        keys = roles.state + roles.buffers
        begun = StepMap(trajectories, range(members)).begin()
        theta, start = state_vector(begun, []), state_vector(begun, keys)
        shadows = min(self.exponents, theta.shape[1]) if tangent else self.shadows
        steps = StepMap(trajectories, range(members), 1 + (2 * shadows if tangent else shadows))
        # Shadows differ from the run in the parameters only; how their states and buffers differ follows from that.
        v = torch.zeros(members, shadows, start.shape[1], dtype=start.dtype, device=start.device)
        v[:, :, : theta.shape[1]] = _random(shadows, theta)
        v = _orthogonal(v, v)[0] if tangent else v / v.norm(dim=2, keepdim=True)

        def beside(state: TrainingState, values: Tensor, v: Tensor, near: Tensor) -> TrainingState:
            shifts = v * near[:, None, None]
            all_shifts = [torch.zeros_like(shifts[:, :1]), shifts] + ([-shifts] if tangent else [])
            return with_vector(state, (values[:, None] + torch.cat(all_shifts, dim=1)).flatten(0, 1), keys)

        near = self._near(theta)
        apart = near[:, None].expand(-1, shadows)  # of every shadow from its run, (members, shadows)
        state = beside(repeat_members(begun, steps.copies), start, v, near)
        recorder = OrbitRecorder(count, int(self.burn_in * count), theta)
        for step in range(count):
            after = steps(state, steps.batches(step), trajectories.schedule(step), step)
            found = state_vector(after, keys).view(members, steps.copies, -1)
            values = found[:, 0]
            if tangent:
                v, grown = _orthogonal((found[:, 1 : 1 + shadows] - found[:, 1 + shadows :]) / 2, v)
                rates = _log_growth(apart, grown)
            else:
                v, grown = _unit(found[:, 1:] - values[:, None], v)
                rates = _log_growth(apart, grown).mean(1, keepdim=True)
            alive = recorder.add(values[:, : theta.shape[1]], rates)
            if step % 25 == 0 and not alive.any():
                break
            # A run that diverged starts again, unrecorded, so that losses are computed at finite parameters only.
            values = torch.where(alive[:, None], values, start)
            near = self._near(values[:, : theta.shape[1]])
            if tangent or (step + 1) % self.every == 0:
                apart, state = near[:, None].expand(-1, shadows), beside(after, values, v, near)
            else:
                apart, state = grown, after
        return recorder

    def _near(self, theta: Tensor) -> Tensor:
        """Distances (members,) at which shadows are kept."""
        perturbation = TINY if self.method == "tangent" else self.perturbation
        return perturbation * theta.square().mean(1).sqrt().clamp(min=1)


def _random(count: int, theta: Tensor) -> Tensor:
    """Fixed random directions (count, P), the same for every run."""
    generator = torch.Generator().manual_seed(stream_seed(0, "diagnostic-shadows"))
    return torch.randn(count, theta.shape[1], generator=generator, dtype=theta.dtype).to(theta.device)


def _unit(v: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors (..., n) along v, those of `before` where v is 0 or not finite, and lengths (...)."""
    length = v.norm(dim=-1)
    good = (length > 0) & length.isfinite()
    safe = torch.where(good, length, 1.0)[..., None]
    return torch.where(good[..., None], v / safe, before), length


def _log_growth(apart: Tensor, grown: Tensor) -> Tensor:
    """Logarithms of the growth of distances; -inf for a shadow on its run, also if it was there before."""
    return torch.where(grown == 0, -torch.inf, grown.log() - apart.log())


def _orthogonal(v: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Gram-Schmidt, done twice against rounding: orthonormal vectors (k, m, n), and the length left of each, (k, m)."""
    done, lengths = [], []
    for i in range(v.shape[1]):
        w = v[:, i]
        for _ in range(2):
            for q in done:
                w = w - (w * q).sum(1, keepdim=True) * q
        unit, length = _unit(w, before[:, i])
        done.append(unit)
        lengths.append(length)
    return torch.stack(done, dim=1), torch.stack(lengths, dim=1)


def _batches_differ(trajectories: Trajectories) -> bool:
    first, second = (trajectories.match.draw(step, trajectories.dynamics.batches_per_step)[0] for step in (0, 1))
    return any(not torch.equal(first[name], second[name]) for name in first)


def _gaps(trajectories: Trajectories) -> tuple[np.ndarray, np.ndarray]:
    """How far the first step's growth of a difference is from that by J and by its symmetric part, (K,) each."""
    members = len(trajectories.match.members)
    steps = StepMap(trajectories, range(members), 2)
    theta = state_vector(StepMap(trajectories, range(members)).begin(), [])
    v = _random(1, theta)[0]
    v = v / v.norm()
    pairs = torch.stack([theta + TINY * v, theta - TINY * v], dim=1).flatten(0, 1)
    factor = trajectories.schedule(0)
    after = steps(steps.begin(pairs), steps.batches(0), factor, 0)
    ahead, behind = state_vector(after, []).view(members, 2, -1).unbind(1)
    change = (ahead - behind) / (2 * TINY) - v
    alone = StepMap(trajectories, range(members))
    try:
        forward, back = jacobians.products(alone.in_phase(0), alone.begin().players, alone.batches(0)[0])
    except GanbenchError:  # no second derivatives to compare with
        return np.full(members, np.nan), np.full(members, np.nan)
    rate = factor * jacobians.per_parameter(trajectories.match, trajectories.rates).double()
    along, across = forward(v.expand_as(theta)), back(v.expand_as(theta))
    whole = (rate * along).norm(dim=1)
    gaps = [(change + rate * part).norm(dim=1) / whole for part in (along, (along + across) / 2)]
    return gaps[0].cpu().numpy(), gaps[1].cpu().numpy()
