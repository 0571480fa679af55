"""The grid: a study's runs, and the packs they train in."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from ganbench.core.errors import GanbenchError
from ganbench.core.fields import LARGEST_GRID, Choice
from ganbench.core.sources import digest
from ganbench.core.study import Block, Study, Train

CHOICES = ("dataset", "architecture", "objective", "regularizer", "dynamics")
NAMING = ("dataset", "architecture")  # in every contender's name; the other choices only where the study varies them


@dataclass(frozen=True)
class Run:
    """One point of the grid."""

    choices: tuple[Choice, ...]  # one of each of CHOICES
    n_train: int
    learning_rate: float
    seed: int
    train: Train
    contender: str  # slug of what is compared: data set, architecture and every other choice that the study varies

    def choice(self, family: str) -> Choice:
        return self.choices[CHOICES.index(family)]

    @property
    def id(self) -> str:
        """Readable and unique in the study."""
        return f"{self.contender}-n{self.n_train}-lr{self.learning_rate!r}-s{self.seed}"

    @property
    def axes(self) -> dict[str, Any]:
        """The run's values of the grid's axes, as the tables show them."""
        labels = {family: choice.label for family, choice in zip(CHOICES, self.choices, strict=True)}
        return {**labels, "n_train": self.n_train, "learning_rate": self.learning_rate, "seed": self.seed}

    @property
    def config(self) -> dict[str, Any]:
        """The run's slice of the configuration: everything that can change its numbers."""
        parts = {
            family: {"name": choice.member.name, "options": choice.options}
            for family, choice in zip(CHOICES, self.choices, strict=True)
        }
        member = {"n_train": self.n_train, "learning_rate": self.learning_rate, "seed": self.seed}
        return {**parts, **member, "train": self.train.model_dump(mode="json")}


@dataclass(frozen=True)
class Pack:
    """Runs that agree on everything but the pack axes, trained by one process."""

    name: str
    runs: tuple[Run, ...]


def slug(text: str) -> str:
    """Lower-case letters, digits, dots and dashes only: safe in a path, a shell command and a wildcard."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


def expand(study: Study) -> tuple[Run, ...]:
    """Every run of the study, in the order of its blocks.

    Raises:
        GanbenchError: two blocks hold the same point, a data set has too few examples, or the grid is absurdly large.
    """
    sizes = [_size(block) for block in study.grid]
    if sum(sizes) > LARGEST_GRID:
        raise GanbenchError(f"grid: {sum(sizes):,} runs are more than the {LARGEST_GRID:,} that a study may have.")
    names = _names(study)
    runs: dict[str, tuple[int, Run]] = {}
    for index, block in enumerate(study.grid):
        for run in _block(study, index, block, names):
            if run.id in runs:
                raise GanbenchError(
                    f"grid[{index}]: run {run.id} stands in grid[{runs[run.id][0]}] already; every point of the grid "
                    "belongs to one block. To train it in two ways, make two studies."
                )
            runs[run.id] = (index, run)
    return tuple(run for _, run in runs.values())


def _names(study: Study) -> dict[Choice, str]:
    """What each choice adds to the names of contenders: nothing where the study does not vary it, and its options only
    where it is there with several."""
    names = {}
    for family in CHOICES:
        choices = dict.fromkeys(choice for block in study.grid for choice in getattr(block, family))
        if family in NAMING or len(choices) > 1:
            short = [choice.member.name for choice in choices]
            for choice in choices:
                name = slug(choice.label if short.count(choice.member.name) > 1 else choice.member.name)
                twin = next((other for other in choices if names.get(other) == name), None)
                if twin is not None:
                    raise GanbenchError(
                        f"grid: {family} {choice.name!r} and {family} {twin.name!r} with their options would both be "
                        f"called {name!r} in files and tables; rename a file, or choose other options."
                    )
                names[choice] = name
    return names


def _size(block: Block) -> int:
    size = len(block.n_train) * len(block.learning_rate) * len(block.seed)
    for family in CHOICES:
        size *= len(getattr(block, family))
    return size


def _block(study: Study, index: int, block: Block, names: dict[Choice, str]) -> Iterator[Run]:
    train = study.block_train(block)
    for choices in product(*(getattr(block, family) for family in CHOICES)):
        named = dict(zip(CHOICES, choices, strict=True))
        contender = "-".join(names[choice] for choice in choices if choice in names)
        available = named["dataset"].build().spec.train
        sizes = [available if n == "all" else n for n in block.n_train]
        for n_train in sizes:
            if n_train > available:
                raise GanbenchError(
                    f"grid[{index}].n_train: {n_train} is more than the {available} training examples of "
                    f"{named['dataset'].label}; valid: 1 to {available}, or 'all'."
                )
            if sizes.count(n_train) > 1:
                raise GanbenchError(f"grid[{index}].n_train: 'all' means {available}, which is listed as well.")
        for n_train, learning_rate, seed in product(sizes, block.learning_rate, block.seed):
            yield Run(choices, n_train, learning_rate, seed, train, contender)


def packs(study: Study, runs: tuple[Run, ...]) -> tuple[Pack, ...]:
    """Group the runs into packs.

    Seeds are packed in blocks aligned at multiples of `seeds_per_pack`, so adding seeds fills the last block and opens
    new ones but moves no run from one pack to another.
    """
    groups: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    names: dict[tuple[Any, ...], str] = {}
    trains: dict[Train, Any] = {run.train: run.train.model_dump(mode="json") for run in runs}
    for run in runs:
        block = run.seed // study.pack.seeds_per_pack if "seed" in study.pack.axes else run.seed
        apart = {axis: getattr(run, axis) for axis in ("learning_rate", "n_train") if axis not in study.pack.axes}
        key = (run.contender, run.choices, run.train, block, *apart.values())
        groups[key].append(run)
        if key not in names:
            shared = digest([run.choices and [c.model_dump() for c in run.choices], trains[run.train], apart])
            names[key] = f"{run.contender}-{shared[:6]}-{block}"
    return tuple(Pack(names[key], tuple(members)) for key, members in groups.items())
