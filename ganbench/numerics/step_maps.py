"""What the instruments share: the training step as a map from one vector to the next, players and memories together.

Where a step leads depends on the players and on whatever the optimizer and the dynamics remember: the state of the
map is all of it. Instruments differentiate the map by finite differences, so it is evaluated in double precision
whatever the precision of training, many nearby states at once as members of one pack.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganbench.core.random_streams import stream_seed
from ganbench.dynamics import States
from ganbench.games import Batch, Match, Players
from ganbench.numerics.jacobians import split
from ganbench.numerics.trajectories import Trajectories

HORIZON = 64  # steps within which a change must show
SMALL = 1e-3  # how large a change is
ROUNDING = 1e-12

Key = tuple[str, str]  # a memory's owner and its name


@dataclass(frozen=True)
class State:
    """All that a step starts from."""

    players: Players
    states: States


class Steps:
    """The training step of some members of a pack, each `copies` times side by side: rows k copies ... (k + 1) copies
    - 1 of every tensor are member k's.

    Args:
        played: whose step.
        places: of the members.
        rate: learning rates, (members, 1), in place of those of training.
    """

    def __init__(self, played: Trajectories, places: Any, copies: int = 1, rate: Tensor | None = None) -> None:
        places = [int(place) for place in places]
        seats = [place for place in places for _ in range(copies)]
        self.copies = copies
        self._few = precise(played.match.select(places))
        self.match = precise(played.match.select(seats))
        self._dynamics, self._update = (_options_of(part, seats) for part in (played.dynamics, played.optimizer))
        self._rate = (played.rate[places] if rate is None else rate).double().repeat_interleave(copies, dim=0)

    def batches(self, step: int) -> list[Batch]:
        """The batches of a training step, every copy of a member seeing the same."""
        drawn = self._few.draw(step, self._dynamics.batches_per_step)
        return [
            {name: values.repeat_interleave(self.copies, dim=0) for name, values in batch.items()} for batch in drawn
        ]

    def begin(self, theta: Tensor | None = None) -> State:
        """The state before the first step of training, or with these parameters (members copies, P) in its place."""
        players = self.match.init() if theta is None else split(self.match, theta)
        return State(players, self._dynamics.init(self.match, players, self._update))

    def __call__(self, state: State, batches: list[Batch]) -> State:
        move = self._dynamics.step(self.match, state.players, state.states, batches, self._update, self._rate)
        return State(
            {name: move.players[name].detach() for name in self.match.players},
            {owner: {name: value.detach() for name, value in of.items()} for owner, of in move.states.items()},
        )


def vector(state: State, keys: list[Key]) -> Tensor:
    """A state as vectors (K, n): the players, and then the memories with these keys."""
    parts = list(state.players.values()) + [state.states[owner][name] for owner, name in keys]
    return torch.cat([part.reshape(len(part), -1) for part in parts], dim=1)


def placed(state: State, values: Tensor, keys: list[Key]) -> State:
    """The state with these vectors in place of its players and of the memories with these keys."""
    players, states, at = {}, {owner: dict(state) for owner, state in state.states.items()}, 0
    for name, theta in state.players.items():
        players[name] = values[:, at : at + theta.shape[1]]
        at += theta.shape[1]
    for owner, name in keys:
        old = state.states[owner][name]
        width = old[0].numel()
        states[owner][name] = values[:, at : at + width].reshape(old.shape)
        at += width
    return State(players, states)


@dataclass(frozen=True)
class Anatomy:
    """What the memories of a method are to the map. What never reaches the players (an average that is only handed out)
    is nothing to it.

    Args:
        state: what steers the players and follows them (a velocity, a past gradient): part of the state.
        clocks: what steers the players and follows nothing but its own past (a count of steps, a constant): the same in
            all states of a step, so it is no direction to leave a trajectory in.
    """

    state: list[Key]
    clocks: list[Key]


def anatomy(played: Trajectories, place: int) -> Anatomy:
    """Which memories of a member are which, found by trying: from a state in general position each memory in turn is
    changed, and so are the players; what differs within `HORIZON` steps depends on what was changed."""
    begun, shift = _in_general(played, place)
    keys = [(owner, name) for owner, state in begun.states.items() for name in state]
    if not keys:
        return Anatomy([], [])
    steps = Steps(played, [place], 2 + len(keys))  # as it is, with other players, and with another memory each
    state = repeated(begun, steps.copies)
    theta = vector(state, [])
    theta[1] += shift
    state = placed(state, theta, [])
    for row, (owner, name) in enumerate(keys, start=2):
        value = state.states[owner][name]
        value[row] = (
            ~value[row] if value.dtype == torch.bool else value[row] + (SMALL if value.is_floating_point() else 1)
        )
    steers, follows = torch.zeros(2, len(keys), dtype=torch.bool)
    for step in range(1, HORIZON + 1):
        state = steps(state, steps.batches(step))
        steers |= _differs(vector(state, []))[2:]
        for i, (owner, name) in enumerate(keys):
            differs = _differs(state.states[owner][name].reshape(steps.copies, -1))
            differs[2 + i] = False
            follows[i] |= differs.any()
        if (steers & follows).all():
            break
    follows &= torch.tensor([begun.states[owner][name].is_floating_point() for owner, name in keys])
    return Anatomy(
        [key for key, both in zip(keys, (steers & follows).tolist(), strict=True) if both],
        [key for key, both in zip(keys, (steers & ~follows).tolist(), strict=True) if both],
    )


def round_of(played: Trajectories, place: int, clocks: list[Key]) -> int:
    """The number of steps by which clocks can be set forward without any change to where the players go: 1 if there are
    none, 0 if it is not within `HORIZON`."""
    if not clocks:
        return 1
    begun, _ = _in_general(played, place)
    alone, steps = Steps(played, [place]), Steps(played, [place], 1 + HORIZON)
    state, later = repeated(begun, steps.copies), begun
    for row in range(1, steps.copies):
        later = alone(later, alone.batches(row))
        for owner, name in clocks:
            state.states[owner][name][row] = later.states[owner][name][0]
    differs = torch.zeros(steps.copies, dtype=torch.bool)
    for step in range(1, HORIZON + 1):
        state = steps(state, steps.batches(step))
        differs |= _differs(vector(state, []))
    same = (~differs[1:]).nonzero()
    return int(same[0]) + 1 if len(same) else 0


def _in_general(played: Trajectories, place: int) -> tuple[State, Tensor]:
    """A state of one member where nothing is zero by chance, and a shift of its players, (P,)."""
    alone = Steps(played, [place])
    begun = alone.begin()
    generator = torch.Generator().manual_seed(stream_seed(0, "diagnostic-anatomy"))
    shifts = SMALL * torch.rand(2, vector(begun, []).shape[1], generator=generator, dtype=torch.float64)
    shifts = shifts.to(played.rate.device)
    return alone(placed(begun, vector(begun, []) + shifts[0], []), alone.batches(0)), shifts[1]


def _differs(rows: Tensor) -> Tensor:
    """Which rows (r, n) are not the first one, by more than a different order of summation could make them; (r,)."""
    rows = rows.double()
    gap, scale = (rows - rows[:1]).abs().amax(1), rows.abs().amax()
    return (~(gap <= ROUNDING * scale)).cpu()


def repeated(state: State, copies: int) -> State:
    """The state with every member there `copies` times in a row."""
    return State(
        {name: theta.repeat_interleave(copies, dim=0) for name, theta in state.players.items()},
        {
            owner: {name: value.repeat_interleave(copies, dim=0) for name, value in state.items()}
            for owner, state in state.states.items()
        },
    )


def precise(match: Match) -> Match:
    """The match in double precision, with the numbers that it drew for training."""
    return match if match.dtype == torch.float64 else _Precise(match)


class _Precise(Match):
    def __init__(self, match: Match) -> None:
        super().__init__(_double(match.game), match.members, match.device, torch.float64)
        self._trained = match

    def init(self) -> Players:
        return {player: theta.double() for player, theta in self._trained.init().items()}

    def draw(self, step: int, batches_per_step: int) -> list[Batch]:
        # Drawn as in training and then converted: generators give other numbers in another precision.
        drawn = self._trained.draw(step, batches_per_step)
        return [{name: v.double() if v.is_floating_point() else v for name, v in batch.items()} for batch in drawn]

    def select(self, places: Any) -> Match:
        return _Precise(self._trained.select(places))


def _double(game: Any) -> Any:
    """Game whose own tensors, a game's examples, are in double precision."""
    if not dataclasses.is_dataclass(game):
        return game
    own = {field.name: getattr(game, field.name) for field in dataclasses.fields(game) if field.init}
    wide = {n: v.double() for n, v in own.items() if isinstance(v, Tensor) and v.is_floating_point()}
    return dataclasses.replace(game, **wide) if wide else game


def _options_of(part: Any, seats: list[int]) -> Any:
    """Dynamics or an optimizer for these members: options may be tensors with a value for each."""
    if not dataclasses.is_dataclass(part):
        return part
    own = {field.name: getattr(part, field.name) for field in dataclasses.fields(part) if field.init}
    each = {name: value[seats] for name, value in own.items() if isinstance(value, Tensor) and value.dim()}
    return dataclasses.replace(part, **each) if each else part
