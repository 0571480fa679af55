"""Every run as data of the page: what tells it apart, the evidence, its scores and curves, small for 1,000 runs too."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ganbench.analysis.collected import Collected
from ganbench.analysis.columns import AXES, option_columns
from ganbench.analysis.grouped_arrays import grouped_arrays
from ganbench.analysis.methods import methods, primary_metric
from ganbench.analysis.settings import KEY
from ganbench.core.formatting import format_number

MAX_POINTS = 60  # points of a curve
MIN_POINTS = 12
ALL_POINTS = MAX_POINTS * 1000  # points of a series over all runs, beyond which curves have fewer
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
PAIRS = np.array([one + other for one in DIGITS for other in DIGITS], dtype="S2")  # the digits of every code
TOP = len(DIGITS) ** 2 - 4  # the level of a curve's largest value; above it are three codes for what is no number
NAN, PLUS, MINUS = TOP + 1, TOP + 2, TOP + 3
ADDRESS = 12  # characters of a run's digest in the address of the run on the page
MAX_RUNS = 2000  # of a page: each takes about a kilobyte, of three megabytes


def commands(file: str) -> dict[str, tuple[str, str]]:
    """The commands that train and that export a run.

    Args:
        file: path of the study's file; empty where it is not known.

    Returns:
        By purpose, what stands before and after the run's name in the command.
    """
    study = shlex.quote(file) if file else "STUDY"
    return {"train": (f"ganbench train {study} --only ", ""), "export": ("ganbench export ", f" --study {study}")}


def keys(runs: pd.DataFrame) -> list[str]:
    """A short word for each run, unique in the table: the beginning of its digest, numbered where others have it."""
    seen: Counter[str] = Counter()
    found = []
    for digest in runs["digest"].astype(str):
        start = re.sub(r"[^0-9a-z]", "", digest.lower())[:ADDRESS]
        seen[start] += 1
        found.append(start if seen[start] == 1 else f"{start}-{seen[start]}")
    return found


def listed(collected: Collected) -> Collected:
    """The part of a study whose runs a page has room for.

    All runs of most studies; of more than `MAX_RUNS`, by turns one of every setting in the order of the table of runs,
    which are the first seeds of each.
    """
    turns = collected.runs.groupby(list(KEY), sort=False, dropna=False).cumcount().to_numpy()
    kept = np.sort(np.argsort(turns, kind="stable")[:MAX_RUNS])
    return collected if len(kept) == len(turns) else collected.part(collected.runs.iloc[kept])


def records(collected: Collected, files: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """The runs as JSON-able values, with each text, value of an option and list of steps once.

    Args:
        collected: the study's results.
        files: by pack, paths of its result files, relative to the page.

    Returns:
        `texts`; `options`, axes among them, by name the values that occur, the most frequent one first; `metrics`, the
        titles of final scores; `series`, the names of curves; `steps`, the steps of curves; `files` by pack; and
        `runs`, in the order of the table, each with the places of its `method`, `pack` and failures `unjudged` in the
        texts, whether it trains on `data`, the steps at which it `failed` and was `stopped`, `apart`, the options in
        which it differs from the most frequent value, with the value's place, `outcomes` with onset and evidence,
        `scores`, and `curves` as `_curve` has them.
    """
    runs, texts, steps = collected.runs, _Places(), _Places()
    options, apart = _options(collected)
    metrics = {name: info for name, info in collected.metrics.items() if runs[f"{name}_final"].notna().any()}
    series, curves = _curves(collected, steps)
    holding = collected.run_outcomes[collected.run_outcomes["judged"].astype(bool)]
    holding = holding.sort_values("primary", ascending=False, kind="stable")
    evidence: dict[str, list[dict]] = defaultdict(list)
    for row in holding[["run", "outcome", "onset", "evidence"]].to_dict("records"):
        evidence[row["run"]].append(row)
    told = ["run", "method", "pack", "failures_not_judged", "dataset", "failure_onset", "stopped_step"]
    each = runs[told + [f"{name}_final" for name in metrics]].to_dict("records")
    every = []
    for run, own in zip(each, apart, strict=True):
        outcomes = [
            [texts[row["outcome"]], _plain(row["onset"]), texts[_text(row["evidence"]) or ""]]
            for row in evidence[run["run"]]
        ]
        every.append(
            {
                "method": texts[run["method"]],
                "pack": texts[run["pack"]],
                "unjudged": texts[_text(run["failures_not_judged"]) or ""],
                "data": int(not pd.isna(run["dataset"])),
                "failed": _plain(run["failure_onset"]),
                "stopped": _plain(run["stopped_step"]),
                "apart": own,
                "outcomes": outcomes,
                "scores": [
                    None if pd.isna(run[f"{name}_final"]) else format_number(run[f"{name}_final"]) for name in metrics
                ],
                "curves": curves.get(run["run"], []),
            }
        )
    return {
        "texts": list(texts),
        "options": options,
        "metrics": [info.title for info in metrics.values()],
        "series": series,
        "steps": [list(each) for each in steps],
        "files": {pack: list(files[pack]) for pack in dict.fromkeys(runs["pack"]) if pack in files},
        "runs": every,
    }


class _Places(dict):
    """Places of values in a list that has each of them once."""

    def __missing__(self, value: object) -> int:
        self[value] = len(self)
        return self[value]


def _options(collected: Collected) -> tuple[list[tuple[str, list[str | None]]], list[list[int]]]:
    """The values of every axis and option, the most frequent first; per run where it differs, as pairs of places."""
    runs = collected.runs
    names = [*(axis for axis in AXES if axis in runs), "steps", *option_columns(runs.columns, collected.metrics)]
    options: list[tuple[str, list[str | None]]] = []
    apart: list[list[int]] = [[] for _ in range(len(runs))]
    for name in names:
        codes, different = pd.factorize(runs[name])  # of few values, each is made a text once
        texts = [*map(_text, different), None]  # the last one for the code -1, of a missing value
        values = [texts[code] for code in codes]
        order = [value for value, _ in Counter(values).most_common()]
        if order == [None] or not order:
            continue
        place = {value: index for index, value in enumerate(order)}
        for own, value in zip(apart, values, strict=True):
            if place[value]:
                own += [len(options), place[value]]
        options.append((name, order))
    return options, apart


def _text(value: object) -> str | None:
    """A value of an option in full precision; None where there is none."""
    if value is None or (np.ndim(value) == 0 and pd.isna(value)):
        return None
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    return f"{value:.12g}" if isinstance(value, float | np.floating) else str(value)


def _plain(value: object) -> int | None:
    return None if pd.isna(value) else int(value)


def _curves(collected: Collected, steps: _Places) -> tuple[list[str], dict[str, list[list]]]:
    """Names of the series, and by run its curves: the losses of both players, and the primary metric of its method."""
    runs = collected.runs
    most = int(np.clip(ALL_POINTS // max(1, len(runs)), MIN_POINTS, MAX_POINTS))
    names, found = _Places(), {}
    losses = collected.curves[collected.curves["series"].astype(str).str.endswith("_loss")]
    for (run, name), rows in grouped_arrays(losses, ["run", "series"], ["first_step", "last_step", "mean"]).items():
        at, values = _merged(rows, most)
        found.setdefault(run, []).append(_curve(names[str(name).replace("_", " ")], at, values, steps))
    for run, metric, at, values in _scored(collected):
        kept = np.unique(np.linspace(0, len(at) - 1, min(len(at), most)).round().astype(int))
        title = collected.metrics[metric].title
        found.setdefault(run, []).append(_curve(names[title], at[kept], values[kept], steps))
    return list(names), found


def _scored(collected: Collected) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Every run with snapshots, the primary metric of its method, and the steps and values of its snapshots."""
    gans = collected.gans
    primary = {method: primary_metric(gans, method) for method in methods(gans)}
    snapshots = gans.snapshots.sort_values("step", kind="stable")
    for method, metric in primary.items():
        if metric is not None:
            mine = snapshots[snapshots["method"] == method]
            for (run,), rows in grouped_arrays(mine, ["run"], ["step", metric]).items():
                yield run, metric, rows["step"], np.asarray(rows[metric], dtype=np.float64)


