"""A made-up study of many seeds at two settings, in memory."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from ganbench.analysis.collected import Collected

STEPS = (0, 10, 30, 100, 300, 1000, 2000)
BINS = 40
ODD = 7  # the seed whose runs lie far above all others


def many_seeds(collected: Collected, seeds: int) -> Collected:
    """One method at two learning rates: of the lower one no run fails, of the higher one 30% do.

    Args:
        collected: The made-up study, of which a row serves as a template.
        seeds: The number of seeds.
    """
    generator = np.random.default_rng(11)
    template = collected.runs[(collected.runs["dataset"] == "digits") & (collected.runs["outcome"] == "converged")]
    row = template.iloc[0].to_dict()
    runs, snapshots, curves = [], [], []
    for rate, risk in ((0.001, 0.0), (0.01, 0.3)):
        for seed in range(seeds):
            name = f"digits-net-lr{rate}-s{seed}"
            outcome = ("diverged", "collapsed")[seed % 2] if seed < risk * seeds and seed != ODD else "converged"
            ended = 1000 if outcome == "diverged" else STEPS[-1]
            last = 30.0 if outcome == "collapsed" else 5.0
            values = 40 * np.exp(-np.array(STEPS) / 200) + last * np.exp(generator.normal(0, 0.2, len(STEPS)))
            values = values * 6 if seed == ODD else values
            at = np.array(STEPS) <= ended
            run = row | {"run": name, "method": "digits-net", "seed": seed, "outcome": outcome}
            run |= {"learning_rate": rate, "n_train": 100, "outcomes": outcome, "steps": STEPS[-1], "steps_done": ended}
            run |= {"failure_onset": None if outcome == "converged" else ended}
            runs.append(run | {"fd_final": np.nan if outcome == "diverged" else values[-1]})
            rows = {"run": name, "method": "digits-net", "dataset": "digits", "step": np.array(STEPS)[at]}
            snapshots.append(pd.DataFrame(rows | {"fd": values[at]}))
            first = np.arange(BINS) * (STEPS[-1] // BINS) + 1
            first = first[first <= ended]
            for series, level in (("discriminator_loss", 0.7), ("generator_loss", 1.5 if seed != ODD else 6.0)):
                mean = level + generator.normal(0, 0.1, len(first))
                rows = {"run": name, "series": series, "first_step": first, "last_step": first + STEPS[-1] // BINS - 1}
                curves.append(pd.DataFrame(rows | {"mean": mean, "min": mean - 0.1, "max": mean + 0.1}))
    table = pd.concat(snapshots, ignore_index=True).reindex(columns=collected.snapshots.columns)
    tables = {"runs": pd.DataFrame(runs), "snapshots": table, "curves": pd.concat(curves, ignore_index=True)}
    empty = {name: getattr(collected, name)[:0] for name in ("events", "modes", "run_outcomes")}
    return dataclasses.replace(collected, metrics={"fd": collected.metrics["fd"]}, **tables, **empty)
