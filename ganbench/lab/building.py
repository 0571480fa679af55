"""From names to the objects that play: games, and the dynamics and optimizers of their members."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.core import registry
from ganbench.core.errors import GanbenchError, unknown
from ganbench.games import Match, Member
from ganbench.lab.naming import FORMS, named
from ganbench.study.blocks import PARTS

Part = str | Mapping[str, Any]  # a member of a family, as people write it
DTYPES = {"float64": torch.float64, "float32": torch.float32}
LARGEST_SEED = 2**31
NO_RATE = 0.0  # of the members of a game: the learning rate is how it is played


def game(
    game: Part,
    *,
    objective: Part | None = None,
    regularizer: Part | None = None,
    dataset: Part | None = None,
    architecture: Part | None = None,
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
        objective, regularizer: of games that take them; `non_saturating` and `none` unless given.
        dataset, architecture, n_train, batch_size: of the game `gan`; all examples and batches of 64 unless given.
        seeds: how many, from 0 on, or which.
        device, dtype: where and how precisely to compute: float64 or float32.

    Raises:
        GanbenchError: a name, an option or a part that there is not.
    """
    name, options = named("game", game)
    member = registry.find("game", name)
    components = member.constants.get("components", ())
    place, precision = _device(device), _dtype(dtype)
    given = {"objective": objective, "regularizer": regularizer, "dataset": dataset, "architecture": architecture}
    parts = {family: _of_game(member.name, components, family, value) for family, value in given.items()}
    parts = {family: part for family, part in parts.items() if part is not None}
    for what, value in (("n_train", n_train), ("batch_size", batch_size)):
        if value is not None and "dataset" not in components:
            raise GanbenchError(f"{what}: the game {member.name!r} has no data set; drop it.")
    count = None
    if "dataset" in components:
        dataset = parts.pop("dataset")
        if why := parts["architecture"].supports(dataset.spec):
            raise GanbenchError(f"architecture: does not support this data set: {why}.")
        size = 64 if batch_size is None else batch_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 2:
            raise GanbenchError(f"batch_size must be a whole number of at least 2, but is {batch_size!r}.")
        examples = dataset.load().train
        count = _n_train(n_train, len(examples))
        held = torch.from_numpy(examples).to(place, precision)
        parts |= {"data": dataset.spec, "examples": held, "batch_size": size}
    game = member.build(member.complete(options), **parts)
    return Match(game, [Member(seed, count, NO_RATE) for seed in _seeds(seeds)], place, precision)


def _of_game(name: str, components: Sequence[str], family: str, given: Part | None) -> Any:
    """A part that a game is made of; None where it is made of none of the family."""
    if family not in components:
        if given is not None:
            raise GanbenchError(f"{family}: the game {name!r} has none; its parts: {', '.join(components) or 'none'}.")
        return None
    value = PARTS[family][1] if given is None else given
    if value is None:
        raise GanbenchError(f"{family}: is missing; the parts of the game {name!r}: {', '.join(components)}.")
    return part(family, value)


def part(family: str, given: Any) -> Any:
    """A member of a family with one value of every option; an object is taken as it is."""
    if not isinstance(given, str | Mapping):
        return given
    name, options = named(family, given)
    member = registry.find(family, name)
    return member.build(member.complete(options))


def mover(family: str, given: Any, methods: Sequence[str]) -> tuple[Any, dict[str, np.ndarray]]:
    """Dynamics or an optimizer, and those of its options that have a value for each member, {option: (count,)}.

    Args:
        given: its name, label, mapping or object.
        methods: what an object must be able to do.

    Raises:
        GanbenchError: it is nothing of the family, or an option is unknown or has values that it may not have.
    """
    if not isinstance(given, str | Mapping):
        if isinstance(given, type) or not all(callable(getattr(given, method, None)) for method in methods):
            raise GanbenchError(f"{family}: must be {FORMS}, or an object of that family, but is {given!r}.")
        if not dataclasses.is_dataclass(given):
            return given, {}
        fields = {each.name: getattr(given, each.name) for each in dataclasses.fields(given)}
        each = {name: value for name, value in fields.items() if isinstance(value, Tensor) and value.dim()}
        return given, {name: value.detach().cpu().numpy().ravel() for name, value in each.items()}
    name, options = named(family, given)
    member = registry.find(family, name)
    lists = {key: value for key, value in options.items() if isinstance(value, list | tuple | np.ndarray | Tensor)}
    each = {}
    for key, value in lists.items():
        about = member.options.get(key)
        if about is None:
            raise GanbenchError(f"{family} {member.name!r}: " + unknown("option", key, member.options))
        if about.annotation == "float":
            each[key] = numbers(f"{family} {member.name!r}: option {key!r}", value)
        elif about.annotation in ("int", "bool", "str") or about.annotation.startswith("Literal"):
            raise GanbenchError(
                f"{family} {member.name!r}: option {key!r} is {about.annotation} and has one value for all members, "
                f"but is {value!r}; only real-valued options may have one for each."
            )
    one = member.complete({**options, **{key: float(values[0]) for key, values in each.items()}})
    # Every value must be one that the member takes alone.
    for key, values in each.items():
        for value in np.unique(values):
            member.build(member.complete({**one, key: float(value)}))
    return member.build(one), each


