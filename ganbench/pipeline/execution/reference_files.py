"""The result file of stage `reference`: the metrics' references, and their nulls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np

from ganbench.core import result_files
from ganbench.core.tree import Tree
from ganbench.engine.nulls import Null

KIND = "reference"
NUMBERS = ("mean", "sd", "low", "high")  # fields of a null that may be NaN


def write(path: Path, references: Sequence[Tree], nulls: Mapping[str, Null], about: Tree) -> None:
    """Write the file.

    Args:
        path: The file.
        references: The reference of each metric that supports the data.
        nulls: The nulls, by column of a metric.
        about: What they were computed on.
    """
    rows = list(zip(*map(astuple, nulls.values()), strict=True))
    columns = dict(zip((each.name for each in fields(Null)), rows, strict=True)) if rows else {}
    table = {name: np.array(values) if name in NUMBERS else list(values) for name, values in columns.items()}
    with result_files.create_file(path, KIND) as file:
        result_files.write_tree(
            file.create_group("references"), {f"{index}": each for index, each in enumerate(references)}
        )
        result_files.write_tree(file.create_group("nulls"), {"column": list(nulls), **table})
        result_files.write_tree(file.create_group("about"), about)


def read_references(path: Path) -> list[Tree]:
    """Read the references, in the order of the metrics that support the data.

    Raises:
        GanbenchError: The file is damaged.
    """
    with result_files.open_file(path, KIND) as file:
        kept = result_files.read_tree(result_files.descend(file, "references"))
    return [kept[f"{index}"] for index in range(len(kept))]


def read_nulls(path: Path) -> dict[str, Null]:
    """Read the nulls, by column of a metric.

    Raises:
        GanbenchError: The file is damaged.
    """
    with result_files.open_file(path, KIND) as file:
        table = result_files.read_tree(result_files.descend(file, "nulls"))
    names = table.pop("column")
    columns = {name: values.tolist() if name in NUMBERS else values for name, values in table.items()}
    return {each: Null(**{name: values[row] for name, values in columns.items()}) for row, each in enumerate(names)}


def read_about(path: Path) -> Tree:
    """Read what the references and nulls were computed on."""
    with result_files.open_file(path, KIND) as file:
        return result_files.read_tree(result_files.descend(file, "about"))
