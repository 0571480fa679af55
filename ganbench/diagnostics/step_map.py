"""Eigenvalues of one training step as a map: whether a method settles, and up to which learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ganbench.core.interval import Interval
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult, Trajectories
from ganbench.dynamics import scaled
from ganbench.games import Game
from ganbench.numerics import jacobians
from ganbench.numerics.eigenvalues import arnoldi, eigenvalues, random_signs
from ganbench.numerics.step_map_jacobian import TOGETHER, StepMapJacobian
from ganbench.numerics.step_maps import clock_period, state_roles

SHIFT = 2.0**-17  # of central differences; a power of 2, so that those of a linear map about 0 are exact
SMOOTH = 0.01  # relative difference between central differences of two widths that a derivative may have
MARGIN = 1e-9  # beyond a radius of 1 that is rounding
HIGHEST = 4.0  # learning rate up to which a limit is searched
SMALL = 16  # entries of the state up to which it is searched
GRID = np.concatenate([[1e-3], np.linspace(0.05, HIGHEST, 80)])
FINER = 6  # times that the grid is refined within the interval found: to 1e-10


@dataclass(frozen=True)
class StepMapSpectrum(Diagnostic):
    """The Jacobian of the step theta -> theta', parameters and states together, at the first or last snapshot or at the
    `origin`, on the first batches of training: near a fixed point a method converges if its spectral radius is below 1.
    In double precision and by central differences, exact at the origin of a linear game. Up to `max_exact_size` entries
    of the state all eigenvalues are computed, beyond the outer ones, Arnoldi's after `arnoldi_iterations`.

    The penalties of a lazy regularizer are those of every step.

    States are those that become stationary while the parameters are held fixed. Counters are held; if the method is
    periodic in them (it acts every k steps), the map is that of a whole period, and radius and eigenvalues are per
    step. Buffers of networks are those of the snapshot (of the first one, at the origin), and held. Tensors that never
    affect the parameters are left out.

    All numbers are NaN where the Jacobian does not exist: for a run that diverged, for a method that is not periodic in
    its counter or whose states do not become stationary within 100,000 steps, and, but for the displacement, where the
    step is not smooth: a step that divides by the running size of the gradient (Adam, RMSProp) jumps where the gradient
    is 0.

    Arrays: `eigenvalues_real`, `eigenvalues_imag` (n,), largest modulus first; `rate`, `radius_by_rate` of the
    `learning_rates`.
    """

    at: Literal["start", "end", "origin"] = "end"
    """Point at which the step is taken: the first snapshot, the last one, or the origin, where all parameters are 0."""
    max_exact_size: Annotated[int, Interval(ge=0, le=3000)] = 600
    """Largest number of entries of the state of which all eigenvalues are computed; beyond it, the outer ones."""
    arnoldi_iterations: Annotated[int, Interval(ge=1, le=10_000)] = 60
    """Number of iterations of Arnoldi's method beyond `max_exact_size`, a product with the Jacobian each."""
    period: Annotated[int, Interval(ge=0, le=1_000_000)] = 0
    """Number of steps of a period of the method; 0 finds it."""
    learning_rates: tuple[Annotated[float, Interval(gt=0)], ...] = ()
    """Other learning rates of the first player at which the spectral radius is computed; the second's stays in
    proportion."""

    def columns(self, game: Game | None) -> dict[str, MetricInfo]:
        return {
            "spectral_radius": MetricInfo(
                "Spectral radius", "Largest modulus of an eigenvalue of a step; below 1 distances shrink by it "
                "at every step, in the end.", "low", 0, None
            ),
            "stable": MetricInfo("Stable", "1 if the radius is at most 1, so that nothing grows.", "high", 0, 1),
            "contracting": MetricInfo("Contracting", "1 if the radius is below 1.", "high", 0, 1),
            "angle": MetricInfo(
                "Turn", "Angle of that eigenvalue, without sign, radians/step.", "none", 0, float(np.pi)
            ),
            "displacement": MetricInfo(
                "Displacement", "How far a step goes from there, over the learning rates; 0 at a fixed point.", "none",
                0, None
            ),
            "stability_limit": MetricInfo(
                "Largest stable learning rate", f"Where the radius first exceeds 1; infinite if nowhere up to "
                f"{HIGHEST:g}, 0 if already at {GRID[0]:g}. Of states of up to {SMALL} numbers.", "high", 0, None
            ),
        }  # fmt: skip

    def measure(self, trajectories: Trajectories | None) -> DiagnosticResult:
        everyone = len(trajectories.match.members)
        values = {name: np.full(everyone, np.nan) for name in self.columns(trajectories.match.game)}
        rates = np.tile(np.array(self.learning_rates, dtype=float), (everyone, 1))
        arrays = {"rate": rates, "radius_by_rate": np.full(rates.shape, np.nan)}
        spectra = []
        where = jacobians.snapshot_point(trajectories, self.at)
        if where is not None:
            roles = state_roles(trajectories, int(where.indices[0]))
            period = self.period or clock_period(trajectories, int(where.indices[0]), roles.clocks)
            for few in where.groups(where.width * (self.arnoldi_iterations + 1)):
                step = 0 if self.at == "start" else max(0, int(trajectories.steps[-1]) - 1)
                own_rates = scaled(
                    jacobians.select_members(trajectories.rates, few.indices), trajectories.schedule(step)
                )
                snapshot = -1 if self.at == "end" else 0
                here = StepMapJacobian(trajectories, few.indices, few.theta, roles, own_rates, period, snapshot)
                spectrum, smooth = self._eigenvalues(here)
                values["displacement"][few.indices] = here.displacement
                indices = few.indices[smooth]
                spectra.append((indices, spectrum[smooth]))
                if self.learning_rates and len(indices):
                    arrays["radius_by_rate"][indices] = self._radii(here, rates[few.indices])[smooth]
                if here.width <= SMALL and len(indices):
                    values["stability_limit"][indices] = self._limit(here)[smooth]
        found = np.full((everyone, spectra[0][1].shape[1] if spectra else 1), np.nan, complex)
        for indices, spectrum in spectra:
            found[indices] = spectrum
        arrays |= {"eigenvalues_real": found.real, "eigenvalues_imag": found.imag}
        return DiagnosticResult(values | _summary(found[:, 0]), arrays)

    def _eigenvalues(self, here: StepMapJacobian) -> tuple[np.ndarray, np.ndarray]:
        """(k, n), per step and by falling modulus, and whether they are those of a derivative, (k,)."""
        wide = here.wide(SHIFT)
        if here.width <= self.max_exact_size:
            near, far = (here.matrix(width) for width in (wide, 4 * wide))
            found = eigenvalues(near)
        else:
            start = random_signs("krylov", 1, here.width, wide)[0].expand(len(wide), -1) / here.width**0.5
            near, far = (here.along(start[:, None], width) for width in (wide, 4 * wide))
            found = arnoldi(
                lambda v: here.along(v[:, None], wide)[:, 0], start, min(self.arnoldi_iterations, here.width)
            )
        smooth = (near - far).flatten(1).norm(dim=1) <= SMOOTH * near.flatten(1).norm(dim=1)
        found = found.cpu().numpy()
        falling = np.argsort(-np.abs(found), axis=1, kind="stable")  # which puts NaN last
        found = np.take_along_axis(found, falling, axis=1)
        if here.period > 1:  # per step: the root that turns least
            found = np.abs(found) ** (1 / here.period) * np.exp(1j * np.angle(found) / here.period)
        return found, smooth.cpu().numpy() & here.exists

    def _radii(self, here: StepMapJacobian, rates: np.ndarray) -> np.ndarray:
        """Spectral radii (k, r) at other learning rates (k, r): as many at once as there is room for."""
        together = max(1, TOGETHER // (len(rates) * here.width**2))
        return np.concatenate(
            [self._radii_at_once(here, rates[:, at : at + together]) for at in range(0, rates.shape[1], together)],
            axis=1,
        )

    def _radii_at_once(self, here: StepMapJacobian, rates: np.ndarray) -> np.ndarray:
        there = here.at_rates(rates)
        if there.width > self.max_exact_size:
            radii = np.abs(self._eigenvalues(there)[0][:, 0])
        else:
            moduli = eigenvalues(there.matrix(there.wide(SHIFT))).abs().amax(1)
            radii = (moduli ** (1 / there.period)).cpu().numpy()
        return np.where(there.exists, radii, np.nan).reshape(rates.shape)

    def _limit(self, here: StepMapJacobian) -> np.ndarray:
        """The learning rate (k,) at which the radius first exceeds 1, by repeated refinement of a grid."""
        grid = np.tile(GRID, (len(here.theta), 1))
        for time in range(FINER):
            unstable = ~(self._radii(here, grid) <= 1 + MARGIN)
            if time == 0:
                never, zero = ~unstable.any(1), unstable[:, 0]
            # The end of an interval was found unstable before; rounding must not change that.
            first = np.where(unstable.any(1), unstable.argmax(1), grid.shape[1] - 1).clip(1)
            low, high = (np.take_along_axis(grid, index[:, None], axis=1) for index in (first - 1, first))
            grid = low + (high - low) * np.linspace(0, 1, len(GRID))
        return np.where(never, np.inf, np.where(zero, 0.0, low[:, 0]))


def _summary(leading: np.ndarray) -> dict[str, np.ndarray]:
    radius = np.abs(leading)
    known = np.isfinite(radius)
    return {
        "spectral_radius": radius,
        "stable": np.where(known, radius <= 1 + MARGIN, np.nan),
        "contracting": np.where(known, radius < 1 - MARGIN, np.nan),
        "angle": np.abs(np.angle(leading)),
    }
