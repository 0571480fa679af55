"""How fast every dynamics steps, and what a Jacobian's spectrum costs, next to plain training steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from benchmarks.cases import Case, build
from benchmarks.sheets import Sheet
from ganbench.core import registry
from ganbench.diagnostics import Trajectories
from ganbench.engine.fusing import parameters
from ganbench.games import CHUNK, Game, Match, Member

BASE = "simultaneous"  # what the others are compared with
RATE = 1e-3
RING = Case("ring GAN", "mlp", "ring8", steps=6000, batch_size=64)
SMALL_RING = Case("small ring GAN", "mlp", "ring8", steps=6000, batch_size=64, options={"width": 8})

# Games and how many play them.
CASES: tuple[tuple[str, int], ...] = (
    ("bilinear", 1),
    ("bilinear", 100),
    ("bilinear", 10_000),
    (RING.name, 1),
    (RING.name, 16),
)
# Games whose spectrum is measured: two numbers, networks small enough for all eigenvalues, and larger ones.
SPECTRA: tuple[tuple[str, int], ...] = (("bilinear", 100), (SMALL_RING.name, 4), (RING.name, 4))


def make_game(name: str, device: str) -> Game:
    """A game without data by its name, or a case."""
    networks = {case.name: case for case in (RING, SMALL_RING)}
    return networks[name].game(device) if name in networks else registry.components("game")[name].build({})


class Runner:
    """Runs of a game, moved by a dynamics with plain gradient steps; keeps no record of them."""

    def __init__(self, game: Game, members: int, dynamics: str, device: str) -> None:
        examples = None if "dataset" not in game.families else len(game.examples)
        who = [Member(seed, examples, RATE) for seed in range(members)]
        self.match = Match(game, who, torch.device(device), torch.float32)
        self.dynamics, self.optimizer = build("dynamics", dynamics), build("optimizer", "sgd")
        self.rates = self.match.rates()
        self.players = self.match.init()
        self._memories = self.dynamics.init(self.match, self.players, self.optimizer)
        self._done = 0

    def __call__(self, steps: int) -> None:
        for step in range(self._done, self._done + steps):
            batches = self.match.draw(step, self.dynamics.batches_per_step)
            move = self.dynamics.step(self.match, self.players, self._memories, batches, self.optimizer, self.rates)
            self.players, self._memories = move.players, move.states
        self._done += steps


@contextmanager
def one_thread() -> Iterator[None]:
    """A study keeps every core busy with packs of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds_of(work: Callable[[], object], device: str) -> float:
    """What some work takes; of a CPU it is the core's time that counts, not the waiting for it."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    began = clock()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return max(clock() - began, 1e-9)


@dataclass(frozen=True)
class Speeds:
    """A game with so many members: steps per second of every dynamics, turn by turn."""

    game: str
    members: int
    turns: dict[str, list[float]]

    def relative(self, dynamics: str) -> float:
        """To simultaneous steps, turn against turn."""
        pairs = zip(self.turns[dynamics], self.turns[BASE], strict=True)
        return median(mine / base for mine, base in pairs)


@one_thread()
def measure(name: str, members: int, device: str, *, rounds: int, seconds: float) -> Speeds:
    """Time the dynamics in turns, so that what else the machine does falls on all of them.

    Args:
        name, members: the game, and how many play it.
        device: "cpu" or "cuda".
        rounds: turns of every dynamics.
        seconds: what a turn takes, about.
    """
    game = make_game(name, device)
    runners = {each: Runner(game, members, each, device) for each in registry.components("dynamics")}
    steps = {}
    for each, runner in runners.items():
        runner(2)
        # Whole chunks, each with one draw of random numbers, where these take no longer than a turn.
        one = seconds_of(lambda runner=runner: runner(3), device) / 3
        wanted = seconds / one
        steps[each] = max(1, round(wanted / CHUNK) * CHUNK or round(wanted))
    turns: dict[str, list[float]] = {each: [] for each in runners}
    for index in range(rounds):
        order = list(runners)[index % len(runners) :] + list(runners)[: index % len(runners)]
        for each in order:
            taken = seconds_of(lambda each=each: runners[each](steps[each]), device)
            turns[each].append(steps[each] / taken)
    return Speeds(name, members, turns)


def sheet(speeds: Sequence[Speeds]) -> Sheet:
    """Every dynamics in a row, every game in a column."""
    result = Sheet(
        "Training steps per second of every dynamics",
        ["dynamics", "gradients a step", *(f"{each.game}, {_runs(each.members)}" for each in speeds)],
        "Steps of a whole pack, plain gradient steps, nothing recorded; medians of turns, and in brackets the share of "
        "simultaneous steps. A gradient is one player's; a product with the Jacobian counts as two.",
    )
    for name in sorted(speeds[0].turns, key=lambda name: (name != BASE, name)):
        cells = [f"{median(each.turns[name]):,.0f} ({each.relative(name):.2f})" for each in speeds]
        result.add(name, build("dynamics", name).gradients_per_step, *cells)
    return result


def _runs(members: int) -> str:
    return f"{members:,} run{'s' if members > 1 else ''}"


@one_thread()
def spectrum_sheet(cases: Sequence[tuple[str, int]], device: str, *, rounds: int, seconds: float) -> Sheet:
    """What a measurement of the Jacobian's eigenvalues costs, in training steps."""
    result = Sheet(
        "Cost of a Jacobian's spectrum",
        ["game", "parameters", "runs", "eigenvalues", "one measurement of all, s", "in simultaneous steps"],
        "All eigenvalues where the diagnostic's `max_exact_size` has room for them, and Arnoldi's outer ones "
        "beyond; the steps are of the same pack, timed in turns with the measurements.",
    )
    diagnostic = registry.components("diagnostic")["spectrum"].build({})
    for name, members in cases:
        game = make_game(name, device)
        runner = Runner(game, members, BASE, device)
        played = Trajectories(
            runner.match,
            runner.dynamics,
            runner.optimizer,
            runner.rates,
            np.array([0]),
            {player: theta[:, None] for player, theta in runner.players.items()},
        )
        runner(CHUNK)
        steps = max(CHUNK, round(seconds / (seconds_of(lambda r=runner: r(CHUNK), device) / CHUNK)))
        spectra, times = [], []
        for _ in range(rounds):
            spectra.append(seconds_of(lambda played=played: diagnostic.measure(played), device))
            times.append(seconds_of(lambda r=runner, n=steps: r(n), device) / steps)
        size = parameters(game)
        kind = "all" if size <= diagnostic.max_exact_size else f"outer, {diagnostic.arnoldi_iterations} products"
        cells = [f"{median(spectra):.3f}", f"{median(a / b for a, b in zip(spectra, times, strict=True)):,.0f}"]
        result.add(name, f"{size:,}", members, kind, *cells)
    return result
