"""The laboratory on the command line: its arguments, the files it writes, and its output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from ganbench.core.atomic_files import atomic_write
from ganbench.core.errors import GanbenchError
from ganbench.core.formatting import plural
from ganbench.lab.equilibria import FixedPoint
from ganbench.lab.trajectory import Trajectory

TABLES = (".csv", ".parquet")
ENDS = 5  # steps shown of either end of a path
COLUMNS = 6  # parameters shown
ROWS = 20  # members shown


def numbers(option: str, text: str) -> list[float]:
    """Numbers with commas between them: `0.1,0.5`.

    Raises:
        GanbenchError: a word is not a number.
    """
    words = [word.strip() for word in text.split(",")]
    try:
        return [float(word) for word in words]
    except ValueError:
        raise GanbenchError(f"{option} must be numbers with commas between them, but is {text!r}.") from None


def pair(option: str, text: str) -> list[str]:
    """The two words of an option with a comma between them: `x,y`.

    Raises:
        GanbenchError: there are not two words.
    """
    words = [word.strip() for word in text.split(",")]
    if len(words) != 2 or not all(words):
        raise GanbenchError(f"{option} must be two values with a comma between them, but is {text!r}.")
    return words


def interval(option: str, text: str) -> list[float]:
    """Two ends, the lower one first: `-5,5`.

    Raises:
        GanbenchError: they are not two numbers that rise.
    """
    pair(option, text)
    low, high = numbers(option, text)
    if not -np.inf < low < high < np.inf:
        raise GanbenchError(f"{option} must go from a number to a larger one, but is {text!r}.")
    return [low, high]


def count_or_list(option: str, text: str) -> int | list[int]:
    """Seeds from text: `5` is their number, `3,7` lists them.

    Raises:
        GanbenchError: a word is not a whole number, or a seed is listed twice.
    """
    try:
        values = [int(word) for word in text.rstrip(",").split(",")]
    except ValueError:
        raise GanbenchError(f"{option} must be a count, or whole numbers as in 3,7, but is {text!r}.") from None
    if len(set(values)) < len(values):
        raise GanbenchError(f"{option} must be seeds that all differ, but is {text!r}.")
    return values if "," in text else values[0]


def parse_starts(option: str, texts: Sequence[str]) -> list[list[float]] | dict[str, list[float]] | None:
    """Starts, one a text: `2,0.5` in the order of the parameters, or `x=2,y=0.5`.

    Raises:
        GanbenchError: a text that is neither, or texts that name different parameters or have different lengths.
    """
    if not texts:
        return None
    if not any("=" in text for text in texts):
        rows = [numbers(option, text) for text in texts]
        if len({len(row) for row in rows}) > 1:
            raise GanbenchError(f"{option} must have as many numbers every time, but has {', '.join(texts)}.")
        return rows
    columns: dict[str, list[float]] = {}
    for text in texts:
        for word in text.split(","):
            name, equals, value = word.partition("=")
            if not equals:
                raise GanbenchError(f"{option} must be numbers, or name=number for every parameter, but is {text!r}.")
            columns.setdefault(name.strip(), []).extend(numbers(f"{option} {name.strip()}", value))
    if any(len(values) != len(texts) for values in columns.values()):
        raise GanbenchError(f"{option} must name every parameter once every time, but has {', '.join(texts)}.")
    return columns


def check_output_path(path: Path | None, suffixes: Sequence[str], force: bool) -> None:
    """Check, before any work, that a file may be written.

    Raises:
        GanbenchError: another suffix, a missing folder, or an existing file without `force`.
    """
    if path is None:
        return
    if path.suffix not in suffixes:
        raise GanbenchError(f"--output {path}: the name must end in {' or '.join(suffixes)}.")
    if not path.parent.is_dir():
        raise GanbenchError(f"--output {path}: there is no folder {path.parent}.")
    if path.is_dir() or (path.exists() and not force):
        raise GanbenchError(f"--output {path}: the file exists already; --force replaces it.")


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table in the format of the suffix; the file is written completely or not at all.

    Raises:
        GanbenchError: it cannot be written.
    """
    try:
        with atomic_write(path) as partial:
            if path.suffix == ".csv":
                table.to_csv(partial, index=False, na_rep="nan")
            else:
                table.to_parquet(partial, index=False)
    except OSError as error:
        raise GanbenchError(f"cannot write {path}: {error.strerror}.") from None


