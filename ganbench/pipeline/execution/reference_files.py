"""The result file of stage `reference`: the metrics' references, and their nulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from ganbench.core import result_files
from ganbench.core.tree import Tree
from ganbench.engine.nulls import Null

KIND = "reference"
NUMBERS = ("mean", "std", "low", "high", "noise")  # fields of a null that may be NaN


@dataclass(frozen=True)
class Scored:
    """What was scored of a data set's real examples.

    Attributes:
        nulls: the nulls, by column of a metric.
        shown: held-out examples to show beside generated ones, (n, *shape).
        about: what they were computed on.
        mode_shares: shares of the modes in the training examples, (modes,); None of a judge that tells none apart.
    """

    nulls: dict[str, Null]
    shown: np.ndarray
    about: Tree
    mode_shares: np.ndarray | None = None


def write(path: Path, references: Sequence[Tree], scored: Scored) -> None:
    """Write the file.

    Args:
        path: the file.
        references: the reference of each metric that supports the data, in their order.
        scored: what else is kept.
    """
    rows = zip(*map(astuple, scored.nulls.values()), strict=True)
    columns = dict(zip((each.name for each in fields(Null)), rows, strict=False))
    table = {name: np.array(values) if name in NUMBERS else list(values) for name, values in columns.items()}
    known = {f"{index}": reference for index, reference in enumerate(references)}
    modes = {} if scored.mode_shares is None else {"mode_shares": scored.mode_shares}
    with result_files.create_file(path, KIND) as file:
        result_files.write_tree(file.create_group("references"), known)
        result_files.write_tree(file.create_group("nulls"), {"column": list(scored.nulls), **table})
        result_files.write_tree(file.create_group("real"), {"shown": scored.shown, **modes})
        result_files.write_tree(file.create_group("about"), scored.about)


def read_references(path: Path) -> list[Tree]:
    """Read the references, in the order of the metrics that support the data.

    Raises:
        GanbenchError: the file is damaged.
    """
    with result_files.open_file(path, KIND) as file:
        kept = result_files.read_tree(result_files.descend(file, "references"))
    return [kept[f"{index}"] for index in range(len(kept))]


def read(path: Path) -> Scored:
    """Read all but the references.

    Raises:
        GanbenchError: the file is damaged.
    """
    with result_files.open_file(path, KIND) as file:
        table = result_files.read_tree(result_files.descend(file, "nulls"))
        real, about = (result_files.read_tree(result_files.descend(file, name)) for name in ("real", "about"))
    names = table.pop("column")
    columns = {name: values.tolist() if name in NUMBERS else values for name, values in table.items()}
    nulls = {each: Null(**{name: values[row] for name, values in columns.items()}) for row, each in enumerate(names)}
    return Scored(nulls, about=about, **real)
