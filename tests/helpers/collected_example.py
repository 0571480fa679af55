"""A made-up study in the form that `collect` leaves: small, realistic in shape, and with every kind of failure."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from ganbench.analysis.collected import Collected, write
from ganbench.analysis.columns import (
    AXES,
    CURVES,
    EVENTS,
    MEASUREMENTS,
    MODES,
    NULLS,
    REFERENCES,
    RUN_OUTCOMES,
    RUNS,
    SNAPSHOTS,
)
from ganbench.analysis.mode_forgetting import mean_forgetting, mode_columns
from ganbench.analysis.outcome_catalogue import catalogue
from ganbench.core import result_files

METRICS = {
    "fd": ("Fréchet distance", "Distance of generated from real examples in classifier features", "low"),
    "modes": ("Modes covered", "How many of the modes of the data are generated", "high", 0.0, 10.0),
    "high_quality": ("High-quality share", "Share of generated examples that lie close to a mode", "high", 0.0, 1.0),
    "mode_reverse_kl": (
        "Mode imbalance (KL)",
        "Divergence of the generated modes from the real ones, in nats",
        "low",
        0.0,
    ),
}
SETTINGS = ("architecture_width", "train_batch_size")
STEPS = 2000
SNAPSHOT_STEPS = (0, 10, 30, 100, 300, 1000, 2000)
BINS = 80
SHOWN = 10


def study() -> dict:
    """A resolved configuration as the report receives it."""
    return {
        "study": "example",
        "title": "How steady are small GANs?",
        "description": "Two networks on digits and one on a ring of Gaussians.",
        "grid": {"architecture": ["fc", "dcgan", "mlp"], "learning_rate": [2e-4, 1e-3, 5e-3], "seed": [0, 1, 2]},
        "train": {"steps": STEPS, "batch_size": 64},
    }


def build(folder: Path, *, seed: int = 0) -> Collected:
    """Write the made-up study into `folder` and read it back."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    metrics = {name: _info(*given) for name, given in METRICS.items()}
    grids = [("digits", "fc", n, 3) for n in (100, 400, 1400)]
    grids += [("digits", "dcgan", n, 3) for n in (100, 400, 1400)]
    grids += [("ring8", "mlp", 5000, 5)]
    points = [
        (dataset, architecture, n_train, rate, number)
        for dataset, architecture, n_train, seeds in grids
        for rate in (2e-4, 1e-3, 5e-3)
        for number in range(seeds)
    ]
    runs, snapshots, curves, modes = [], [], [], []
    real = {"digits": _digits(), "ring8": _ring(generator, 400)}
    with result_files.create_file(folder / "samples.h5", "samples") as file:
        for dataset, examples in real.items():
            result_files.write_tree(file.require_group("real"), {dataset: examples})
        for point in points:
            run = _run(point, generator)
            values = _metrics(run, generator)
            mode = _modes(run, values["high_quality"])
            modes.append(mode.assign(run=run["run"])[list(MODES)])
            run["mode_forgetting"] = mean_forgetting(mode, STEPS)
            runs.append(run | {f"{name}_final": values[name][-1] for name in metrics})
            keys = {name: run[name] for name in SNAPSHOTS if name != "step"}
            steps = [step for step in SNAPSHOT_STEPS if step <= run["steps_done"]]
            snapshots += [
                keys | {"step": step} | {name: values[name][i] for name in metrics} for i, step in enumerate(steps)
            ]
            curves.append(_curves(run, generator))
            samples = _samples(run, steps, real[run["dataset"]], generator)
            result_files.write_tree(
                file.create_group(f"runs/{run['run']}"), {"step": np.array(steps), "samples": samples}
            )
    tables = {
        "runs": pd.DataFrame(runs)[[*RUNS, *SETTINGS, *(f"{name}_final" for name in metrics)]],
        "snapshots": pd.DataFrame(snapshots)[[*SNAPSHOTS, *metrics]],
        "curves": pd.concat(curves, ignore_index=True)[list(CURVES)],
        "references": _references(),
        "nulls": _nulls(),
        "measurements": pd.DataFrame(columns=list(MEASUREMENTS)).astype({"value": float}),
        "run_outcomes": pd.DataFrame([_outcome(run) for run in runs])[list(RUN_OUTCOMES)],
        "events": pd.DataFrame([event for run in runs for event in _events(run)])[list(EVENTS)],
        "modes": pd.concat(modes, ignore_index=True),
    }
    with result_files.create_file(folder / "arrays.h5", "arrays"):
        pass
    write(folder, tables, {"metrics": metrics, "quantities": {}})
    return Collected.read(folder)


def only(collected: Collected, keep: pd.Series) -> Collected:
    """The same study with some of its runs: `keep` is a mask over the runs."""
    runs = collected.runs[keep].reset_index(drop=True)
    parts = {
        name: table[table["run"].isin(runs["run"])].reset_index(drop=True)
        for name in ("snapshots", "curves", "run_outcomes", "events", "modes")
        for table in [getattr(collected, name)]
    }
    return dataclasses.replace(collected, runs=runs, **parts)


