"""Runs of small games as a diagnostic is shown them, without the engine: for the tests of diagnostics."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from building import gan, training

from ganbench.data import DataSpec
from ganbench.diagnostics import DiagnosticResult, Trajectories
from ganbench.engine.components import build_component, build_game
from ganbench.engine.diagnose import trajectories_of
from ganbench.engine.train import train
from ganbench.games import Game, Match, Member, TrainingExamples

CPU = torch.device("cpu")


def part(family: str, name: str, **options: Any) -> Any:
    """A component with these options, the others at their defaults."""
    return build_component(family, name, options)


def make_game(name: str, *, objective: str = "minimax", regularizer: Any = None, **options: Any) -> Game:
    """A game without data."""
    components = {"objective": part("objective", objective), "regularizer": regularizer or part("regularizer", "none")}
    return build_game(name, options, components)


def networks(dtype: torch.dtype = torch.float64, width: int = 6) -> Game:
    """A GAN of two networks with one hidden layer, on the line."""
    data = part("dataset", "line", examples=200)
    components = {
        "dataset": data,
        "architecture": part("architecture", "mlp", latent_size=1, width=width, depth=1, activation="tanh"),
        "objective": part("objective", "non_saturating"),
        "regularizer": part("regularizer", "none"),
    }
    examples = TrainingExamples.placed(data.load().train, CPU, dtype)
    return build_game("gan", {}, components, examples=examples, batch_size=16)


def play(
    game: Game,
    dynamics: Any = "simultaneous",
    optimizer: Any = "sgd",
    *,
    rates: tuple[float, ...] = (0.1,),
    generator_rates: tuple[float | None, ...] | None = None,
    seeds: tuple[int, ...] | None = None,
    steps: int = 20,
    every: int = 1,
    dtype: torch.dtype = torch.float64,
) -> Trajectories:
    """Train, one run at each rate, and keep every so many steps."""
    dynamics = part("dynamics", dynamics) if isinstance(dynamics, str) else dynamics
    optimizer = part("optimizer", optimizer) if isinstance(optimizer, str) else optimizer
    examples = None if getattr(game, "examples", None) is None else 100
    own = generator_rates or (None,) * len(rates)
    members = [
        Member(seed, examples, rate, generator_learning_rate=other)
        for seed, rate, other in zip(seeds or range(len(rates)), rates, own, strict=True)
    ]
    match = Match(game, members, CPU, dtype)
    players = match.init()
    states, kept = dynamics.init(match, players, optimizer), {0: players}
    for step in range(steps):
        result = dynamics.step(
            match, players, states, match.draw(step, dynamics.batches_per_step), optimizer, match.rates()
        )
        players, states = result.players, result.states
        if (step + 1) % every == 0:
            kept[step + 1] = {name: theta.detach() for name, theta in players.items()}
    path = {name: torch.stack([at[name] for at in kept.values()], dim=1) for name in match.players}
    return Trajectories(match, dynamics, optimizer, match.rates(), np.array(list(kept)), path)


def with_buffers(steps: int, optimizer: str = "adam", **options: Any) -> Trajectories:
    """A run of a small convolutional GAN by the engine, kept at its start and its end: spectral normalisation, whose
    vectors follow the weights, and adaptive augmentation, whose probability rises."""
    game = gan(
        np.random.default_rng(0).uniform(-1, 1, (40, 1, 8, 8)),
        data=DataSpec(shape=(1, 8, 8), bounded=True, train=40, modes=10),
        architecture=part(
            "architecture", "dcgan", base_channels=1, latent_size=2, discriminator_norm="spectral", **options
        ),
        regularizer=part("regularizer", "adaptive_augmentation", interval=1, ramp_images=4000),
    )
    how = training(steps, snapshots=(0, steps), optimizer=part("optimizer", optimizer))
    members = [Member(0, 40, 1e-2)]
    kept = [run["snapshots"] | {"buffers": run["buffers"]} for run in train(game, how, members, device=CPU)]
    how_seen = {"device": CPU, "dtype": how.dtype}
    return trajectories_of(game, how.dynamics, how.optimizer, members, kept, how.snapshots, **how_seen)


def diverged(trajectories: Trajectories, member: int, snapshot: int) -> Trajectories:
    """The same, had a member diverged before this snapshot."""
    path = {name: theta.clone() for name, theta in trajectories.path.items()}
    for theta in path.values():
        theta[member, snapshot:] = torch.nan
    return Trajectories(
        trajectories.match, trajectories.dynamics, trajectories.optimizer, trajectories.rates, trajectories.steps, path
    )


def look(trajectories: Trajectories, name: str, **options: Any) -> DiagnosticResult:
    """What a diagnostic reads, with what it promises: its columns, a number per run, NaN or in their bounds."""
    diagnostic, members = part("diagnostic", name, **options), len(trajectories.match.members)
    before = torch.get_rng_state()
    result = diagnostic.measure(trajectories)
    assert torch.equal(before, torch.get_rng_state()), "a diagnostic must not draw from the global stream"
    columns = diagnostic.columns(trajectories.match.game)
    assert list(result.values) == list(columns)
    for column, info in columns.items():
        values = np.asarray(result.values[column])
        assert values.shape == (members,), column
        known = values[~np.isnan(values)]
        assert info.lower is None or (known >= info.lower - 1e-9).all(), column
        assert info.upper is None or (known <= info.upper + 1e-9).all(), column
    assert all(len(values) == members for values in result.arrays.values())
    return result
