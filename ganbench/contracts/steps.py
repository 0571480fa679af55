"""Contracts of games and dynamics: training steps that are repeatable, alone and in a pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ganbench.contracts.losses_and_optimizers import state_fault
from ganbench.contracts.repeatability import call_twice, fingerprint
from ganbench.core.tree import Tree
from ganbench.engine.train import Training, train
from ganbench.games import Adversarial, Game, Match, Member
from ganbench.nn.probes import disturbed
from ganbench.nn.sample import Sample
from ganbench.regularizers import Discriminator, Noise, Regularizer

CPU = torch.device("cpu")
STEPS = 2  # the second step starts from a state that is not the initial one
RTOL = 1e-6  # tolerance after two steps, relative to the largest value of the same quantity
RATE = 1e-3  # learning rate at which no training step diverges


def game_fault(game: Game, members: Sequence[Member], dtype: torch.dtype) -> str | None:
    """The fault of a game, as a clause; None if it is a function of its parameters and of each member's random numbers.

    Args:
        game: the game.
        members: the members to try.
        dtype: precision of parameters and losses.
    """
    for member in members:
        start, fault = call_twice(lambda member=member: game.start(member))
        if fault:
            return f"its start() {fault}"
        for player in game.players:
            size = game.sizes[player]
            if not isinstance(start.get(player), Tensor) or start[player].shape != (size,):
                return f"its start() must give {player!r} as many parameters as it has, ({size},)"
        _, fault = call_twice(lambda member=member: game.draw(member, 0, 2, dtype))
        if fault:
            return f"its sample() {fault}"
    match = Match(game, members, CPU, dtype)
    players, batch = match.init(), match.draw(0, 1)[0]
    for player in game.players:
        given = fingerprint([players, batch])
        result, fault = call_twice(lambda player=player: match.loss(player, players, batch))
        if fault:
            return f"its loss() of {player} {fault}"
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)):
            return f"its loss() of {player} must give the loss and a dict of what is recorded, which may be {{}}"
        loss = result[0]
        if not isinstance(loss, Tensor) or loss.shape != (len(members),) or loss.dtype != dtype:
            what = f"{tuple(loss.shape)} of {loss.dtype}" if isinstance(loss, Tensor) else type(loss).__name__
            return f"its loss() of {player} must be ({len(members)},) of {dtype}, one number a member, but is {what}"
        if fingerprint([players, batch]) != given:
            return f"its loss() of {player} changes what it is given"
    return None


class _Probe(Regularizer):
    """Finds, in place of a penalty, how far the first logit depends on the examples of its batch whose it is not.

    Attributes:
        found: the largest gradient in another example, by the largest in its own: those of its group. It is not finite
            where the gradients are not, or where the logit does not depend on its own example.
    """

    found = 0.0

    def penalty(self, discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise) -> None:
        points = torch.randn(real.points.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        given = (points.requires_grad_(),) if real.labels is None else (points.requires_grad_(), real.labels)
        (gradient,) = torch.autograd.grad(discriminator(*given)[:, 0].sum(), points)
        own, others = gradient.abs().tensor_split([real.packing], dim=1)
        self.found = (others.max() / own.max()).item() if others.numel() else 0.0


def mixes_examples(game: Adversarial, members: Sequence[Member]) -> bool:
    """Whether the discriminator's logit of an example, or of a group, depends on the other examples of the batch.

    Found by the gradient, which a regularizer's penalty would take of the same function, at parameters that are
    disturbed: those that are 0 at first hide what they multiply. Where that gradient proves nothing, since it is not
    finite or is 0 in the logit's own example, the discriminator counts as one that mixes.

    Args:
        game: the game, in double precision.
        members: the members to try.
    """
    probe = _Probe()
    match = Match(replace(game, regularizer=probe), members, CPU, torch.float64)
    players = {player: disturbed(theta) for player, theta in match.init().items()}
    match.loss("discriminator", players, match.draw(0, 1)[0])
    return not probe.found <= RTOL


def dynamics_fault(game: Game, training: Training, members: Sequence[Member]) -> str | None:
    """The fault of dynamics, as a clause; None if `init` and `move` are pure functions.

    Args:
        game: the game to train.
        training: the dynamics, the optimizer and the precision.
        members: the members to train.
    """
    dynamics, match = training.dynamics, Match(game, members, CPU, training.dtype)
    for name in ("batches_per_move", "gradients_per_move"):
        value = getattr(dynamics, name)
        if not isinstance(value, int | float) or value < 1:
            return f"its {name} must be a number from 1 on, but is {value!r}"
    players = match.init()
    states, fault = call_twice(lambda: dynamics.init(match, players, training.optimizer))
    if not fault and not (isinstance(states, dict) and set(game.players) <= set(states)):
        fault = f"must give a state under the name of each player, {' and '.join(game.players)}"
    fault = fault or next((why for each in states.values() if (why := state_fault(each, len(members)))), None)
    if fault:
        return f"its init() {fault}"
    rates = {player: torch.full((len(members), 1), RATE, dtype=training.dtype) for player in game.players}
    batches = match.draw(0, dynamics.batches_per_step)
    given = fingerprint([players, states, batches, rates])
    result, fault = call_twice(lambda: dynamics.step(match, players, states, batches, training.optimizer, rates))
    if fault:
        return f"its move() {fault}"
    if fingerprint([players, states, batches, rates]) != given:
        return "its move() changes in place what it is given"
    for player, theta in players.items():
        moved = result.players.get(player)
        if not isinstance(moved, Tensor) or moved.shape != theta.shape or moved.dtype != theta.dtype:
            return f"its move() must give {player} parameters {tuple(theta.shape)} of {theta.dtype}"
        if moved.requires_grad:
            return f"its move() leaves {player}'s parameters joined to the graph they come from; detach them"
        if f"{player}_gradient_norm" not in result.aux or f"{player}_loss" not in result.aux:
            return f"its move() must measure {player}'s loss and gradient, see `gradient_record` in ganbench.dynamics"
    return next(
        (f"its move() {why}" for each in result.states.values() if (why := state_fault(each, len(members)))), None
    )


def steps_fault(game: Game, training: Training, members: Sequence[Member], *, fused: bool) -> str | None:
    """The fault of training steps, as a clause; None if they are repeatable, and equal for each member alone.

    Args:
        game: the game to train.
        training: the settings of training, in double precision.
        members: the members; their learning rates are limited to `RATE`, so that rounding errors do not grow.
        fused: whether members are computed together.
    """
    how = replace(training, steps=STEPS, snapshots=tuple(range(STEPS + 1)), curve_bins=STEPS)
    calm = []
    for member in members:
        first, second = (min(rate, RATE) for rate in member.learning_rates)
        calm.append(replace(member, learning_rate=first, generator_learning_rate=second))

    def trained(*who: Member) -> list[Tree]:
        return train(game, how, who, device=CPU)

    groups = [calm] if fused else [[member] for member in calm]
    trees, fault = call_twice(lambda: [tree for group in groups for tree in trained(*group)])
    if fault:
        return f"a training step {fault}"
    for tree, member in zip(trees, calm, strict=True) if fused else ():
        if apart := _apart(tree, trained(member)[0]):
            return f"{apart} of a training step of two runs together differs from that of each run alone"
    return None


def _apart(one: Tree, other: Tree) -> str | None:
    """The first player or series in which two results differ by more than rounding; None if there is no difference."""
    pairs = {player: (one["snapshots"][player], other["snapshots"][player]) for player in one["snapshots"]}
    for column, name in enumerate(one["curves"]["series"]):
        pairs[name] = (one["curves"]["mean"][:, column], other["curves"]["mean"][:, column])
    for name, (a, b) in pairs.items():
        if a.shape != b.shape or not np.allclose(a, b, rtol=0, atol=RTOL * _size(a), equal_nan=True):
            return name
    return None


def _size(values: np.ndarray) -> float:
    """The largest finite absolute value; 0 if no value is finite."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0