def _info(title: str, what: str, best: str, lower: float | None = 0.0, upper: float | None = None) -> dict:
    return {"title": title, "what": what, "best": best, "lower": lower, "upper": upper}


def _run(point: tuple, generator: np.random.Generator) -> dict:
    dataset, architecture, n_train, rate, seed = point
    values = ("gan", dataset, architecture, "nonsaturating", "none", "alternating", "adam", "constant", None, None)
    values += (n_train, rate, None, seed)
    axes = dict(zip(AXES, values, strict=True))
    weak = {"fc": 0.1, "dcgan": 0.25, "mlp": 0.2}[architecture]
    risk = weak + {2e-4: 0.0, 1e-3: 0.1, 5e-3: 0.6}[rate] + (0.2 if n_train == 100 else 0.0)
    outcome = "converged"
    if generator.random() < risk:
        outcome = generator.choice(["diverged", "collapsed", "discriminator-won"], p=[0.5, 0.3, 0.2])
    step = {"diverged": int(generator.integers(5, 1500)), "discriminator-won": int(generator.integers(300, 1800))}
    why = {
        "converged": f"all {STEPS} steps, 9.2 of 10 modes covered",
        "diverged": "the discriminator's loss became infinite",
        "collapsed": "2.0 of 10 modes covered, fewer than 5",
        "discriminator-won": "outputs 0.999 on real and 0.001 on generated examples over 200 steps",
    }
    digest = hashlib.sha256(repr(point).encode()).hexdigest()
    return {
        "run": f"{dataset}-{architecture}-n{n_train}-lr{rate:g}-s{seed}-{digest[:6]}",
        **axes,
        "method": f"{dataset}-{architecture}",
        "outcome": str(outcome),
        "outcomes": str(outcome),
        "outcome_onset": step.get(outcome, STEPS),
        "failure_onset": None if outcome == "converged" else step.get(outcome, STEPS),
        **dict.fromkeys(("stopped_step", "stopped_for")),
        "outcome_evidence": why[outcome],
        "outcomes_judged": ", ".join(catalogue()),
        "failures_not_judged": "",
        "architecture_width": 128 if architecture == "mlp" else None,
        "train_batch_size": 64,
        "steps": STEPS,
        "continued_from": 0,
        "steps_done": step["diverged"] if outcome == "diverged" else STEPS,
        "discriminator_parameters": 33921,
        "generator_parameters": 41024,
        "pack": f"{dataset}-{architecture}-0",
        "fused": architecture != "dcgan",
        "execution": "traced" if architecture != "dcgan" else "eager",
        "trained_at": f"2025-03-01T10:{len(digest) % 60:02d}:0{seed}+00:00",
        "train_seconds": float(generator.uniform(4, 40)),
        "device": "cpu",
        "processor": "a processor",
        "cpu_capability": "AVX2",
        "blas": "openblas 0.3.30 Haswell",
        "threads": 1,
        **dict.fromkeys(("judged_on", "evaluated_on", "diagnosed_on", "collected_on"), "cpu, a processor"),
        "python": "3.12.4",
        "numpy": "2.4.6",
        "scipy": "1.17.1",
        "torch": "2.9.0",
        "cuda": "",
        "tf32": "",
        "commit": "0123456789ab",
        "digest": digest,
    }


def _outcome(run: dict) -> dict:
    found = {"run": run["run"], "outcome": run["outcome"], "primary": True, "judged": True}
    return found | {"onset": run["outcome_onset"], "confidence": 0.8, "evidence": run["outcome_evidence"]}


def _events(run: dict) -> list[dict]:
    """Saturation in a run that the discriminator won, and two spikes in every run that reached them."""
    found = []
    if run["outcome"] == "discriminator-won":
        about = {
            "kind": "saturation",
            "source": "real_output, fake_output",
            "start": run["outcome_onset"],
            "end": STEPS,
        }
        steps = STEPS - run["outcome_onset"] + 1
        found.append(
            {"run": run["run"], **about, "size": 0.001, "ended": False, "held_steps": steps, "longest_steps": steps}
        )
    for start in (600, 1200):
        if run["steps_done"] > start + 100:
            about = {"kind": "spike", "source": "generator_loss", "start": start + 1, "end": start + 50}
            found.append(
                {"run": run["run"], **about, "size": 3.0, "ended": True, "held_steps": None, "longest_steps": None}
            )
    return found


