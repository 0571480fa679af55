"""The grid of a study, expanded into its runs, and the names of methods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import product
from math import prod
from typing import Any

from ganbench.core.dataset_specs import describe_dataset
from ganbench.core.errors import GanbenchError
from ganbench.core.member import Member
from ganbench.core.registry import CHOICES
from ganbench.study.blocks import Block, Train
from ganbench.study.choices import Choice
from ganbench.study.names import cut_name, refuse_datasets_of_one_name, slug
from ganbench.study.runs import Run
from ganbench.study.schema import Study
from ganbench.study.train_axes import values_of, varied_options, with_steps
from ganbench.study.value_types import MAX_GRID

ALWAYS_NAMED = (
    "game",
    "dataset",
    "architecture",
)  # families that every method's name contains; other families only where a study varies them
OMITTED = ("gan", "none")  # choices that names leave out: the game of networks on data, and the absent regularizer


def expand(study: Study) -> tuple[Run, ...]:
    """Expand the grid into all runs of the study, in the order of its blocks.

    Raises:
        GanbenchError: two blocks contain the same run or give two methods the same name, two data sets have one name in
            files, a data set has too few examples, or the grid has more than `MAX_GRID` runs.
    """
    sizes = [_block_size(study, block) for block in study.grid]
    if sum(sizes) > MAX_GRID:
        raise GanbenchError(f"grid: {sum(sizes):,} runs are more than the {MAX_GRID:,} that a study may have.")
    labelled = _labelled_choices(study)
    refuse_datasets_of_one_name(labelled.values())
    names, varied = _choice_names(labelled.values()), _varied_training(study, labelled)
    runs: dict[str, tuple[int, Run]] = {}
    methods: dict[str, tuple[int, Run]] = {}
    # Blocks with different labels can give one point different ids. Where they exist, a point is known by what it
    # trains; in place of the choices, which take long to hash, stands the first method that is made of them.
    blocks_differ = len({block.label for block in study.grid}) > 1
    points: dict[tuple[str, Train, Member], tuple[int, Run]] = {}
    made_of: dict[tuple[Choice, ...], str] = {}
    alike: dict[str, str] = {}
    for index, block in enumerate(study.grid):
        for run in _block_runs(study, index, block, labelled, names, varied):
            other, known = methods.setdefault(run.method, (index, run))
            if known is run:
                alike[run.method] = made_of.setdefault(run.choices, run.method)
            if (known.choices, known.block, known.variant) != (run.choices, run.block, run.variant):
                raise GanbenchError(
                    f"grid[{index}]: its method {run.method!r} has the name of another one of grid[{other}]; give the "
                    "blocks labels that differ."
                )
            at, twin = runs.setdefault(run.id, (index, run))
            if blocks_differ and twin is run:
                at, twin = points.setdefault((alike[run.method], run.train, run.member), (index, run))
            if twin is not run:
                called = "" if twin.id == run.id else f", as {twin.id}"
                raise GanbenchError(
                    f"grid[{index}]: run {run.id} stands in grid[{at}] already{called}; every point of the grid "
                    "belongs to one block, whatever its label. To train it in two ways, make two studies."
                )
    return tuple(run for _, run in runs.values())


def _choice_names(labelled: Collection[Choice]) -> dict[Choice, str]:
    """The part of a method's name that each choice contributes.

    A choice that the study does not vary contributes nothing, unless its family is in `ALWAYS_NAMED`. Options appear
    only where the study has the component with several values of them.

    Args:
        labelled: all choices of the grid, with their labels.

    Raises:
        GanbenchError: two choices would have the same name.
    """
    names = {}
    for family in CHOICES:
        choices = [choice for choice in labelled if choice.family == family]
        if family in ALWAYS_NAMED or len(choices) > 1:
            varied, called = _varied_options(choices), {}
            for choice in choices:
                if choice.text in OMITTED:
                    continue
                name = slug(choice.label or _name_with_options(choice, varied[choice.component.name]))
                twin = called.setdefault(name, choice)
                if twin is not choice:
                    raise GanbenchError(
                        f"grid: {family} {choice.label or choice.name!r} and {twin.label or twin.name!r} would both be "
                        f"called {name!r} in files and tables; rename a file, or give one of them another label."
                    )
                names[choice] = name
    return names


def _labelled_choices(study: Study) -> dict[Choice, Choice]:
    """Every choice of the grid, with the label that any of the blocks gives it.

    Raises:
        GanbenchError: two labels are given to one choice.
    """
    labelled: dict[Choice, Choice] = {}
    for choice in (choice for block in study.grid for family in CHOICES for choice in getattr(block, family) or ()):
        known = labelled.get(choice)
        if known and known.label and choice.label not in (None, known.label):
            raise GanbenchError(
                f"grid: {choice.family} {choice.signature} has the labels {known.label!r} and {choice.label!r}; "
                "give it one."
            )
        if known is None or choice.label:
            labelled[choice] = choice
    return labelled


def _varied_options(choices: Iterable[Choice]) -> dict[str, set[str]]:
    """By name of the component, the options in which its choices differ."""
    first: dict[str, Choice] = {}
    varied: dict[str, set[str]] = defaultdict(set)
    for choice in choices:
        other = first.setdefault(choice.component.name, choice)
        varied[choice.component.name] |= {
            key for key, value in choice.options.items() if other.options.get(key) != value
        }
    return varied


def _name_with_options(choice: Choice, varied: set[str]) -> str:
    """The component's name, with the varied options whose values differ from their defaults; all parts' names and
    options if it is made of others."""
    if choice.parts:
        return choice.signature
    defaults = choice.component.complete({})
    told = [f"{key}={value}" for key, value in choice.options.items() if key in varied and value != defaults[key]]
    return " ".join([choice.component.name, *told])


def _varied_training(
    study: Study, labelled: dict[Choice, Choice]
) -> dict[tuple[tuple[Choice, ...], str | None], list[str]]:
    """The training options that name methods, by the methods' choices and their block's label.

    They are named where the study trains a setting, which is a method with n_train and learning rates, in several ways.
    """
    settings: dict[Any, dict[Any, set[Train]]] = defaultdict(lambda: defaultdict(set))
    for index, block in enumerate(study.grid):
        trains = study.block_train(block).combinations(batches=block.n_train is not None)
        for choices in _combinations(block, labelled):
            sizes = _training_set_sizes(index, block, choices)
            for setting in product(sizes, block.learning_rate, block.generator_learning_rate):
                settings[choices, block.label][setting].update(trains)
    return {
        method: varied_options(set().union(*trained.values()))
        for method, trained in settings.items()
        if any(len(trains) > 1 for trains in trained.values())
    }


def _block_size(study: Study, block: Block) -> int:
    axes = (*CHOICES, "n_train", "learning_rate", "generator_learning_rate", "seed")
    sizes = [len(values) for values in (getattr(block, axis) for axis in axes) if values is not None]
    return prod(sizes) * study.block_train(block).count


def _combinations(block: Block, labelled: dict[Choice, Choice]) -> Iterator[tuple[Choice, ...]]:
    """All combinations of the block's choices, each choice with its label."""
    for choices in product(*(values for family in CHOICES if (values := getattr(block, family)) is not None)):
        yield tuple(labelled[choice] for choice in choices)


