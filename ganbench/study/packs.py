"""Packs: runs of a study that one process trains together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ganbench.core.source_digests import digest
from ganbench.study.blocks import Train, default_component
from ganbench.study.choices import Choice
from ganbench.study.names import cut_name, slug
from ganbench.study.runs import Run
from ganbench.study.schema import Study

FUSING = ("learning_rate", "generator_learning_rate", "n_train")  # in which fused runs may differ, beside their seeds


@dataclass(frozen=True)
class Pack:
    """Runs that agree on everything but the pack axes, trained by one process."""

    name: str
    runs: tuple[Run, ...]

    @property
    def fusable_groups(self) -> list[tuple[Run, ...]]:
        """The pack's runs in groups of equal choices: the runs of one group can fuse."""
        fusable_groups: dict[tuple[Choice, ...], list[Run]] = defaultdict(list)
        for run in self.runs:
            fusable_groups[run.choices].append(run)
        return [tuple(runs) for runs in fusable_groups.values()]


def group_into_packs(study: Study, runs: tuple[Run, ...]) -> tuple[Pack, ...]:
    """Group the runs into packs.

    Seeds are packed in blocks aligned at multiples of `seeds_per_pack`: additional seeds fill the last block and open
    new ones, but move no run from one pack to another. A pack is named after what its runs share, without labels: other
    values of the study's axes do not rename it, so that its files are found again.
    """
    groups: dict[str, list[Run]] = defaultdict(list)
    names: dict[tuple[Any, ...], str] = {}
    trains: dict[Train, Any] = {run.train: run.train.model_dump(mode="json") for run in runs}
    for run in runs:
        block = run.seed // study.pack.seeds_per_pack if "seed" in study.pack.axes else run.seed
        apart = {axis: getattr(run, axis) for axis in FUSING if axis not in study.pack.axes}
        choices = tuple(choice for choice in run.choices if choice.family not in study.pack.axes)
        key = (choices, run.train, *apart.values())
        if key not in names:
            made_of = [[choice.component.name, choice.options_by_name] for choice in choices]
            shared = digest([made_of, trains[run.train], apart])
            names[key] = "-".join([*_words(choices), shared[:12]])
        groups[f"{names[key]}-{block}"].append(run)
    return tuple(Pack(name, tuple(members)) for name, members in groups.items())


def _words(choices: Iterable[Choice]) -> list[str]:
    """The names of the components that a block of the grid has to name; without any, no word."""
    named = [choice for choice in choices if choice.component.name != default_component(choice.family)]
    words = [slug(part.component.name) for choice in named for part in choice.parts or (choice,)]
    return [cut_name("-".join(words))] if words else []
