"""What every member of a family must keep, checked by what it does: one set of checks for the tests of the members that
the package ships, and for `ganbench check`, which tries the members of a study.

A check returns the fault as a clause, whose subject is the member, or None. Whatever a member raises, it lets through.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from importlib import import_module
from typing import Any

from ganbench.core.registry import FAMILIES

# What is told to the author of a member below a fault; the whole contract stands in each family's `__init__.py`.
CONTRACTS = {
    "game": "A game derives from Game: start() and sample() are functions of the run's seed, and loss() of parameters "
    "(K, P) and a batch gives one finite number for each of K members, by which its parameters get a gradient.",
    "dataset": "A data set has `spec`, a DataSpec, `judge`, the name of a judge, and load(), which gives the same "
    "Examples at every call: float32 examples and int64 modes 0 to modes - 1, as the spec says.",
    "architecture": "An architecture has `latent_size`, a whole number, and generator(data) and discriminator(data), "
    "which give an nn.Module for one run: without state between calls, random numbers, or branches on values (tensors' "
    "item(), if, while), in the precision of its inputs.",
    "objective": "An objective has real, fake, generator and output: elementwise functions of logits that keep their "
    "shape and precision, look at nothing else, and have a gradient (output needs none).",
    "regularizer": "A regularizer derives from Regularizer: it draws from the generator it is given, and gives one finite "
    "number (K,) for K members that never mix, or examples or parameters in the shape they had.",
    "dynamics": "Dynamics derive from Dynamics: step() changes nothing in place, looks at its arguments alone, and gives "
    "a StepResult with parameters (K, P), states whose first axis is the member's, and everything that the game's series "
    "need.",
    "optimizer": "An optimizer has init(theta) and step(theta, gradient, state, rate): pure functions that change nothing "
    "in place; theta is (K, P), and a state is a dict of tensors whose first axis is the member's.",
    "judge": "A judge has untrained(examples) and fit(examples, report), which give arrays and numbers, those of fit "
    "with `accuracy` among them, and judge(state, examples), which gives JudgedExamples: features (n, F) in float64, and of "
    "each example its mode and whether it is confident; the same at every call.",
    "metric": "A metric has columns, {name: MetricInfo}, and score(), which gives a finite real number within its "
    "bounds for each of them, the same at every call, and changes nothing that it is given.",
    "diagnostic": "A diagnostic derives from Diagnostic: measure() gives a number per run, within its bounds or NaN, "
    "for each of its columns(), the same at every call.",
}


def member_fault(family: str, made: Any) -> str | None:
    """Why an object is no member of a family, before anything is asked of it."""
    kind = type(made)
    if not is_dataclass(kind) or not kind.__dataclass_params__.frozen:
        return f"its class {kind.__name__} must be a frozen dataclass, whose fields are its options"
    base = getattr(import_module(FAMILIES[family].module), FAMILIES[family].base)
    if not isinstance(made, base):
        return f"its class {kind.__name__} must derive from {base.__module__}.{base.__name__}"
    return None


def supports_fault(answer: Any) -> str | None:
    """Why this is no answer of `supports`."""
    if answer is None or (isinstance(answer, str) and answer):
        return None
    return f"its supports() must give None or a sentence, but gives {answer!r}"
