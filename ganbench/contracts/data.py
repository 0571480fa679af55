"""Contracts of data sets and judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ganbench.contracts.repeatability import call_twice
from ganbench.data import DataSpec, Examples
from ganbench.judges import JudgedExamples

MOST_EXAMPLES = 64  # number of examples on which a judge is tried


def load_checked(dataset: Any) -> tuple[Any, str | None]:
    """Load a data set twice and check its examples.

    Args:
        dataset: the data set.

    Returns:
        The examples, and the fault of the data set as a clause; None for a valid data set.
    """
    examples, fault = call_twice(dataset.load)
    return examples, examples_fault(dataset.spec, examples) or (f"its load() {fault}" if fault else None)


def examples_fault(spec: DataSpec, examples: Any) -> str | None:
    """The fault of examples that differ from their spec, as a clause; None if they match it.

    Args:
        spec: the spec of the data set.
        examples: the value that the data set's `load` returned.
    """
    if not isinstance(examples, Examples):
        return f"its load() gives {type(examples).__name__}; must be Examples"
    for name, part, modes in (
        ("train", examples.train, examples.train_modes),
        ("heldout", examples.heldout, examples.heldout_modes),
    ):
        for what, values in (("examples", part), ("modes", modes)):
            if not isinstance(values, np.ndarray):
                return f"{name} {what} are {type(values).__name__}, not a NumPy array"
        if part.dtype != np.float32:
            return f"{name} examples are {part.dtype}, not float32"
        if part.shape[1:] != spec.shape:
            return f"{name} examples have shape {part.shape[1:]}, but its spec says {spec.shape}"
        if len(part) < 2:
            return f"it has {len(part)} {name} examples; must be two or more"
        if not np.isfinite(part).all():
            return f"{name} examples hold values that are not finite"
        if spec.bounded and np.abs(part).max() > 1:
            return f"{name} examples reach {np.abs(part).max():g}, but its spec says all values lie in [-1, 1]"
        if modes.dtype != np.int64:
            return f"{name} modes are {modes.dtype}, not int64"
        if modes.shape != part.shape[:1]:
            return f"{name} has modes of shape {modes.shape} for {len(part)} examples"
        if modes.min() < 0 or modes.max() >= spec.modes:
            wrong = modes.min() if modes.min() < 0 else modes.max()
            return f"{name} modes hold {wrong}; with {spec.modes} modes in its spec, valid are 0 to {spec.modes - 1}"
    if len(examples.train) != spec.train:
        return f"it has {len(examples.train)} training examples, but its spec says {spec.train}"
    absent = sorted(set(range(spec.modes)) - set(np.unique(examples.train_modes).tolist()))
    if absent:
        return f"its spec says {spec.modes} modes, but no training example is of mode {absent[0]}"
    if not isinstance(examples.facts, Mapping):
        return f"its facts are {type(examples.facts).__name__}; must be a dict of arrays"
    return None


def few_examples(examples: Examples, most: int = MOST_EXAMPLES) -> Examples:
    """A small selection with examples of each mode. The same examples serve as training and as held-out examples.

    Args:
        examples: the examples of a data set.
        most: largest number of selected examples, unless two per mode are more.
    """
    per_mode = max(2, most // len(np.unique(examples.train_modes)))
    rank = np.zeros(len(examples.train_modes), dtype=np.int64)  # position of an example among the examples of its mode
    for mode in np.unique(examples.train_modes):
        mine = examples.train_modes == mode
        rank[mine] = np.arange(mine.sum())
    chosen = np.argsort(rank, kind="stable")[: per_mode * len(np.unique(examples.train_modes))]
    images, modes = examples.train[chosen], examples.train_modes[chosen]
    return Examples(images, modes, images, modes, examples.facts)


def state_fault(state: Any) -> str | None:
    """The fault of a judge's state, as a clause; None for a valid state."""
    if not isinstance(state, Mapping) or "accuracy" not in state:
        return f"its fit() gives {type(state).__name__}; must be a dict of arrays and numbers, with 'accuracy'"
    accuracy = state["accuracy"]
    if not isinstance(accuracy, float | int) or not 0 <= accuracy <= 1:
        return f"its fit() gives an accuracy of {accuracy!r}; must be a share of 1"
    return None


def judged_fault(judged: Any, examples: np.ndarray, modes: int) -> str | None:
    """The fault of judged examples, as a clause; None for valid ones.

    Args:
        judged: the value that the judge returned.
        examples: the examples that the judge was given.
        modes: number of modes of the data set.
    """
    if not isinstance(judged, JudgedExamples):
        return f"its judge() gives {type(judged).__name__}; must be JudgedExamples"
    count = len(examples)
    kinds = {"features": ("f", np.float64, 2), "mode": ("iu", None, 1), "confident": ("b", None, 1)}
    for name, (kind, exact, axes) in kinds.items():
        values = getattr(judged, name)
        if not isinstance(values, np.ndarray) or values.ndim != axes or len(values) != count:
            shape = getattr(values, "shape", None)
            return f"its judge() gives {name} of {type(values).__name__} {shape} for {count} examples"
        if values.dtype.kind not in kind or (exact is not None and values.dtype != exact):
            return f"its judge() gives {name} of {values.dtype}"
    if judged.examples is None or np.shape(judged.examples) != examples.shape:
        return "its judge() must return the examples"
    if judged.modes != modes:
        return f"its judge() says {judged.modes} modes, but the data set has {modes}"
    if count and (judged.mode.min() < 0 or judged.mode.max() >= modes):
        return f"its judge() gives modes from {judged.mode.min()} to {judged.mode.max()}; valid are 0 to {modes - 1}"
    return None if np.isfinite(judged.features).all() else "its judge() gives features that are not finite"


def judge_fault(judge: Any, state: Any, examples: np.ndarray, modes: int) -> str | None:
    """The fault of a judge or of its state, as a clause; None if the judge keeps its contract.

    Args:
        judge: the judge.
        state: the state that the judge's `fit` returned.
        examples: the examples to judge.
        modes: number of modes of the data set.
    """
    if fault := state_fault(state):
        return fault
    before = examples.tobytes()
    judged, fault = call_twice(lambda: judge.judge(state, examples))
    if fault := judged_fault(judged, examples, modes) or (f"its judge() {fault}" if fault else None):
        return fault
    return "its judge() changes the examples" if examples.tobytes() != before else None
