"""Studies to be changed in one place, for tests of what is accepted and what is refused."""

from __future__ import annotations

import copy

from ganbench.pipeline.plan import Plan
from ganbench.study.schema import parse

BASE = {
    "study": "tiny",
    "grid": [
        {
            "dataset": "digits",
            "architecture": ["fc", {"name": "dcgan", "base_channels": 4}],
            "n_train": [100, "all"],
            "learning_rate": [1e-3, 1e-2],
            "seed": [0, 1, 2],
        },
        {"dataset": "ring8", "architecture": "mlp", "learning_rate": 1e-3, "seed": {"first": 5, "count": 4}},
    ],
    "train": {"steps": 50},
    "pack": {"seeds_per_pack": 2},
}


def changed(*path_and_value):
    """BASE with one value replaced (or added), given as the path to it and the value."""
    *path, value = path_and_value
    study = copy.deepcopy(BASE)
    place = study
    for key in path[:-1]:
        place = place.setdefault(key, {}) if isinstance(place, dict) else place[key]
    place[path[-1]] = value
    return study


def plan(study) -> Plan:
    return Plan(parse(study, origin="study.yaml"))


TOYS = {
    "study": "toys",
    "grid": [
        {
            "game": ["bilinear", {"name": "linear", "matrix": [1.0, 0.0, 0.0, -1.0]}],
            "dynamics": ["simultaneous", "extragradient"],
            "optimizer": "sgd",
            "learning_rate": [0.1, 0.5],
            "seed": [0, 1],
        },
        {"game": "dirac", "objective": "minimax", "optimizer": ["sgd", "adam"], "learning_rate": 0.2, "seed": 0},
        {"dataset": "ring8", "architecture": "mlp", "learning_rate": 1e-3, "seed": 0},
    ],
    "train": {"steps": 20},
    "pack": {"axes": ["seed", "learning_rate", "game", "dynamics", "optimizer"]},
    "diagnose": [
        {"diagnostic": "path", "where": {"game": ["bilinear", "linear*"]}},
        {"name": "turning", "diagnostic": {"name": "rotation", "max_snapshots": 3}},
        "convolution",
    ],
    "claims": [
        {
            "id": "A1",
            "source": "000",
            "statement": "Descent runs off.",
            "tests": [
                {
                    "closed_form": {
                        "where": {"game": "bilinear", "dynamics": "simultaneous"},
                        "quantity": "path.step_ratio",
                        "equals": "sqrt(1 + learning_rate**2)",
                        "atol": 1e-9,
                    }
                },
                {"bound": {"where": "study", "quantity": "convolution.example_1", "above": 0}},
            ],
        }
    ],
}


def toys(**sections):
    return copy.deepcopy(TOYS) | copy.deepcopy(sections)
