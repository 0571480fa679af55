"""Studies so small that a whole workflow of them takes a minute, and the jobs that they have."""

from __future__ import annotations

import copy
from typing import Any

Study = dict[str, Any]

IMAGES = {
    "dataset": "digits",
    "architecture": ["fc", {"name": "dcgan", "base_channels": 4}],
    "n_train": [100],
    "learning_rate": [2.0e-4, 2.0e-3],
    "seed": [0, 1],
}
POINTS = {"dataset": "ring8", "architecture": "mlp", "learning_rate": [1.0e-3], "seed": [0, 1]}
STUDY = {
    "study": "tiny",
    "title": "A tiny study",
    "grid": [IMAGES, POINTS],
    "train": {"steps": 60, "batch_size": 16, "snapshots": {"count": 3}},
    "evaluate": {"samples": 100},
    "track": {"uri": "sqlite:///results/mlflow.db"},
}

# Games of two numbers, diagnostics of them and of no run, and claims that they confirm and refute.
LABORATORY = {
    "study": "tiny",
    "title": "A tiny laboratory",
    "grid": [
        {
            "game": "bilinear",
            "dynamics": ["simultaneous", "alternating"],
            "optimizer": "sgd",
            "learning_rate": [0.5, 1.0],
            "seed": [0, 1],
        }
    ],
    "train": {"steps": 60, "precision": "float64", "snapshots": {"count": 61, "spacing": "even"}},
    "pack": {"axes": ["seed", "learning_rate", "dynamics"]},
    "diagnose": ["path", {"diagnostic": {"name": "convolution", "max_image_size": 6}}],
    "claims": [
        {
            "id": "A1",
            "source": "an article",
            "statement": "Descent runs off.",
            "tests": [
                {
                    "closed_form": {
                        "where": {"dynamics": "simultaneous"},
                        "quantity": "path.step_ratio",
                        "equals": "sqrt(1 + learning_rate**2)",
                        "atol": 1.0e-12,
                    }
                }
            ],
        },
        {
            "id": "A4",
            "statement": "Any finite step diverges.",
            "tests": [{"bound": {"quantity": "path.growth", "above": 10}}],
        },
    ],
    "track": {"uri": "sqlite:///results/mlflow.db"},
}

# Jobs as `Done.jobs` names them: the rule, then the method or the data set where it runs for several.
REPORT = {"report", "track"}  # MLflow holds the report
SUMMARIES = {"collect", "tables", "figures"} | REPORT
TRAIN = {"train digits-fc", "train digits-dcgan", "train ring8-mlp"}
EVALUATE = {"evaluate digits-fc", "evaluate digits-dcgan", "evaluate ring8-mlp"}
REFERENCE = {"reference digits", "reference ring8"}
PREPARE = {"prepare digits", "prepare ring8", "judge digits", "judge ring8"} | REFERENCE


def study(**changes: Any) -> Study:
    """The tiny study with some sections replaced."""
    return copy.deepcopy(STUDY) | changes


def point_study(**changes: Any) -> Study:
    """The tiny study without its images, so that one pack is left."""
    return study(**{"grid": [POINTS]} | changes)
