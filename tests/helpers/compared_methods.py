"""Made-up runs of methods that are compared."""

from __future__ import annotations

import dataclasses

import pandas as pd

from ganbench.analysis.collected import Collected


def study(collected: Collected, methods: dict[str, dict[tuple[int, float], list[tuple[float, str]]]]) -> Collected:
    """By method and setting (examples, rate), the final value and the outcome of each seed, all on one data set."""
    template = collected.runs.iloc[0]
    rows = [
        {**template, "run": f"{method}{setting}{seed}", "method": method, "seed": seed, "outcome": outcome}
        | {"n_train": setting[0], "learning_rate": setting[1], "fd_final": value, "steps_done": 2000}
        | {"failure_onset": 100 * (seed + 1) if outcome == "collapsed" else None}
        for method, settings in methods.items()
        for setting, members in settings.items()
        for seed, (value, outcome) in enumerate(members)
    ]
    nulls = collected.nulls.assign(noise=float("nan"))  # of which these scores know nothing
    return dataclasses.replace(collected, runs=pd.DataFrame(rows), snapshots=collected.snapshots[:0], nulls=nulls)


def runs(*outcomes: str, value: float = 1.0) -> list[tuple[float, str]]:
    """Runs by the first letters of their outcomes, of which the later ones score worse."""
    names = {"f": "converged", "c": "collapsed", "u": "undetermined", "n": "not-learned-yet"}
    return [(value + seed, names[letter]) for seed, letter in enumerate("".join(outcomes))]