def _merged(rows: Mapping[str, ArrayLike], most: int) -> tuple[np.ndarray, np.ndarray]:
    """Middle steps and means of bins of steps, merged until at most `most` are left; a mean with a NaN is one."""
    columns = ("first_step", "last_step", "mean")
    first, last, means = (np.asarray(rows[name], dtype=np.float64) for name in columns)
    starts = np.unique(np.linspace(0, len(means), min(len(means), most), endpoint=False).astype(int))
    weights = last - first + 1
    with np.errstate(invalid="ignore", over="ignore"):
        values = np.add.reduceat(means * weights, starts) / np.add.reduceat(weights, starts)
    ends = np.append(starts[1:], len(means)) - 1
    return np.round((first[starts] + last[ends]) / 2).astype(int), values


def _curve(series: int, at: np.ndarray, values: np.ndarray, steps: _Places) -> list:
    """A curve as [series, place of its steps, low, high, codes].

    Values y are stored as arsinh(y), which keeps small ones and those of runs that diverge, in 4,093 levels from `low`
    to `high`: the smallest and the largest arsinh(y) of finite values. Two digits of base 64 code a level, or NaN,
    infinity or minus infinity.
    """
    finite = np.isfinite(values)
    bent = np.arcsinh(values)
    low, high = (float(bound(bent[finite])) for bound in (np.min, np.max)) if finite.any() else (0.0, 0.0)
    low, high = (float(f"{bound:.6g}") for bound in (low, high))
    share = (bent[finite] - low) / (high - low) if high > low else np.zeros(finite.sum())
    codes = np.select([np.isposinf(values), np.isneginf(values)], [PLUS, MINUS], NAN)
    codes[finite] = np.clip(np.round(TOP * share), 0, TOP)
    return [series, steps[tuple(at.tolist())], low, high, PAIRS[codes].tobytes().decode()]
