"""A made-up laboratory in the form that `collect` leaves: two small games by two methods, and every diagnostic."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import collected_example
import numpy as np
import pandas as pd

from ganbench.analysis.class_agreement import ANGLES, polar_grid
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
    SNAPSHOTS,
)
from ganbench.core import result_files
from ganbench.core.metric_info import MetricInfo
from ganbench.study.claims import Claim

GAMES = ("bilinear(initial_parameters=(1.0, 1.0))", "gaussian(samples=5, max_output=0.99)", "gaussian")
METHODS = ("simultaneous", "alternating")
RESUMED = ("complete", "without_buffers", "without_streams", "without_optimizer", "weights_optimizer", "weights")
RATES, SEEDS, STEPS, FIXED = (0.1, 0.5), (0, 1), 100, 64

DIAGNOSTICS = {
    "path": {
        "step_ratio": ("Ratio of radii", "Radius after a step over that before it, geometric mean.", "low", 0.0, None),
        "growth": ("Growth", "Last radius over the first.", "low", 0.0, None),
        "final_radius": ("Last radius", "Distance from the origin at the end.", "low", 0.0, None),
        "final_x": ("Last x", "Where the parameter x ended.", "none", None, None),
        "final_y": ("Last y", "Where the parameter y ended.", "none", None, None),
    },
    "fields": {
        "fixed_points": ("Fixed points", "Points where the motion is zero.", "none", 0.0, None),
        "min_motion_x": ("Least motion of x", "Smallest motion of x.", "none", None, None),
        "min_motion_y": ("Least motion of y", "Smallest motion of y.", "none", None, None),
        "rough": ("Rough share", "Share of arrows more than 30 degrees off.", "low", 0.0, 1.0),
    },
    "spectrum": {"max_real": ("Growth rate", "Largest real part of an eigenvalue of -J.", "low", None, None)},
    "step_map": {"spectral_radius": ("Spectral radius", "Largest modulus of an eigenvalue.", "low", 0.0, None)},
    "basins": {"converged_share": ("Converged", "Share of starts that settle.", "high", 0.0, 1.0)},
    "slices": {
        "in_plane_share": ("In-plane share", "Share of the motion that stays in the plane.", "none", 0.0, 1.0),
        "topology": ("Topology", "0 runs off, 1 rests, 2 cycles.", "none", 0.0, 2.0),
    },
    "angle": {"chord": ("Chord", "Distance from start to end.", "none", 0.0, None)},
    "lyapunov": {
        "max_exponent": ("Largest Lyapunov exponent", "Growth of small distances, 1/step.", "low", None, None),
        "low": ("Largest exponent, low", "Lower end of its 95% interval.", "none", None, None),
        "high": ("Largest exponent, high", "Upper end of its 95% interval.", "none", None, None),
        "regime": ("Regime", "0 fixed point, 1 cycle, 2 chaos, 3 run-off.", "none", 0.0, 3.0),
    },
    "rotation": {"rotation_share_end": ("Rotation share", "Share of turning in the field.", "none", 0.0, 1.0)},
    "conditioning": {"log_condition_end": ("Log condition number", "Unevenness of the generator.", "low", 0.0, None)},
    "latent_grid": {
        "step_ratio": ("Largest step over the median", "How evenly examples change.", "low", 1.0, None),
        "classes_found": ("Classes found", "Classes that the judge is certain of.", "high", 0.0, None),
    },
    "latent_agreement": {"agreement": ("Agreement", "Share of examples of the same class.", "none", 0.0, 1.0)},
    "resuming": {"weights": ("Drift with the weights alone", "Distance to training without a stop.", "low", 0.0, None)},
    "files": {
        "npy_read_1": ("Time to read, npy, 1 MiB", "Least time to read 1 MiB.", "low", 0.0, None),
        "npy_write_1": ("Time to write, npy, 1 MiB", "Least time to write 1 MiB.", "low", 0.0, None),
        "npy_silent_flips": ("Silent flips, npy", "Share of files that load with other values.", "low", 0.0, 1.0),
    },
    "nearest_neighbors": {"covering_features": ("Covering", "Examples nearest to most samples.", "none", 1.0, None)},
    "missing_modes": {"fd_response_one": ("Response", "Change of the score without one class.", "none", None, None)},
    "pooling_indices": {
        "indices_share": ("Due to the indices", "Share of the variance.", "none", 0.0, 1.0),
        "source_p_value": ("p-value", "Share of permutations.", "none", 0.0, 1.0),
    },
    "sizes": {"example_1": ("Size in example 1", "Side of the output.", "none", 1.0, None)},
}
KINDS = {
    name: {
        "fields": "vector_field",
        "angle": "path_angle",
        "files": "file_formats",
        "sizes": "convolution",
    }.get(name, name)
    for name in DIAGNOSTICS
}

PARTS = {"quantity": "path.step_ratio", "where": {"game": "bilinear", "dynamics": "simultaneous"}}
CLAIMS = [
    {
        "id": "A10",
        "source": "an essay",
        "statement": "Gradient descent diverges.",
        "tests": [
            {"closed_form": {**PARTS, "equals": "sqrt(1 + learning_rate**2)", "atol": 1e-9}},
            {"bound": {**PARTS, "quantity": "path.growth", "above": 1}},
        ],
    },
    {
        "id": "A2",
        "statement": "Nothing ever grows.",
        "note": "It does, by simultaneous steps.",
        "exploratory": True,
        "tests": [{"proportion": {**PARTS, "quantity": "path.growth", "above": 1, "at_most": 0.05}}],
    },
    {
        "id": "B1",
        "statement": "Example 1 gives 5.",
        "tests": [{"bound": {"where": "study", "quantity": "sizes.example_1", "above": 4}}],
    },
    {
        "id": "C1",
        "statement": "Method matters.",
        "tests": [
            {
                "difference": {
                    "where": {"dynamics": "simultaneous"},
                    "baseline": {"dynamics": "alternating", "seed": 0},
                    "quantity": "path.growth",
                    "above": 0,
                }
            }
        ],
    },
]  # fmt: skip


def study() -> dict:
    """A resolved configuration as the report receives it."""
    given = collected_example.study()
    diagnose = [
        {"name": name, "diagnostic": {"name": kind, "at": "end"}, "where": {"game": ["bilinear", "gaussian"]}}
        for name, kind in KINDS.items()
    ]
    for each in diagnose[-2:]:
        each |= {"where": "study"}
    claims = [Claim.model_validate(claim).model_dump(mode="json") for claim in CLAIMS]
    return {**given, "study": "laboratory", "title": "A laboratory", "diagnose": diagnose, "claims": claims}


def diagnostics() -> dict[str, str]:
    """By experiment, its diagnostic."""
    return dict(KINDS)


def build(folder: Path, *, gans: bool = True, seed: int = 0) -> Collected:
    """Write the made-up laboratory into `folder`, beside the GANs of `collected_example`, and read it back."""
    generator = np.random.default_rng(seed)
    known = collected_example.build(folder)
    keep = known.runs["run"].notna() if gans else known.runs["run"].isna()
    known = collected_example.only(known, keep)
    rows = [
        _run(game, method, rate, number) for game in GAMES for method in METHODS for rate in RATES for number in SEEDS
    ]
    finals = dict.fromkeys((f"{name}_final" for name in known.metrics), np.nan)
    games = pd.DataFrame([row | finals for row in rows])[list(known.runs.columns)]
    runs = pd.concat([known.runs, games], ignore_index=True) if gans else games
    measurements = []
    with result_files.create_file(folder / "arrays.h5", "arrays") as file:
        for row in rows:
            for experiment, (values, arrays) in _observed(row, generator).items():
                measurements += [(row["run"], f"{experiment}.{name}", value) for name, value in values.items()]
                if arrays:
                    result_files.write_tree(file.require_group(experiment).create_group(row["run"]), arrays)
    measurements += [("", f"files.{name}", 0.5) for name in DIAGNOSTICS["files"]]
    measurements.append(("", "sizes.example_1", 5.0))
    infos = {
        f"{experiment}.{name}": dataclasses.asdict(MetricInfo(*about))
        for experiment, columns in DIAGNOSTICS.items()
        for name, about in columns.items()
    }
    tables = {
        "runs": runs,
        "snapshots": known.snapshots if gans else pd.DataFrame(columns=[*SNAPSHOTS, *known.metrics]),
        "curves": known.curves if gans else pd.DataFrame(columns=list(CURVES)),
        "references": known.references if gans else pd.DataFrame(columns=list(REFERENCES)),
        "nulls": known.nulls if gans else pd.DataFrame(columns=list(NULLS)),
        "measurements": pd.DataFrame(measurements, columns=list(MEASUREMENTS)),
        "run_outcomes": known.run_outcomes if gans else pd.DataFrame(columns=list(RUN_OUTCOMES)),
        "events": known.events if gans else pd.DataFrame(columns=list(EVENTS)),
        "modes": known.modes if gans else pd.DataFrame(columns=list(MODES)),
    }
    metrics = {name: dataclasses.asdict(info) for name, info in known.metrics.items()}
    write(folder, tables, {"metrics": metrics, "quantities": infos})
    return Collected.read(folder)


def _run(game: str, method: str, rate: float, seed: int) -> dict:
    objective = "minimax" if game.startswith("gaussian") else None
    values = {
        "game": game,
        "objective": objective,
        "dynamics": method,
        "optimizer": "sgd",
        "learning_rate": rate,
        "seed": seed,
    }
    method = f"{game.partition('(')[0]}{'-samples-5' if 'samples' in game else ''}-{method}"
    name = f"{method}-lr{rate!r}-s{seed}"
    away = method == "simultaneous" and rate == 0.5 and game == "gaussian"
    return {
        "run": name,
        **dict.fromkeys(AXES),
        **values,
        "method": method,
        "outcome": "diverged" if away else "converged",
        "outcomes": "diverged" if away else "converged",
        "outcome_onset": 60 if away else STEPS,
        "failure_onset": 60 if away else None,
        **dict.fromkeys(("stopped_step", "stopped_for")),
        "outcome_evidence": "the parameters ran off" if away else f"all {STEPS} steps",
        "outcomes_judged": "diverged, unstable, cycling, still-improving, converged",
        "mode_forgetting": None,
        "failures_not_judged": "",
        "architecture_width": None,
        "train_batch_size": None,
        "steps": STEPS,
        "continued_from": 0,
        "steps_done": 60 if away else STEPS,
        "discriminator_parameters": 1,
        "generator_parameters": 1,
        "pack": "games-0",
        "fused": True,
        "execution": "traced",
        "trained_at": f"2025-03-01T10:00:0{seed}+00:00",
        "train_seconds": 0.1,
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
        "digest": hashlib.sha256(name.encode()).hexdigest(),
    }


def _observed(run: dict, generator: np.random.Generator) -> dict[str, tuple[dict, dict]]:
    """By experiment, its numbers and its arrays."""
    rate, damping = run["learning_rate"], 0.0 if run["game"].startswith("bilinear") else 0.6
    step = _step(run["dynamics"], rate, damping)
    start = np.array([1.0, 1.0]) if "initial_parameters" in run["game"] else generator.normal(size=2)
    path = np.array([np.linalg.matrix_power(step, k) @ start for k in range(STEPS + 1)])
    lost = run["outcome"] == "diverged"
    if lost:
        path[run["outcome_onset"] :] = np.nan
    radius = np.hypot(*path.T)
    own = np.linalg.eigvals(np.array([[0, -1], [1, 0]]) - damping * np.eye(2))
    steps = np.linalg.eigvals(step)
    line = np.linspace(-5, 5, 21)
    x, y = np.meshgrid(line, line)
    u, v = -damping * x - y, x - damping * y
    if "samples" in run["game"]:
        noise = np.random.default_rng(run["seed"]).normal(0, 4, (2, *u.shape))  # of the run's own examples
        u, v = u + noise[0], v + noise[1]
    fixed = np.full(FIXED, np.nan)
    places = {"fixed_x": fixed.copy(), "fixed_y": fixed.copy(), "fixed_kind": fixed.copy()}
    for name, value in (("fixed_x", 0.0), ("fixed_y", 0.0), ("fixed_kind", 1.0 if damping else 2.0)):
        places[name][0] = value
    alpha = np.linspace(-0.1, 1.1, 40)
    exponent = float(np.log(np.abs(steps).max()))
    labels = np.where(np.hypot(x, y) < 4, 0 if damping else -2, -1)
    growth = np.nan if lost else radius[-1] / radius[0]
    largest, rough = np.nan if lost else exponent, 0.3 if "samples" in run["game"] else np.nan
    swept = np.array([0.01, 0.1, 1.0])
    radii = [np.abs(np.linalg.eigvals(_step(run["dynamics"], each, damping))).max() for each in swept]
    share = np.full(11, 1 / (1 + damping**2))
    planes = {"x": line, "y": line, "u": u, "v": v}
    return {
        "path": (
            {
                "step_ratio": float(np.abs(steps[0])),
                "growth": growth,
                "final_radius": radius[-1],
                "final_x": path[-1, 0],
                "final_y": path[-1, 1],
            },
            {"trajectory": path, "step": np.arange(STEPS + 1)},
        ),
        "fields": (
            {
                "fixed_points": 1.0,
                "min_motion_x": 0.0,
                "min_motion_y": 0.0,
                "rough": rough,
            },
            planes | places,
        ),
        "spectrum": ({"max_real": own.real.max()}, {"eigenvalues_real": own.real, "eigenvalues_imag": own.imag}),
        "step_map": (
            {"spectral_radius": np.abs(steps).max()},
            {
                "eigenvalues_real": steps.real,
                "eigenvalues_imag": steps.imag,
                "proportion": swept,
                "radius_by_rate": np.array(radii),
            },
        ),
        "basins": ({"converged_share": float((labels >= 0).mean())}, {"labels": labels, "x": line, "y": line} | places),
        "slices": ({"in_plane_share": 0.017, "topology": 1.0}, planes),
        "angle": (
            {"chord": np.nan if lost else 1.0},
            {"alpha": alpha, "cosine": np.where(lost, np.nan, np.tanh(20 * (alpha - 1))), "norm": np.abs(alpha - 1)},
        ),
        "lyapunov": (
            {
                "max_exponent": largest,
                "low": largest - 0.01,
                "high": largest + 0.01,
                "regime": 3.0 if exponent > 0 else 0.0,
            },
            {"growth": np.full((20, 2), exponent)},
        ),
        "rotation": (
            {"rotation_share_end": share[-1]},
            {"steps": np.linspace(0, STEPS, 11), "rotation_share": share, "turning_share": share / 2},
        ),
        "conditioning": (
            {"log_condition_end": 10 * damping},
            {"steps": np.linspace(0, STEPS, 11), "log_condition": np.arange(11) * damping, "singular_share": share / 3},
        ),
        "latent_grid": ({"step_ratio": 1 + rate, "classes_found": 3.0}, _grid(rate, run["seed"])),
        "latent_agreement": ({"agreement": 0.5}, _judged(run["seed"])),
        "resuming": (
            {"weights": 0.1 * rate},
            {"steps": np.arange(11)} | {name: i * rate / 100 * np.arange(11) for i, name in enumerate(RESUMED)},
        ),
        "nearest_neighbors": ({"covering_features": 3.0}, _neighbours(run["seed"])),
        "missing_modes": ({"fd_response_one": 4.0}, _missing()),
        "pooling_indices": ({"indices_share": 0.2, "source_p_value": 0.03}, _indices(run["seed"])),
    }


def _grid(rate: float, seed: int) -> dict[str, np.ndarray]:
    """Grey images, brighter from row to row, of three classes."""
    rows, columns = np.mgrid[:5, :6]
    pictures = np.tile((rows / 2.5 - 1 - rate * seed / 4)[..., None, None, None], (1, 1, 1, 4, 4))
    return {"pictures": pictures.astype(np.float16), "classes": (rows + columns) // 4, "confident": np.ones((5, 6))}


def _judged(seed: int) -> dict[str, np.ndarray]:
    """Five sectors of the latent plane, turned from seed to seed."""
    latent = polar_grid()
    angle = np.arctan2(latent[:, 1], latent[:, 0]) + 2 * np.pi * seed / ANGLES * 3
    return {"latent": latent, "classes": np.floor(5 * ((angle / (2 * np.pi)) % 1)).astype(int)}


def _neighbours(seed: int) -> dict[str, np.ndarray]:
    """Eight grey images with two neighbours each."""
    grey = np.linspace(-1, 1, 8)[:, None, None, None] * np.ones((1, 4, 4)) * (0.5 + seed / 20)
    covered = np.minimum(1, np.arange(1, 51) / 3)
    pictures = {"generated": grey, "training": np.stack([grey, -grey], axis=1), "heldout": grey / 2}
    return pictures | {"covered": covered, "heldout_covered": covered / 2}


def _missing() -> dict[str, np.ndarray]:
    """Scores without up to four classes."""
    deleted = np.arange(5.0)
    arrays = {"deleted": deleted}
    for factor, name in ((0.3, "fd"), (-0.1, "recall"), (-0.05, "coverage")):
        arrays |= {name: 0.9 + factor * deleted, f"{name}_deviation": np.full(5, 0.05)}
        arrays[f"{name}_response"] = 100 * abs(factor) * deleted
    return arrays


def _indices(seed: int) -> dict[str, np.ndarray]:
    """Grey images by latent point and source."""
    images = np.linspace(-1, 1, 8)[:, None, None, None] * np.ones((1, 4, 4))
    return {"images": images, "examples": images[:, None] * 0.5 + images[None] * (0.3 + seed / 50)}


def _step(method: str, rate: float, damping: float) -> np.ndarray:
    """The step of a linear game of two parameters as a matrix, (2, 2)."""
    motion = np.array([[0.0, -1.0], [1.0, 0.0]]) - damping * np.eye(2)
    if method == "alternating":
        first, second = np.eye(2), np.eye(2)
        first[0] += rate * motion[0]
        second[1] += rate * motion[1]
        return second @ first
    step = np.eye(2) + rate * motion
    return np.eye(2) + rate * motion @ step if method == "extragradient" else step
