"""Games of the laboratory, from the names of their components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.engine.components import build_game, game_families
from ganbench.games import Match, Member, TrainingExamples
from ganbench.lab.arguments import parse_device, parse_dtype, parse_n_train, parse_seeds
from ganbench.lab.component_specs import ComponentSpec, build_from_spec, parse_component_spec
from ganbench.study.blocks import COMPONENT_AXES

NO_LEARNING_RATE = 0.0  # the learning rate belongs to the call of `lab.play`, not to the members of a game


def game(
    game: ComponentSpec,
    *,
    objective: ComponentSpec | None = None,
    regularizer: ComponentSpec | None = None,
    dataset: ComponentSpec | None = None,
    architecture: ComponentSpec | None = None,
    n_train: int | str | None = None,
    batch_size: int | None = None,
    seeds: int | Sequence[int] = 1,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float64",
) -> Match:
    """A game among members that differ in their seeds.

    Args:
        game: `bilinear`, `{"name": "gaussian", "plane": "w", "samples": 100}`, `gaussian(plane=w)`, or the path of a
            file of your own.
        objective, regularizer: of games that have them; `non_saturating` and `none` by default.
        dataset, architecture: of the game `gan`.
        n_train: number of training examples of the game `gan`; all by default.
        batch_size: number of examples in a batch of the game `gan`; 64 by default.
        seeds: the number of seeds, which start at 0, or a list of them.
        device: PyTorch device.
        dtype: float64 or float32.

    Raises:
        GanbenchError: an unknown name or option, or a component that the game does not have.
    """
    name, options = parse_component_spec("game", game)
    component = registry.find("game", name)
    families = game_families(name)
    device, precision = parse_device(device), parse_dtype(dtype)
    given = {"objective": objective, "regularizer": regularizer, "dataset": dataset, "architecture": architecture}
    parts = {family: _of_game(component.name, families, family, value) for family, value in given.items()}
    parts = {family: part for family, part in parts.items() if part is not None}
    for what, value in (("n_train", n_train), ("batch_size", batch_size)):
        if value is not None and "dataset" not in families:
            raise GanbenchError(f"{what}: the game {component.name!r} has no data set; drop it.")
    count, examples, labels, size = None, None, None, None
    if "dataset" in families:
        spec = parts["dataset"].spec
        if why := parts["architecture"].unsupported(spec):
            raise GanbenchError(f"architecture: does not support this data set: {why}.")
        size = 64 if batch_size is None else batch_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 2:
            raise GanbenchError(f"batch_size must be a whole number of at least 2, but is {batch_size!r}.")
        loaded = parts["dataset"].load()
        count = parse_n_train(n_train, len(loaded.train))
        examples = TrainingExamples.placed(loaded.train, device, precision, spec.mean, spec.std)
        labels = None if loaded.train_modes is None else torch.from_numpy(loaded.train_modes)
    built = build_game(name, options, parts, examples=examples, labels=labels, batch_size=size)
    return Match(built, [Member(seed, count, NO_LEARNING_RATE) for seed in parse_seeds(seeds)], device, precision)


def _of_game(name: str, families: Sequence[str], family: str, given: ComponentSpec | None) -> Any:
    """A component of a game; None if the game has none of the family."""
    if family not in families:
        if given is not None:
            raise GanbenchError(f"{family}: the game {name!r} has none; its parts: {', '.join(families) or 'none'}.")
        return None
    value = COMPONENT_AXES[family][1] if given is None else given
    if value is None:
        raise GanbenchError(f"{family}: is missing; the parts of the game {name!r}: {', '.join(families)}.")
    return build_from_spec(family, value)
