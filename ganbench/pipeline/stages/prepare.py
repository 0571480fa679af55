"""prepare: a data set's examples, checked against what it says of itself, in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganbench.contracts import CONTRACTS
from ganbench.contracts.data import loaded
from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.member_errors import contract_message
from ganbench.pipeline.execution import result_cache
from ganbench.pipeline.execution.instantiation import make, verify
from ganbench.pipeline.execution.job_context import Work


def run(slice: dict[str, Any], path: Path, work: Work) -> None:
    verify(slice["sources"], [("dataset", slice["dataset"])])
    dataset = make("dataset", slice["dataset"])
    with work.progress(
        f"prepare {path.stem[: -result_cache.DIGEST]}", dataset.spec.train, "training examples"
    ) as report:
        examples, fault = loaded(dataset)
        if fault:
            raise GanbenchError(contract_message(f"data set {slice['dataset']['name']}", fault, CONTRACTS["dataset"]))
        with result_files.create_file(path, "prepare") as file:
            result_files.write_tree(file.create_group("examples"), asdict(examples))
        report(len(examples.train))