def _block_runs(
    study: Study,
    index: int,
    block: Block,
    labelled: dict[Choice, Choice],
    names: dict[Choice, str],
    varied: dict[tuple[tuple[Choice, ...], str | None], list[str]],
) -> Iterator[Run]:
    trains = study.block_train(block).combinations(batches=block.n_train is not None)
    for choices, train in product(_combinations(block, labelled), trains):
        varied_here = [choice for choice in choices if not block.label or len(getattr(block, choice.family)) > 1]
        label = [slug(block.label)] if block.label else []
        named = varied.get((choices, block.label), ())
        options = [f"{name}={value}" for name, value in values_of(train).items() if name in named]
        variant = f"train({', '.join(options)})" if options else None
        words = [*label, *(names[choice] for choice in varied_here if choice in names), *map(slug, options)]
        for n_train in _training_set_sizes(index, block, choices):
            try:
                resolved = with_steps(train, n_train)
            except GanbenchError as error:
                raise GanbenchError(f"grid[{index}].train: {error}.") from None
            method = cut_name("-".join(words)) or OMITTED[0]
            rates = product(block.learning_rate, block.generator_learning_rate)
            for (rate, generator_rate), seed in product(rates, block.seed):
                generator_rate = None if generator_rate == rate else generator_rate
                yield Run(choices, n_train, rate, seed, resolved, method, block.label, variant, generator_rate)


def _training_set_sizes(index: int, block: Block, choices: tuple[Choice, ...]) -> list[int | None]:
    """The block's numbers of training examples, with 'all' resolved for the chosen data set."""
    if block.n_train is None:
        return [None]
    dataset = next(choice for choice in choices if choice.family == "dataset")
    available = describe_dataset(dataset).train
    sizes = [available if n == "all" else n for n in block.n_train]
    if len(set(sizes)) < len(sizes):  # duplicate numbers were refused before
        raise GanbenchError(f"grid[{index}].n_train: 'all' means {available}, which is listed as well.")
    for n_train in sizes:
        if n_train > available:
            raise GanbenchError(
                f"grid[{index}].n_train: {n_train} is more than the {available} training examples of "
                f"{dataset.signature}; valid: 1 to {available}, or 'all'."
            )
    return sizes