def _metrics(run: dict, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Metrics at every snapshot the run reached: better with training, worse again in a run that fails."""
    steps = np.array([step for step in SNAPSHOT_STEPS if step <= run["steps_done"]])
    skill = 1 - np.exp(-steps / 250) * (1 - 0.02)
    skill *= generator.uniform(0.8, 0.98) * (0.75 if run["n_train"] == 100 else 1.0)
    if run["outcome"] in ("collapsed", "discriminator-won"):
        skill *= np.where(steps > 300, generator.uniform(0.1, 0.35), 1.0)
    skill = np.clip(skill + generator.normal(0, 0.015, skill.shape), 0.001, 0.999)
    values = {
        "fd": 300 * (1 - skill) ** 2 + 2,
        "modes": np.round(np.clip(14 * skill, 0, 8 if run["dataset"] == "ring8" else 10)),
        "high_quality": skill,
        "mode_reverse_kl": 2.2 * (1 - skill),
    }
    if run["outcome"] == "diverged":
        # Networks kept just before they ran off: the last snapshot has no value any more.
        values = {name: np.where(np.arange(len(steps)) == len(steps) - 1, np.nan, v) for name, v in values.items()}
    return values


def _modes(run: dict, skill: np.ndarray) -> pd.DataFrame:
    """Noise falls on the first mode; training spreads examples over all, and failures lose most modes again."""
    steps = np.array([step for step in SNAPSHOT_STEPS if step <= run["steps_done"]])
    modes = 8 if run["dataset"] == "ring8" else 10
    weights = np.random.default_rng(int(run["digest"][:8], 16)).dirichlet(np.full(modes, 8.0))
    spread = np.clip(1.2 * skill, 0, 1)[:, None]
    share = spread * weights + (1 - spread) * np.eye(modes)[0]
    shares = np.stack([share, share * skill[:, None]], axis=1)
    return pd.DataFrame(mode_columns(steps, shares, np.full(modes, 1 / modes)))


def _curves(run: dict, generator: np.random.Generator) -> pd.DataFrame:
    edges = np.unique(np.linspace(0, STEPS, BINS + 1).astype(int))
    first, last = edges[:-1] + 1, np.minimum(edges[1:], run["steps_done"])
    first, last = first[first <= run["steps_done"]], last[first <= run["steps_done"]]
    parts = []
    for series, level in (("discriminator_loss", 1.2), ("generator_loss", 0.9), ("real_output", 0.6)):
        noise = generator.normal(0, 0.08, len(first)).cumsum() * 0.3
        mean = level + noise + 0.6 * np.exp(-last / 100)
        if run["outcome"] == "discriminator-won":
            sign = -0.9 if series == "discriminator_loss" else 6.0
            mean = mean + sign / (1 + np.exp(-(last - run["outcome_onset"]) / 80))
        if run["outcome"] == "diverged" and series != "real_output":
            mean = mean + np.exp(np.clip(30 - (run["steps_done"] - last) / 8, -50, 30))
        width = generator.uniform(0.1, 0.5, len(first))
        table = pd.DataFrame({"first_step": first, "last_step": last, "min": mean - width, "mean": mean})
        table["max"] = mean + 1.5 * width
        if run["outcome"] == "diverged":
            table.loc[len(table) - 1, ["min", "mean", "max"]] = np.nan
        parts.append(table.assign(run=run["run"], series=series))
    return pd.concat(parts)


def _digits() -> np.ndarray:
    return (load_digits().images[:64, None] / 8 - 1).astype(np.float32)


def _ring(generator: np.random.Generator, count: int) -> np.ndarray:
    angle = generator.integers(0, 8, count) * np.pi / 4
    return 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + generator.normal(0, 0.05, (count, 2))


def _samples(run: dict, steps: list[int], real: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Noise that turns into examples with training; one and the same example where the run collapsed."""
    targets = real[generator.integers(0, len(real), SHOWN if real.ndim > 2 else 200)]
    noise = generator.uniform(-1, 1, targets.shape)
    frames = []
    for step in steps:
        blend = np.exp(-step / 300) + 0.05
        goal = targets[:1] if run["outcome"] == "collapsed" and step >= 1000 else targets
        frames.append(np.clip((1 - blend) * goal + blend * noise, -3, 3))
    if run["outcome"] == "diverged":
        frames[-1] = np.full_like(frames[-1], np.nan)
    return np.array(frames, dtype=np.float32)


def _nulls() -> pd.DataFrame:
    """What real examples score: a tenth to either side of the references; nothing is known of `mode_reverse_kl`."""
    table = _references()
    table = table[table["quantity"].isin(METRICS)]
    reach = 0.1 * table["value"].abs()
    about = {"samples": 2000, "examples": 1800, "draws": 20}
    return pd.DataFrame(
        {
            "dataset": table["dataset"],
            "metric": table["quantity"],
            **about,
            "mean": table["value"],
            "std": reach / 2,
            "low": table["value"] - reach,
            "high": table["value"] + reach,
            "sampling": table["sampling"],
            "noise": table["quantity"].map({"fd": 12.0, "modes": 6.0, "high_quality": 0.3}),
            "caution": None,
        }
    )[list(NULLS)].reset_index(drop=True)


def _references() -> pd.DataFrame:
    how = "1000 held-out real examples against the training set"
    rows = [("digits", "fd", 1.7, how), ("digits", "modes", 10.0, how), ("digits", "high_quality", 0.97, how)]
    rows += [("digits", "classifier_accuracy", 0.985, "held-out real examples"), ("ring8", "fd", 0.8, how)]
    rows += [("ring8", "modes", 8.0, how), ("ring8", "high_quality", 0.99, how)]
    return pd.DataFrame(rows, columns=list(REFERENCES))
