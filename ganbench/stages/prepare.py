"""prepare: a data set's examples, checked against what it says of itself, in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ganbench.core import store
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec, Examples
from ganbench.stages import packs
from ganbench.stages.parts import make, verify
from ganbench.stages.work import Work


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    verify(slice["sources"], [("dataset", slice["dataset"])])
    dataset = make("dataset", slice["dataset"])
    with work.progress(f"prepare {path.stem[: -packs.DIGEST]}", dataset.spec.train, "training examples") as report:
        examples = dataset.load()
        fault = fault_of(dataset.spec, examples)
        if fault:
            raise GanbenchError(f"data set {slice['dataset']['name']}: {fault}.")
        with store.writing(path, "prepare") as file:
            store.save(file.create_group("examples"), asdict(examples))
        report(len(examples.train))


def fault_of(spec: DataSpec, examples: Examples) -> str | None:
    """Where the examples are not what the spec says; None where they are."""
    for name, part, modes in (
        ("train", examples.train, examples.train_modes),
        ("heldout", examples.heldout, examples.heldout_modes),
    ):
        if part.dtype != np.float32:
            return f"{name} examples are {part.dtype}, not float32"
        if part.shape[1:] != spec.shape:
            return f"{name} examples have shape {part.shape[1:]}, but its spec says {spec.shape}"
        if not np.isfinite(part).all():
            return f"{name} examples hold values that are not finite"
        if spec.bounded and np.abs(part).max() > 1:
            return f"{name} examples reach {np.abs(part).max():g}, but its spec says all values lie in [-1, 1]"
        if modes.shape != part.shape[:1]:
            return f"{name} has {len(modes)} modes for {len(part)} examples"
    if len(examples.train) != spec.train:
        return f"it has {len(examples.train)} training examples, but its spec says {spec.train}"
    return None
