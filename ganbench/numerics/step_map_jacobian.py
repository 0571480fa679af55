"""The Jacobian of a training step, or of a period of steps, at a point, by central differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ganbench.games import LearningRates
from ganbench.numerics import jacobians
from ganbench.numerics.step_maps import StateRoles, StepMap, TrainingState, repeat_members, state_vector, with_vector
from ganbench.numerics.trajectories import Trajectories

REST = 100_000  # steps within which states must become stationary
STILL = 1e-12  # relative change of a tensor of the states in a step up to which it is stationary
TOGETHER = 2**22  # numbers of state in one pack


class StepMapJacobian:
    """The derivative of a step, or of a period of steps, of k members, in the n numbers of their state.

    Args:
        trajectories: the runs.
        indices: of the k members among the runs.
        theta: their parameters, (k, P).
        roles: which tensors of their states are part of the point, and which are counters and held.
        rates: their learning rates, (k, 1) of each player.
        period: number of steps of a period of the method; 0 for a method that is not periodic, which has no derivative.
        snapshot: index of the snapshot whose buffers and counters are taken.

    Attributes:
        theta: the parameters in double precision.
        period: number of steps of the map.
        width: the number n.
        exists: whether there is a derivative, (k,): not where states do not become stationary.
        displacement: how far a step goes, over the learning rates, (k,); NaN where there is no derivative.
    """

    def __init__(
        self,
        trajectories: Trajectories,
        indices: np.ndarray,
        theta: Tensor,
        roles: StateRoles,
        rates: LearningRates,
        period: int,
        snapshot: int,
    ) -> None:
        self._trajectories, self._indices, self._roles, self._snapshot = trajectories, indices, roles, snapshot
        self._rates = {player: rate.double() for player, rate in rates.items()}
        self.theta = theta.double()
        self._periodic, self.period = period > 0, period or 1
        self._rest, self.exists = self._at_rest()
        self.width = state_vector(self._rest, roles.state).shape[1]

    def at_rates(self, rates: np.ndarray) -> StepMapJacobian:
        """The same of every member at each of its learning rates (k, r): k r members. They are the first player's; the
        second's is in proportion."""
        many, first = rates.shape[1], self._rates[self._trajectories.match.players[0]]
        theta, rate = self.theta.repeat_interleave(many, dim=0), torch.as_tensor(rates, device=self.theta.device)
        both = {
            player: rate.reshape(-1, 1) * (own / first).repeat_interleave(many, dim=0)
            for player, own in self._rates.items()
        }
        indices, period = np.repeat(self._indices, many), self.period if self._periodic else 0
        return StepMapJacobian(self._trajectories, indices, theta, self._roles, both, period, self._snapshot)

    def _steps(self, copies: int = 1) -> StepMap:
        return StepMap(self._trajectories, self._indices, copies, self._rates, snapshot=self._snapshot)

    def _at_rest(self) -> tuple[TrainingState, np.ndarray]:
        """The state that steps converge to if the parameters are reset after each of them, and whether it exists."""
        steps = self._steps()
        batches, trained, state = steps.batches(0), steps.begin(), steps.begin(self.theta)
        for owner, name in self._roles.clocks:
            state.states[owner][name] = trained.states[owner][name]
        state = replace(state, buffers=None)
        exists = torch.zeros(len(self.theta), dtype=torch.bool, device=self.theta.device)
        for _ in range(REST if self._periodic else 0):
            after, before = steps(state, batches), state
            state = replace(after, players=state.players)
            exists = self._still(before, state)
            if exists.all():
                break
        moved = state_vector(steps(state, batches), []) - self.theta
        distance = (moved / jacobians.per_parameter(self._trajectories.match, self._rates)).norm(dim=1)
        self.displacement = torch.where(exists, distance, torch.nan).cpu().numpy()
        return state, exists.cpu().numpy()

    def _still(self, before: TrainingState, after: TrainingState) -> Tensor:
        """Whether a step changed no tensor of the states by more than rounding, (k,)."""
        still = torch.ones(len(self.theta), dtype=torch.bool, device=self.theta.device)
        for owner, name in self._roles.state:
            old, new = (state.states[owner][name].flatten(1) for state in (before, after))
            still &= ~((new - old).norm(dim=1) > STILL * new.norm(dim=1))  # nor does one that is not finite change
        return still

    def wide(self, shift: float) -> Tensor:
        """Widths of differences (k,), in proportion to the size of the parameters where that exceeds 1."""
        return shift * self.theta.square().mean(1).sqrt().clamp(min=1)

    def along(self, v: Tensor, width: Tensor) -> Tensor:
        """Derivatives (k, m, n) along directions (k, m, n), by central differences."""
        members, _, n = v.shape
        together = max(1, TOGETHER // (2 * members * n))
        return torch.cat([self._differences(part, width) for part in v.split(together, dim=1)], dim=1)

    def matrix(self, width: Tensor) -> Tensor:
        """The Jacobian, (k, n, n)."""
        unit = torch.eye(self.width, dtype=self.theta.dtype, device=self.theta.device)
        return self.along(unit.expand(len(self.theta), -1, -1), width).transpose(1, 2)

    def _differences(self, v: Tensor, width: Tensor) -> Tensor:
        members, m, n = v.shape
        steps, keys = self._steps(2 * m), self._roles.state
        shifts = torch.cat([v, -v], dim=1) * width[:, None, None]
        values = (state_vector(self._rest, keys)[:, None] + shifts).flatten(0, 1)
        state = with_vector(repeat_members(self._rest, 2 * m), values, keys)
        for step in range(self.period):
            state = steps(state, steps.batches(step))
        ahead, behind = state_vector(state, keys).view(members, 2, m, n).unbind(1)
        return (ahead - behind) / (2 * width[:, None, None])
