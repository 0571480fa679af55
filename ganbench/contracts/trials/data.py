"""Trials of data sets and of judges."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganbench.contracts.data import few_examples, judge_fault, load_checked
from ganbench.contracts.repeatability import call_twice
from ganbench.contracts.trials.checks import (
    TRAINED,
    Check,
    LeftOpen,
    Subject,
    gan,
    images,
    line,
    part,
    points,
    training,
    training_fault,
)
from ganbench.core import registry
from ganbench.core.component_errors import describe_exception
from ganbench.core.dataset_specs import describe_in_process
from ganbench.core.errors import GanbenchError
from ganbench.core.pixels import floats
from ganbench.core.signatures import parse_signature
from ganbench.data import DataSpec, Examples
from ganbench.judges import silent

TWICE = 0.01  # share of examples that may stand in a data set twice
JUDGED = {"eight Gaussians": points, "handwritten digits": images, "points on the line, without labels": line}
ALONE = 1e-4  # tolerance of features of an example judged with fewer others


def of_dataset(subject: Subject) -> list[Check]:
    """The checks of a data set."""
    dataset, kept = subject.made, {}

    def described() -> None:
        describe_in_process(subject.name, {})

    def loaded() -> str | None:
        kept["examples"], fault = load_checked(dataset)
        return fault

    def judged() -> str | None:
        few, judge = few_examples(kept["examples"]), _judge_of(dataset)
        if judge.pretrained:
            raise LeftOpen("its judge needs weights that a study fetches")
        if judge.axes is not None and judge.axes != len(dataset.spec.shape):
            return f"its judge takes examples with {judge.axes} axes, but its spec says shape {dataset.spec.shape}"
        accuracy = {"accuracy": 0.0} if judge.tells_modes else {}
        return judge_fault(judge, {**judge.untrained(few), **accuracy}, few.train, dataset.spec.modes)

    def trains() -> str | None:
        given = dataset.spec, kept["examples"]
        for name, options in {"mlp": {"width": 8}, "fc": {"hidden_sizes": (8,), "latent_size": 4}}.items():
            architecture = part("architecture", name, **options)
            if architecture.unsupported(dataset.spec) is None:
                return training_fault(gan(given, architecture), training())
        raise LeftOpen("the networks of this trial support no such examples")

    return [
        Check("Its spec and its judge are known without loading anything.", described, "spec"),
        Check("load() and draw() give what its spec says, the same at every call.", loaded, "load", rests=True),
        Check("No held-out example is one to train on.", lambda: _twice_fault(kept["examples"]), "load", rests=True),
        Check("The judge that it names can judge its examples.", judged, "judge", rests=True),
        Check(f"In training of small networks on it, {TRAINED}", trains, rests=True),
    ]


def _judge_of(dataset: Any) -> Any:
    name, options = parse_signature(dataset.judge)
    component = registry.find("judge", name)
    return component.build(component.complete(options))


def _twice_fault(examples: Examples) -> str | None:
    """The fault of a data set whose held-out examples stand among the training ones, as a clause; None if few do."""
    rows = [np.ascontiguousarray(each).reshape(len(each), -1) for each in (examples.train, examples.heldout)]
    known = {row.tobytes() for row in rows[0]}
    twice = sum(row.tobytes() in known for row in rows[1])
    if twice > TWICE * len(rows[1]):
        return f"its load() gives {twice} of {len(rows[1])} held-out examples that are training examples too"
    return None


def of_judge(subject: Subject) -> list[Check]:
    """The checks of a judge."""
    judge = subject.made

    def fitting(data: tuple[DataSpec, Examples]) -> tuple[DataSpec, Examples]:
        spec, few = data[0], few_examples(data[1])
        if judge.pretrained:
            raise LeftOpen("it needs weights that a study fetches")
        if judge.axes is not None and judge.axes != len(spec.shape):
            raise LeftOpen(f"it is for examples with {judge.axes} axes")
        if judge.tells_modes and not spec.modes:
            raise LeftOpen("it tells modes apart, and these have no labels")
        return spec, few

    def untrained(data: tuple[DataSpec, Examples]) -> str | None:
        spec, few = fitting(data)
        accuracy = {"accuracy": 0.0} if judge.tells_modes else {}
        return judge_fault(judge, {**judge.untrained(few), **accuracy}, few.train, spec.modes)

    def fitted(data: tuple[DataSpec, Examples]) -> str | None:
        spec, few = fitting(data)
        try:
            state, fault = call_twice(lambda: judge.fit(few, silent))
        except GanbenchError as error:
            raise LeftOpen(f"it declines these few examples: {describe_exception(error)}") from None
        if fault:
            return f"its fit() {fault}"
        return judge_fault(judge, state, few.train, spec.modes) or _alone_fault(judge, state, floats(few.train))

    return [
        check
        for where, make in JUDGED.items()
        for check in (
            Check(
                f"Untrained, it judges {where}, the same at every call.", lambda make=make: untrained(make()), "judge"
            ),
            Check(
                f"Fitted to {where}, twice alike, it judges each example by itself.",
                lambda make=make: fitted(make()),
                "judge",
            ),
        )
    ]


def _alone_fault(judge: Any, state: Any, examples: np.ndarray) -> str | None:
    """The fault of a judge to which the other examples matter, as a clause; None if each is judged by itself."""
    together = judge.judge(state, examples).features
    apart = np.concatenate([judge.judge(state, part).features for part in np.array_split(examples, 3)])
    if np.allclose(together, apart, rtol=ALONE, atol=ALONE):
        return None
    return "its judge() gives an example other features when it is judged with other examples"
