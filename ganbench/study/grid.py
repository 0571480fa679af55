"""The grid: a study's runs, and the packs they train in."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from ganbench.core.dataset_specs import data_set
from ganbench.core.errors import GanbenchError
from ganbench.core.registry import CHOICES
from ganbench.core.source_digests import digest
from ganbench.study.blocks import Block, Train
from ganbench.study.schema import Study
from ganbench.study.value_types import LARGEST_GRID, Choice

NAMING = ("game", "dataset", "architecture")  # in every method's name; other choices only where a study varies them
UNSAID = ("gan", "none")  # the game that its data set and architecture name well enough; no regularizer


@dataclass(frozen=True)
class Run:
    """One point of the grid."""

    choices: tuple[Choice, ...]  # in the order of CHOICES, one of each family that its game is made of
    n_train: int | None  # of games that have a data set
    learning_rate: float
    seed: int
    train: Train
    method: str  # slug of what is compared: what is played, and every other choice that the study varies

    def choice(self, family: str) -> Choice | None:
        """The run's member of a family; None where its game is not made of one."""
        return next((choice for choice in self.choices if choice.family == family), None)

    @property
    def id(self) -> str:
        """Readable and unique in the study."""
        examples = "" if self.n_train is None else f"-n{self.n_train}"
        return f"{self.method}{examples}-lr{self.learning_rate!r}-s{self.seed}"

    @property
    def axes(self) -> dict[str, Any]:
        """The run's values of the grid's axes, as the tables show them."""
        labels = {choice.family: choice.label for choice in self.choices}
        return {
            **dict.fromkeys(CHOICES),
            **labels,
            "n_train": self.n_train,
            "learning_rate": self.learning_rate,
            "seed": self.seed,
        }

    @property
    def point(self) -> dict[str, Any]:
        """What selectors look at: the axes and the method."""
        return {**self.axes, "method": self.method}

    @property
    def settings(self) -> dict[str, Any]:
        """All options of its parts, `<family>_<option>`, and of its training, `train_<option>`."""
        parts = {f"{choice.family}_{name}": value for choice in self.choices for name, value in choice.options.items()}
        return parts | flat("train", self.config["train"])

    @property
    def options(self) -> dict[str, float]:
        """The numbers among the options of its parts, for claims to reckon with: `<family>_<option>`."""
        return {
            f"{choice.family}_{name}": value
            for choice in self.choices
            for name, value in choice.options.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }

    @property
    def variables(self) -> dict[str, float]:
        """The numbers of the run that are known before it starts, as claims call them."""
        numbers = {"learning_rate": self.learning_rate, "seed": self.seed, "steps": self.train.steps}
        examples = {} if self.n_train is None else {"n_train": self.n_train}
        return {**self.options, **numbers, **examples, "time": self.train.steps * self.learning_rate}

    @property
    def config(self) -> dict[str, Any]:
        """The run's slice of the configuration: everything that can change its numbers."""
        parts = {choice.family: {"name": choice.member.name, "options": choice.options} for choice in self.choices}
        member = {"n_train": self.n_train, "learning_rate": self.learning_rate, "seed": self.seed}
        train = self.train.model_dump(mode="json")
        if self.n_train is None:  # without data there are no batches of them
            del train["batch_size"]
        return {**parts, **member, "train": train}