def rows(trajectory: Trajectory) -> pd.DataFrame:
    """The path as a table; `member` only where there are several."""
    table = trajectory.frame()
    return table if len(trajectory.trajectory) > 1 else table.drop(columns="member")


def path_table(trajectory: Trajectory) -> Table:
    """The first and the last steps of the first member."""
    hidden = len(trajectory.parameters) - COLUMNS
    names = trajectory.parameters[:COLUMNS]
    table = Table(
        title="the first and the last steps" if len(trajectory.steps) > 2 * ENDS else None, title_justify="left"
    )
    for name in (
        "step",
        *names,
        *([f"+ {hidden} more"] if hidden > 0 else []),
        *(f"{p}_loss" for p in trajectory.losses),
    ):
        table.add_column(name, justify="right", overflow="fold")
    last = len(trajectory.steps)
    shown = [index for index in range(last) if index < ENDS or index >= last - ENDS]
    for index in shown:
        if index and index - 1 not in shown:
            table.add_row(*("..." for _ in table.columns))
        values = [_shown(value) for value in trajectory.trajectory[0, index, :COLUMNS]]
        losses = [_shown(loss[0, index]) for loss in trajectory.losses.values()]
        table.add_row(str(trajectory.steps[index]), *values, *([""] if hidden > 0 else []), *losses)
    return table


def members_table(trajectory: Trajectory) -> Table:
    """A row for each of several members."""
    title = f"{plural(len(trajectory.trajectory), 'member')}, {plural(int(trajectory.steps[-1]), 'step')}"
    table = Table(title=title, title_justify="left")
    for name in ("member", "seed", "learning rate", "first radius", "last radius", "factor per step", "diverged at"):
        table.add_column(name, justify="right", overflow="fold")
    radius, growth, diverged = trajectory.radius, trajectory.growth, trajectory.diverged
    for k in range(min(ROWS, len(radius))):
        table.add_row(
            str(k),
            str(trajectory.seed[k]),
            f"{trajectory.learning_rate[k]:g}",
            _shown(radius[k, 0]),
            _shown(radius[k, -1]),
            _shown(growth[k]),
            str(diverged[k]) if diverged[k] >= 0 else "",
        )
    if len(radius) > ROWS:
        table.add_row(*("..." for _ in table.columns))
    return table


def summary_line(trajectory: Trajectory) -> str:
    """The radius of the members, whether they diverged, and the cost of a step, in one line."""
    radius, growth, diverged = trajectory.radius, trajectory.growth, trajectory.diverged
    off, cost = diverged >= 0, f"{trajectory.gradients_per_step} gradients a step"
    if len(radius) == 1:
        text = (
            f"radius {_shown(radius[0, 0])} -> {_shown(radius[0, -1])} in {plural(int(trajectory.steps[-1]), 'step')}"
        )
        if off[0]:
            text = f"diverged: no finite numbers from step {diverged[0]:,} on; radius {_shown(radius[0, 0])} at first"
        factor = f", a factor of {_shown(growth[0])} per step" if np.isfinite(growth[0]) else ""
        return f"{text}{factor}; {cost}."
    known = growth[np.isfinite(growth)]
    span = f"{_shown(known.min())} to {_shown(known.max())}" if len(known) else ""
    changed = f"the radius changed by a factor of {span} per step; " if span else ""
    return (
        f"{(growth > 1).sum():,} of {len(radius):,} members moved away from the origin, {off.sum():,} diverged "
        f"to inf or NaN; {changed}{cost}."
    )


def points_table(points: Sequence[FixedPoint], parameters: Sequence[str]) -> Table:
    """The fixed points with the eigenvalues of the flow there."""
    table = Table(title="fixed points", title_justify="left")
    for name in (*parameters, "kind", "growth rates of the flow"):
        table.add_column(name, justify="right" if name in parameters else "left")
    for point in points:
        rates = ", ".join(_complex(value) for value in point.eigenvalues)
        table.add_row(*(_shown(point.at[name]) for name in parameters), point.kind, rates)
    return table


def _complex(value: complex) -> str:
    if abs(value.imag) <= 1e-12 * abs(value):
        return _shown(value.real)
    return f"{_shown(value.real)} {'-' if value.imag < 0 else '+'} {_shown(abs(value.imag))}i"


def _shown(value: float) -> str:
    """Format with six digits; rounding errors of zero become zero."""
    return f"{0.0 if abs(value) < 1e-13 else value:.6g}"
