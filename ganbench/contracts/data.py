"""Contracts of data sets and judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ganbench.contracts.repeatability import call_twice
from ganbench.core.pixels import floats
from ganbench.data import DataSpec, Examples
from ganbench.judges import JudgedExamples

DRAWN = 5  # examples on which `draw` is tried
BLOCK = 1000  # examples that are checked together
MAX_EXAMPLES = 64  # number of examples on which a judge is tried


def load_checked(dataset: Any, *, twice: bool = True) -> tuple[Any, str | None]:
    """Load a data set twice and check its examples.

    Args:
        dataset: the data set.
        twice: whether to load it twice, and its examples to be the same; once is enough for data sets of the package,
            which tests load twice, and half the time and the memory.

    Returns:
        The examples, and the fault of the data set as a clause; None for a valid data set.
    """
    examples, fault = call_twice(dataset.load) if twice else (dataset.load(), None)
    fault = examples_fault(dataset.spec, examples) or (f"its load() {fault}" if fault else None)
    return examples, fault or draw_fault(dataset)


def draw_fault(dataset: Any) -> str | None:
    """The fault of what a data set's `draw` returns, as a clause; None for valid examples, and where it draws none."""
    drawn, fault = call_twice(lambda: dataset.draw(DRAWN, np.random.default_rng(0)))
    if fault:
        return f"its draw() {fault}"
    if drawn is None:
        return None
    if wrong := _part_fault(dataset.spec, drawn):
        return f"its draw(): {wrong}"
    return None if len(drawn) == DRAWN else f"its draw() gives {len(drawn)} examples, not the {DRAWN} asked for"


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
        if fault := _part_fault(spec, part) or _modes_fault(spec, modes, part):
            return f"{name} {fault}"
        if len(part) < 2:
            return f"it has {len(part)} {name} examples; must be two or more"
    if len(examples.train) != spec.train:
        return f"it has {len(examples.train)} training examples, but its spec says {spec.train}"
    if spec.modes and (absent := sorted(set(range(spec.modes)) - set(np.unique(examples.train_modes).tolist()))):
        return f"its spec says {spec.modes} modes, but no training example is of mode {absent[0]}"
    if not isinstance(examples.facts, Mapping):
        return f"its facts are {type(examples.facts).__name__}; must be a dict of arrays"
    return None


def _part_fault(spec: DataSpec, part: Any) -> str | None:
    """The fault of training or held-out examples, as a clause without a subject."""
    if not isinstance(part, np.ndarray):
        return f"examples are {type(part).__name__}, not a NumPy array"
    if part.dtype != spec.dtype:
        return f"examples are {part.dtype}, not {spec.dtype}"
    if part.shape[1:] != spec.shape:
        return f"examples have shape {part.shape[1:]}, but its spec says {spec.shape}"
    if part.dtype == np.uint8:  # every byte stands for a number in [-1, 1]
        return None
    for start in range(0, len(part), BLOCK):  # in blocks, since they may be more than fits into memory
        block = part[start : start + BLOCK]
        if not np.isfinite(block).all():
            return "examples hold values that are not finite"
        if spec.stored_bounded and np.abs(block).max() > 1:
            return f"examples reach {np.abs(block).max():g}, but its spec says all values lie in [-1, 1]"
    return None


def _modes_fault(spec: DataSpec, modes: Any, part: np.ndarray) -> str | None:
    """The fault of the modes of training or held-out examples, as a clause without a subject."""
    if spec.modes == 0:
        return None if modes is None else f"modes are {type(modes).__name__}; with 0 modes in its spec, give None"
    if not isinstance(modes, np.ndarray):
        return f"modes are {type(modes).__name__}, not a NumPy array"
    if modes.dtype != np.int64:
        return f"modes are {modes.dtype}, not int64"
    if modes.shape != part.shape[:1]:
        return f"has modes of shape {modes.shape} for {len(part)} examples"
    if len(modes) and (modes.min() < 0 or modes.max() >= spec.modes):
        wrong = modes.min() if modes.min() < 0 else modes.max()
        return f"modes hold {wrong}; with {spec.modes} modes in its spec, valid are 0 to {spec.modes - 1}"
    return None