def flat(prefix: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options, those of sections too, by names of one level: `train_snapshots_count`."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        key = f"{prefix}_{name}"
        found |= flat(key, value) if isinstance(value, dict) else {key: value}
    return found


@dataclass(frozen=True)
class Pack:
    """Runs that agree on everything but the pack axes, trained by one process."""

    name: str
    runs: tuple[Run, ...]

    @property
    def groups(self) -> list[tuple[Run, ...]]:
        """Its runs, together where they are made of the same parts: those that can fuse."""
        groups: dict[tuple[Choice, ...], list[Run]] = defaultdict(list)
        for run in self.runs:
            groups[run.choices].append(run)
        return [tuple(runs) for runs in groups.values()]


def slug(text: str) -> str:
    """Lower-case letters, digits, dots and dashes only: safe in a path, a shell command and a wildcard. A minus sign
    becomes an m, so that numbers of unlike signs keep unlike names."""
    signed = re.sub(r"(?<![a-z0-9])-(?=[0-9.])", "m", text.lower())
    return re.sub(r"[^a-z0-9.]+", "-", signed).strip("-.")


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
    """What each choice adds to the names of methods: nothing where the study does not vary it, and its options only
    where it is there with several."""
    names = {}
    for family in CHOICES:
        choices = dict.fromkeys(choice for block in study.grid for choice in getattr(block, family) or ())
        if family in NAMING or len(choices) > 1:
            varied, called = _varied(choices), {}
            for choice in choices:
                if choice.label in UNSAID:
                    continue
                name = slug(_short(choice, varied[choice.member.name]))
                twin = called.setdefault(name, choice)
                if twin is not choice:
                    raise GanbenchError(
                        f"grid: {family} {choice.name!r} and {family} {twin.name!r} with their options would both be "
                        f"called {name!r} in files and tables; rename a file, or choose other options."
                    )
                names[choice] = name
    return names


def _varied(choices: Iterable[Choice]) -> dict[str, set[str]]:
    """By member's name, the options in which choices of it differ."""
    first: dict[str, Choice] = {}
    varied: dict[str, set[str]] = defaultdict(set)
    for choice in choices:
        other = first.setdefault(choice.member.name, choice)
        varied[choice.member.name] |= {key for key, value in choice.options.items() if other.options.get(key) != value}
    return varied


def _short(choice: Choice, varied: set[str]) -> str:
    """A choice by its member's name and those options in which others of this name differ, where not the defaults."""
    defaults = choice.member.complete({})
    told = [f"{key}={value}" for key, value in choice.options.items() if key in varied and value != defaults[key]]
    return " ".join([choice.member.name, *told])


def _size(block: Block) -> int:
    axes = (*CHOICES, "n_train", "learning_rate", "seed")
    return prod(len(values) for values in (getattr(block, axis) for axis in axes) if values is not None)


def _block(study: Study, index: int, block: Block, names: dict[Choice, str]) -> Iterator[Run]:
    train = study.block_train(block)
    for choices in product(*(values for family in CHOICES if (values := getattr(block, family)) is not None)):
        method = "-".join(names[choice] for choice in choices if choice in names) or UNSAID[0]
        sizes = _examples(index, block, choices)
        for n_train, learning_rate, seed in product(sizes, block.learning_rate, block.seed):
            yield Run(choices, n_train, learning_rate, seed, train, method)


def _examples(index: int, block: Block, choices: tuple[Choice, ...]) -> list[int | None]:
    """The block's numbers of training examples, 'all' resolved for the data set chosen."""
    if block.n_train is None:
        return [None]
    dataset = next(choice for choice in choices if choice.family == "dataset")
    available = data_set(dataset).train
    sizes = [available if n == "all" else n for n in block.n_train]
    if len(set(sizes)) < len(sizes):  # numbers that are written twice have been refused
        raise GanbenchError(f"grid[{index}].n_train: 'all' means {available}, which is listed as well.")
    for n_train in sizes:
        if n_train > available:
            raise GanbenchError(
                f"grid[{index}].n_train: {n_train} is more than the {available} training examples of "
                f"{dataset.label}; valid: 1 to {available}, or 'all'."
            )
    return sizes


def packs(study: Study, runs: tuple[Run, ...]) -> tuple[Pack, ...]:
    """Group the runs into packs.

    Seeds are packed in blocks aligned at multiples of `seeds_per_pack`, so adding seeds fills the last block and opens
    new ones but moves no run from one pack to another.
    """
    groups: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    names: dict[tuple[Any, ...], str] = {}
    called = _names(study)
    trains: dict[Train, Any] = {run.train: run.train.model_dump(mode="json") for run in runs}
    for run in runs:
        block = run.seed // study.pack.seeds_per_pack if "seed" in study.pack.axes else run.seed
        apart = {axis: getattr(run, axis) for axis in ("learning_rate", "n_train") if axis not in study.pack.axes}
        choices = tuple(choice for choice in run.choices if choice.family not in study.pack.axes)
        key = (choices, run.train, block, *apart.values())
        groups[key].append(run)
        if key not in names:
            shared = digest([[[choice.member.name, choice.options] for choice in choices], trains[run.train], apart])
            words = [called[choice] for choice in choices if choice in called]
            names[key] = "-".join([*words, shared[:12], str(block)])
    return tuple(Pack(names[key], tuple(members)) for key, members in groups.items())