def with_options(part: Any, each: Mapping[str, np.ndarray], count: int, match: Match) -> Any:
    """Dynamics or an optimizer with these options of `count` members, as tensors (count, 1)."""
    if not each:
        return part
    tensors = {
        name: torch.as_tensor(np.broadcast_to(values, count).copy(), dtype=match.dtype, device=match.device)[:, None]
        for name, values in each.items()
    }
    try:
        return dataclasses.replace(part, **tensors)
    except RuntimeError as error:  # a file of the user's own whose checks take single numbers only
        which = ", ".join(each)
        raise GanbenchError(f"{part!r} takes no {which} of each member's own: {error}; play one at a time.") from None


def real_array(given: Any, wanted: str) -> np.ndarray:
    """Numbers of any shape, as float64.

    Raises:
        GanbenchError: they are not numbers, or do not fit in an array; `wanted` says what would be.
    """
    if isinstance(given, Tensor):
        given = given.detach().cpu().numpy()
    try:
        values = np.asarray(given)
        if values.dtype.kind not in "iuf":
            raise ValueError
    except ValueError:
        raise GanbenchError(f"{wanted}, but is {given!r}.") from None
    return values.astype(np.float64)


def numbers(what: str, given: Any) -> np.ndarray:
    """One number or several, as (count,) float64.

    Raises:
        GanbenchError: they are not finite numbers in a row, or there are none.
    """
    values = real_array(given, f"{what} must be a number, or one for each member")
    values = np.squeeze(values, axis=1) if values.ndim == 2 and values.shape[1] == 1 else values
    values = np.atleast_1d(values)
    if values.ndim != 1 or not len(values):
        raise GanbenchError(f"{what} must be a number, or one for each member, but has the shape {values.shape}.")
    if not np.isfinite(values).all():
        raise GanbenchError(f"{what} must be finite, but is {values[~np.isfinite(values)][0]}.")
    return values


def _seeds(given: Any) -> list[int]:
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        if given < 1:
            raise GanbenchError(f"seeds must be how many there are, 1 or more, or a list of them, but is {given}.")
        return list(range(given))
    try:
        seeds = [int(seed) for seed in given if seed == int(seed)]
        whole = len(seeds) == len(given) and all(0 <= seed < LARGEST_SEED for seed in seeds)
    except (TypeError, ValueError):
        seeds, whole = [], False
    if not whole or not seeds or isinstance(given, str):
        raise GanbenchError(f"seeds must be how many there are, or a list of numbers from 0 on, but is {given!r}.")
    return seeds


def _n_train(given: int | str | None, available: int) -> int:
    if given in (None, "all"):
        return available
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= available:
        raise GanbenchError(f"n_train must be from 1 to {available}, the data set's size, or 'all', but is {given!r}.")
    return given


def _device(given: str | torch.device) -> torch.device:
    try:
        device = torch.device(given)
    except (RuntimeError, TypeError):
        raise GanbenchError(f"device {given!r} is not known to PyTorch; valid: cpu, cuda, cuda:0, ...") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise GanbenchError(f"device {str(given)!r}: PyTorch sees no GPU here; valid: cpu.")
    return device


def _dtype(given: str | torch.dtype) -> torch.dtype:
    name = str(given).removeprefix("torch.")
    if name not in DTYPES:
        raise GanbenchError(unknown("dtype", name, DTYPES))
    return DTYPES[name]