def few_examples(examples: Examples, most: int = MAX_EXAMPLES) -> Examples:
    """A small selection with examples of each mode. The same examples serve as training and as held-out examples.

    Args:
        examples: the examples of a data set.
        most: largest number of selected examples, unless two per mode are more. Without labels, the first ones.
    """
    if examples.train_modes is None:
        images = np.array(examples.train[:most])
        return Examples(images, None, images, None, examples.facts)
    per_mode = max(2, most // len(np.unique(examples.train_modes)))
    rank = np.zeros(len(examples.train_modes), dtype=np.int64)  # position of an example among the examples of its mode
    for mode in np.unique(examples.train_modes):
        mine = examples.train_modes == mode
        rank[mine] = np.arange(mine.sum())
    chosen = np.argsort(rank, kind="stable")[: per_mode * len(np.unique(examples.train_modes))]
    images, modes = examples.train[chosen], examples.train_modes[chosen]
    return Examples(images, modes, images, modes, examples.facts)


def state_fault(state: Any, tells_modes: bool = True) -> str | None:
    """The fault of a judge's state, as a clause; None for a valid state.

    Args:
        state: the state that `fit` returned.
        tells_modes: whether the judge tells modes apart, so that it has an accuracy.
    """
    if not isinstance(state, Mapping) or (tells_modes and "accuracy" not in state):
        with_accuracy = ", with 'accuracy'" if tells_modes else ""
        return f"its fit() gives {type(state).__name__}; must be a dict of arrays and numbers{with_accuracy}"
    if not tells_modes:
        return "its fit() gives an accuracy, but it tells no modes apart" if "accuracy" in state else None
    accuracy = state["accuracy"]
    if not isinstance(accuracy, float | int) or not 0 <= accuracy <= 1:
        return f"its fit() gives an accuracy of {accuracy!r}; must be a share of 1"
    return None


def judged_fault(judged: Any, examples: np.ndarray, modes: int) -> str | None:
    """The fault of judged examples, as a clause; None for valid ones.

    Args:
        judged: the value that the judge returned.
        examples: the examples that the judge was given.
        modes: number of modes of the data set; 0 for a judge that tells none apart.
    """
    if not isinstance(judged, JudgedExamples):
        return f"its judge() gives {type(judged).__name__}; must be JudgedExamples"
    count = len(examples)
    kinds = {"features": ("f", np.float64, 2)}
    if modes:
        kinds |= {"mode": ("iu", None, 1), "confident": ("b", None, 1)}
    elif judged.mode is not None or judged.confident is not None:
        return "its judge() gives modes, but it tells none apart; mode and confident must be None"
    for name, (kind, exact, axes) in kinds.items():
        values = getattr(judged, name)
        if not isinstance(values, np.ndarray) or values.ndim != axes or len(values) != count:
            shape = getattr(values, "shape", None)
            return f"its judge() gives {name} of {type(values).__name__} {shape} for {count} examples"
        if values.dtype.kind not in kind or (exact is not None and values.dtype != exact):
            return f"its judge() gives {name} of {values.dtype}"
    if judged.stored is None or np.shape(judged.stored) != examples.shape:
        return "its judge() must return the examples"
    if judged.modes != modes:
        return f"its judge() says {judged.modes} modes, but the data set has {modes}"
    if modes and count and (judged.mode.min() < 0 or judged.mode.max() >= modes):
        return f"its judge() gives modes from {judged.mode.min()} to {judged.mode.max()}; valid are 0 to {modes - 1}"
    return None if np.isfinite(judged.features).all() else "its judge() gives features that are not finite"


def judge_fault(judge: Any, state: Any, examples: np.ndarray, modes: int) -> str | None:
    """The fault of a judge or of its state, as a clause; None if the judge keeps its contract.

    Args:
        judge: the judge.
        state: the state that the judge's `fit` returned.
        examples: the examples to judge, as they are stored.
        modes: number of modes of the data set; 0 without labels.
    """
    if fault := state_fault(state, judge.tells_modes):
        return fault
    examples, modes = floats(examples), modes if judge.tells_modes else 0
    before = examples.tobytes()
    judged, fault = call_twice(lambda: judge.judge(state, examples))
    if fault := judged_fault(judged, examples, modes) or (f"its judge() {fault}" if fault else None):
        return fault
    return "its judge() changes the examples" if examples.tobytes() != before else None
