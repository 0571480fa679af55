"""What two projects recorded, compared bit for bit; only clocks may differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from stored import flat, tree_of
from workflow_project import Project

# What tells when and how fast a result was made, and so differs between results that are the same.
CLOCKS = {"trained_at", "train_seconds", "seconds"}


def runs_of(path: Path) -> dict[str, dict[str, Any]]:
    """By digest: everything a result file holds of a run but clocks, bit for bit."""
    return {
        digest: {name: _bits(value) for name, value in flat(tree).items() if name.split("/")[-1] not in CLOCKS}
        for digest, tree in tree_of(path)["runs"].items()
    }


def _bits(value: Any) -> Any:
    return (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray | np.generic) else value


def clocks_of(path: Path) -> dict[str, dict[str, str]]:
    """By digest: when and in how many seconds a run was trained, as its file tells."""
    return {
        digest: {clock: value for clock, value in run["about"].items() if clock in CLOCKS}
        for digest, run in tree_of(path)["runs"].items()
    }


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The keys that only one of two mappings has, or under which they hold different values."""
    absent = object()
    return sorted(key for key in one.keys() | other.keys() if one.get(key, absent) != other.get(key, absent))


def differing_tables(one: Project, other: Project) -> list[str]:
    """The collected tables that two projects have not both, or not bit for bit alike but for clocks."""
    ones, others = ({path.name: path for path in project.collected().glob("*.parquet")} for project in (one, other))
    both = ones.keys() & others.keys()
    return sorted((ones.keys() ^ others.keys()) | {name for name in both if _unlike(ones[name], others[name])})


def _unlike(one: Path, other: Path) -> bool:
    frames = (pd.read_parquet(path).drop(columns=list(CLOCKS), errors="ignore") for path in (one, other))
    try:
        pd.testing.assert_frame_equal(*frames, check_exact=True)
    except AssertionError:
        return True
    return False


def assert_same_runs(one: Project, other: Project, stage: str, method: str) -> None:
    """All that two projects recorded of a method's runs is the same, bit for bit."""
    ones, others = (runs_of(project.file(stage, method)) for project in (one, other))
    assert ones.keys() == others.keys()
    for digest in ones:
        assert differences(ones[digest], others[digest]) == [], f"{stage} of {method} differs"


def changed_but_stamps(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The results that differ, apart from the empty files that stand for a job that is done."""
    return [path for path in differences(before, after) if "/.done/" not in path]
