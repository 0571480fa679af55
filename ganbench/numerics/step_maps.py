"""The training step as a map from one state of training to the next: parameters and states together.

The result of a step depends on the parameters and on the states of the optimizer and the dynamics. Diagnostics
differentiate the map by finite differences, so it is evaluated in double precision whatever the precision of training,
at many nearby states at once, as members of one pack.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganbench.core.random_streams import stream_seed
from ganbench.dynamics import States, scaled
from ganbench.games import Batch, Buffers, LearningRates, Match, Players, TrainingExamples
from ganbench.numerics.jacobians import select_members, split
from ganbench.numerics.trajectories import Trajectories

HORIZON = 64  # steps within which a change must show
SMALL = 1e-3  # how large a change is
RTOL = 1e-12  # of the largest number of the states

BUFFERS = "buffers"  # the owner of the networks' buffers among the tensors of a state
Key = tuple[str, str]  # owner and name of a tensor of a state


@dataclass(frozen=True)
class TrainingState:
    """What a step starts from.

    Attributes:
        players: the parameters, (K, P) of each player.
        states: the states of the optimizer and the dynamics.
        buffers: the networks' buffers, (K, ...) each, which a step changes as in training; None for those of the
            match, which it leaves as they are.
        average: the moving average of the parameters, (K, P) of each player, which a step moves as training does;
            empty for none.
    """

    players: Players
    states: States
    buffers: Buffers | None = None
    average: Players = field(default_factory=dict)

    @property
    def tensors(self) -> States:
        """All that a step may read besides the parameters: the states, and the buffers as those of an owner of their
        own."""
        return self.states | ({BUFFERS: self.buffers} if self.buffers else {})


class StepMap:
    """The training step of some members of a pack, each repeated `copies` times: rows k copies ... (k + 1) copies - 1
    of every tensor are member k's.

    Args:
        trajectories: the runs.
        indices: indices of the members.
        copies: number of copies of each member.
        rates: learning rates, (members, 1) of each player, in place of those of training.
        snapshot: index of the snapshot whose buffers the networks begin with.
    """

    def __init__(
        self,
        trajectories: Trajectories,
        indices: Any,
        copies: int = 1,
        rates: LearningRates | None = None,
        *,
        snapshot: int = 0,
    ) -> None:
        indices = [int(index) for index in indices]
        rows = [index for index in indices for _ in range(copies)]
        match = trajectories.match_at(snapshot)
        self.copies = copies
        self._few = in_double_precision(match.select(indices))
        self.match = in_double_precision(match.select(rows))
        self._begun = self.match.buffers
        self._dynamics, self._optimizer = (
            _select_options(part, rows) for part in (trajectories.dynamics, trajectories.optimizer)
        )
        rates = select_members(trajectories.rates, indices) if rates is None else rates
        self._rates = {player: rate.double().repeat_interleave(copies, dim=0) for player, rate in rates.items()}
        self._ema_decay = trajectories.ema_decay
        self._phases: dict[tuple[Any, ...], Match] = {}

    def batches(self, step: int) -> list[Batch]:
        """The batches of a training step, the same for every copy of a member."""
        drawn = self._few.draw(step, self._dynamics.batches_per_step)
        return [
            {name: values.repeat_interleave(self.copies, dim=0) for name, values in batch.items()} for batch in drawn
        ]

    def begin(self, theta: Tensor | None = None) -> TrainingState:
        """The state before the first step of training, or that of training from the parameters (members copies, P); the
        buffers are those of the snapshot."""
        players = self.match.init() if theta is None else split(self.match, theta)
        return TrainingState(players, self._dynamics.init(self.match, players, self._optimizer), self._begun)

    def __call__(
        self, state: TrainingState, batches: list[Batch], factor: float = 1.0, step: int | None = None
    ) -> TrainingState:
        """The state after a step.

        Args:
            state: the state before it.
            batches: its batches.
            factor: what multiplies the learning rates.
            step: index of the step, in whose phase the game is played; None for the game as it is, see `Game.phase`.
        """
        rates = self._rates if factor == 1 else scaled(self._rates, factor)
        match = self.match if step is None else self.in_phase(step)
        match.keeps_buffers = state.buffers is not None
        if match.keeps_buffers:
            match.buffers = state.buffers
        result = self._dynamics.step(match, state.players, state.states, batches, self._optimizer, rates)
        players = {name: result.players[name].detach() for name in match.players}
        return TrainingState(
            players,
            {owner: {name: value.detach() for name, value in of.items()} for owner, of in result.states.items()},
            {name: value.detach() for name, value in match.buffers.items()} if match.keeps_buffers else None,
            {name: torch.lerp(players[name], mean, self._ema_decay) for name, mean in state.average.items()},
        )

    def in_phase(self, step: int) -> Match:
        """The match with the game as it is played in a training step."""
        phase = self.match.game.phase(step)
        if phase not in self._phases:
            self._phases[phase] = self.match.in_phase(phase)
        return self._phases[phase]


def state_vector(state: TrainingState, keys: list[Key]) -> Tensor:
    """A state as vectors (K, n): the parameters, and then the tensors with these keys."""
    parts = list(state.players.values()) + [state.tensors[owner][name] for owner, name in keys]
    return torch.cat([part.reshape(len(part), -1) for part in parts], dim=1)


def with_vector(state: TrainingState, values: Tensor, keys: list[Key]) -> TrainingState:
    """The state with the parameters and the tensors with these keys from vectors (K, n); see `state_vector`."""
    players, tensors, at = {}, {owner: dict(part) for owner, part in state.tensors.items()}, 0
    for name, theta in state.players.items():
        players[name] = values[:, at : at + theta.shape[1]]
        at += theta.shape[1]
    for owner, name in keys:
        old = tensors[owner][name]
        width = old[0].numel()
        tensors[owner][name] = values[:, at : at + width].reshape(old.shape)
        at += width
    return dataclasses.replace(state, players=players, buffers=tensors.pop(BUFFERS, state.buffers), states=tensors)


@dataclass(frozen=True)
class StateRoles:
    """The roles of the tensors of a method's states. Those that never affect the parameters (an average that is only
    kept in snapshots) have none.

    Attributes:
        state: tensors that affect the parameters and depend on them (a velocity, a past gradient): part of the map's
            state.
        clocks: tensors that affect the parameters and depend on their own past alone (a count of steps, a constant):
            equal in all states at a step, so that trajectories cannot differ in them.
        buffers: buffers of networks and regularizers, of real numbers, that affect the parameters and depend on them.
    """

    state: list[Key]
    clocks: list[Key]
    buffers: list[Key]


def state_roles(trajectories: Trajectories, index: int) -> StateRoles:
    """The roles of the tensors of a member's states, found by experiment: from a generic state each tensor in turn is
    perturbed, and so are the parameters; what differs within `HORIZON` steps depends on what was perturbed."""
    begun, shift = _generic_state(trajectories, index)
    keys = [
        (owner, name)
        for owner, part in begun.tensors.items()
        for name, value in part.items()
        if owner != BUFFERS or value.is_floating_point()
    ]
    if not keys:
        return StateRoles([], [], [])
    steps = StepMap(
        trajectories, [index], 2 + len(keys)
    )  # unperturbed, with other parameters, and with one other tensor each
    state = repeat_members(begun, steps.copies)
    theta = state_vector(state, [])
    theta[1] += shift
    state = with_vector(state, theta, [])
    for row, (owner, name) in enumerate(keys, start=2):
        value = state.tensors[owner][name]
        value[row] = (
            ~value[row] if value.dtype == torch.bool else value[row] + (SMALL if value.is_floating_point() else 1)
        )
    steers, follows = torch.zeros(2, len(keys), dtype=torch.bool)
    for step in range(1, HORIZON + 1):
        state = steps(state, steps.batches(step))
        steers |= _differs(state_vector(state, []))[2:]
        for i, (owner, name) in enumerate(keys):
            differs = _differs(state.tensors[owner][name].reshape(steps.copies, -1))
            differs[2 + i] = False
            follows[i] |= differs.any()
        if (steers & follows).all():
            break
    follows &= torch.tensor([begun.tensors[owner][name].is_floating_point() for owner, name in keys])
    both = [key for key, true in zip(keys, (steers & follows).tolist(), strict=True) if true]
    alone = [key for key, true in zip(keys, (steers & ~follows).tolist(), strict=True) if true]
    return StateRoles(
        state=[key for key in both if key[0] != BUFFERS],
        clocks=[key for key in alone if key[0] != BUFFERS],
        buffers=[key for key in both if key[0] == BUFFERS],
    )


def clock_period(trajectories: Trajectories, index: int, clocks: list[Key]) -> int:
    """The number of steps by which clocks can be advanced without any effect on the parameters: 1 if there are no
    clocks, 0 if it is not within `HORIZON`."""
    if not clocks:
        return 1
    begun, _ = _generic_state(trajectories, index)
    alone, steps = StepMap(trajectories, [index]), StepMap(trajectories, [index], 1 + HORIZON)
    state, later = repeat_members(begun, steps.copies), begun
    for row in range(1, steps.copies):
        later = alone(later, alone.batches(row))
        for owner, name in clocks:
            state.states[owner][name][row] = later.states[owner][name][0]
    differs = torch.zeros(steps.copies, dtype=torch.bool)
    for step in range(1, HORIZON + 1):
        state = steps(state, steps.batches(step))
        differs |= _differs(state_vector(state, []))
    same = (~differs[1:]).nonzero()
    return int(same[0]) + 1 if len(same) else 0


def _generic_state(trajectories: Trajectories, index: int) -> tuple[TrainingState, Tensor]:
    """A state of one member in which nothing is zero by chance, and a perturbation of its parameters, (P,)."""
    alone = StepMap(trajectories, [index])
    begun = alone.begin()
    generator = torch.Generator().manual_seed(stream_seed(0, "diagnostic-anatomy"))
    shifts = SMALL * torch.rand(2, state_vector(begun, []).shape[1], generator=generator, dtype=torch.float64)
    shifts = shifts.to(trajectories.match.device)
    return alone(with_vector(begun, state_vector(begun, []) + shifts[0], []), alone.batches(0)), shifts[1]


def _differs(rows: Tensor) -> Tensor:
    """Which rows (r, n) differ from the first one by more than rounding; (r,)."""
    rows = rows.double()
    gap, scale = (rows - rows[:1]).abs().amax(1), rows.abs().amax()
    return (~(gap <= RTOL * scale)).cpu()


def repeat_members(state: TrainingState, copies: int) -> TrainingState:
    """The state with every member repeated `copies` times in a row."""

    def repeated(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.repeat_interleave(copies, dim=0) for name, value in tensors.items()}

    return TrainingState(
        repeated(state.players),
        {owner: repeated(part) for owner, part in state.states.items()},
        None if state.buffers is None else repeated(state.buffers),
        repeated(state.average),
    )


def in_double_precision(match: Match) -> Match:
    """The match in double precision, with the random numbers of training."""
    return match if match.dtype == torch.float64 else _DoublePrecisionMatch(match)


class _DoublePrecisionMatch(Match):
    def __init__(self, match: Match) -> None:
        super().__init__(_double(match.game), match.members, match.device, torch.float64)
        self._trained = match
        self.buffers = {n: v.double() if v.is_floating_point() else v for n, v in match.buffers.items()}

    def init(self) -> Players:
        return {player: theta.double() for player, theta in self._trained.init().items()}

    def draw(self, step: int, batches_per_step: int) -> list[Batch]:
        # Drawn as in training and then converted: generators give other numbers in another precision.
        drawn = self._trained.draw(step, batches_per_step)
        return [{name: v.double() if v.is_floating_point() else v for name, v in batch.items()} for batch in drawn]

    def select(self, indices: Any) -> Match:
        return _DoublePrecisionMatch(self._trained.select(indices))


def _double(game: Any) -> Any:
    """The game with its own tensors, such as examples, in double precision."""
    if not dataclasses.is_dataclass(game):
        return game
    own = {field.name: getattr(game, field.name) for field in dataclasses.fields(game) if field.init}
    wide = {
        n: v.double()
        for n, v in own.items()
        if isinstance(v, TrainingExamples) or (isinstance(v, Tensor) and v.is_floating_point())
    }
    return dataclasses.replace(game, **wide) if wide else game


def _select_options(part: Any, rows: list[int]) -> Any:
    """Dynamics or an optimizer for some members: options may be tensors with a value per member."""
    if not dataclasses.is_dataclass(part):
        return part
    own = {field.name: getattr(part, field.name) for field in dataclasses.fields(part) if field.init}
    each = {name: value[rows] for name, value in own.items() if isinstance(value, Tensor) and value.dim()}
    return dataclasses.replace(part, **each) if each else part
